//! Operational events of a vault that its supervisor needs, read from the lines that the host prints.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::time::{Duration, Instant};

/// Longest wait for the API, beyond a delay that the vault announces.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest delay that is waited for, in seconds.
const LONGEST_DELAY: u64 = 600;

/// What the vault says by its events, as the host prints them.
#[derive(Clone, Default)]
pub(crate) struct Announced(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    /// The last delay of a boot, and when it was announced.
    delay: Option<(Instant, Duration)>,
    /// Whether a boot has come to its end since this was asked last.
    ready: bool,
}

impl Announced {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a line of the host's; tells people of a delay.
    pub(crate) fn observe(&self, line: &[u8], now: Instant) {
        let Ok(event) = serde_json::from_slice::<Value>(line) else { return };
        if event["event"] == "ready" {
            self.said().ready = true;
        }
        if event["event"] != "boot-delayed" {
            return;
        }
        let (boots, seconds) = (event["boots"].as_u64().unwrap_or(0), event["seconds"].as_u64().unwrap_or(0));
        eprintln!(
            "adyton: the vault has booted {boots} times within an hour: this boot waits {seconds} s before it serves"
        );
        self.said().delay = Some((now, Duration::from_secs(seconds.min(LONGEST_DELAY))));
    }

    /// Whether a boot has come to its end since this was asked last.
    pub(crate) fn was_ready(&self) -> bool {
        std::mem::take(&mut self.said().ready)
    }

    /// Until when a vault is waited for that began to boot then.
    pub(crate) fn deadline(&self, began: Instant) -> Instant {
        let delayed = self.said().delay.map(|(at, delay)| at + delay + PATIENCE);
        delayed.map_or(began + PATIENCE, |delayed| delayed.max(began + PATIENCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_that_is_announced_is_waited_for_and_no_longer() {
        let (announced, began) = (Announced::default(), Instant::now());
        assert_eq!(announced.deadline(began), began + PATIENCE);
        announced.observe(b"{\"event\":\"boot-phase\",\"phase\":8}\n", began);
        announced.observe(b"no JSON", began);
        assert_eq!(announced.deadline(began), began + PATIENCE);
        let at = began + Duration::from_secs(5);
        announced.observe(b"{\"event\":\"boot-delayed\",\"boots\":13,\"seconds\":60}\n", at);
        assert_eq!(announced.deadline(began), began + Duration::from_secs(5 + 60) + PATIENCE);
        // A later boot is not given the time of an earlier one.
        let later = began + Duration::from_secs(1000);
        assert_eq!(announced.deadline(later), later + PATIENCE);
        announced.observe(b"{\"event\":\"boot-delayed\",\"boots\":13,\"seconds\":999999999}\n", at);
        assert_eq!(announced.deadline(began), began + Duration::from_secs(5 + LONGEST_DELAY) + PATIENCE);
    }

    #[test]
    fn a_boot_that_was_ready_is_reported_once() {
        let announced = Announced::default();
        assert!(!announced.was_ready());
        announced.observe(b"{\"event\":\"ready\",\"replayed\":0,\"micros\":1}\n", Instant::now());
        assert!(announced.was_ready() && !announced.was_ready());
    }
}
