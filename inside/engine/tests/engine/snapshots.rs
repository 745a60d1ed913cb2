//! Frozen state leaves in chunks, one after the other, and a log is read back without a state.

use adyton_decider::Class;
use adyton_engine::snapshot::{Base, KnownRoot, Manifest, SnapshotContext};
use adyton_engine::{Machine as _, Mode, ReadBack, Replay, ReplayError, Uncovered};
use adyton_ledger::{Body, Entry, Frontier, Hash, LogReader, Record, sha256};

use crate::log::{KEYS, Log, OPS, VAULT};
use crate::toy::{Command, Event, Note, Toy};

/// A state of about so many KiB.
fn large(kibibytes: u64) -> Toy {
    let mut toy = Toy::default();
    (0..128 * kibibytes).for_each(|at| toy.apply(Event::Promised(at), Mode::Live));
    toy
}

fn frontier() -> Frontier {
    let mut frontier = Frontier::new();
    frontier.push(Hash([1; 32]));
    frontier
}

fn base() -> Base {
    let roots = [KnownRoot { size: 0, root: Hash([8; 32]) }, KnownRoot { size: 1, root: Hash([9; 32]) }];
    Base { frontier: frontier(), roots: roots.to_vec() }
}

/// Seals a state; takes so many chunks.
fn seal(toy: &Toy, most: usize) -> (Option<Manifest>, Vec<Vec<u8>>) {
    let scope = SnapshotContext { keys: &KEYS, vault: VAULT, log: OPS, boot_id: [1; 16] };
    let mut chunks = Vec::new();
    let store_chunk = |chunk| {
        chunks.push(chunk);
        chunks.len() < most
    };
    (scope.seal::<Toy>([5; 16], toy, &base(), store_chunk).ok(), chunks)
}

#[test]
fn chunks_leave_one_by_one_and_open_to_the_state() {
    // Around the size of a chunk, and of many parts.
    for kibibytes in [0, 1, 255, 256, 700] {
        let toy = large(kibibytes);
        let (manifest, chunks) = seal(&toy, usize::MAX);
        let manifest = manifest.unwrap();
        assert_eq!((manifest.id, manifest.covered), ([5; 16], 1));
        assert!(manifest.chunks.iter().copied().eq(chunks.iter().map(|chunk| sha256(chunk))));
        let (last, full) = chunks.split_last().unwrap();
        assert!(full.iter().all(|chunk| chunk.len() == 262_144 + 16));
        let sizes: &[usize] = if full.is_empty() { &[4096, 16_384, 65_536, 262_144] } else { &[262_144] };
        assert!(sizes.contains(&(last.len() - 16)), "{}", last.len());
        let scope = SnapshotContext { keys: &KEYS, vault: VAULT, log: OPS, boot_id: [1; 16] };
        let (opened, found): (Toy, Base) = scope.open(&manifest, &chunks).unwrap();
        assert_eq!((opened.cold(), found), (toy.cold(), base()));
    }
}

/// A boot finds the last root of the public log in its snapshot, or behind it.
#[test]
fn a_snapshot_that_covers_a_known_root_must_name_it() {
    let require_root = |size, root| {
        let mut replay = Replay::<Toy>::from_snapshot(&KEYS, VAULT, OPS, Toy::default(), base());
        replay.require_root(size, root)
    };
    assert!(require_root(0, Hash([8; 32])).is_ok(), "named");
    assert!(matches!(require_root(0, Hash([7; 32])), Err(ReplayError::Root)), "another root at that size");
    assert!(
        matches!(require_root(1, Hash([9; 32])), Err(ReplayError::Root)),
        "the snapshot ends there with another root"
    );
    assert!(require_root(1, frontier().root()).is_ok());
    assert!(require_root(2, Hash([1; 32])).is_ok(), "compared once it is read");
    let mut replay = Replay::<Toy>::from_snapshot(&KEYS, VAULT, OPS, Toy::default(), frontier().into());
    assert!(matches!(replay.require_root(0, Hash([8; 32])), Err(ReplayError::Root)), "it names none");
}

#[test]
fn sealing_ends_when_a_chunk_is_not_taken() {
    let toy = large(1100);
    let (whole, chunks) = seal(&toy, usize::MAX);
    assert_eq!((whole.unwrap().chunks.len(), chunks.len()), (5, 5));
    // The last one that is refused is no snapshot either.
    for most in 1..=5 {
        let (manifest, chunks) = seal(&toy, most);
        assert_eq!((manifest, chunks.len()), (None, most));
    }
}

/// A log of a boot and three counts of both bodies.
fn written() -> (Log, Vec<Record>) {
    let mut log = Log::new();
    for weight in 0..3 {
        let note = |class| Note { class, counter: 1, weight };
        log.submit(Command::Count(vec![note(Class::P), note(Class::S)]));
        log.drain();
    }
    let records = log.store.read(OPS, 0, u32::MAX, usize::MAX).unwrap();
    (log, records)
}

fn begin() -> ReadBack<'static> {
    ReadBack::new(&KEYS, VAULT, OPS, Frontier::new(), Uncovered::default())
}

#[test]
fn a_log_that_was_written_reads_back_and_is_counted() {
    let (mut log, records) = written();
    let mut back = begin();
    records.iter().for_each(|record| back.entry(record).unwrap());
    back.compare(log.shard.frontier().root()).unwrap();
    let bodies = records.iter().flat_map(|record| [&record.hot, &record.kept]).flatten();
    let bytes = bodies.map(|body| body.len() as u64).sum();
    assert_eq!((back.size(), back.uncovered()), (4, Uncovered { bytes, oldest: Some(100) }));
    back.covered();
    assert_eq!(back.uncovered(), Uncovered::default());
    // The manifest of a snapshot does not count.
    log.snapshot(1);
    log.drain();
    let records = log.store.read(OPS, 4, u32::MAX, usize::MAX).unwrap();
    records.iter().for_each(|record| back.entry(record).unwrap());
    back.compare(log.shard.frontier().root()).unwrap();
    assert_eq!((back.size(), back.uncovered()), (5, Uncovered::default()));
}

#[test]
fn another_log_is_refused_and_read_again_from_where_it_was_right() {
    let (log, records) = written();
    let root = log.shard.frontier().root();
    let mut back = begin();
    back.entry(&records[0]).unwrap();
    let mut first = Frontier::new();
    first.push(records[0].entry.leaf_hash());
    back.compare(first.root()).unwrap();
    let counted = back.uncovered();

    let refused = |back: &mut ReadBack<'_>, record: &Record| back.entry(record).unwrap_err();
    assert!(matches!(refused(&mut back, &records[2]), ReplayError::Index));
    for body in Body::ALL {
        let mut hidden = records[1].clone();
        *(if body == Body::Hot { &mut hidden.hot } else { &mut hidden.kept }) = None;
        assert!(matches!(refused(&mut back, &hidden), ReplayError::BodyMissing { index: 1 }));
        let mut changed = records[1].clone();
        let bytes = if body == Body::Hot { &mut changed.hot } else { &mut changed.kept };
        bytes.as_mut().unwrap()[0] ^= 1;
        assert!(matches!(refused(&mut back, &changed), ReplayError::Body));
    }
    assert_eq!((back.size(), back.uncovered()), (1, counted), "what is refused changes nothing");

    // An entry whose body hash alone was changed opens; the tree is another one.
    let mut bytes = *records[1].entry.as_bytes();
    bytes[175] ^= 1;
    let other = Record { entry: Entry::from_bytes(bytes), ..records[1].clone() };
    let entries = [&other, &records[2], &records[3]];
    let read = entries.into_iter().try_for_each(|record| back.entry(record)).and_then(|()| back.compare(root));
    assert!(matches!(read, Err(ReplayError::Root | ReplayError::Body)), "{read:?}");
    back.restart();
    assert_eq!((back.size(), back.uncovered()), (1, counted));
    records[1..].iter().for_each(|record| back.entry(record).unwrap());
    back.compare(root).unwrap();
}
