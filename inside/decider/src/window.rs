//! How much was counted in the last hour, by key. Class H: a restart forgets it.
//!
//! A sliding hour over two fixed ones: the hour before counts by the part of it that is still
//! within sixty minutes. It holds two numbers for each key, whatever the limit is, so the limit
//! stays with the decider. The numbers are of type `N` and saturate: a limit below `N`'s highest
//! value holds.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

use crate::Seconds;

const HOUR: Seconds = 3600;

#[derive(Clone, Copy, Debug, Default)]
struct Window<N> {
    hour: u32,
    now: N,
    before: N,
}

/// The hour that a time lies in.
fn hour(at: Seconds) -> u32 {
    u32::try_from(at / HOUR).unwrap_or(u32::MAX)
}

impl<N: Amount> Window<N> {
    fn at(self, hour: u32) -> Self {
        match hour.saturating_sub(self.hour) {
            0 => self,
            1 => Self { hour, now: N::default(), before: self.now },
            _ => Self { hour, ..Self::default() },
        }
    }

    /// The count of the last sixty minutes, rounded up.
    fn in_last_hour(self, now: Seconds) -> u64 {
        let window = self.at(hour(now));
        let left = HOUR - now % HOUR;
        let before: u64 = window.before.into();
        window.now.into().saturating_add(before.saturating_mul(left).div_ceil(HOUR))
    }
}

/// Type of a count.
pub trait Amount: Copy + Default + Into<u64> {
    /// The amount, or the highest one that fits.
    fn saturating_from(amount: u64) -> Self;
}

impl Amount for u32 {
    fn saturating_from(amount: u64) -> Self {
        Self::try_from(amount).unwrap_or(Self::MAX)
    }
}

impl Amount for u64 {
    fn saturating_from(amount: u64) -> Self {
        amount
    }
}

/// Sliding hours by key.
pub struct SlidingHours<K, N> {
    windows: BTreeMap<K, Window<N>>,
    /// The last key that was scanned and kept, while a scan is under way.
    cursor: Option<K>,
    /// Keys that it holds; beyond it nothing fits for a further one until an hour has passed.
    max_keys: usize,
}

impl<K: Copy + Ord, N: Amount> SlidingHours<K, N> {
    /// Nothing counted yet, with room for `max_keys` keys.
    pub fn new(max_keys: usize) -> Self {
        Self { windows: BTreeMap::new(), cursor: None, max_keys }
    }

    /// Counts.
    pub fn add(&mut self, key: K, amount: u64, at: Seconds) {
        let window = self.windows.entry(key).or_default();
        *window = window.at(hour(at));
        let now: u64 = window.now.into();
        window.now = N::saturating_from(now.saturating_add(amount));
    }

    /// Whether `amount` more fits under `limit`.
    ///
    /// # Errors
    /// Retry after this many seconds.
    pub fn fits(&self, key: &K, amount: u64, limit: u64, now: Seconds) -> Result<(), Seconds> {
        let Some(window) = self.windows.get(key) else {
            return if self.windows.len() >= self.max_keys { Err(HOUR - now % HOUR) } else { Ok(()) };
        };
        if window.in_last_hour(now).saturating_add(amount) <= limit {
            return Ok(());
        }
        let current = window.at(hour(now));
        let (in_hour, before) = (current.now.into(), current.before.into());
        // Only the previous hour's share shrinks now; the current hour's starts to shrink when it
        // ends.
        let room = limit.saturating_sub(amount).saturating_sub(in_hour);
        if before > 0 && in_hour.saturating_add(amount) <= limit {
            // before * left / HOUR <= room
            let left = room.saturating_mul(HOUR) / before;
            return Err((HOUR - now % HOUR).saturating_sub(left).max(1));
        }
        Err(HOUR - now % HOUR)
    }

    /// The count of the last sixty minutes.
    pub fn in_last_hour(&self, key: &K, now: Seconds) -> u64 {
        self.windows.get(key).map_or(0, |window| window.in_last_hour(now))
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Scans the next keys, at most so many, and drops those older than two hours. Returns whether
    /// the scan reached the last key; the next call then starts a new scan.
    pub fn evict_old(&mut self, now: Seconds, max: usize) -> bool {
        let hour = hour(now);
        let from = self.cursor.take().map_or(Bound::Unbounded, Bound::Excluded);
        let next: Vec<_> = self.windows.range((from, Bound::Unbounded)).take(max).collect();
        let (count, last) = (next.len(), next.last().map(|(key, _)| **key));
        let old: Vec<K> = next.into_iter().filter(|(_, window)| window.hour + 1 < hour).map(|(key, _)| *key).collect();
        for key in &old {
            self.windows.remove(key);
        }
        self.cursor = last.filter(|_| count == max);
        count < max
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// No sixty minutes hold more than twice the limit (the error of two fixed hours), and what
        /// is refused fits after the wait.
        #[test]
        fn a_limit_holds(steps in proptest::collection::vec((0u64..1200, 1u64..5), 1..200), limit in 5u64..50) {
            let (mut now, mut counted) = (0u64, alloc::vec::Vec::new());
            let mut hours = SlidingHours::<_, u32>::new(1);
            for (step, amount) in steps {
                now += step;
                match hours.fits(&(), amount, limit, now) {
                    Ok(()) => {
                        hours.add((), amount, now);
                        counted.push((now, amount));
                    }
                    Err(wait) => prop_assert!((1..=HOUR).contains(&wait)),
                }
                let in_last_hour: u64 =
                    counted.iter().filter(|(at, _)| now - at < HOUR).map(|(_, amount)| *amount).sum();
                prop_assert!(in_last_hour <= 2 * limit);
                prop_assert!(hours.in_last_hour(&(), now) <= limit);
            }
        }
    }

    #[test]
    fn a_full_table_takes_no_further_key() {
        let mut hours = SlidingHours::<_, u64>::new(1);
        hours.add(1, 1, 10);
        assert_eq!(hours.fits(&1, 1, 2, 10), Ok(()));
        assert_eq!(hours.fits(&2, 1, 2, 10), Err(HOUR - 10));
        assert!(hours.evict_old(2 * HOUR, 2));
        assert!(hours.is_empty());
        assert_eq!(hours.fits(&2, 1, 2, 2 * HOUR), Ok(()));
    }

    #[test]
    fn a_count_that_saturates_is_above_every_lower_limit() {
        let mut hours = SlidingHours::<_, u32>::new(1);
        hours.add((), u64::MAX, 10);
        assert_eq!(hours.in_last_hour(&(), 10), u64::from(u32::MAX));
        assert_eq!(hours.fits(&(), 1, u64::from(u32::MAX), 10), Err(HOUR - 10));
    }

    #[test]
    fn old_keys_are_forgotten_in_steps() {
        let mut hours = SlidingHours::<_, u64>::new(100);
        (0..10u64).for_each(|key| hours.add(key, 1, key % 2 * 2 * HOUR));
        let mut sizes = alloc::vec::Vec::new();
        // Each step looks at four of the keys that are left behind the last one.
        while !hours.evict_old(2 * HOUR, 4) {
            sizes.push(hours.windows.len());
        }
        assert_eq!(sizes, [8, 6]);
        assert_eq!(hours.windows.len(), 5);
        assert!(hours.windows.keys().all(|key| key % 2 == 1));
    }
}
