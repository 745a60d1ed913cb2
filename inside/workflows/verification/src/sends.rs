//! Counts of sending, each over a sliding hour: messages to a destination, to a number block or mail
//! domain, of a tenant, and their cost. Class H.
//!
//! A restart forgets these; boots are spaced so that restarting does not pay.

use adyton_decider::{KeyedHash, Seconds, SlidingHours};
use adyton_tenancy::AccountId;

use crate::{InTenant, SharedSubject, Subjects};

/// Keys that a shard holds in both tables; beyond it nothing further is sent until an hour has passed.
const MAX_KEYS: usize = 4_000_000;
/// Of these, costs: one for each tenant that sends.
const MAX_COSTS: usize = 100_000;

/// A counter's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counted {
    /// Messages to one destination of a tenant.
    Destination(KeyedHash<InTenant>),
    /// Messages to one number block or mail domain, by one tenant.
    SharedSubject(SharedSubject),
    /// Messages of one tenant.
    Tenant(AccountId),
    /// Cost of one tenant's messages.
    Spend(AccountId),
    /// Look-ups by one tenant's support.
    Support(AccountId),
}

/// All counts.
pub(crate) struct Sends {
    /// All but cost. Their ceilings fit into 32 bits, so a count that saturates is above its ceiling.
    requests: SlidingHours<Counted, u32>,
    cost: SlidingHours<AccountId, u64>,
    /// Whether all requests, and all costs, were scanned in this pass.
    through: [bool; 2],
}

impl Default for Sends {
    fn default() -> Self {
        Self {
            requests: SlidingHours::new(MAX_KEYS - MAX_COSTS),
            cost: SlidingHours::new(MAX_COSTS),
            through: [false; 2],
        }
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

    /// Counts one message of a tenant and its cost. Nothing if the tenant was deleted or the event
    /// is replayed.
    pub(crate) fn count(&mut self, account: Option<AccountId>, sent: Option<(Subjects, u64)>, at: Seconds) {
        let (Some(account), Some((subjects, cost))) = (account, sent) else { return };
        self.add(Counted::Destination(subjects.in_tenant), 1, at);
        self.add(Counted::SharedSubject(subjects.shared), 1, at);
        self.add(Counted::Tenant(account), 1, at);
        self.add(Counted::Spend(account), cost, at);
    }

    /// Whether `amount` more fits under `limit`.
    ///
    /// # Errors
    /// Retry after this many seconds.
    pub(crate) fn fits(&self, key: &Counted, amount: u64, limit: u64, now: Seconds) -> Result<(), Seconds> {
        match key {
            Counted::Spend(account) => self.cost.fits(account, amount, limit, now),
            _ => self.requests.fits(key, amount, limit, now),
        }
    }

    /// The count of the last sixty minutes.
    pub(crate) fn in_last_hour(&self, key: &Counted, now: Seconds) -> u64 {
        match key {
            Counted::Spend(account) => self.cost.in_last_hour(account, now),
            _ => self.requests.in_last_hour(key, now),
        }
    }

    /// Whether there is no count.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.cost.is_empty()
    }

    /// Scans the next counts of each kind, at most so many, and drops old ones. Returns whether all
    /// were scanned.
    pub(crate) fn evict_old(&mut self, now: Seconds, max: usize) -> bool {
        let [requests, costs] = &mut self.through;
        *requests = *requests || self.requests.evict_old(now, max);
        *costs = *costs || self.cost.evict_old(now, max);
        let is_through = *requests && *costs;
        if is_through {
            self.through = [false; 2];
        }
        is_through
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_through_all_counts_takes_as_many_steps_as_the_longer_table() {
        let id = |number: u8| AccountId::from_bytes([number; 16]);
        for (tenants, looks) in [(2, 5), (5, 2), (3, 3)] {
            let mut sends = Sends::default();
            (0..tenants).for_each(|number| sends.add(Counted::Tenant(id(number)), 1, 10));
            (0..looks).for_each(|number| sends.add(Counted::Spend(id(number)), 1, 10));
            for _ in 0..2 {
                let steps = (1..).find(|_| sends.evict_old(20, 1));
                assert_eq!(steps, Some(i32::from(tenants.max(looks)) + 1));
            }
        }
    }
}
