//! When a child that ended is started again: a state machine per child, which knows no process.
//!
//! ```text
//! Runs ──ended──▶ Waits ──the pause is over──▶ start ──▶ Runs
//!                   ▲                            │
//!                   └────────── failed ──────────┘
//! ```
//!
//! The pause lets a signal arrive that ended the child and is meant for this process too. It doubles while children end soon after
//! their start, so that one that cannot run is not started without end.

use std::time::{Duration, Instant};

/// The pause before a child that ran for long is started again.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The pause that doubling ends at.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A child that ran for so long did not fail at its start.
const LONG_LIFE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Runs { since: Instant },
    Waits { until: Instant },
}

/// What to do about a child now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing.
    Rest,
    /// Start it, and say how that went ([`Supervised::started`], [`Supervised::failed`]).
    Start,
}

/// A child that is started again when it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Supervised {
    phase: Phase,
    pause: Duration,
}

impl Supervised {
    /// One that was just started.
    pub(crate) fn new(now: Instant) -> Self {
        Self { phase: Phase::Runs { since: now }, pause: Duration::ZERO }
    }

    /// What to do, given whether the child has ended.
    pub(crate) fn step(&mut self, has_ended: bool, now: Instant) -> Order {
        match self.phase {
            Phase::Runs { since } if has_ended => {
                self.wait(now.duration_since(since) >= LONG_LIFE, now);
                Order::Rest
            }
            Phase::Waits { until } if has_ended && now >= until => Order::Start,
            // Somebody else started it.
            Phase::Waits { .. } if !has_ended => {
                self.started(now);
                Order::Rest
            }
            _ => Order::Rest,
        }
    }

    /// It runs again.
    pub(crate) fn started(&mut self, now: Instant) {
        self.phase = Phase::Runs { since: now };
    }

    /// It could not be started.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.wait(false, now);
    }

    fn wait(&mut self, lived_long: bool, now: Instant) {
        let doubled = if lived_long { SHORTEST_PAUSE } else { self.pause * 2 };
        self.pause = doubled.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        self.phase = Phase::Waits { until: now + self.pause };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_ended_is_started_after_a_pause_and_only_once() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut child = Supervised::new(began);
        assert_eq!(child.step(false, at(60_000)), Order::Rest);
        assert_eq!(child.step(true, at(60_001)), Order::Rest);
        assert_eq!(child.step(true, at(60_100)), Order::Rest);
        assert_eq!(child.step(true, at(60_101)), Order::Start);
        child.started(at(60_102));
        assert_eq!(child.step(false, at(60_103)), Order::Rest);
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew_after_a_long_life() {
        let mut now = Instant::now();
        let mut child = Supervised::new(now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            assert_eq!(child.step(true, now), Order::Rest);
            pauses.push(child.pause.as_millis());
            now += child.pause;
            assert_eq!(child.step(true, now), Order::Start);
            child.started(now);
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        child.failed(now);
        assert_eq!(child.pause, LONGEST_PAUSE);
        child.started(now);
        child.step(true, now + LONG_LIFE);
        assert_eq!(child.pause, SHORTEST_PAUSE);
    }
}
