//! The lease: how long the published view may be used to answer (DESIGN §4, "Views").
//!
//! An append that becomes durable shows that no other writer had been at this log when it was sent,
//! for the store compares the size. For [`LEASE`] from that moment on views answer and refusals
//! leave. An enclave that is fenced or cut off stops answering.
//!
//! Time is the enclave's monotonic clock: no host's, and no step of the wall clock counts.

use tokio::sync::watch;
use tokio::time::{Duration, Instant, timeout};

/// How long an append that became durable proves that this process is the writer, from when it was
/// first sent.
pub(super) const LEASE: Duration = Duration::from_secs(3);

/// When the newest append that became durable began.
#[derive(Debug)]
pub(super) struct Lease(watch::Sender<Option<Instant>>);

impl Lease {
    /// A lease since an append, or none yet.
    pub(super) fn new(started: Option<Instant>) -> Self {
        Self(watch::Sender::new(started))
    }

    /// An append that began at `started` has become durable.
    pub(super) fn renew(&self, started: Instant) {
        self.0.send_modify(|newest| *newest = (*newest).max(Some(started)));
    }

    /// Whether it holds now.
    pub(super) fn is_valid(&self) -> bool {
        self.0.borrow().is_some_and(|started| started.elapsed() < LEASE)
    }

    /// Waits until the lease is held, for at most `limit`; returns whether it is. `ask` requests an append from the writer; it is
    /// called again whenever an append took longer than the lease that it would have renewed.
    pub(super) async fn wait_valid(&self, limit: Duration, ask: impl Fn()) -> bool {
        let mut renewals = self.0.subscribe();
        let renewed = async {
            while !self.is_valid() {
                ask();
                if renewals.changed().await.is_err() {
                    return false;
                }
            }
            true
        };
        timeout(limit, renewed).await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use std::cell::Cell;
    use std::sync::Arc;

    use tokio::time::advance;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);
    const VIEW_TIMEOUT: Duration = Duration::from_secs(15);

    #[tokio::test(start_paused = true)]
    async fn lease_lasts_three_seconds_from_append_start() {
        let lease = Lease::new(None);
        assert!(!lease.is_valid(), "nothing was durable yet");
        let started = Instant::now();
        // The store took two seconds.
        advance(Duration::from_secs(2)).await;
        lease.renew(started);
        assert!(lease.is_valid());
        advance(Duration::from_secs(1) - MOMENT).await;
        assert!(lease.is_valid());
        advance(MOMENT).await;
        assert!(!lease.is_valid());
        // An older append that is reported later changes nothing.
        lease.renew(Instant::now());
        lease.renew(started);
        assert!(lease.is_valid());
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_ask_once_per_append() {
        let lease = Arc::new(Lease::new(None));
        let asked = Cell::new(0);
        let wait = lease.wait_valid(VIEW_TIMEOUT, || asked.set(asked.get() + 1));
        let append = async {
            let started = Instant::now();
            tokio::task::yield_now().await;
            assert_eq!(asked.get(), 1);
            // So slow that its lease has ended before it is durable.
            advance(Duration::from_secs(4)).await;
            lease.renew(started);
            while asked.get() < 2 {
                tokio::task::yield_now().await;
            }
            lease.renew(Instant::now());
        };
        assert!(tokio::join!(wait, append).0);
        assert!(lease.wait_valid(VIEW_TIMEOUT, || unreachable!("it holds")).await);
    }

    #[tokio::test(start_paused = true)]
    async fn cut_off_writer_times_out() {
        let lease = Lease::new(Some(Instant::now()));
        advance(LEASE).await;
        let began = Instant::now();
        assert!(!lease.wait_valid(VIEW_TIMEOUT, || {}).await);
        assert_eq!(began.elapsed(), VIEW_TIMEOUT);
    }
}
