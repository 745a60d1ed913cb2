//! What is counted of sending, each over a sliding hour: messages to a destination, to a number block or mail domain, of a
//! tenant, and their cost. Class H.
//!
//! A restart forgets these; boots are spaced so that restarting does not pay.

use adyton_decider::SlidingHours;

use crate::{Shared, Sid};

/// Keys that a shard holds; beyond it nothing further is sent until an hour has passed.
const MAX_KEYS: usize = 4_000_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counted {
    /// Messages to one destination of a tenant.
    Destination([u8; 16]),
    /// Messages to one number block or mail domain, by one tenant.
    Shared(Shared),
    /// Messages of one tenant.
    Tenant(Sid),
    /// Cost of one tenant's messages.
    Spend(Sid),
    /// Looks of one tenant's support.
    Support(Sid),
}

/// Sliding hours by what is counted.
pub(crate) struct Sends(pub(crate) SlidingHours<Counted>);

impl Default for Sends {
    fn default() -> Self {
        Self(SlidingHours::new(MAX_KEYS))
    }
}
