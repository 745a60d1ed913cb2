//! Any commands of any sizes seal, frame and replay to the same state, with a snapshot's help or without.

use adyton_decider::{Class, Record as _};
use adyton_engine::sealing::{Opener, records};
use adyton_engine::{Machine, Mode, Replay, ReplayError, SectionReader};
use adyton_ledger::{Body, ENTRY_LEN, Entry, Frontier, Hash, Kind, LogReader, MemoryStore, Record};
use adyton_wire::Reader;
use proptest::prelude::*;

use crate::log::{KEYS, Log, OPS, VAULT, head, replay};
use crate::toy::{Command, Event, Note, Toy};

#[derive(Clone, Debug)]
enum Step {
    Submit(Command),
    Burst(Command, u16),
    Append,
    Sweep(u16),
    Pass(u64),
    Snapshot,
    Freeze,
    Boot,
}

fn note() -> impl Strategy<Value = Note> {
    let class = prop_oneof![Just(Class::H), Just(Class::P), Just(Class::S), Just(Class::A)];
    let weight = prop_oneof![8 => 0..300usize, 2 => 0..70_000usize, 1 => 0..600_000usize];
    (class, 0..4u8, weight).prop_map(|(class, counter, weight)| Note { class, counter, weight })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        6 => proptest::collection::vec(note(), 0..6).prop_map(Command::Count),
        2 => (0..20_000u64).prop_map(Command::Promise),
        1 => Just(Command::Refuse),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => command().prop_map(Step::Submit),
        1 => (command(), 1..700u16).prop_map(|(command, times)| Step::Burst(command, times)),
        4 => Just(Step::Append),
        1 => (1..50u16).prop_map(Step::Sweep),
        1 => (0..10_000u64).prop_map(Step::Pass),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Freeze),
        1 => Just(Step::Boot),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_decided_is_what_is_replayed(steps in proptest::collection::vec(step(), 1..24)) {
        let mut log = Log::new();
        let (mut boots, mut snapshots) = (1u8, 0u8);
        for step in steps {
            match step {
                Step::Submit(command) => drop(log.submit(command)),
                Step::Burst(command, times) => for _ in 0..times {
                    log.submit(command.clone());
                },
                Step::Append => drop(log.append()),
                Step::Sweep(cap) => {
                    let cap = usize::from(cap);
                    let before = log.shard.state().promises.len();
                    log.sweep(cap);
                    prop_assert!(before - log.shard.state().promises.len() <= cap);
                }
                Step::Pass(seconds) => log.now += seconds,
                Step::Snapshot => {
                    snapshots += 1;
                    log.snapshot(snapshots);
                }
                Step::Freeze => {
                    if let Some((frozen, frontier)) = log.shard.freeze_next() {
                        prop_assert_eq!(&frozen, log.shard.state());
                        prop_assert_eq!(&frontier, log.shard.frontier());
                    }
                }
                Step::Boot => {
                    log.drain();
                    let cold = log.shard.state().cold();
                    boots += 1;
                    let now = log.now;
                    log = Log::boot(std::mem::take(&mut log.store), boots);
                    log.now = now;
                    let mut expected = Toy::load(&mut SectionReader::new(&cold)).unwrap();
                    expected.boots += 1;
                    prop_assert_eq!(&expected, log.shard.state(), "what was hot is void, all else is there");
                }
            }
        }
        log.drain();
        // Each was answered once, in order.
        prop_assert!(log.answers.is_sorted_by_key(|(ticket, _)| *ticket));
        prop_assert!(log.answers.iter().map(|(ticket, _)| *ticket).eq(0..log.answers.len()));
        prop_assert_eq!(replay(&log.store).state.cold(), log.shard.state().cold());
        let kept = from_kept_bodies(&log.store);
        prop_assert_eq!(&kept.sync, &log.shard.state().sync);
        prop_assert_eq!(&kept.promises, &log.shard.state().promises);
    }
}

#[test]
fn a_log_that_is_older_or_another_than_is_known_is_refused() {
    let mut log = Log::new();
    for weight in 0..3 {
        log.submit(Command::Count(vec![Note { class: Class::S, counter: 1, weight }]));
        log.drain();
    }
    let (head, records) = (head(&log.store), log.store.read(OPS, 0, u32::MAX, usize::MAX).unwrap());
    let root = |size: usize| {
        let mut frontier = Frontier::new();
        records[..size].iter().for_each(|record| frontier.push(record.entry.leaf_hash()));
        frontier.root()
    };
    let replayed = |size: u64, root| {
        let mut replay = Replay::<Toy>::new(&KEYS, VAULT, OPS);
        replay.require_root(size, root)?;
        records.iter().try_for_each(|record| replay.entry(record))?;
        replay.matches(&head)
    };
    for size in 0..=4 {
        assert!(replayed(size, root(size.try_into().unwrap())).is_ok());
        assert!(matches!(replayed(size, Hash([7; 32])), Err(ReplayError::Root)));
    }
    assert!(matches!(replayed(5, root(4)), Err(ReplayError::Older { size: 4, known: 5 })));
}

/// The log of one kept operation behind its boot, with that entry and its bodies changed; the head is as it was signed.
fn replayed_changed(change: impl FnOnce(&mut [u8; ENTRY_LEN], &mut Record)) -> Result<(), ReplayError> {
    let mut log = Log::new();
    log.submit(Command::Count(vec![Note { class: Class::S, counter: 1, weight: 10 }]));
    log.drain();
    let mut records = log.store.read(OPS, 0, u32::MAX, usize::MAX).unwrap();
    let changed = &mut records[1];
    assert!(changed.hot.is_none() && changed.kept.is_some());
    let mut entry = *changed.entry.as_bytes();
    change(&mut entry, changed);
    changed.entry = Entry::from_bytes(entry);
    let mut replay = Replay::<Toy>::new(&KEYS, VAULT, OPS);
    records.iter().try_for_each(|record| replay.entry(record))?;
    replay.matches(&head(&log.store))
}

/// What makes the kept body of an entry its hot one, for which another retention holds: sizes, roots and hashes change places.
fn kept_as_hot(entry: &mut [u8; ENTRY_LEN]) {
    entry.swap(2, 3);
    for (hot, kept, length) in [(48, 80, 32), (112, 144, 32)] {
        (0..length).for_each(|byte| entry.swap(hot + byte, kept + byte));
    }
}

#[test]
fn a_body_is_replayed_only_under_the_header_that_it_was_sealed_with() {
    assert!(replayed_changed(|_, _| ()).is_ok());
    let release = replayed_changed(|entry, _| entry[47] ^= 1);
    assert!(matches!(release, Err(ReplayError::Body)), "{release:?}");
    let shown_as_hot = replayed_changed(|entry, record| {
        kept_as_hot(entry);
        record.hot = record.kept.take();
    });
    assert!(matches!(shown_as_hot, Err(ReplayError::Body)), "{shown_as_hot:?}");
    let retired_as_hot = replayed_changed(|entry, record| {
        kept_as_hot(entry);
        record.kept = None;
    });
    assert!(matches!(retired_as_hot, Err(ReplayError::BodyMissing { index: 1 })), "{retired_as_hot:?}");
    // Nothing is opened where a header says that there is nothing; the head was signed for another entry.
    let absent = replayed_changed(|entry, record| {
        entry[3] = 0;
        entry[80..112].fill(0);
        entry[144..].fill(0);
        record.kept = None;
    });
    assert!(matches!(absent, Err(ReplayError::Root)), "{absent:?}");
}

/// What kept bodies alone rebuild, from the first entry on.
fn from_kept_bodies(store: &MemoryStore) -> Toy {
    let (mut toy, mut opener) = (Toy::default(), Opener::new(&KEYS, VAULT, OPS));
    for Record { entry, kept, .. } in store.read(OPS, 0, u32::MAX, usize::MAX).unwrap() {
        let header = entry.header().unwrap();
        let Some(kept) = kept.filter(|_| header.kind != Kind::Snapshot) else { continue };
        for part in opener.open_body(&entry, &header, Body::Kept, &kept).unwrap().iter() {
            let apply = |event: &[u8]| {
                toy.apply(Event::decode(&mut Reader::new(event)).unwrap(), Mode::Cold);
                Ok(())
            };
            records(part, apply).unwrap();
        }
    }
    toy
}
