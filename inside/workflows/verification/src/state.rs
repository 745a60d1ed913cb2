//! State of the verification workflow.

use alloc::vec::Vec;

use adyton_decider::{CowArc, Seconds};
use adyton_services::{ServiceId, Services};
use adyton_tenancy::AccountId;

use crate::budgets::Budgets;
use crate::hot::{Hot, RecentEnds, Verification};
use crate::{Reason, VerificationId};

/// Failed-check budgets (class P), live verifications (class H), and, for ten minutes, why others
/// ended.
#[derive(Default)]
pub struct State {
    pub(crate) budgets: Budgets,
    /// Why verifications ended; kept for ten minutes, through a restart as far as the log shows.
    pub(crate) ended: RecentEnds,
    pub(crate) hot: Hot,
}

/// Public facts of a live verification, for comparing two states in tests: no destination and no
/// key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HotFacts {
    /// Its SID.
    pub verification: VerificationId,
    /// Its service.
    pub service: ServiceId,
    /// Attempts sent.
    pub sent: usize,
    /// Attempts whose outcome is known.
    pub known: usize,
    /// Codes that were compared.
    pub checks: u8,
    /// The right code was tried.
    pub approved: bool,
}

impl State {
    /// Number of verifications held, expired ones included until the next sweep.
    pub fn live(&self) -> usize {
        self.hot.verifications.len()
    }

    /// Number of slot keys held.
    pub fn slots(&self) -> usize {
        self.hot.slots.len()
    }

    /// Number of budgets held, and whether each tenant's share of them is counted right: for tests.
    pub fn budgets(&self, services: &adyton_services::State) -> (usize, bool) {
        (self.budgets.len(), self.budgets.are_counted(|service| services.owner(*service)))
    }

    /// Of every live verification, in the order of their SIDs.
    pub fn hot_facts(&self) -> Vec<HotFacts> {
        let facts = |(verification, live): (&VerificationId, &CowArc<Verification>)| HotFacts {
            verification: *verification,
            service: live.service,
            sent: live.attempts.len(),
            known: live.attempts.iter().filter(|attempt| attempt.outcome.is_some()).count(),
            checks: live.checks,
            approved: live.approved,
        };
        self.hot.verifications.iter().map(facts).collect()
    }

    /// The verification, if it is of that service and live.
    pub(crate) fn live_verification(
        &self,
        service: ServiceId,
        verification: VerificationId,
        now: Seconds,
    ) -> Option<&Verification> {
        let found = self.hot.verifications.get(&verification)?;
        (found.service == service && found.expires_at() > now && !found.approved).then_some(&**found)
    }

    /// Why a verification of a service ended, if that is still known.
    pub(crate) fn reason(&self, service: ServiceId, verification: VerificationId, now: Seconds) -> Option<Reason> {
        if let Some(found) = self.hot.verifications.get(&verification) {
            // Approved or expired, though no sweep has removed it yet.
            let over = found.approved || found.expires_at() <= now;
            return (found.service == service && over).then(|| found.reason_at_end());
        }
        self.ended.reason(service, verification, now)
    }

    /// The same for a caller that may read all of an account's verifications.
    pub(crate) fn reason_of_account(
        &self,
        account: AccountId,
        services: &Services<'_>,
        verification: VerificationId,
        now: Seconds,
    ) -> Option<Reason> {
        let live = self.hot.verifications.get(&verification).map(|found| found.service);
        let service = live.or_else(|| Some(self.ended.entry(verification)?.0))?;
        services.owned_by(account, service)?;
        self.reason(service, verification, now)
    }
}
