//! A circuit breaker: a carrier that cannot be reached is left alone for a while.
//!
//! 1. *closed*: everything passes; [`THRESHOLD`] failures in a row open it;
//! 2. *open*: nothing passes until its period has ended;
//! 3. *probing*: one message passes. If it gets through, the breaker closes; if not, it opens for
//!    twice as long.
//!
//! Only the lack of an answer counts as a failure. An answer, even a refusal, shows that the
//! carrier is there.

use tokio::time::{Duration, Instant};

/// Failures in a row that open it.
pub(super) const THRESHOLD: u32 = 5;
/// The first period, and the longest.
pub(super) const FIRST_PERIOD: Duration = Duration::from_secs(2);
pub(super) const MAX_PERIOD: Duration = Duration::from_secs(60);
/// How soon to ask again while another message probes.
const PROBE_WAIT: Duration = Duration::from_millis(500);

/// The breaker of one route.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    period: Duration,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { state: State::Closed { failures: 0 }, period: FIRST_PERIOD }
    }

    /// Whether a message may pass; if not, when to ask again.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Instant> {
        match self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until } if now < until => Err(until),
            State::Open { .. } => {
                self.state = State::Probing;
                Ok(())
            }
            State::Probing => Err(now + PROBE_WAIT),
        }
    }

    /// The carrier answered.
    pub(super) fn answered(&mut self) {
        *self = Self::new();
    }

    /// The carrier did not answer.
    pub(super) fn failed(&mut self, now: Instant) {
        match &mut self.state {
            State::Closed { failures } => {
                *failures += 1;
                if *failures >= THRESHOLD {
                    self.state = State::Open { until: now + self.period };
                }
            }
            State::Probing => {
                self.period = (2 * self.period).min(MAX_PERIOD);
                self.state = State::Open { until: now + self.period };
            }
            // It had passed before the breaker opened.
            State::Open { .. } => {}
        }
    }

    /// A message that had passed was given up, so nothing is known: the next one may probe.
    pub(super) fn abandoned(&mut self, now: Instant) {
        if let State::Probing = self.state {
            self.state = State::Open { until: now };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new();
        for _ in 0..THRESHOLD {
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.failed(now);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let now = Instant::now();
        assert_eq!(opened(now).admit(now), Err(now + FIRST_PERIOD));
        let mut breaker = Breaker::new();
        for _ in 0..2 * THRESHOLD {
            breaker.failed(now);
            breaker.failed(now);
            breaker.answered();
        }
        assert_eq!(breaker.admit(now), Ok(()), "not in a row");
    }

    #[test]
    fn one_message_probes() {
        let (mut breaker, now) = (opened(Instant::now()), Instant::now() + FIRST_PERIOD);
        assert_eq!(breaker.admit(now), Ok(()));
        assert_eq!(breaker.admit(now), Err(now + PROBE_WAIT));
        breaker.answered();
        assert_eq!(breaker.admit(now), Ok(()));
        assert_eq!(breaker.admit(now), Ok(()));
    }

    #[test]
    fn a_probe_that_fails_doubles_the_period() {
        let (mut breaker, mut now, mut period) = (opened(Instant::now()), Instant::now(), FIRST_PERIOD);
        for _ in 0..10 {
            now += period;
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.failed(now);
            period = (2 * period).min(MAX_PERIOD);
            assert_eq!(breaker.admit(now), Err(now + period));
        }
        assert_eq!(period, MAX_PERIOD);
    }

    #[test]
    fn a_late_failure_does_not_prolong_and_a_late_answer_closes() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.failed(now + Duration::from_secs(1));
        assert_eq!(breaker.admit(now), Err(now + FIRST_PERIOD));
        breaker.answered();
        assert_eq!(breaker.admit(now), Ok(()));
    }

    #[test]
    fn an_abandoned_probe_makes_way() {
        let (mut breaker, now) = (opened(Instant::now()), Instant::now() + FIRST_PERIOD);
        assert_eq!(breaker.admit(now), Ok(()));
        breaker.abandoned(now);
        assert_eq!(breaker.admit(now), Ok(()));
    }
}
