//! Values that belong to owners, found by key or by owner.

use crate::{Map, Set};

/// A table of values `V` by key `K`, each of one owner `O`. A query for one owner costs in
/// proportion to that owner's values only. Its clone costs O(1).
pub struct Owned<O, K, V> {
    things: Map<K, (O, V)>,
    by_owner: Map<O, Set<K>>,
}

impl<O, K, V> Clone for Owned<O, K, V> {
    fn clone(&self) -> Self {
        Self { things: self.things.clone(), by_owner: self.by_owner.clone() }
    }
}

impl<O, K, V> Default for Owned<O, K, V> {
    fn default() -> Self {
        Self { things: Map::new(), by_owner: Map::new() }
    }
}

impl<O: Copy + Ord, K: Copy + Ord, V: Clone> Owned<O, K, V> {
    /// The value of a key, and its owner.
    pub fn get(&self, key: &K) -> Option<(O, &V)> {
        self.things.get(key).map(|(owner, thing)| (*owner, thing))
    }

    /// Whether an owner has the value of a key.
    pub fn has(&self, owner: O, key: &K) -> bool {
        self.things.get(key).is_some_and(|(of, _)| *of == owner)
    }

    /// The values of an owner, in the order of their keys.
    pub fn of_owner(&self, owner: O) -> impl Iterator<Item = (K, &V)> {
        let keys = self.by_owner.get(&owner).into_iter().flat_map(Set::iter);
        keys.filter_map(|key| Some((*key, &self.things.get(key)?.1)))
    }

    /// Number of an owner's values.
    pub fn count_of(&self, owner: O) -> usize {
        self.by_owner.get(&owner).map_or(0, Set::len)
    }

    /// Replaces the value of this key, also if it had another owner.
    pub fn insert(&mut self, owner: O, key: K, thing: V) {
        self.remove(&key);
        self.things.insert(key, (owner, thing));
        self.by_owner.update_or_default(owner, |keys| keys.insert(key));
    }

    /// Removes the value of a key.
    pub fn remove(&mut self, key: &K) -> Option<(O, V)> {
        let (owner, thing) = self.things.remove(key)?;
        if let Some(keys) = self.by_owner.get_mut(&owner) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_owner.remove(&owner);
            }
        }
        Some((owner, thing))
    }

    /// Removes all values of an owner.
    pub fn remove_all_of(&mut self, owner: O) {
        for key in self.by_owner.remove(&owner).unwrap_or_default().iter() {
            self.things.remove(key);
        }
    }

    /// Everything, in the order of the keys: for snapshots.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, O, &V)> {
        self.things.iter().map(|(key, (owner, thing))| (key, *owner, thing))
    }

    /// The last key.
    pub fn last_key(&self) -> Option<&K> {
        self.things.last().map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;
    use core::cmp::Ordering;
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    std::thread_local! {
        static LOOKS: Cell<usize> = const { Cell::new(0) };
    }

    /// An owner that counts how often it is looked at.
    #[derive(Clone, Copy, Debug)]
    struct Owner(u32);

    impl PartialEq for Owner {
        fn eq(&self, other: &Self) -> bool {
            self.cmp(other) == Ordering::Equal
        }
    }

    impl Eq for Owner {}

    impl PartialOrd for Owner {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl Ord for Owner {
        fn cmp(&self, other: &Self) -> Ordering {
            LOOKS.set(LOOKS.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    #[test]
    fn an_owner_costs_as_much_as_it_has() {
        let mut table = Owned::default();
        (0..100_000u32).for_each(|key| table.insert(Owner(key % 1000), key, ()));
        let looks = |work: &mut dyn FnMut()| {
            LOOKS.set(0);
            work();
            LOOKS.get()
        };
        assert_eq!(table.of_owner(Owner(7)).count(), 100);
        // A search among 1,000 owners looks at no more than 20, the greatest height of their tree;
        // a walk would at 100,000.
        assert!(looks(&mut || assert_eq!(table.of_owner(Owner(7)).count(), 100)) <= 20);
        assert!(looks(&mut || assert!(table.has(Owner(7), &7))) <= 1);
        assert!(looks(&mut || assert!(table.remove(&7).is_some())) <= 20);
        assert!(looks(&mut || table.insert(Owner(7), 7, ())) <= 40);
        assert!(looks(&mut || table.remove_all_of(Owner(7))) <= 40);
        assert_eq!((table.count_of(Owner(7)), table.iter().len()), (0, 99_900));
    }

    proptest! {
        #[test]
        fn owned_matches_model(steps in proptest::collection::vec((0..4u32, 0..9u32, 0..3u8), 0..60)) {
            let (mut table, mut list) = (Owned::default(), BTreeMap::new());
            for (owner, key, step) in steps {
                match step {
                    0 | 1 => {
                        table.insert(Owner(owner), key, step);
                        list.insert(key, (owner, step));
                    }
                    _ if key == 0 => {
                        table.remove_all_of(Owner(owner));
                        list.retain(|_, (of, _)| *of != owner);
                    }
                    _ => {
                        let gone = table.remove(&key).map(|(owner, thing)| (owner.0, thing));
                        prop_assert_eq!(gone, list.remove(&key));
                    }
                }
                for owner in 0..4 {
                    let own: Vec<_> = list.iter().filter(|(_, (of, _))| *of == owner).map(|(key, _)| *key).collect();
                    prop_assert_eq!(table.count_of(Owner(owner)), own.len());
                    prop_assert_eq!(table.of_owner(Owner(owner)).map(|(key, _)| key).collect::<Vec<_>>(), own);
                }
                let all: Vec<_> = table.iter().map(|(key, owner, thing)| (*key, (owner.0, *thing))).collect();
                prop_assert_eq!(all, list.clone().into_iter().collect::<Vec<_>>());
                prop_assert_eq!(table.last_key(), list.last_key_value().map(|(key, _)| key));
            }
        }
    }
}
