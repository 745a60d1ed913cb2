//! `evolve`: what an event changes. Total and deterministic; an event about something that is gone changes nothing.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::decide::slot;
use crate::event::{Event, EventKind};
use crate::hot::{Hot, Slot, Verification};
use crate::sends::Counted;
use crate::state::{ApiKey, Service, Tenant};
use crate::{Attempt, Class, Reason, Scopes, Seconds, Sid, State, Subjects};

impl State {
    /// Applies one event.
    pub fn evolve(&mut self, event: Event) {
        let Event { at, kind } = event;
        match kind {
            EventKind::Booted { .. } => self.booted(at),
            EventKind::TenantCreated { account, token_hash, ssh_key, admitted, friendly_name } => {
                self.owners_sequence = self.owners_sequence.max(admitted.unwrap_or(0));
                let tenant =
                    Tenant { token_hash, friendly_name, ssh_key, sequence: 0, created: at, services: 0, loosenings: 0 };
                self.tenants.insert(account, tenant);
            }
            EventKind::KeysChanged { account, sequence, reset, token_hash, removed, added } => {
                self.keys_changed(account, sequence, reset, token_hash, &removed, added);
            }
            EventKind::SettingsChanged { sequence, text } => {
                self.owners_sequence = sequence;
                self.settings = text;
            }
            EventKind::ServiceCreated { account, service, settings } => {
                self.services_of.insert((account, at, service));
                if let Some(tenant) = self.tenants.get_mut(&account) {
                    tenant.services = tenant.services.saturating_add(1);
                }
                let created = Service { account, settings, created: at, updated: at, loosening: None };
                self.services.insert(service, created);
            }
            EventKind::ServiceUpdated { service, settings } => {
                if let Some(found) = self.services.get_mut(&service) {
                    found.settings = settings;
                    found.updated = at;
                }
            }
            EventKind::ServiceDeleted { service } => self.service_deleted(service, at),
            EventKind::LooseningScheduled { account, sequence, service, loosening } => {
                self.signed(account, sequence);
                if let Some(found) = self.services.get_mut(&service) {
                    let (owner, old) = (found.account, found.loosening.replace(loosening));
                    if let Some(old) = old {
                        self.take_loosening(owner, service, old.at);
                    }
                    self.put_loosening(owner, service, loosening.at);
                }
            }
            EventKind::LooseningEnded { service, in_effect } => {
                if let Some(found) = self.services.get_mut(&service)
                    && let Some(loosening) = found.loosening.take()
                {
                    if in_effect {
                        loosening.apply(&mut found.settings);
                        found.updated = at;
                    }
                    let owner = found.account;
                    self.take_loosening(owner, service, loosening.at);
                }
            }
            EventKind::CheckFailed { verification, service, subject, full_again } => {
                if let Some(found) = self.services.get(&service) {
                    self.budgets.wrong(found.account, (service, subject), full_again, at);
                }
                if let Some(live) = self.hot.verifications.get_mut(&verification) {
                    live.failed_checks = live.failed_checks.saturating_add(1);
                    live.updated = at;
                }
            }
            EventKind::VerificationApproved { verification, service, subject, proven } => {
                if proven {
                    self.budgets.right(&(service, subject));
                }
                self.end(verification, Reason::Approved, at);
                // A replayed state has not known it live, but may be asked why it is over.
                self.ended.put(verification, service, Reason::Approved, at);
            }
            EventKind::VerificationCanceled { verification } => self.end(verification, Reason::Canceled, at),
            EventKind::Expired => self.expired(at),
            EventKind::BudgetsForgotten => self.budgets.forget_old(at, owner(&self.services)),
            EventKind::SupportLooked { account, .. } => self.hot.sends.0.add(Counted::Support(account), 1, at),
            EventKind::SlotOpened { .. }
            | EventKind::VerificationStarted { .. }
            | EventKind::VerificationResent { .. }
            | EventKind::SendRepeated { .. }
            | EventKind::DeliveryReported { .. } => self.hot.evolve(at, kind),
        }
    }

    /// Applies one event to a state that keeps only what survives a restart, and why codes of before are void: the one
    /// that a boot replays and that snapshots are made from.
    pub fn evolve_cold(&mut self, event: Event) {
        match event.kind {
            EventKind::VerificationStarted { verification, service, .. } => {
                // As long as its code would have lived.
                self.ended.put(verification, service, Reason::VaultRestarted, event.at);
            }
            EventKind::VerificationCanceled { verification } => {
                if let Some(service) = self.ended.service(verification) {
                    self.ended.put(verification, service, Reason::Canceled, event.at);
                }
            }
            _ if matches!(event.class(), Class::S | Class::P) => self.evolve(event),
            _ => {}
        }
    }

    fn booted(&mut self, at: Seconds) {
        let hot = core::mem::take(&mut self.hot);
        for (sid, live) in hot.verifications {
            self.ended.put(sid, live.service, Reason::VaultRestarted, at);
        }
        self.budgets.boot(at);
        self.hot.swept = at / 3600;
    }

    fn keys_changed(
        &mut self,
        account: Sid,
        sequence: u64,
        reset: bool,
        token_hash: Option<[u8; 32]>,
        removed: &[Sid],
        added: Vec<(Sid, Scopes, [u8; 32])>,
    ) {
        if !self.tenants.contains_key(&account) {
            return;
        }
        self.signed(account, sequence);
        self.keys.retain(|sid, key| key.account != account || !(reset || removed.contains(sid)));
        if let (Some(tenant), Some(token_hash)) = (self.tenants.get_mut(&account), token_hash) {
            tenant.token_hash = token_hash;
        }
        for (sid, scopes, token_hash) in added {
            self.keys.insert(sid, ApiKey { account, token_hash, scopes });
        }
    }

    /// A tenant's signed request has counted.
    fn signed(&mut self, account: Sid, sequence: u64) {
        if let Some(tenant) = self.tenants.get_mut(&account) {
            tenant.sequence = sequence;
        }
    }

    fn service_deleted(&mut self, service: Sid, at: Seconds) {
        for verification in self.hot.of_service(service) {
            self.end(verification, Reason::Canceled, at);
        }
        if let Some(gone) = self.services.remove(&service) {
            self.budgets.service_deleted(gone.account, service);
            self.services_of.remove(&(gone.account, gone.created, service));
            if let Some(tenant) = self.tenants.get_mut(&gone.account) {
                tenant.services = tenant.services.saturating_sub(1);
            }
            if let Some(waiting) = gone.loosening {
                self.take_loosening(gone.account, service, waiting.at);
            }
        }
    }

    fn end(&mut self, verification: Sid, reason: Reason, at: Seconds) {
        if let Some(over) = self.hot.end(verification) {
            self.ended.put(verification, over.service, reason, at);
        }
    }

    fn expired(&mut self, at: Seconds) {
        while let Some((ends, sid)) = self.hot.ends.first().copied() {
            if ends > at {
                break;
            }
            if let Some(over) = self.hot.end(sid) {
                self.ended.put(sid, over.service, over.reason_at_end(), ends);
            }
            // `end` removes it; this also covers an entry without a verification.
            self.hot.ends.remove(&(ends, sid));
        }
        self.ended.forget(at);
        if self.hot.swept != at / 3600 {
            self.hot.swept = at / 3600;
            self.hot.sends.0.forget(at);
            self.budgets.drop_full(at, owner(&self.services));
        }
    }
}

/// Whose a service is.
pub(crate) fn owner(services: &BTreeMap<Sid, Service>) -> impl Fn(&Sid) -> Option<Sid> {
    |service| services.get(service).map(|service| service.account)
}

impl Hot {
    fn evolve(&mut self, at: Seconds, kind: EventKind) {
        match kind {
            EventKind::SlotOpened { slot, key } => drop(self.slots.insert(slot, Slot { key, live: 0 })),
            EventKind::VerificationStarted {
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
            } => {
                self.count(account, sent, at);
                self.start(
                    verification,
                    Verification {
                        account,
                        service,
                        subject,
                        channel,
                        destination,
                        custom_code,
                        code_length,
                        slot: slot(at),
                        created: at,
                        updated: at,
                        attempts: alloc::vec![Attempt::new(attempt, at)],
                        failed_checks: 0,
                    },
                );
            }
            EventKind::VerificationResent { verification, attempt, sent } => {
                let Some(live) = self.verifications.get_mut(&verification) else { return };
                live.attempts.push(Attempt::new(attempt, at));
                live.updated = at;
                let account = live.account;
                self.count(account, sent, at);
            }
            EventKind::SendRepeated { verification, attempt, sent } => {
                let Some(live) = self.verifications.get(&verification) else { return };
                let account = live.account;
                if let Some(known) = self.attempt(verification, attempt) {
                    known.repeats = known.repeats.saturating_add(1);
                }
                self.count(account, sent, at);
            }
            EventKind::DeliveryReported { verification, attempt, outcome, route } => {
                if let Some(known) = self.attempt(verification, attempt) {
                    (known.outcome, known.route) = (Some(outcome), route);
                }
            }
            _ => {}
        }
    }

    fn attempt(&mut self, verification: Sid, attempt: Sid) -> Option<&mut Attempt> {
        let live = self.verifications.get_mut(&verification)?;
        live.attempts.iter_mut().find(|known| known.sid == attempt)
    }

    /// Counts a sending against the ceilings.
    fn count(&mut self, account: Sid, sent: Option<(Subjects, u64)>, at: Seconds) {
        let Some((subjects, cost)) = sent else { return };
        self.sends.0.add(Counted::Destination(subjects.in_tenant), 1, at);
        self.sends.0.add(Counted::Shared(subjects.shared), 1, at);
        self.sends.0.add(Counted::Tenant(account), 1, at);
        self.sends.0.add(Counted::Spend(account), cost, at);
    }
}
