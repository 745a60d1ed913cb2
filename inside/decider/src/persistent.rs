//! Ordered maps and sets whose clone costs O(1): a published view and a frozen state are clones of
//! the writer's.
//!
//! A change copies the nodes on its path that a clone still shows, O(log n) of them, and works in
//! place on all others. So a clone never changes, and a map that no clone shares pays for none.

use alloc::vec::Vec;
use core::fmt;
use core::ops::{Bound, RangeBounds};

use rpds::RedBlackTreeMapSync;

/// An ordered map; its clone costs O(1).
pub struct Map<K: Ord, V> {
    tree: RedBlackTreeMapSync<K, V>,
}

/// An ordered set; its clone costs O(1).
pub struct Set<T: Ord> {
    members: Map<T, ()>,
}

impl<K: Ord, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        Self { tree: self.tree.clone() }
    }
}

impl<K: Ord, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.tree == other.tree
    }
}

impl<K: Ord, V: Eq> Eq for Map<K, V> {}

impl<K: Ord, V> Map<K, V> {
    /// An empty map.
    pub fn new() -> Self {
        Self { tree: RedBlackTreeMapSync::new_sync() }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.tree.size()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.tree.get(key)
    }

    /// Whether there is an entry of a key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.tree.contains_key(key)
    }

    /// The entry of the least key.
    pub fn first(&self) -> Option<(&K, &V)> {
        self.tree.first()
    }

    /// The entry of the greatest key.
    pub fn last(&self) -> Option<(&K, &V)> {
        self.tree.last()
    }

    /// All entries, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> + DoubleEndedIterator {
        self.tree.iter()
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> + DoubleEndedIterator {
        self.tree.values()
    }

    /// The entries whose keys are in a range, in order; none if it ends before it starts.
    pub fn range<R: RangeBounds<K>>(&self, range: R) -> impl DoubleEndedIterator<Item = (&K, &V)> + use<'_, K, V, R> {
        // The tree panics at these.
        let backwards = match (range.start_bound(), range.end_bound()) {
            (Bound::Excluded(start), Bound::Excluded(end)) => start >= end,
            (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => {
                start > end
            }
            _ => false,
        };
        (!backwards).then(|| self.tree.range(range)).into_iter().flatten()
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// Puts an entry in. Returns the value that the key had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = self.tree.get(&key).cloned();
        self.tree.insert_mut(key, value);
        old
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        // The tree copies its path, and balances anew, even if the key is absent.
        let old = self.tree.get(key).cloned()?;
        self.tree.remove_mut(key);
        Some(old)
    }

    /// The value of a key, to change it. Copied first if a clone shows it too.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.tree.get_mut(key)
    }

    /// Changes the value of a key, the default one if there is none.
    pub fn update_or_default<R>(&mut self, key: K, change: impl FnOnce(&mut V) -> R) -> R
    where
        V: Default,
    {
        if self.contains_key(&key)
            && let Some(value) = self.tree.get_mut(&key)
        {
            return change(value);
        }
        let mut value = V::default();
        let result = change(&mut value);
        self.tree.insert_mut(key, value);
        result
    }

    /// Keeps the entries of which `keep` is true. It looks at all of them.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        let gone: Vec<K> = self.iter().filter(|(key, value)| !keep(key, value)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.tree.remove_mut(&key);
        }
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self { tree: entries.into_iter().collect() }
    }
}

impl<T: Ord> Clone for Set<T> {
    fn clone(&self) -> Self {
        Self { members: self.members.clone() }
    }
}

impl<T: Ord> Default for Set<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Ord + fmt::Debug> fmt::Debug for Set<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<T: Ord> PartialEq for Set<T> {
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

impl<T: Ord> Eq for Set<T> {}

impl<T: Ord> Set<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self { members: Map::new() }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether this is a member.
    pub fn contains(&self, member: &T) -> bool {
        self.members.contains_key(member)
    }

    /// The least member.
    pub fn first(&self) -> Option<&T> {
        self.members.first().map(|(member, ())| member)
    }

    /// The greatest member.
    pub fn last(&self) -> Option<&T> {
        self.members.last().map(|(member, ())| member)
    }

    /// All members, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &T> + DoubleEndedIterator {
        self.members.iter().map(|(member, ())| member)
    }

    /// The members in a range, in order; none if it ends before it starts.
    pub fn range<R: RangeBounds<T>>(&self, range: R) -> impl DoubleEndedIterator<Item = &T> + use<'_, T, R> {
        self.members.range(range).map(|(member, ())| member)
    }
}

impl<T: Ord + Clone> Set<T> {
    /// Puts a member in. Returns whether it was none.
    pub fn insert(&mut self, member: T) -> bool {
        self.members.insert(member, ()).is_none()
    }

    /// Takes a member out. Returns whether it was one.
    pub fn remove(&mut self, member: &T) -> bool {
        self.members.remove(member).is_some()
    }
}

impl<T: Ord + Clone> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        Self { members: members.into_iter().map(|member| (member, ())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u8, u16),
        Remove(u8),
        Change(u8, u16),
        Update(u8, u16),
        Retain(u16),
        Clone,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => any::<(u8, u16)>().prop_map(|(key, value)| Step::Insert(key, value)),
            6 => any::<u8>().prop_map(Step::Remove),
            2 => any::<(u8, u16)>().prop_map(|(key, value)| Step::Change(key, value)),
            2 => any::<(u8, u16)>().prop_map(|(key, value)| Step::Update(key, value)),
            1 => (2..5u16).prop_map(Step::Retain),
            1 => Just(Step::Clone),
        ]
    }

    fn equal(map: &Map<u8, u16>, model: &BTreeMap<u8, u16>) -> Result<(), TestCaseError> {
        prop_assert_eq!(map.len(), model.len());
        prop_assert_eq!(map.is_empty(), model.is_empty());
        prop_assert!(map.iter().eq(model.iter()));
        prop_assert!(map.iter().rev().eq(model.iter().rev()));
        prop_assert!(map.values().eq(model.values()));
        prop_assert_eq!(map.first(), model.first_key_value());
        prop_assert_eq!(map.last(), model.last_key_value());
        Ok(())
    }

    proptest! {
        /// A map does what a `BTreeMap` does, and its clones stay what they were.
        #[test]
        fn a_map_is_its_model(steps in proptest::collection::vec(step(), 0..400), ranges: [(u8, u8); 4]) {
            let (mut map, mut model) = (Map::new(), BTreeMap::new());
            let mut clones = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(key, value) => prop_assert_eq!(map.insert(key, value), model.insert(key, value)),
                    Step::Remove(key) => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                    Step::Change(key, value) => {
                        prop_assert_eq!(map.get(&key), model.get(&key));
                        prop_assert_eq!(map.contains_key(&key), model.contains_key(&key));
                        let changed = map.get_mut(&key).map(|old| core::mem::replace(old, value));
                        prop_assert_eq!(changed, model.get_mut(&key).map(|old| core::mem::replace(old, value)));
                    }
                    Step::Update(key, value) => {
                        let old = map.update_or_default(key, |old| core::mem::replace(old, value));
                        prop_assert_eq!(old, core::mem::replace(model.entry(key).or_default(), value));
                    }
                    Step::Retain(of) => {
                        map.retain(|_, value| value % of > 0);
                        model.retain(|_, value| *value % of > 0);
                    }
                    Step::Clone => clones.push((map.clone(), model.clone())),
                }
            }
            clones.push((map, model));
            for (map, model) in &clones {
                equal(map, model)?;
                for (start, end) in ranges {
                    let inside = |key: u8| start <= key && key <= end;
                    let expected = || model.iter().filter(|(key, _)| inside(**key));
                    prop_assert!(map.range(start..=end).eq(expected()));
                    prop_assert!(map.range(start..=end).rev().eq(expected().rev()));
                    let without = |(key, _): &(&u8, &u16)| **key != start && **key != end;
                    let between = (Bound::Excluded(start), Bound::Excluded(end));
                    prop_assert!(map.range(between).eq(expected().filter(without)));
                    prop_assert!(map.range(start..end).eq(expected().filter(|(key, _)| **key != end)));
                    prop_assert!(map.range(start..).eq(model.range(start..)));
                    prop_assert!(map.range(..end).rev().eq(model.range(..end).rev()));
                }
            }
        }

        #[test]
        fn a_set_is_its_model(steps: Vec<(u8, bool)>, from: u8) {
            let (mut set, mut model) = (Set::new(), alloc::collections::BTreeSet::new());
            for (member, comes) in steps {
                let (one, other) = if comes {
                    (set.insert(member), model.insert(member))
                } else {
                    (set.remove(&member), model.remove(&member))
                };
                prop_assert_eq!(one, other);
                prop_assert_eq!(set.contains(&member), model.contains(&member));
            }
            prop_assert_eq!((set.len(), set.first(), set.last()), (model.len(), model.first(), model.last()));
            prop_assert!(set.iter().eq(model.iter()) && set.range(from..).eq(model.range(from..)));
            prop_assert_eq!(set.is_empty(), model.is_empty());
            prop_assert_eq!(model.into_iter().collect::<Set<u8>>(), set);
        }
    }

    std::thread_local! {
        static COPIES: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
    }

    extern crate std;

    struct Value;

    impl Clone for Value {
        fn clone(&self) -> Self {
            COPIES.set(COPIES.get() + 1);
            Self
        }
    }

    #[test]
    fn a_change_copies_a_value_only_if_a_clone_shows_it() {
        let mut map: Map<u32, Value> = (0..1000).map(|key| (key, Value)).collect();
        let copies = |map: &mut Map<u32, Value>, key| {
            COPIES.set(0);
            assert!(map.get_mut(&key).is_some());
            COPIES.get()
        };
        assert_eq!(copies(&mut map, 500), 0);
        let clone = map.clone();
        assert_eq!((copies(&mut map, 500), copies(&mut map, 500), copies(&mut map, 501)), (1, 0, 1));
        drop(clone);
        assert_eq!(copies(&mut map, 7), 0);
    }
}
