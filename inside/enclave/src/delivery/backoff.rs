//! Waits between tries: exponential with jitter, so that messages that failed together do not come back together.
//!
//! Half of each wait is fixed. That bounds how often a route is asked within a code's life: 66 times.

use tokio::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(20);

/// The wait after the `failures`-th failure (from 1): its bound is twice the one before, and it is at least half of that; `random`
/// chooses.
pub(super) fn wait(failures: u32, random: u64) -> Duration {
    let most = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    // The remainder's bias is one in 10^15.
    Duration::from_millis(most / 2 + random % (most / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `docs/LIMITS.md` says: 66 waits are longer than a code lives.
    #[test]
    fn shortest_waits_bound_the_tries_within_a_code_s_life() {
        let shortest = |failures: u32| {
            [0, 101, 201, 401, 801, 1_601, 3_201, 6_401, 10_001]
                .map(|random| wait(failures, random))
                .into_iter()
                .min()
                .unwrap_or_default()
        };
        let all: Duration = (1..=66).map(shortest).sum();
        assert!(all > Duration::from_secs(adyton_vault::CODE_LIFE), "{all:?}");
    }

    #[test]
    fn the_bound_doubles_up_to_the_longest() {
        // The largest remainder of each bound, and the smallest.
        for (failures, bound) in [(1, 200), (2, 400), (5, 3_200), (8, 20_000), (u32::MAX, 20_000)] {
            let half = bound / 2;
            assert_eq!(wait(failures, half), Duration::from_millis(bound), "{failures}");
            assert_eq!(wait(failures, half + 1), Duration::from_millis(half), "{failures}");
        }
        assert_eq!(wait(u32::MAX, 10_000), LONGEST);
    }
}
