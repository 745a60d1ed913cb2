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
    prop_assert!(map.root.as_ref().is_none_or(|root| root.check(None, None, true, true) < 4));
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
    /// A map behaves like a `BTreeMap`, and its clones stay unchanged.
    #[test]
    fn map_matches_btreemap(steps in proptest::collection::vec(step(), 0..400), ranges: [(u8, u8); 4]) {
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
    fn set_matches_btreeset(steps: Vec<(u8, bool)>, from: u8) {
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

#[test]
fn a_change_copies_a_value_only_if_a_clone_shows_it() {
    let mut map: Map<u32, CowArc<u32>> = (0..1000).map(|key| (key, key.into())).collect();
    let places = |map: &Map<u32, CowArc<u32>>| map.values().map(|value| &raw const **value).collect::<Vec<_>>();
    let change = |map: &mut Map<u32, CowArc<u32>>, key| {
        let before = places(map);
        map.get_mut(&key).into_iter().for_each(|value| **value += 1);
        places(map).iter().zip(&before).filter(|(now, before)| now != before).count()
    };
    assert_eq!(change(&mut map, 500), 0);
    let clone = map.clone();
    assert_eq!((change(&mut map, 500), change(&mut map, 500), change(&mut map, 501)), (1, 0, 1));
    assert_eq!((clone.get(&500).map(|value| **value), map.get(&500).map(|value| **value)), (Some(501), Some(503)));
    drop(clone);
    assert_eq!(change(&mut map, 7), 0);
}

std::thread_local! {
    static LOOKS: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

extern crate std;

/// A key that counts how often it is compared.
#[derive(Clone, PartialEq, Eq)]
struct Key(u32);

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        LOOKS.set(LOOKS.get() + 1);
        self.0.cmp(&other.0)
    }
}

#[test]
fn a_large_map_is_searched_in_few_steps() {
    // Ascending, descending and scattered.
    for step in [1, u32::MAX, 0x9E37_79B1] {
        let mut map: Map<Key, ()> = (1..=100_000u32).map(|key| (Key(key.wrapping_mul(step)), ())).collect();
        let depth = map.root.as_ref().map_or(0, |root| root.check(None, None, true, true));
        assert!(depth <= 6, "{depth}");
        for key in (1..=100_000u32).step_by(1001).map(|key| Key(key.wrapping_mul(step))) {
            LOOKS.set(0);
            assert!(map.get(&key).is_some());
            assert!(LOOKS.get() <= 35, "{}", LOOKS.get());
            assert!(map.range(key.clone()..).next().is_some());
            assert!(map.remove(&key).is_some());
            assert!(map.insert(key.clone(), ()).is_none());
            assert!(LOOKS.get() <= 300, "{}", LOOKS.get());
        }
    }
}
