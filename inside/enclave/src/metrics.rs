//! Counters: sums over all tenants, for the closed list of operational events.
//!
//! Reported on a fixed schedule, so timing reveals nothing. Counted are operations that were decided and logged, and requests that a
//! ceiling refused. What an insider learns by them is in `docs/spec/01-frames.md`.

use std::sync::atomic::{AtomicU64, Ordering};

use adyton_frame::Event;
use adyton_vault::verification::{self, Ceiling, Outcome};
use adyton_vault::{Command, Refusal};
use tokio::time::{Duration, interval};

use crate::engine::Engine;
use crate::events::Events;

/// Interval of the reports.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// The sums.
#[derive(Debug, Default)]
pub struct Counters {
    starts: AtomicU64,
    checks: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    gave_up: AtomicU64,
    unreachable: AtomicU64,
    unconfirmed: AtomicU64,
    withdrawn: AtomicU64,
    live: AtomicU64,
    /// In the order of the frame's ceilings.
    refused_by_ceiling: [AtomicU64; adyton_frame::Ceiling::ALL.len()],
}

/// A ceiling in the host's numbering.
pub(crate) fn numbered(ceiling: Ceiling) -> adyton_frame::Ceiling {
    match ceiling {
        Ceiling::Destination => adyton_frame::Ceiling::Destination,
        Ceiling::NumberBlock => adyton_frame::Ceiling::NumberBlock,
        Ceiling::MailDomain => adyton_frame::Ceiling::MailDomain,
        Ceiling::Tenant => adyton_frame::Ceiling::Tenant,
        Ceiling::Spend => adyton_frame::Ceiling::Spend,
        Ceiling::Support => adyton_frame::Ceiling::Support,
    }
}

/// A kind of command that is counted once it is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CountedCommand {
    Start,
    /// Counted with every outcome, for the sum must not reveal it: a right code, a wrong one, and
    /// one for a number that is not known.
    Check,
    Delivery(Outcome),
}

impl CountedCommand {
    pub(crate) fn from_command(command: &Command) -> Option<Self> {
        let Command::Verification(command) = command else { return None };
        Some(match command {
            verification::Command::Start(_) => Self::Start,
            verification::Command::Check(_) => Self::Check,
            verification::Command::ReportDelivery(report) => Self::Delivery(report.outcome),
            _ => return None,
        })
    }

    /// Whether a refused command counts: a check, unless its caller may not check at all.
    pub(crate) fn counts_refused(self, refusal: &Refusal) -> bool {
        matches!((self, refusal), (Self::Check, Refusal::Verification(refusal)) if !matches!(refusal, verification::Refusal::Denied(_)))
    }
}

impl Counters {
    pub(crate) fn count(&self, countable: CountedCommand) {
        let counter = match countable {
            CountedCommand::Start => &self.starts,
            CountedCommand::Check => &self.checks,
            CountedCommand::Delivery(Outcome::Accepted) => &self.accepted,
            CountedCommand::Delivery(Outcome::Refused) => &self.refused,
            CountedCommand::Delivery(Outcome::GaveUp) => &self.gave_up,
            CountedCommand::Delivery(Outcome::Unreachable) => &self.unreachable,
            CountedCommand::Delivery(Outcome::Unconfirmed) => &self.unconfirmed,
            CountedCommand::Delivery(Outcome::Withdrawn) => &self.withdrawn,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A ceiling refused a request.
    pub(crate) fn refused_by(&self, ceiling: Ceiling) {
        self.refused_by_ceiling[usize::from(numbered(ceiling).number()) - 1].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn live(&self, live: usize) {
        self.live.store(u64::try_from(live).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The sums as the host receives them.
    pub fn reported(&self) -> adyton_frame::Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        adyton_frame::Counters {
            starts: read(&self.starts),
            checks: read(&self.checks),
            accepted: read(&self.accepted),
            refused: read(&self.refused),
            gave_up: read(&self.gave_up),
            unreachable: read(&self.unreachable),
            unconfirmed: read(&self.unconfirmed),
            withdrawn: read(&self.withdrawn),
            live_hundreds: read(&self.live) / 100,
            refused_by_ceiling: self.refused_by_ceiling.each_ref().map(read),
        }
    }
}

/// Reports the counters until the process ends.
pub async fn report(engine: Engine, events: Events, every: Duration) {
    let mut ticks = interval(every);
    loop {
        ticks.tick().await;
        events.emit(Event::Counters(engine.counters().reported()));
    }
}

#[cfg(test)]
mod tests {
    use adyton_vault::Denied;

    use super::*;

    #[test]
    fn a_check_counts_as_one_whatever_came_of_it() {
        use verification::Refusal as Why;
        let check = CountedCommand::Check;
        for refusal in [
            Why::NotFound(None),
            Why::TooManyChecks { retry_after: 1 },
            Why::ChecksClosed { retry_after: 1 },
            Why::Full,
        ] {
            assert!(check.counts_refused(&Refusal::Verification(refusal)), "{refusal:?}");
            assert!(!CountedCommand::Start.counts_refused(&Refusal::Verification(refusal)));
        }
        assert!(!check.counts_refused(&Refusal::Verification(Why::Denied(Denied::Unauthorized))));
        assert!(!check.counts_refused(&Refusal::TooLarge));
    }

    #[test]
    fn live_verifications_are_reported_in_hundreds() {
        let counters = Counters::default();
        for (live, told) in [(0, 0), (99, 0), (100, 1), (199, 1), (1_000_000, 10_000)] {
            counters.live(live);
            assert_eq!(counters.reported().live_hundreds, told);
        }
    }

    #[test]
    fn each_ceiling_has_its_sum() {
        let counters = Counters::default();
        let ceilings = [
            Ceiling::Destination,
            Ceiling::NumberBlock,
            Ceiling::MailDomain,
            Ceiling::Tenant,
            Ceiling::Spend,
            Ceiling::Support,
        ];
        for (times, ceiling) in (1..).zip(ceilings) {
            (0..times).for_each(|_| counters.refused_by(ceiling));
        }
        assert_eq!(counters.reported().refused_by_ceiling, [1, 2, 3, 4, 5, 6]);
        assert_eq!(ceilings.map(numbered), adyton_frame::Ceiling::ALL);
    }

    #[test]
    fn each_outcome_has_its_sum() {
        let counters = Counters::default();
        let outcomes = [
            Outcome::Accepted,
            Outcome::Refused,
            Outcome::GaveUp,
            Outcome::Unreachable,
            Outcome::Unconfirmed,
            Outcome::Withdrawn,
        ];
        for (times, outcome) in (1..).zip(outcomes) {
            for _ in 0..times {
                counters.count(CountedCommand::Delivery(outcome));
            }
        }
        let told = counters.reported();
        let messages = [told.accepted, told.refused, told.gave_up, told.unreachable, told.unconfirmed, told.withdrawn];
        assert_eq!(messages, [1, 2, 3, 4, 5, 6]);
        assert_eq!([told.starts, told.checks], [0, 0]);
    }
}
