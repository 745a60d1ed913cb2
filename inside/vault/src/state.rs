//! What the vault remembers, and the limits it holds itself to.
//!
//! Tenants and services are class S and go into snapshots. Everything about live codes is class H: it lives in the
//! memory of one boot and is void after the next.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use adyton_seal::{SlotKey, same};

use crate::{Caller, Channel, Destination, Event, EventKind, Outcome, Refusal, Seconds, Sid};

/// Life of a code in seconds, from its first sending; a resend does not extend it.
pub const CODE_LIFE: Seconds = 600;
/// Length in seconds of a slot, whose codes share one key.
pub const SLOT: Seconds = 600;
/// Times one code is sent.
pub const MAX_SENDS: usize = 5;
/// Wrong codes that one verification bears.
pub const MAX_CHECKS: u8 = 5;
/// Live verifications that a shard holds; beyond it new ones are refused until some end.
pub const MAX_LIVE: usize = 1_000_000;

/// The state of one shard.
#[derive(Default)]
pub struct State {
    pub(crate) tenants: BTreeMap<Sid, Tenant>,
    pub(crate) services: BTreeMap<Sid, Service>,
    pub(crate) hot: Hot,
}

pub(crate) struct Tenant {
    pub(crate) token_hash: [u8; 32],
    pub(crate) friendly_name: String,
    pub(crate) created: Seconds,
}

pub(crate) struct Service {
    pub(crate) account: Sid,
    pub(crate) friendly_name: String,
    pub(crate) code_length: u8,
    pub(crate) created: Seconds,
}

/// Class H, all of it.
#[derive(Default)]
pub(crate) struct Hot {
    pub(crate) slots: BTreeMap<u32, Slot>,
    pub(crate) verifications: BTreeMap<Sid, Verification>,
    /// (service, subject) to the live verification of that destination.
    pub(crate) by_subject: BTreeMap<(Sid, [u8; 16]), Sid>,
    /// When each verification ends, soonest first.
    pub(crate) ends: BTreeSet<(Seconds, Sid)>,
}

pub(crate) struct Slot {
    /// `None` only in a replayed state, where every code of the slot is void.
    pub(crate) key: Option<SlotKey>,
    pub(crate) live: u32,
}

pub(crate) struct Verification {
    pub(crate) account: Sid,
    pub(crate) service: Sid,
    pub(crate) subject: [u8; 16],
    pub(crate) channel: Channel,
    /// `None` only in a replayed state.
    pub(crate) destination: Option<Destination>,
    pub(crate) slot: u32,
    pub(crate) created: Seconds,
    pub(crate) updated: Seconds,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) failed_checks: u8,
}

pub(crate) struct Attempt {
    pub(crate) at: Seconds,
    pub(crate) sid: Sid,
    pub(crate) outcome: Option<Outcome>,
}

impl Verification {
    pub(crate) fn ends(&self) -> Seconds {
        self.created.saturating_add(CODE_LIFE)
    }
}

impl State {
    /// A vault in which nothing happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of verifications held, expired ones included until the next tick.
    pub fn live(&self) -> usize {
        self.hot.verifications.len()
    }

    /// Number of slot keys held.
    pub fn slots(&self) -> usize {
        self.hot.slots.len()
    }

    /// Number of tenants.
    pub fn tenants(&self) -> usize {
        self.tenants.len()
    }

    /// Public facts of every live verification, in order: SID, service, attempts sent, outcomes known, failed checks.
    /// For comparing two states in tests; it holds no destination and no key.
    pub fn hot_facts(&self) -> Vec<(Sid, Sid, usize, usize, u8)> {
        let facts = |(sid, live): (&Sid, &Verification)| {
            let known = live.attempts.iter().filter(|attempt| attempt.outcome.is_some()).count();
            (*sid, live.service, live.attempts.len(), known, live.failed_checks)
        };
        self.hot.verifications.iter().map(facts).collect()
    }

    /// The caller's account, if its token is right. Unknown accounts cost the same comparison.
    pub(crate) fn authenticate(&self, caller: &Caller) -> Result<Sid, Refusal> {
        let tenant = self.tenants.get(&caller.account);
        let expected = tenant.map_or(&[0; 32], |tenant| &tenant.token_hash);
        // Constant time: both sides are keyed hashes of a secret token.
        if same(expected, &caller.token_hash) && tenant.is_some() {
            Ok(caller.account)
        } else {
            Err(Refusal::Unauthorized)
        }
    }

    /// The service, if it is the caller's; another tenant's service answers as an unknown one.
    pub(crate) fn service(&self, account: Sid, service: Sid) -> Result<&Service, Refusal> {
        self.services.get(&service).filter(|found| found.account == account).ok_or(Refusal::NotFound)
    }

    /// The verification, if it is of that service, has not ended, and this boot can still derive its code.
    pub(crate) fn live_verification(
        &self,
        service: Sid,
        verification: Sid,
        now: Seconds,
    ) -> Option<(&Verification, &SlotKey, &Destination)> {
        let found = self.hot.verifications.get(&verification)?;
        if found.service != service || found.ends() <= now {
            return None;
        }
        let key = self.hot.slots.get(&found.slot)?.key.as_ref()?;
        Some((found, key, found.destination.as_ref()?))
    }
}

impl State {
    /// The tenant that an event concerns, as far as the state before it knows.
    pub fn tenant_of(&self, event: &Event) -> Option<Sid> {
        let of = |verification: &Sid| self.hot.verifications.get(verification).map(|live| live.account);
        match &event.kind {
            EventKind::TenantCreated { account, .. }
            | EventKind::ServiceCreated { account, .. }
            | EventKind::VerificationStarted { account, .. } => Some(*account),
            EventKind::VerificationResent { verification, .. }
            | EventKind::CheckFailed { verification }
            | EventKind::VerificationApproved { verification }
            | EventKind::DeliveryReported { verification, .. } => of(verification),
            EventKind::Booted { .. } | EventKind::SlotOpened { .. } | EventKind::Expired => None,
        }
    }
}
