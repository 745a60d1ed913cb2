//! Applies events. Total and deterministic; an event about something deleted changes nothing.

use alloc::sync::Arc;

use adyton_decider::{Class, Seconds};

use crate::hot::{Hot, Slot, Verification, slot};
use crate::sends::Counted;
use crate::{Attempt, AttemptId, CheckOutcome, Event, Reason, State, VerificationId};

impl State {
    /// Applies one event beside that state of services.
    pub fn apply(&mut self, at: Seconds, event: Event, services: &adyton_services::State) {
        match event {
            Event::Checked { verification, service, subject, full_again, outcome } => {
                let place = (service, subject);
                match (outcome, services.owner(service)) {
                    (CheckOutcome::Wrong, Some(account)) => self.budgets.wrong(account, place, full_again, at),
                    // Only a code that the vault made proves that the person got it; a caller's own
                    // would let the caller reset the count of wrong ones.
                    (CheckOutcome::Proven, _) => self.budgets.right(&place, at),
                    _ => {}
                }
                if outcome.is_compared() {
                    self.hot.checked(verification, outcome.is_right(), at);
                }
                if outcome == CheckOutcome::ByApi {
                    self.end(verification, Reason::Approved, at);
                    // A replayed state has not known it live, but may be asked why it ended.
                    self.ended.put(verification, service, Reason::Approved, at);
                }
            }
            Event::VerificationCanceled { verification } => self.end(verification, Reason::Canceled, at),
            Event::Swept => self.swept(at, services),
            Event::SupportLooked { account, .. } => self.hot.sends.add(Counted::Support(account), 1, at),
            Event::VerificationStarted { .. }
            | Event::VerificationResent { .. }
            | Event::SendRepeated { .. }
            | Event::DeliveryReported { .. } => self.hot.apply(at, event, services),
        }
    }

    /// Applies one event to a state that keeps only what survives a restart, and why codes of
    /// before are void: the one that a boot replays and that snapshots are made from.
    pub fn apply_cold(&mut self, at: Seconds, event: Event, services: &adyton_services::State) {
        match event {
            // As long as its code would have lived.
            Event::VerificationStarted { verification, service, .. } => {
                self.ended.put(verification, service, Reason::VaultRestarted, at);
            }
            Event::VerificationCanceled { verification } => {
                if let Some((service, reason)) = self.ended.entry(verification) {
                    let reason = if reason == Reason::Approved { reason } else { Reason::Canceled };
                    self.ended.put(verification, service, reason, at);
                }
            }
            Event::Checked { verification, service, outcome, .. } => {
                if outcome.is_compared() {
                    self.ended.checked(verification, service, outcome.is_right(), at);
                }
                self.apply(at, event, services);
            }
            event if matches!(event.class(), Class::S | Class::P) => self.apply(at, event, services),
            _ => {}
        }
    }

    /// Hears that a boot begins: everything hot is void.
    pub fn on_boot(&mut self, at: Seconds) {
        let hot = core::mem::take(&mut self.hot);
        for (verification, live) in hot.verifications.iter() {
            let reason = if live.approved { Reason::Approved } else { Reason::VaultRestarted };
            self.ended.put(*verification, live.service, reason, at);
        }
        self.budgets.boot(at);
        self.hot.swept = at / 3600;
    }

    fn end(&mut self, verification: VerificationId, reason: Reason, at: Seconds) {
        if let Some(over) = self.hot.end(verification) {
            let reason = if over.approved || over.expires_at() <= at { over.reason_at_end() } else { reason };
            self.ended.put(verification, over.service, reason, at);
        }
    }
}

impl Hot {
    fn apply(&mut self, at: Seconds, event: Event, services: &adyton_services::State) {
        match event {
            Event::VerificationStarted {
                verification,
                account,
                service,
                channel,
                subject,
                attempt,
                code_length,
                sent,
                destination,
                custom_code,
                slot_key,
            } => {
                self.sends.count(Some(account), sent, at);
                if slot_key.is_some() {
                    self.slots.insert(slot(at), Slot { key: slot_key, live: 0 });
                }
                self.start(
                    verification,
                    Verification {
                        service,
                        subject,
                        channel,
                        destination,
                        is_supplied: custom_code.is_some(),
                        custom_code: custom_code.map(Arc::new),
                        code_length,
                        updated: at,
                        attempts: Attempt::new(attempt, at).into(),
                        checks: 0,
                        approved: false,
                    },
                );
            }
            Event::VerificationResent { verification, attempt, sent } => {
                let Some(live) = self.verifications.get_mut(&verification) else { return };
                live.attempts.push(Attempt::new(attempt, at));
                live.updated = at;
                let service = live.service;
                self.sends.count(services.owner(service), sent, at);
            }
            Event::SendRepeated { verification, attempt, sent } => {
                let Some(live) = self.verifications.get(&verification) else { return };
                let service = live.service;
                if let Some(known) = self.attempt(verification, attempt) {
                    known.repeats = known.repeats.saturating_add(1);
                }
                self.sends.count(services.owner(service), sent, at);
            }
            Event::DeliveryReported { verification, attempt, outcome, route } => {
                if let Some(known) = self.attempt(verification, attempt) {
                    (known.outcome, known.route) = (Some(outcome), route);
                }
            }
            _ => {}
        }
    }

    fn attempt(&mut self, verification: VerificationId, attempt: AttemptId) -> Option<&mut Attempt> {
        let live = self.verifications.get_mut(&verification)?;
        live.attempts.iter_mut().find(|known| known.sid == attempt)
    }
}
