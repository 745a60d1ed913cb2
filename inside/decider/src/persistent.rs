//! Ordered maps and sets whose clone costs O(1): a published view and a frozen state are clones of
//! the writer's.
//!
//! A change copies the nodes on its path that a clone still shows, O(log n) of them, and works in
//! place on all others. So a clone never changes, and a map that no clone shares pays for none.
//! With a node its neighbours are copied too: a value that is large, or costs to clone, stands
//! behind [`CowArc`].

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;
use core::ops::{Bound, Deref, DerefMut, RangeBounds, RangeFull};

use crate::tree::Node;

/// An ordered map; its clone costs O(1).
pub struct Map<K, V> {
    root: Option<Arc<Node<K, V>>>,
    len: usize,
}

/// An ordered set; its clone costs O(1).
pub struct Set<T> {
    members: Map<T, ()>,
}

/// Counts an entry that is walked over, in tests that ask for it.
fn walked() {
    #[cfg(feature = "steps")]
    crate::steps::step();
}

/// A value whose clone costs O(1). It is copied when it is changed while a clone shows it too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CowArc<T>(Arc<T>);

impl<T> From<T> for CowArc<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for CowArc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for CowArc<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), len: self.len }
    }
}

impl<K, V> Default for Map<K, V> {
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
        self.iter().eq(other.iter())
    }
}

impl<K: Ord, V: Eq> Eq for Map<K, V> {}

impl<K, V> Map<K, V> {
    /// An empty map.
    pub const fn new() -> Self {
        Self { root: None, len: 0 }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<K: Ord, V> Map<K, V> {
    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.root.as_ref()?.get(key)
    }

    /// Whether there is an entry of a key.
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// The entry of the least key.
    pub fn first(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// The entry of the greatest key.
    pub fn last(&self) -> Option<(&K, &V)> {
        self.iter().next_back()
    }

    /// All entries, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> + DoubleEndedIterator {
        Iter { entries: Entries::new(self.root.as_deref(), ..), left: self.len }.inspect(|_| walked())
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> + DoubleEndedIterator {
        self.iter().map(|(_, value)| value)
    }

    /// The entries whose keys are in a range, in order; none if it ends before it starts.
    pub fn range<R: RangeBounds<K>>(&self, range: R) -> impl DoubleEndedIterator<Item = (&K, &V)> + use<'_, K, V, R> {
        Entries::new(self.root.as_deref(), range).inspect(|_| walked())
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// Puts an entry in. Returns the value that the key had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = match &mut self.root {
            Some(root) => Node::insert(root, key, value),
            None => {
                self.root = Some(Arc::new(Node::leaf(key, value)));
                None
            }
        };
        self.len += usize::from(old.is_none());
        old
    }

    /// Removes an entry.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        // The tree would copy its path even if there is none.
        self.get(key)?;
        self.len -= 1;
        Node::remove(&mut self.root, key)
    }

    /// The value of a key, to change it. Copied first if a clone shows it too.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        Node::get_mut(self.root.as_mut()?, key)
    }

    /// Changes the value of a key, the default one if there is none.
    pub fn update_or_default<R>(&mut self, key: K, change: impl FnOnce(&mut V) -> R) -> R
    where
        V: Default,
    {
        if self.contains_key(&key)
            && let Some(value) = self.get_mut(&key)
        {
            return change(value);
        }
        let mut value = V::default();
        let result = change(&mut value);
        self.insert(key, value);
        result
    }

    /// Keeps the entries of which `keep` is true. It looks at all of them.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        let gone: Vec<K> = self.iter().filter(|(key, value)| !keep(key, value)).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.remove(&key);
        }
    }
}

/// Entries in a range. It holds what is left of the leaf at each end, and finds the next leaf by
/// the last key, so it allocates nothing.
struct Entries<'a, K, V, R> {
    /// `None` once it is exhausted.
    root: Option<&'a Node<K, V>>,
    range: R,
    front: &'a [(K, V)],
    /// The last key that the front gave.
    front_key: Option<&'a K>,
    back: &'a [(K, V)],
    back_key: Option<&'a K>,
}

impl<'a, K: Ord, V, R: RangeBounds<K>> Entries<'a, K, V, R> {
    fn new(root: Option<&'a Node<K, V>>, range: R) -> Self {
        Self { root, range, front: &[], front_key: None, back: &[], back_key: None }
    }

    /// Returns an entry, unless it is beyond the other end.
    fn give(&mut self, entry: Option<&'a (K, V)>) -> Option<(&'a K, &'a V)> {
        let over = |(key, _): &(K, V)| {
            !self.range.contains(key)
                || self.front_key.is_some_and(|front| key <= front)
                || self.back_key.is_some_and(|back| key >= back)
        };
        let given = entry.filter(|entry| !over(entry));
        if given.is_none() {
            self.root = None;
        }
        given.map(|(key, value)| (key, value))
    }
}

impl<'a, K: Ord, V, R: RangeBounds<K>> Iterator for Entries<'a, K, V, R> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let root = self.root?;
        if self.front.is_empty() {
            self.front = root.seek(self.front_key.map_or(self.range.start_bound(), Bound::Excluded));
        }
        let entry = self.front.split_off_first();
        let given = self.give(entry)?;
        self.front_key = Some(given.0);
        Some(given)
    }
}

impl<K: Ord, V, R: RangeBounds<K>> DoubleEndedIterator for Entries<'_, K, V, R> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let root = self.root?;
        if self.back.is_empty() {
            self.back = root.seek_back(self.back_key.map_or(self.range.end_bound(), Bound::Excluded));
        }
        let entry = self.back.split_off_last();
        let given = self.give(entry)?;
        self.back_key = Some(given.0);
        Some(given)
    }
}

impl<K: Ord, V, R: RangeBounds<K>> FusedIterator for Entries<'_, K, V, R> {}

/// All entries of a map, counted.
struct Iter<'a, K, V> {
    entries: Entries<'a, K, V, RangeFull>,
    left: usize,
}

impl<'a, K: Ord, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.entries.next()?;
        self.left -= 1;
        Some(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<K: Ord, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let next = self.entries.next_back()?;
        self.left -= 1;
        Some(next)
    }
}

impl<K: Ord, V> ExactSizeIterator for Iter<'_, K, V> {}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

impl<T> Clone for Set<T> {
    fn clone(&self) -> Self {
        Self { members: self.members.clone() }
    }
}

impl<T> Default for Set<T> {
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

impl<T> Set<T> {
    /// An empty set.
    pub const fn new() -> Self {
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
}

impl<T: Ord> Set<T> {
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

    /// Removes a member. Returns whether it was one.
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
mod tests;
