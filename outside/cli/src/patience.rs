//! Waits as long as a vault asks by `Retry-After` of 429 and 503, about a minute in all, and says so on stderr.
//!
//! 1. each wait is as long as asked, and twice the one before at least, so that a short `Retry-After` is no busy loop;
//! 2. an answer that asks for more than what is left of the minute, or for no time, is reported at once.

use std::sync::{Mutex, PoisonError};

use adyton_client::ClientError;
use tokio::time::{Duration, sleep};

/// Seconds of all waits of a command.
const PATIENCE: u64 = 60;

/// What is left of the minute.
pub(crate) struct Patience(Mutex<Left>);

#[derive(Clone, Copy)]
struct Left {
    seconds: u64,
    /// The shortest next wait.
    next: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self(Mutex::new(Left { seconds: PATIENCE, next: 1 }))
    }
}

impl Patience {
    /// Waits, if an answer with this status is to be waited for; otherwise it is to be reported.
    pub(crate) async fn waits(&self, status: u16, retry_after: Option<u64>) -> bool {
        let Some(asked) = retry_after.filter(|_| matches!(status, 429 | 503)) else { return false };
        let Some(wait) = self.take(asked) else { return false };
        let limits = if status == 429 { "limits the rate of requests" } else { "cannot take requests now" };
        eprintln!("adyton: the vault {limits} ({status}): trying again in {wait} s");
        sleep(Duration::from_secs(wait)).await;
        true
    }

    /// The same for what stood in the way of a connection.
    pub(crate) async fn waits_for(&self, error: &ClientError) -> bool {
        match error {
            ClientError::RateLimited { retry_after } => self.waits(429, *retry_after).await,
            ClientError::NoEvidence { status, retry_after } => self.waits(*status, *retry_after).await,
            _ => false,
        }
    }

    /// Seconds of the next wait, if they are left.
    fn take(&self, asked: u64) -> Option<u64> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // 2.
        left.seconds.checked_sub(asked.max(1))?;
        // 1.
        let wait = asked.max(left.next).min(left.seconds);
        *left = Left { seconds: left.seconds - wait, next: wait.saturating_mul(2) };
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use tokio::time::Instant;

    use super::*;

    #[test]
    fn waits_grow_and_end_within_a_minute() {
        let waits = |asked: u64| {
            let patience = Patience::default();
            std::iter::from_fn(|| patience.take(asked)).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), [1, 2, 4, 8, 16, 29]);
        assert_eq!(waits(0), waits(1));
        assert_eq!(waits(25), [25, 35]);
        assert_eq!(waits(60), [60]);
        assert_eq!(waits(61), [0; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_names_no_time_or_is_no_overload_is_reported_at_once() {
        let (patience, begun) = (Patience::default(), Instant::now());
        assert!(!patience.waits(429, None).await && !patience.waits(409, Some(1)).await);
        assert!(!patience.waits_for(&ClientError::TimedOut).await);
        assert!(!patience.waits_for(&ClientError::NoEvidence { status: 404, retry_after: Some(1) }).await);
        assert_eq!(begun.elapsed().as_secs(), 0);
        assert!(patience.waits_for(&ClientError::RateLimited { retry_after: Some(7) }).await);
        assert!(patience.waits_for(&ClientError::NoEvidence { status: 503, retry_after: Some(1) }).await);
        assert_eq!(begun.elapsed().as_secs(), 7 + 14);
    }
}
