//! The vault's time: the guest's clock, checked against the platform's at boot, never below the last logged time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds by which the guest's clock and the platform's may part.
pub const TOLERANCE: u64 = 2;

/// A clock that does not go back.
#[derive(Debug, Default)]
pub struct Clock {
    floor: AtomicU64,
}

impl Clock {
    /// A clock that has not seen anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the floor to a time that the log knows.
    pub fn at_least(&self, seconds: u64) {
        self.floor.fetch_max(seconds, Ordering::Relaxed);
    }

    /// Now, Unix seconds.
    pub fn now(&self) -> u64 {
        let guest = guest();
        self.floor.fetch_max(guest, Ordering::Relaxed).max(guest)
    }

    /// Whether the guest's clock agrees with a platform time in milliseconds.
    pub fn agrees(&self, platform_ms: u64) -> bool {
        guest().abs_diff(platform_ms / 1000) <= TOLERANCE
    }
}

/// On a laptop this is the host's clock: an OPEN row of the drill.
fn guest() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
