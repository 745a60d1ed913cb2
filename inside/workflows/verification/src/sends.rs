//! What is counted of sending, each over a sliding hour: messages to a destination, to a number
//! block or mail domain, of a tenant, and their cost. Class H.
//!
//! A restart forgets these; boots are spaced so that restarting does not pay.

use adyton_decider::{KeyedHash, SlidingHours};
use adyton_tenancy::AccountId;

use crate::{InTenant, Shared};

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

/// Nothing counted yet.
pub(crate) fn none() -> SlidingHours<Counted> {
    SlidingHours::new(MAX_KEYS)
}
