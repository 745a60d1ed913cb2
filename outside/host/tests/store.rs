//! The redb store against its model, and what only a file can do.
#![allow(clippy::unwrap_used, reason = "tests")]

use adyton_host::{Found, OpenError, RedbStore, StoreError};
use adyton_ledger::{
    AppendOutcome, ENTRY_LEN, Entry, Frontier, Hash, Header, Keep, Kind, LogId, LogReader, LogStore, MemoryStore,
    Record, Retirement,
};
use proptest::collection::vec;
use proptest::prelude::*;

const LOG: u16 = 1;

fn log() -> LogId {
    LogId::from_number(LOG)
}

fn record(index: u64, kind: Kind, keep: Keep, time_bucket: u64, body: &[u8]) -> Record {
    let header = Header {
        kind,
        keep,
        body_len: u32::try_from(body.len()).unwrap(),
        index,
        time_bucket,
        tenant: [0; 16],
        boot_id: [2; 16],
        release: 1,
        commitments: Hash([0; 32]),
    };
    Record { entry: Entry::new(&header, body), body: body.to_vec() }
}

fn records(from: u64, count: u64, seed: u8) -> Vec<Record> {
    let keep = |index| if index % 3 == 0 { Keep::Retention } else { Keep::UntilSnapshot };
    let kind = |index| if index % 41 == 40 { Kind::Snapshot } else { Kind::Ops };
    (from..from + count).map(|index| record(index, kind(index), keep(index), index / 8, &[seed; 48])).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Append { log: u16, skew: i8, count: u64, seed: u8 },
    Repeat { log: u16 },
    PutChunk { log: u16, snapshot: u8, number: u32, seed: u8 },
    Retire { log: u16, below: u64, bucket: u64, snapshot: u8 },
    Reopen,
    BuildTiles { log: u16, most: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (log, skew) = (0..3u16, prop_oneof![8 => Just(0), 1 => -3..3i8]);
    prop_oneof![
        6 => (log.clone(), skew, prop_oneof![1..5u64, 100..300u64], any::<u8>())
            .prop_map(|(log, skew, count, seed)| Step::Append { log, skew, count, seed }),
        1 => log.clone().prop_map(|log| Step::Repeat { log }),
        1 => (log.clone(), 0..3u8, 0..3u32, any::<u8>())
            .prop_map(|(log, snapshot, number, seed)| Step::PutChunk { log, snapshot, number, seed }),
        1 => (log.clone(), 0..600u64, 0..80u64, 0..3u8)
            .prop_map(|(log, below, bucket, snapshot)| Step::Retire { log, below, bucket, snapshot }),
        1 => Just(Step::Reopen),
        2 => (log, 0..3u64).prop_map(|(log, most)| Step::BuildTiles { log, most }),
    ]
}

fn published_is_what_the_entries_give(store: &RedbStore, model: &MemoryStore, log: LogId, size: u64) {
    let published = |path: &str| store.reader().published(log, &path.parse().unwrap()).unwrap();
    let records = model.read(log, 0, u32::MAX, usize::MAX).unwrap();
    let leaves: Vec<Hash> = records.iter().map(|record| record.entry.leaf_hash()).collect();
    for (number, tile) in leaves.chunks(256).enumerate() {
        let width = if tile.len() == 256 { String::new() } else { format!(".p/{}", tile.len()) };
        let hashes: Vec<u8> = tile.iter().flat_map(|hash| hash.0).collect();
        assert_eq!(published(&format!("tile/0/{number:03}{width}")), Found::Bytes(hashes.clone()));
        // A narrower one stays.
        assert_eq!(published(&format!("tile/0/{number:03}.p/1")), Found::Bytes(hashes[..32].to_vec()));
        assert_eq!(
            published(&format!("tile/0/{number:03}.p/{}", tile.len() % 256 + 1)),
            match tile.len() {
                256 => Found::Bytes(hashes[..32].to_vec()),
                _ => Found::Nothing,
            }
        );
    }
    for (number, bundle) in records.chunks(256).enumerate() {
        let width = if bundle.len() == 256 { String::new() } else { format!(".p/{}", bundle.len()) };
        let entries: Vec<u8> = bundle.iter().flat_map(|record| prefixed(&record.entry)).collect();
        assert_eq!(published(&format!("tile/entries/{number:03}{width}")), Found::Bytes(entries));
    }
    let roots: Vec<u8> = leaves.chunks_exact(256).flat_map(|tile| root(tile).0).collect();
    let above = if roots.is_empty() { Found::Nothing } else { Found::Bytes(roots.clone()) };
    assert_eq!(published(&format!("tile/1/000.p/{}", (size / 256).max(1))), above);
    assert_eq!(published(&format!("tile/1/000.p/{}", size / 256 + 1)), Found::Nothing);
    assert_eq!(published("tile/2/000.p/1"), Found::Nothing);
}

fn prefixed(entry: &Entry) -> Vec<u8> {
    [&u16::try_from(ENTRY_LEN).unwrap().to_be_bytes(), &entry.as_bytes()[..]].concat()
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// More than one tile of level 1.
#[test]
fn a_row_of_level_1_is_full_after_65_536_entries_and_its_root_begins_level_2() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = RedbStore::open(folder.path()).unwrap();
    let mut leaves = Vec::new();
    for from in (0..66_000).step_by(6_000) {
        let batch = records(from, 6_000, 1);
        leaves.extend(batch.iter().map(|record| record.entry.leaf_hash()));
        store.append(log(), from, &batch, "head").unwrap();
    }
    let published = |store: &RedbStore, path: &str| store.reader().published(log(), &path.parse().unwrap()).unwrap();
    // 257 tiles at once are too many to compute for one request; those of level 0 are always there.
    assert_eq!(published(&store, "tile/1/000"), Found::NotBuilt);
    assert_eq!(published(&store, "tile/2/000.p/1"), Found::NotBuilt);
    let level_0: Vec<u8> = leaves[65_536..65_792].iter().flat_map(|hash| hash.0).collect();
    assert_eq!(published(&store, "tile/0/256"), Found::Bytes(level_0.clone()));
    assert!(store.build_tiles(log(), 200).unwrap());
    let level_1: Vec<u8> = leaves[..65_536].chunks(256).flat_map(|tile| root(tile).0).collect();
    assert_eq!(published(&store, "tile/1/000"), Found::Bytes(level_1.clone()), "57 of it are computed");
    assert_eq!(store.tile(log(), 1, 0).unwrap(), None);
    assert!(!store.build_tiles(log(), 200).unwrap());
    assert_eq!(store.tile(log(), 1, 0).unwrap(), Some(level_1.clone()));
    assert_eq!(store.tile(log(), 2, 0).unwrap(), None, "a partial tile is no stored tile");
    assert_eq!(published(&store, "tile/1/000"), Found::Bytes(level_1));
    assert_eq!(published(&store, "tile/1/001.p/1"), Found::Bytes(root(&leaves[65_536..65_792]).0.to_vec()));
    assert_eq!(published(&store, "tile/2/000.p/1"), Found::Bytes(root(&leaves[..65_536]).0.to_vec()));
    assert_eq!(published(&store, "tile/0/256"), Found::Bytes(level_0));
    assert_eq!(published(&store, "tile/2/000.p/2"), Found::Nothing);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_its_model_does(steps in vec(step(), 1..24)) {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, mut model) = (RedbStore::open(folder.path()).unwrap(), MemoryStore::new());
        let mut last = std::collections::BTreeMap::new();
        for step in steps {
            match step {
                Step::Append { log, skew, count, seed } => {
                    let id = LogId::from_number(log);
                    let expected = model.status(id).unwrap().size.saturating_add_signed(skew.into());
                    let head = format!("head {log} {expected} {seed}");
                    let batch = records(expected, count, seed);
                    let outcome = store.append(id, expected, &batch, &head).unwrap();
                    prop_assert_eq!(outcome, model.append(id, expected, &batch, &head).unwrap());
                    last.insert(log, (expected, batch, head));
                }
                Step::Repeat { log } => if let Some((expected, batch, head)) = last.get(&log) {
                    let id = LogId::from_number(log);
                    let outcome = store.append(id, *expected, batch, head).unwrap();
                    prop_assert_eq!(outcome, model.append(id, *expected, batch, head).unwrap());
                },
                Step::PutChunk { log, snapshot, number, seed } => {
                    let id = LogId::from_number(log);
                    store.put_chunk(id, [snapshot; 16], number, &[seed; 9]).unwrap();
                    model.put_chunk(id, [snapshot; 16], number, &[seed; 9]).unwrap();
                }
                Step::Retire { log, below, bucket, snapshot } => {
                    let retirement = Retirement { below, bucket, snapshot: [snapshot; 16], boot_id: [2; 16] };
                    store.retire(LogId::from_number(log), retirement).unwrap();
                    model.retire(LogId::from_number(log), retirement).unwrap();
                }
                Step::Reopen => {
                    drop(store);
                    store = RedbStore::open(folder.path()).unwrap();
                }
                Step::BuildTiles { log, most } => {
                    store.build_tiles(LogId::from_number(log), most).unwrap();
                }
            }
        }
        for number in 0..3 {
            let id = LogId::from_number(number);
            let status = model.status(id).unwrap();
            // Whatever is built, what is published is what the entries give.
            published_is_what_the_entries_give(&store, &model, id, status.size);
            while store.build_tiles(id, 1).unwrap() {}
            published_is_what_the_entries_give(&store, &model, id, status.size);
            prop_assert_eq!(&store.status(id).unwrap(), &status);
            for (from, max) in [(0, u32::MAX), (status.size / 2, 7), (status.size, 1), (u64::MAX, 1)] {
                let read = store.read(id, from, max, usize::MAX).unwrap();
                prop_assert_eq!(read, model.read(id, from, max, usize::MAX).unwrap());
                prop_assert_eq!(store.heads(id, from, max).unwrap(), model.heads(id, from, max).unwrap());
            }
            for (level, tile) in [(0, 0), (0, 1), (0, 2), (0, 7), (1, 0)] {
                prop_assert_eq!(store.tile(id, level, tile).unwrap(), model.tile(id, level, tile).unwrap());
            }
            for (snapshot, chunk) in (0..3).flat_map(|snapshot| (0..3).map(move |chunk| (snapshot, chunk))) {
                let found = store.chunk(id, [snapshot; 16], chunk).unwrap();
                prop_assert_eq!(found, model.chunk(id, [snapshot; 16], chunk).unwrap());
            }
        }
    }
}

#[test]
fn a_repeat_is_appended_and_a_second_writer_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = RedbStore::open(folder.path()).unwrap();
    let (first, second) = (records(0, 3, 1), records(3, 2, 1));
    assert_eq!(store.append(log(), 0, &first, "3").unwrap(), AppendOutcome::Appended { size: 3 });
    assert_eq!(store.append(log(), 3, &second, "5").unwrap(), AppendOutcome::Appended { size: 5 });
    assert_eq!(store.append(log(), 3, &second, "5").unwrap(), AppendOutcome::Appended { size: 5 });
    // It stands there, but something stands after it.
    assert_eq!(store.append(log(), 0, &first, "3").unwrap(), AppendOutcome::Conflict { size: 5 });
    // Same place, other bytes.
    assert_eq!(store.append(log(), 3, &records(3, 2, 9), "x").unwrap(), AppendOutcome::Conflict { size: 5 });
    assert_eq!(store.append(log(), 6, &records(6, 1, 1), "x").unwrap(), AppendOutcome::Conflict { size: 5 });
    assert_eq!(store.append(log(), u64::MAX, &first, "x").unwrap(), AppendOutcome::Conflict { size: 5 });
    assert_eq!(store.status(log()).unwrap().head, "5");
    // A new process knows it too.
    drop(store);
    let mut store = RedbStore::open(folder.path()).unwrap();
    assert_eq!(store.append(log(), 3, &second, "5").unwrap(), AppendOutcome::Appended { size: 5 });
}

#[test]
fn a_folder_has_one_user_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let mut store = RedbStore::open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    store.append(log(), 0, &records(0, 3, 1), "head").unwrap();
    for second in [RedbStore::open(&path), RedbStore::open_read_only(&path)] {
        let Err(error) = second else { unreachable!("two have it") };
        assert!(matches!(error, OpenError::Locked(_)));
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    drop(store);
    let mut reading = RedbStore::open_read_only(&path).unwrap();
    assert_eq!(reading.status(log()).unwrap().size, 3);
    assert!(matches!(reading.append(log(), 3, &records(3, 1, 1), "x"), Err(StoreError::ReadOnly)));
    assert_eq!(reading.read(log(), 0, 9, usize::MAX).unwrap().len(), 3);
    assert!(RedbStore::open_read_only(&folder.path().join("none")).is_err());
    assert!(!folder.path().join("none").exists());
}

#[test]
fn readers_on_other_threads_see_what_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = RedbStore::open(folder.path()).unwrap();
    let reader = store.reader();
    store.append(log(), 0, &records(0, 2, 1), "2").unwrap();
    let seen = std::thread::spawn(move || reader.status(log()).unwrap()).join().unwrap();
    assert_eq!((seen.size, &seen.head[..]), (2, "2"));
}

#[test]
fn a_full_disk_is_full() {
    for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded] {
        assert!(matches!(StoreError::from(redb::Error::Io(kind.into())), StoreError::Full));
    }
    let other = redb::Error::Io(std::io::ErrorKind::PermissionDenied.into());
    assert!(matches!(StoreError::from(other), StoreError::Io(_)));
}

#[test]
fn an_enclave_that_was_overtaken_retires_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut redb = RedbStore::open(folder.path()).unwrap();
    let mut memory = MemoryStore::new();
    overtaken(&mut redb);
    overtaken(&mut memory);
}

fn overtaken<S: LogStore<Error: std::fmt::Debug>>(store: &mut S) {
    store.append(log(), 0, &records(0, 2, 1), "2").unwrap();
    store.put_chunk(log(), [1; 16], 0, b"of the newer boot").unwrap();
    let retirement = |boot_id| Retirement { below: 2, bucket: u64::MAX, snapshot: [0; 16], boot_id };
    store.retire(log(), retirement([9; 16])).unwrap();
    assert!(store.chunk(log(), [1; 16], 0).unwrap().is_some());
    assert!(store.read(log(), 0, 9, usize::MAX).unwrap().iter().all(|record| record.body.is_some()));
    store.retire(log(), retirement([2; 16])).unwrap();
    assert!(store.chunk(log(), [1; 16], 0).unwrap().is_none());
}
