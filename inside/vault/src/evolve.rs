//! `evolve`: what an event changes. Total and deterministic; an event about something that is gone changes nothing.

use crate::event::{Event, EventKind};
use crate::state::{Attempt, Hot, Service, Slot, Tenant, Verification};
use crate::{Class, SLOT, Sid, State};

impl State {
    /// Applies one event.
    pub fn evolve(&mut self, event: Event) {
        let Event { at, kind } = event;
        match kind {
            EventKind::Booted { .. } => self.hot = Hot::default(),
            EventKind::TenantCreated { account, token_hash, friendly_name } => {
                self.tenants.insert(account, Tenant { token_hash, friendly_name, created: at });
            }
            EventKind::ServiceCreated { account, service, code_length, friendly_name } => {
                self.services.insert(service, Service { account, friendly_name, code_length, created: at });
            }
            EventKind::SlotOpened { slot, key } => {
                self.hot.slots.insert(slot, Slot { key, live: 0 });
            }
            EventKind::VerificationStarted {
                verification,
                account,
                service,
                channel,
                subject,
                attempt,
                destination,
            } => self.hot.start(
                verification,
                Verification {
                    account,
                    service,
                    subject,
                    channel,
                    destination,
                    slot: u32::try_from(at / SLOT).unwrap_or(u32::MAX),
                    created: at,
                    updated: at,
                    attempts: alloc::vec![Attempt { at, sid: attempt, outcome: None }],
                    failed_checks: 0,
                },
            ),
            EventKind::VerificationResent { verification, attempt } => {
                if let Some(live) = self.hot.verifications.get_mut(&verification) {
                    live.attempts.push(Attempt { at, sid: attempt, outcome: None });
                    live.updated = at;
                }
            }
            EventKind::CheckFailed { verification } => {
                if let Some(live) = self.hot.verifications.get_mut(&verification) {
                    live.failed_checks = live.failed_checks.saturating_add(1);
                    live.updated = at;
                }
            }
            EventKind::VerificationApproved { verification } => self.hot.end(verification),
            EventKind::Expired => {
                while let Some((ends, sid)) = self.hot.ends.first().copied() {
                    if ends > at {
                        break;
                    }
                    self.hot.end(sid);
                    // `end` removes it; this also covers an entry without a verification.
                    self.hot.ends.remove(&(ends, sid));
                }
            }
            EventKind::DeliveryReported { verification, attempt, outcome, route: _ } => {
                let live = self.hot.verifications.get_mut(&verification);
                let attempts = live.into_iter().flat_map(|live| &mut live.attempts);
                for known in attempts.filter(|known| known.sid == attempt) {
                    known.outcome = Some(outcome);
                }
            }
        }
    }

    /// Applies one event to a state that keeps only what survives a restart: the one that snapshots are made from.
    pub fn evolve_cold(&mut self, event: Event) {
        if event.class() == Class::S {
            self.evolve(event);
        }
    }
}

impl Hot {
    fn start(&mut self, sid: Sid, verification: Verification) {
        self.slots.entry(verification.slot).or_insert(Slot { key: None, live: 0 }).live += 1;
        self.by_subject.insert((verification.service, verification.subject), sid);
        self.ends.insert((verification.ends(), sid));
        self.verifications.insert(sid, verification);
    }

    /// Ends a verification and erases its slot's key with the slot's last live code.
    fn end(&mut self, sid: Sid) {
        let Some(ended) = self.verifications.remove(&sid) else { return };
        self.ends.remove(&(ended.ends(), sid));
        let subject = (ended.service, ended.subject);
        // A later verification of the same destination may have taken the place.
        if self.by_subject.get(&subject) == Some(&sid) {
            self.by_subject.remove(&subject);
        }
        if let Some(slot) = self.slots.get_mut(&ended.slot) {
            slot.live = slot.live.saturating_sub(1);
            if slot.live == 0 {
                self.slots.remove(&ended.slot);
            }
        }
    }
}
