//! Sweeps: work that falls due by time. Every sweep is capped, so that neither a decision nor an
//! event walks all that the vault holds; the rest is due at once ([`State::is_due`]).
//!
//! One sweep
//! 1. ends at most [`MAX_REMOVED_PER_SWEEP`] expired verifications, the soonest first,
//! 2. ends at most [`MAX_REMOVED_PER_SWEEP`] verifications of deleted services,
//! 3. drops at most [`MAX_SCANNED_PER_SWEEP`] reasons of ends,
//! 4. removes at most [`MAX_REMOVED_PER_SWEEP`] budgets of deleted services,
//! 5. scans the next [`MAX_SCANNED_PER_SWEEP`] budgets and drops those equal to an unused budget,
//! 6. after each hour, scans the next [`MAX_SCANNED_PER_SWEEP`] counts of sending, until all were
//!    scanned.
//!
//! Its time does not matter: what has ended or was deleted is invisible from that moment on, and
//! old counts count for nothing. So budgets never cause a sweep, which would reveal to the host how
//! many wrong codes there were; 4 and 5 happen with the others, and once an hour.

use alloc::vec::Vec;

use adyton_decider::Seconds;
use adyton_services::ServiceId;
use adyton_tenancy::AccountId;

use crate::hot::Hot;
use crate::live::cancel_deliveries;
use crate::{Draft, Event, State, Subject, VerificationId};

/// Most verifications, or budgets, that one sweep removes for one reason.
pub const MAX_REMOVED_PER_SWEEP: usize = 1024;
/// Most values of one kind that one sweep scans for old ones.
pub const MAX_SCANNED_PER_SWEEP: usize = 4096;

/// Drafts one `Swept` if anything is due.
pub fn sweep(state: &State, now: Seconds, draft: &mut Draft) {
    if !state.is_due(now) {
        return;
    }
    draft.log(Event::Swept);
    cancel_deliveries(state, state.hot.expired(now).into_iter().map(|(_, sid)| sid), true, draft);
    cancel_deliveries(state, state.hot.of_deleted_services().into_iter(), false, draft);
}

/// Cancels the deliveries under way of a service that is deleted: at most [`MAX_REMOVED_PER_SWEEP`]
/// messages, the others by later sweeps.
pub fn cancel_deliveries_of(state: &State, service: ServiceId, draft: &mut Draft) {
    cancel_deliveries(state, state.hot.of_service(service).take(MAX_REMOVED_PER_SWEEP), false, draft);
}

impl State {
    /// Whether a sweep is due.
    pub fn is_due(&self, now: Seconds) -> bool {
        let over = self.hot.by_expiry.first().is_some_and(|(ends, _)| *ends <= now);
        // Hours count from the boot on; a state without one has nothing hot.
        let another_hour = self.budgets.boots > 0 && (self.hot.swept != now / 3600 || self.hot.forgetting);
        over || another_hour || !self.hot.deleted_services.is_empty() || self.ended.is_due(now)
    }

    /// Applies [`Event::Swept`].
    pub(crate) fn swept(&mut self, at: Seconds, services: &adyton_services::State) {
        // Both lists as the decision saw them.
        let (over, of_deleted_services) = (self.hot.expired(at), self.hot.of_deleted_services());
        // 1.
        for (ends, sid) in over {
            // `end` removes it; this also covers an entry without a verification.
            self.hot.by_expiry.remove(&(ends, sid));
            if let Some(over) = self.hot.end(sid) {
                self.ended.put(sid, over.service, over.reason_at_end(), ends);
            }
        }
        // 2. No caller can ask why they ended.
        for sid in of_deleted_services {
            self.hot.end(sid);
        }
        self.hot.drop_empty_deleted();
        // 3.
        self.ended.evict_old(at, MAX_SCANNED_PER_SWEEP);
        // 4. and 5.
        self.budgets.remove_deleted(MAX_REMOVED_PER_SWEEP);
        self.budgets.evict_full(at, MAX_SCANNED_PER_SWEEP, |service| services.owner(*service));
        // 6.
        self.hot.forget_sends(at);
    }

    /// Applies that a service of a tenant was deleted. Its verifications have ended: none is found
    /// without its service; sweeps remove them, and its budgets.
    pub fn on_service_deleted(&mut self, at: Seconds, account: AccountId, service: ServiceId) {
        if self.hot.of_service(service).next().is_some() {
            self.hot.deleted_services.insert(service);
        }
        self.budgets.on_service_deleted(at, account, service);
    }
}

impl Hot {
    /// Expired verifications, the soonest first.
    fn expired(&self, now: Seconds) -> Vec<(Seconds, VerificationId)> {
        self.by_expiry.iter().take_while(|(ends, _)| *ends <= now).take(MAX_REMOVED_PER_SWEEP).copied().collect()
    }

    /// Verifications of deleted services.
    fn of_deleted_services(&self) -> Vec<VerificationId> {
        let gone = self.deleted_services.iter().take(MAX_REMOVED_PER_SWEEP);
        gone.flat_map(|service| self.of_service(*service)).take(MAX_REMOVED_PER_SWEEP).collect()
    }

    /// Verifications of one service that are the newest of their destination. An older one, which
    /// another has replaced, has ended, and is removed when it expires.
    fn of_service(&self, service: ServiceId) -> impl Iterator<Item = VerificationId> {
        let all = (service, Subject::MIN)..=(service, Subject::MAX);
        self.by_subject.range(all).map(|(_, sid)| *sid)
    }

    /// Drops deleted services that have nothing left.
    fn drop_empty_deleted(&mut self) {
        for _ in 0..MAX_REMOVED_PER_SWEEP {
            let Some(service) = self.deleted_services.first().copied() else { return };
            if self.of_service(service).next().is_some() {
                return;
            }
            self.deleted_services.remove(&service);
        }
    }

    fn forget_sends(&mut self, at: Seconds) {
        let hour = at / 3600;
        self.forgetting |= self.swept != hour;
        self.swept = hour;
        if self.forgetting {
            self.forgetting = !self.sends.evict_old(at, MAX_SCANNED_PER_SWEEP);
        }
    }
}
