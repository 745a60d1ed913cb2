//! How much was sent lately: to a destination, to a number block or mail domain, by a tenant, and for how much. Class H.
//!
//! A sliding hour over two fixed ones: the hour before counts by the part of it that is still within sixty minutes. It
//! holds two numbers for each key, whatever the limit is, so the limit stays with the decider.
//!
//! A restart forgets these; boots are spaced so that restarting does not pay.

use alloc::collections::BTreeMap;

use crate::{Seconds, Shared, Sid};

const HOUR: Seconds = 3600;
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

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    hour: u64,
    now: u64,
    before: u64,
}

impl Window {
    fn at(self, hour: u64) -> Self {
        match hour.saturating_sub(self.hour) {
            0 => self,
            1 => Self { hour, now: 0, before: self.now },
            _ => Self { hour, now: 0, before: 0 },
        }
    }

    /// What lies within the last sixty minutes, rounded up.
    fn lately(self, now: Seconds) -> u64 {
        let window = self.at(now / HOUR);
        let left = HOUR - now % HOUR;
        window.now.saturating_add(window.before.saturating_mul(left).div_ceil(HOUR))
    }
}

/// Sliding hours by key.
#[derive(Default)]
pub(crate) struct Sends(BTreeMap<Counted, Window>);

impl Sends {
    /// Counts.
    pub(crate) fn add(&mut self, key: Counted, amount: u64, at: Seconds) {
        let window = self.0.entry(key).or_default();
        *window = window.at(at / HOUR);
        window.now = window.now.saturating_add(amount);
    }

    /// Whether `amount` more fits under `limit`; if not, seconds after which it is worth trying again.
    pub(crate) fn fits(&self, key: Counted, amount: u64, limit: u64, now: Seconds) -> Result<(), Seconds> {
        let Some(window) = self.0.get(&key) else {
            return if self.0.len() >= MAX_KEYS { Err(HOUR - now % HOUR) } else { Ok(()) };
        };
        if window.lately(now).saturating_add(amount) <= limit {
            return Ok(());
        }
        let current = window.at(now / HOUR);
        // Only the hour before ebbs away now; if that is not enough, the present one begins to at its end.
        let room = limit.saturating_sub(amount).saturating_sub(current.now);
        if current.before > 0 && current.now.saturating_add(amount) <= limit {
            // before * left / HOUR <= room
            let left = room.saturating_mul(HOUR) / current.before;
            return Err((HOUR - now % HOUR).saturating_sub(left).max(1));
        }
        Err(HOUR - now % HOUR)
    }

    /// What was counted within the last sixty minutes.
    pub(crate) fn lately(&self, key: Counted, now: Seconds) -> u64 {
        self.0.get(&key).map_or(0, |window| window.lately(now))
    }

    /// Whether nothing is counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets what is older than two hours.
    pub(crate) fn forget(&mut self, now: Seconds) {
        let hour = now / HOUR;
        self.0.retain(|_, window| window.hour + 1 >= hour);
    }
}
