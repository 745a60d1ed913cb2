//! How much was counted lately, by key. Class H: a restart forgets it.
//!
//! A sliding hour over two fixed ones: the hour before counts by the part of it that is still
//! within sixty minutes. It holds two numbers for each key, whatever the limit is, so the limit
//! stays with the decider.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

use crate::Seconds;

const HOUR: Seconds = 3600;

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    hour: u64,
    now: u64,
    before: u64,
}

impl Window {
    fn at(self, hour: u64) -> Self {
        match hour.saturating_sub(self.hour) {
            0 => self,
            1 => Self { hour, now: 0, before: self.now },
            _ => Self { hour, now: 0, before: 0 },
        }
    }

    /// What lies within the last sixty minutes, rounded up.
    fn lately(self, now: Seconds) -> u64 {
        let window = self.at(now / HOUR);
        let left = HOUR - now % HOUR;
        window.now.saturating_add(window.before.saturating_mul(left).div_ceil(HOUR))
    }
}

/// Sliding hours by key.
pub struct SlidingHours<K> {
    windows: BTreeMap<K, Window>,
    /// The last key that was looked at and kept, while the keys are looked through.
    looked: Option<K>,
    /// Keys that it holds; beyond it nothing fits for a further one until an hour has passed.
    max_keys: usize,
}

impl<K: Copy + Ord> SlidingHours<K> {
    /// Nothing counted yet, with room for `max_keys` keys.
    pub fn new(max_keys: usize) -> Self {
        Self { windows: BTreeMap::new(), looked: None, max_keys }
    }

    /// Counts.
    pub fn add(&mut self, key: K, amount: u64, at: Seconds) {
        let window = self.windows.entry(key).or_default();
        *window = window.at(at / HOUR);
        window.now = window.now.saturating_add(amount);
    }

    /// Whether `amount` more fits under `limit`.
    ///
    /// # Errors
    /// Seconds after which it is worth trying again.
    pub fn fits(&self, key: &K, amount: u64, limit: u64, now: Seconds) -> Result<(), Seconds> {
        let Some(window) = self.windows.get(key) else {
            return if self.windows.len() >= self.max_keys { Err(HOUR - now % HOUR) } else { Ok(()) };
        };
        if window.lately(now).saturating_add(amount) <= limit {
            return Ok(());
        }
        let current = window.at(now / HOUR);
        // Only the hour before ebbs away now; if that is not enough, the present one begins to at
        // its end.
        let room = limit.saturating_sub(amount).saturating_sub(current.now);
        if current.before > 0 && current.now.saturating_add(amount) <= limit {
            // before * left / HOUR <= room
            let left = room.saturating_mul(HOUR) / current.before;
            return Err((HOUR - now % HOUR).saturating_sub(left).max(1));
        }
        Err(HOUR - now % HOUR)
    }

    /// What was counted within the last sixty minutes.
    pub fn lately(&self, key: &K, now: Seconds) -> u64 {
        self.windows.get(key).map_or(0, |window| window.lately(now))
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Looks at the next keys, at most so many, and forgets what is older than two hours; whether
    /// that was the last of them. Then it begins anew.
    pub fn forget(&mut self, now: Seconds, most: usize) -> bool {
        let hour = now / HOUR;
        let from = self.looked.take().map_or(Bound::Unbounded, Bound::Excluded);
        let next: Vec<_> = self.windows.range((from, Bound::Unbounded)).take(most).collect();
        let (count, last) = (next.len(), next.last().map(|(key, _)| **key));
        let old: Vec<K> = next.into_iter().filter(|(_, window)| window.hour + 1 < hour).map(|(key, _)| *key).collect();
        for key in &old {
            self.windows.remove(key);
        }
        self.looked = last.filter(|_| count == most);
        count < most
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is counted, no sixty minutes hold more than the limit and its half again (the
        /// error of two fixed hours), and what is refused fits after the wait.
        #[test]
        fn a_limit_holds(steps in proptest::collection::vec((0u64..1200, 1u64..5), 1..200), limit in 5u64..50) {
            let (mut hours, mut now, mut counted) = (SlidingHours::new(1), 0u64, alloc::vec::Vec::new());
            for (step, amount) in steps {
                now += step;
                match hours.fits(&(), amount, limit, now) {
                    Ok(()) => {
                        hours.add((), amount, now);
                        counted.push((now, amount));
                    }
                    Err(wait) => prop_assert!((1..=HOUR).contains(&wait)),
                }
                let lately: u64 =
                    counted.iter().filter(|(at, _)| now - at < HOUR).map(|(_, amount)| *amount).sum();
                prop_assert!(lately <= 2 * limit);
                prop_assert!(hours.lately(&(), now) <= limit);
            }
        }
    }

    #[test]
    fn a_full_table_takes_no_further_key() {
        let mut hours = SlidingHours::new(1);
        hours.add(1, 1, 10);
        assert_eq!(hours.fits(&1, 1, 2, 10), Ok(()));
        assert_eq!(hours.fits(&2, 1, 2, 10), Err(HOUR - 10));
        assert!(hours.forget(2 * HOUR, 2));
        assert!(hours.is_empty());
        assert_eq!(hours.fits(&2, 1, 2, 2 * HOUR), Ok(()));
    }

    #[test]
    fn old_keys_are_forgotten_in_steps() {
        let mut hours = SlidingHours::new(100);
        (0..10u64).for_each(|key| hours.add(key, 1, key % 2 * 2 * HOUR));
        let mut sizes = alloc::vec::Vec::new();
        // Each step looks at four of the keys that are left behind the last one.
        while !hours.forget(2 * HOUR, 4) {
            sizes.push(hours.windows.len());
        }
        assert_eq!(sizes, [8, 6]);
        assert_eq!(hours.windows.len(), 5);
        assert!(hours.windows.keys().all(|key| key % 2 == 1));
    }
}
