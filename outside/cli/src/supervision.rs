//! When a child that ended is started again: a state machine per child, which knows no process.
//!
//! ```text
//! Runs ──ended──▶ Waits ──the pause is over──▶ start ──▶ Runs
//!                   ▲                            │
//!                   └────────── failed ──────────┘
//! ```
//!
//! The pause lets a signal arrive that ended the child and is meant for this process too. It doubles while children end before they
//! serve, so that one that cannot run is not started without end.

use std::time::{Duration, Instant};

/// The pause before a child that has served is started again.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The pause that doubling ends at.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Runs { served: bool },
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
    pub(crate) fn new() -> Self {
        Self { phase: Phase::Runs { served: false }, pause: Duration::ZERO }
    }

    /// What to do, given whether the child has ended.
    pub(crate) fn step(&mut self, has_ended: bool, now: Instant) -> Order {
        match self.phase {
            Phase::Runs { served } if has_ended => {
                self.wait(served, now);
                Order::Rest
            }
            Phase::Waits { until } if has_ended && now >= until => Order::Start,
            // Somebody else started it.
            Phase::Waits { .. } if !has_ended => {
                self.started();
                Order::Rest
            }
            _ => Order::Rest,
        }
    }

    /// It runs again.
    pub(crate) fn started(&mut self) {
        self.phase = Phase::Runs { served: false };
    }

    /// It serves, or did before it ended.
    pub(crate) fn served(&mut self) {
        if let Phase::Runs { served } = &mut self.phase {
            *served = true;
        }
    }

    /// It ended by itself, with an exit status: one whose writer was stopped would end again, and where two vaults are at one
    /// log they would stop each other in turn, so that it had served does not count. Says whether this is news.
    pub(crate) fn exited(&mut self) -> bool {
        let Phase::Runs { served } = &mut self.phase else { return false };
        *served = false;
        true
    }

    /// It could not be started.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.wait(false, now);
    }

    fn wait(&mut self, served: bool, now: Instant) {
        let doubled = if served { SHORTEST_PAUSE } else { self.pause * 2 };
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
        let mut child = Supervised::new();
        assert_eq!(child.step(false, at(0)), Order::Rest);
        assert_eq!(child.step(true, at(1)), Order::Rest);
        assert_eq!(child.step(true, at(100)), Order::Rest);
        assert_eq!(child.step(true, at(101)), Order::Start);
        child.started();
        assert_eq!(child.step(false, at(102)), Order::Rest);
    }

    #[test]
    fn pauses_double_up_to_a_bound_until_the_child_has_served() {
        let mut now = Instant::now();
        let mut child = Supervised::new();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            assert_eq!(child.step(true, now), Order::Rest);
            pauses.push(child.pause.as_millis());
            now += child.pause;
            assert_eq!(child.step(true, now), Order::Start);
            child.started();
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        child.failed(now);
        assert_eq!(child.pause, LONGEST_PAUSE);
        child.started();
        child.served();
        child.step(true, now);
        assert_eq!(child.pause, SHORTEST_PAUSE);
    }

    #[test]
    fn pauses_double_for_a_child_that_exits_although_it_served() {
        let mut now = Instant::now();
        let mut child = Supervised::new();
        let mut pauses = Vec::new();
        for _ in 0..3 {
            child.served();
            assert!(child.exited());
            child.step(true, now);
            assert!(!child.exited(), "it is known already");
            pauses.push(child.pause.as_millis());
            now += child.pause;
            assert_eq!(child.step(true, now), Order::Start);
            child.started();
        }
        assert_eq!(pauses, [100, 200, 400]);
    }
}
