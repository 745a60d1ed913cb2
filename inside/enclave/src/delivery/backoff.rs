//! Waits between tries: exponential with jitter, so that messages that failed together do not come back together.
//!
//! Half of each wait is fixed. That bounds how often a route that answers is asked within a code's life: 19 times.

use tokio::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
/// Longest wait for a route that could not be reached.
pub(super) const UNREACHED: Duration = Duration::from_secs(20);
/// Longest wait for a route that refused for now. Every try there is a whole request.
pub(super) const BUSY: Duration = Duration::from_secs(120);

/// The wait after the `failures`-th failure (from 1): its bound is twice the one before, up to `longest`, and it is at least half of
/// that; `random` chooses.
pub(super) fn wait(failures: u32, longest: Duration, random: u64) -> Duration {
    let most = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest);
    let half = u64::try_from(most.as_millis() / 2).unwrap_or(u64::MAX - 1);
    // The remainder's bias is one in 10^14.
    Duration::from_millis(half + random % (half + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `docs/LIMITS.md` says: 19 waits are longer than a code lives.
    #[test]
    fn shortest_waits_bound_the_tries_within_a_codes_life() {
        let all: Duration = (1..=19).map(|failures| wait(failures, BUSY, 0)).sum();
        assert!(all > Duration::from_secs(adyton_vault::CODE_LIFE), "{all:?}");
    }

    #[test]
    fn the_bound_doubles_up_to_the_longest_and_half_of_it_is_fixed() {
        for (failures, longest, bound) in [
            (1, UNREACHED, 200),
            (2, UNREACHED, 400),
            (5, UNREACHED, 3_200),
            (8, UNREACHED, 20_000),
            (u32::MAX, UNREACHED, 20_000),
            (8, BUSY, 25_600),
            (11, BUSY, 120_000),
            (u32::MAX, BUSY, 120_000),
        ] {
            let half = bound / 2;
            assert_eq!(wait(failures, longest, 0), Duration::from_millis(half), "{failures}");
            assert_eq!(wait(failures, longest, half), Duration::from_millis(bound), "{failures}");
            assert_eq!(wait(failures, longest, half + 1), Duration::from_millis(half), "{failures}");
        }
    }
}
