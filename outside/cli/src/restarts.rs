//! How soon an enclave that ended by itself is started again.
//!
//! One that another writer fences, or whose boot is refused, would end again at once: started without a wait, it would keep the
//! machine busy and, where two vaults are at one log, fence the other one in turn. One that was killed is started at once.

use tokio::time::{Duration, Instant};

/// The first wait; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// One that ran so long counts as well: the waits begin anew.
const WELL: Duration = Duration::from_secs(300);

/// The waits between starts.
pub(crate) struct Restarts {
    started: Instant,
    wait: Duration,
    /// When the one that has ended is started again.
    due: Option<Instant>,
}

impl Restarts {
    /// The enclave starts now.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), wait: Duration::ZERO, due: None }
    }

    /// It has ended, by itself or by a signal: how long it waits from now on, if that is not known already.
    pub(crate) fn ended(&mut self, by_itself: bool) -> Option<Duration> {
        if self.due.is_some() {
            return None;
        }
        let ran_well = !by_itself || self.started.elapsed() >= WELL;
        let wait = if ran_well { Duration::ZERO } else { self.wait.max(FIRST) };
        self.wait = if ran_well { Duration::ZERO } else { (wait * 2).min(LONGEST) };
        self.due = Some(Instant::now() + wait);
        Some(wait)
    }

    /// Whether the wait is over.
    pub(crate) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// It was started again.
    pub(crate) fn started(&mut self) {
        (self.started, self.due) = (Instant::now(), None);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// How long one that ran for a while waits.
    async fn wait(restarts: &mut Restarts, ran: Duration, by_itself: bool) -> Duration {
        advance(ran).await;
        let wait = restarts.ended(by_itself).unwrap_or(Duration::MAX);
        assert_eq!(restarts.ended(by_itself), None, "it ends once");
        if !wait.is_zero() {
            assert!(!restarts.is_due());
            advance(wait).await;
        }
        assert!(restarts.is_due());
        restarts.started();
        assert!(!restarts.is_due());
        wait
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_to_a_minute_and_begin_anew_after_a_good_run() {
        let (mut restarts, second) = (Restarts::new(), Duration::from_secs(1));
        let mut waits = Vec::new();
        for _ in 0..9 {
            waits.push(wait(&mut restarts, second, true).await.as_millis());
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(wait(&mut restarts, WELL, true).await, Duration::ZERO);
        assert_eq!(wait(&mut restarts, second, true).await, FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_was_killed_is_started_at_once() {
        let mut restarts = Restarts::new();
        for _ in 0..5 {
            assert_eq!(wait(&mut restarts, Duration::ZERO, false).await, Duration::ZERO);
        }
    }
}
