//! Counts of sending, each over a sliding hour: messages to a destination, to a number block or mail
//! domain, of a tenant, and their cost. Class H.
//!
//! A restart forgets these; boots are spaced so that restarting does not pay.

use adyton_decider::{KeyedHash, Seconds, SlidingHours};
use adyton_tenancy::AccountId;

use crate::{InTenant, Shared, Subjects};

/// Keys that a shard holds; beyond it nothing further is sent until an hour has passed.
const MAX_KEYS: usize = 4_000_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counted {
    /// Messages to one destination of a tenant.
    Destination(KeyedHash<InTenant>),
    /// Messages to one number block or mail domain, by one tenant.
    Shared(Shared),
    /// Messages of one tenant.
    Tenant(AccountId),
    /// Cost of one tenant's messages.
    Spend(AccountId),
    /// Looks of one tenant's support.
    Support(AccountId),
}

/// All counts.
pub(crate) struct Sends {
    /// All but cost. Their ceilings fit into 32 bits, so a count that saturates is above its ceiling.
    requests: SlidingHours<Counted, u32>,
    cost: SlidingHours<AccountId, u64>,
}

impl Default for Sends {
    fn default() -> Self {
        Self { requests: SlidingHours::new(MAX_KEYS), cost: SlidingHours::new(MAX_KEYS) }
    }
}

impl Sends {
    /// Adds to a count.
    pub(crate) fn add(&mut self, key: Counted, amount: u64, at: Seconds) {
        match key {
            Counted::Spend(account) => self.cost.add(account, amount, at),
            _ => self.requests.add(key, amount, at),
        }
    }

    /// Counts one message of a tenant and its cost. Nothing if the tenant is gone or the event is
    /// replayed.
    pub(crate) fn count(&mut self, account: Option<AccountId>, sent: Option<(Subjects, u64)>, at: Seconds) {
        let (Some(account), Some((subjects, cost))) = (account, sent) else { return };
        self.add(Counted::Destination(subjects.in_tenant), 1, at);
        self.add(Counted::Shared(subjects.shared), 1, at);
        self.add(Counted::Tenant(account), 1, at);
        self.add(Counted::Spend(account), cost, at);
    }

    /// Whether `amount` more fits under `limit`.
    ///
    /// # Errors
    /// Seconds after which it is worth trying again.
    pub(crate) fn fits(&self, key: &Counted, amount: u64, limit: u64, now: Seconds) -> Result<(), Seconds> {
        match key {
            Counted::Spend(account) => self.cost.fits(account, amount, limit, now),
            _ => self.requests.fits(key, amount, limit, now),
        }
    }

    /// The count of the last sixty minutes.
    pub(crate) fn lately(&self, key: &Counted, now: Seconds) -> u64 {
        match key {
            Counted::Spend(account) => self.cost.lately(account, now),
            _ => self.requests.lately(key, now),
        }
    }

    /// Whether there is no count.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.cost.is_empty()
    }

    /// Looks at the next counts of each kind, at most so many, and drops old ones. Returns whether
    /// all were looked at.
    pub(crate) fn forget(&mut self, now: Seconds, most: usize) -> bool {
        // Both, and then whether both are through: a kind that is through before the other begins
        // anew, which costs no more.
        let requests = self.requests.forget(now, most);
        let cost = self.cost.forget(now, most);
        requests && cost
    }
}
