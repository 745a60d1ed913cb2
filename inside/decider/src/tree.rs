//! The tree beneath persistent maps: a B+ tree whose nodes are shared by its clones.
//!
//! 1. Entries stand in leaves, in order. An inner node has of each child a key that is no greater
//!    than the child's keys, and greater than all keys of the child before.
//! 2. A change copies the nodes on its path that a clone has too ([`Arc::make_mut`]), and works in
//!    place on all others.
//! 3. A node that would have more than [`MAX_ENTRIES`] entries splits; one that has fewer than
//!    [`MIN_ENTRIES`] is joined with its neighbour. No node is empty. Only at the right edge, where
//!    ascending keys arrive, may a node have fewer.
//!
//! Nodes have no room to spare, so that a tree takes little more memory than its entries.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::ops::Bound;

/// Most entries of a node.
const MAX_ENTRIES: usize = 16;
/// Fewest entries of a node, except at the right edge.
const MIN_ENTRIES: usize = 5;

#[derive(Clone)]
pub(crate) enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    Inner(Vec<(K, Arc<Node<K, V>>)>),
}

/// The split-off right node and its least key.
type Split<K, V> = Option<(K, Arc<Node<K, V>>)>;

/// Puts an entry into a list without leaving room behind it. Returns what splits off. `is_edge`:
/// nothing in the tree is behind this list.
fn add<K: Clone, T>(entries: &mut Vec<(K, T)>, at: usize, entry: (K, T), is_edge: bool) -> Option<(K, Vec<(K, T)>)> {
    entries.reserve_exact(1);
    entries.insert(at, entry);
    if entries.len() <= MAX_ENTRIES {
        return None;
    }
    // Ascending inserts leave full nodes.
    let half = if is_edge && at == MAX_ENTRIES { MAX_ENTRIES } else { entries.len() / 2 };
    Some(cut(entries, half))
}

/// Splits a list in two, of which none is empty.
fn cut<K: Clone, T>(entries: &mut Vec<(K, T)>, at: usize) -> (K, Vec<(K, T)>) {
    let right = entries.split_off(at);
    entries.shrink_to_fit();
    (right[0].0.clone(), right)
}

/// The child in which a key is or belongs.
fn child_of<K: Ord, T>(children: &[(K, T)], key: &K) -> usize {
    children.partition_point(|(least, _)| least <= key).saturating_sub(1)
}

impl<K: Ord, V> Node<K, V> {
    /// A tree of one entry.
    pub(crate) fn leaf(key: K, value: V) -> Self {
        Self::Leaf(vec![(key, value)])
    }

    fn len(&self) -> usize {
        match self {
            Self::Leaf(entries) => entries.len(),
            Self::Inner(children) => children.len(),
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(entries) => {
                    let at = entries.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
                    return Some(&entries[at].1);
                }
                Self::Inner(children) => node = &children[child_of(children, key)].1,
            }
        }
    }

    /// From the first entry that is not below a bound, what its leaf has; empty if there is none.
    pub(crate) fn seek(&self, from: Bound<&K>) -> &[(K, V)] {
        let is_below = |key: &K| match from {
            Bound::Included(from) => key < from,
            Bound::Excluded(from) => key <= from,
            Bound::Unbounded => false,
        };
        match self {
            Self::Leaf(entries) => &entries[entries.partition_point(|(key, _)| is_below(key))..],
            Self::Inner(children) => {
                // The entry may be in the child behind too, but no further: none is empty.
                let at = children.partition_point(|(least, _)| is_below(least)).saturating_sub(1);
                let found = children[at..].iter().map(|(_, child)| child.seek(from));
                found.into_iter().find(|entries| !entries.is_empty()).unwrap_or_default()
            }
        }
    }

    /// To the last entry that is not above a bound, what its leaf has; empty if there is none.
    pub(crate) fn seek_back(&self, to: Bound<&K>) -> &[(K, V)] {
        let is_within = |key: &K| match to {
            Bound::Included(to) => key <= to,
            Bound::Excluded(to) => key < to,
            Bound::Unbounded => true,
        };
        match self {
            Self::Leaf(entries) => &entries[..entries.partition_point(|(key, _)| is_within(key))],
            Self::Inner(children) => {
                // A child whose least key is within may have lost that one: then it is the child before.
                let end = children.partition_point(|(least, _)| is_within(least));
                let found = children[..end].iter().rev().map(|(_, child)| child.seek_back(to));
                found.into_iter().find(|entries| !entries.is_empty()).unwrap_or_default()
            }
        }
    }
}

impl<K: Ord + Clone, V: Clone> Node<K, V> {
    pub(crate) fn get_mut<'a>(mut node: &'a mut Arc<Self>, key: &K) -> Option<&'a mut V> {
        loop {
            match Arc::make_mut(node) {
                Self::Leaf(entries) => {
                    let at = entries.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
                    return Some(&mut entries[at].1);
                }
                Self::Inner(children) => {
                    let at = child_of(children, key);
                    node = &mut children[at].1;
                }
            }
        }
    }

    /// Puts an entry into a tree. Returns the value that its key had.
    pub(crate) fn insert(root: &mut Arc<Self>, key: K, value: V) -> Option<V> {
        let (old, split) = Self::insert_below(root, key, value, true);
        if let Some(right) = split {
            let left = mem::replace(root, Arc::new(Self::Inner(Vec::with_capacity(2))));
            if let Self::Inner(children) = Arc::make_mut(root) {
                children.push((left.least(), left));
                children.push(right);
            }
        }
        old
    }

    /// No key is below it.
    fn least(&self) -> K {
        match self {
            Self::Leaf(entries) => entries[0].0.clone(),
            Self::Inner(children) => children[0].0.clone(),
        }
    }

    fn insert_below(node: &mut Arc<Self>, key: K, value: V, is_edge: bool) -> (Option<V>, Split<K, V>) {
        match Arc::make_mut(node) {
            Self::Leaf(entries) => match entries.binary_search_by(|(other, _)| other.cmp(&key)) {
                Ok(at) => (Some(mem::replace(&mut entries[at].1, value)), None),
                Err(at) => {
                    let split = add(entries, at, (key, value), is_edge);
                    (None, split.map(|(least, right)| (least, Arc::new(Self::Leaf(right)))))
                }
            },
            Self::Inner(children) => {
                let at = child_of(children, &key);
                let is_last = at + 1 == children.len();
                let (least, child) = &mut children[at];
                if key < *least {
                    *least = key.clone();
                }
                let (old, split) = Self::insert_below(child, key, value, is_edge && is_last);
                let split = split.and_then(|right| add(children, at + 1, right, is_edge));
                (old, split.map(|(least, right)| (least, Arc::new(Self::Inner(right)))))
            }
        }
    }

    /// Removes an existing entry from a tree; the tree ends with its last entry.
    pub(crate) fn remove(root: &mut Option<Arc<Self>>, key: &K) -> Option<V> {
        let old = Self::remove_below(root.as_mut()?, key);
        // A root with one child is replaced by that child.
        while let Some(Self::Inner(children)) = root.as_deref()
            && children.len() == 1
        {
            *root = children.first().map(|(_, child)| child.clone());
        }
        root.take_if(|root| root.len() == 0);
        old
    }

    fn remove_below(node: &mut Arc<Self>, key: &K) -> Option<V> {
        match Arc::make_mut(node) {
            Self::Leaf(entries) => {
                let at = entries.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
                let (_, old) = entries.remove(at);
                entries.shrink_to_fit();
                Some(old)
            }
            Self::Inner(children) => {
                let at = child_of(children, key);
                let old = Self::remove_below(&mut children[at].1, key);
                let left = children[at].1.len();
                if left < MIN_ENTRIES && children.len() > 1 {
                    Self::join(children, at.saturating_sub(1));
                } else if left == 0 {
                    children.clear();
                }
                old
            }
        }
    }

    /// Joins a child with the one behind it, or shares out what both have.
    fn join(children: &mut Vec<(K, Arc<Self>)>, at: usize) {
        let (_, right) = children.remove(at + 1);
        let split = match (Arc::make_mut(&mut children[at].1), Arc::unwrap_or_clone(right)) {
            (Self::Leaf(left), Self::Leaf(right)) => {
                append(left, right).map(|(least, right)| (least, Self::Leaf(right)))
            }
            (Self::Inner(left), Self::Inner(right)) => {
                append(left, right).map(|(least, right)| (least, Self::Inner(right)))
            }
            // All leaves are of one depth.
            _ => None,
        };
        match split {
            Some((least, right)) => children.insert(at + 1, (least, Arc::new(right))),
            None => children.shrink_to_fit(),
        }
    }
}

/// Puts a list behind another one. Returns what splits off if that is too much.
fn append<K: Clone, T>(left: &mut Vec<(K, T)>, right: Vec<(K, T)>) -> Option<(K, Vec<(K, T)>)> {
    left.reserve_exact(right.len());
    left.extend(right);
    (left.len() > MAX_ENTRIES).then(|| cut(left, left.len() / 2))
}

#[cfg(test)]
impl<K: Ord, V> Node<K, V> {
    /// Checks steps 1 and 3. Returns the depth.
    pub(crate) fn check(&self, above: Option<&K>, below: Option<&K>, is_edge: bool, is_root: bool) -> usize {
        assert!(
            self.len() <= MAX_ENTRIES && self.len() >= if is_root || is_edge { 1 } else { MIN_ENTRIES },
            "{}",
            self.len()
        );
        let within = |key: &K| above.is_none_or(|above| above <= key) && below.is_none_or(|below| key < below);
        match self {
            Self::Leaf(entries) => {
                assert!(entries.is_sorted_by(|one, other| one.0 < other.0));
                assert!(entries.iter().all(|(key, _)| within(key)));
                0
            }
            Self::Inner(children) => {
                assert!(!is_root || children.len() > 1);
                let mut depths = Vec::new();
                for (at, (least, child)) in children.iter().enumerate() {
                    assert!(within(least));
                    let next = children.get(at + 1).map(|(least, _)| least);
                    depths.push(child.check(Some(least), next.or(below), is_edge && next.is_none(), false));
                }
                assert!(depths.iter().all(|depth| *depth == depths[0]));
                depths[0] + 1
            }
        }
    }
}
