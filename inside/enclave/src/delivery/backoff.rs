//! Waits between tries: exponential with full jitter, so that messages that failed together do not come back together.

use tokio::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(20);

/// The wait after the `failures`-th failure (from 1): anything up to twice the one before, as `random` says.
pub(super) fn wait(failures: u32, random: u64) -> Duration {
    let most = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    // The remainder's bias is one in 10^15.
    Duration::from_millis(random % (most + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_longest() {
        // The largest remainder for each bound.
        let most = |failures: u32, bound: u64| wait(failures, bound);
        assert_eq!(most(1, 200), Duration::from_millis(200));
        assert_eq!(most(1, 201), Duration::ZERO);
        assert_eq!(most(2, 400), Duration::from_millis(400));
        assert_eq!(most(5, 3_200), Duration::from_millis(3_200));
        assert_eq!(most(8, 20_000), LONGEST);
        assert_eq!(most(8, 20_001), Duration::ZERO);
        assert_eq!(most(u32::MAX, 20_000), LONGEST);
    }
}
