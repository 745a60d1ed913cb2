//! The redb store against its model, and what only a file can do.
#![allow(clippy::unwrap_used, reason = "tests")]

use adyton_host::{OpenError, RedbStore, StoreError, TileLookup};
use adyton_ledger::{
    AppendOutcome, ENTRY_LEN, Entry, Frontier, Hash, Header, Kind, LogId, LogReader, LogStore, MemoryStore, Record,
    Retirement, Size,
};
use proptest::collection::vec;
use proptest::prelude::*;
use redb::{Database, TableDefinition};

const LOG: u16 = 1;

fn log() -> LogId {
    LogId::from_number(LOG)
}

/// An entry with a hot body, a kept one or both.
fn record(index: u64, seed: u8) -> Record {
    let size = Size::holding(48).unwrap();
    let body = |is_there: bool, byte| is_there.then(|| vec![byte; 48]);
    let (hot, kept) = (body(!index.is_multiple_of(3), seed), body(index % 3 != 1, seed.wrapping_add(1)));
    let of = |body: &Option<Vec<u8>>| body.as_ref().map_or(Size::ABSENT, |_| size);
    let header = Header {
        kind: if index % 41 == 40 { Kind::Snapshot } else { Kind::Ops },
        hot_size: of(&hot),
        kept_size: of(&kept),
        index,
        time_bucket: index / 8,
        boot_id: [2; 16],
        release: 1,
        hot_root: Hash::default(),
        kept_root: Hash::default(),
    };
    Record { entry: Entry::new(&header, hot.as_deref(), kept.as_deref()), hot, kept }
}

/// Appends so many entries, each with a head that says the size after it.
fn append(store: &mut RedbStore, count: u64) {
    for _ in 0..count {
        let size = store.status(log()).unwrap().size;
        let outcome = store.append(log(), size, &record(size, 1), &format!("{}", size + 1)).unwrap();
        assert_eq!(outcome, AppendOutcome::Appended { size: size + 1 });
    }
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
        assert_eq!(published(&format!("tile/0/{number:03}{width}")), TileLookup::Bytes(hashes.clone()));
        // A narrower one stays.
        assert_eq!(published(&format!("tile/0/{number:03}.p/1")), TileLookup::Bytes(hashes[..32].to_vec()));
        let wider = if tile.len() == 255 { String::new() } else { format!(".p/{}", tile.len() % 256 + 1) };
        assert_eq!(
            published(&format!("tile/0/{number:03}{wider}")),
            match tile.len() {
                256 => TileLookup::Bytes(hashes[..32].to_vec()),
                _ => TileLookup::Nothing,
            }
        );
    }
    for (number, bundle) in records.chunks(256).enumerate() {
        let width = if bundle.len() == 256 { String::new() } else { format!(".p/{}", bundle.len()) };
        let entries: Vec<u8> = bundle.iter().flat_map(|record| prefixed(&record.entry)).collect();
        assert_eq!(published(&format!("tile/entries/{number:03}{width}")), TileLookup::Bytes(entries));
    }
    let roots: Vec<u8> = leaves.chunks_exact(256).flat_map(|tile| root(tile).0).collect();
    let above = if roots.is_empty() { TileLookup::Nothing } else { TileLookup::Bytes(roots.clone()) };
    assert_eq!(published(&format!("tile/1/000.p/{}", (size / 256).max(1))), above);
    assert_eq!(published(&format!("tile/1/000.p/{}", size / 256 + 1)), TileLookup::Nothing);
    assert_eq!(published("tile/2/000.p/1"), TileLookup::Nothing);
}

fn prefixed(entry: &Entry) -> Vec<u8> {
    [&u16::try_from(ENTRY_LEN).unwrap().to_be_bytes(), &entry.as_bytes()[..]].concat()
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// Writes so many entries straight into the table: as many appends would wait for the disk as often. Their leaf hashes.
fn with_entries(folder: &std::path::Path, count: u64) -> Vec<Hash> {
    const BATCHES: TableDefinition<'_, (u16, u64), &[u8]> = TableDefinition::new("batches");
    drop(RedbStore::open(folder).unwrap());
    let database = Database::open(folder.join("log.redb")).unwrap();
    let write = database.begin_write().unwrap();
    let mut batches = write.open_table(BATCHES).unwrap();
    let mut leaves = Vec::new();
    for index in 0..count {
        let entry = record(index, 1).entry;
        // A row without head and bodies (docs/spec/13-store.md).
        batches.insert((LOG, index), &[&[0; 9], &entry.as_bytes()[..]].concat()[..]).unwrap();
        leaves.push(entry.leaf_hash());
    }
    drop(batches);
    write.commit().unwrap();
    leaves
}

/// More than one tile of level 1.
#[test]
fn a_row_of_level_1_is_full_after_65_536_entries_and_its_root_begins_level_2() {
    let folder = tempfile::tempdir().unwrap();
    let leaves = with_entries(folder.path(), 66_000);
    let mut store = RedbStore::open(folder.path()).unwrap();
    let published = |store: &RedbStore, path: &str| store.reader().published(log(), &path.parse().unwrap()).unwrap();
    // 257 tiles at once are too many to compute for one request; those of level 0 are always there.
    assert_eq!(published(&store, "tile/1/000"), TileLookup::NotBuilt);
    assert_eq!(published(&store, "tile/2/000.p/1"), TileLookup::NotBuilt);
    let level_0: Vec<u8> = leaves[65_536..65_792].iter().flat_map(|hash| hash.0).collect();
    assert_eq!(published(&store, "tile/0/256"), TileLookup::Bytes(level_0.clone()));
    assert!(store.build_tiles(log(), 200).unwrap());
    let level_1: Vec<u8> = leaves[..65_536].chunks(256).flat_map(|tile| root(tile).0).collect();
    assert_eq!(published(&store, "tile/1/000"), TileLookup::Bytes(level_1.clone()), "57 of it are computed");
    assert_eq!(store.tile(log(), 1, 0).unwrap(), None);
    assert!(!store.build_tiles(log(), 200).unwrap());
    assert_eq!(store.tile(log(), 1, 0).unwrap(), Some(level_1.clone()));
    assert_eq!(store.tile(log(), 2, 0).unwrap(), None, "a partial tile is no stored tile");
    assert_eq!(published(&store, "tile/1/000"), TileLookup::Bytes(level_1));
    assert_eq!(published(&store, "tile/1/001.p/1"), TileLookup::Bytes(root(&leaves[65_536..65_792]).0.to_vec()));
    assert_eq!(published(&store, "tile/2/000.p/1"), TileLookup::Bytes(root(&leaves[..65_536]).0.to_vec()));
    assert_eq!(published(&store, "tile/0/256"), TileLookup::Bytes(level_0));
    assert_eq!(published(&store, "tile/2/000.p/2"), TileLookup::Nothing);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn store_matches_its_model(steps in vec(step(), 1..24)) {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, mut model) = (RedbStore::open(folder.path()).unwrap(), MemoryStore::new());
        let mut last = std::collections::BTreeMap::new();
        for step in steps {
            match step {
                Step::Append { log, skew, count, seed } => {
                    let id = LogId::from_number(log);
                    for _ in 0..count {
                        let expected = model.status(id).unwrap().size.saturating_add_signed(skew.into());
                        let head = format!("head {log} {expected} {seed}");
                        let batch = record(expected, seed);
                        let outcome = store.append(id, expected, &batch, &head).unwrap();
                        prop_assert_eq!(outcome, model.append(id, expected, &batch, &head).unwrap());
                        last.insert(log, (expected, batch, head));
                    }
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
    append(&mut store, 3);
    let (first, last) = (record(0, 1), record(2, 1));
    let mut again = |expected, record: &Record| store.append(log(), expected, record, "x").unwrap();
    assert_eq!(again(2, &last), AppendOutcome::Appended { size: 3 });
    // It stands there, but something stands after it; same place, other bytes; another place.
    for (expected, record) in [(0, &first), (2, &record(2, 9)), (4, &record(4, 1)), (u64::MAX, &last)] {
        assert_eq!(again(expected, record), AppendOutcome::Conflict { size: 3 });
    }
    assert_eq!(store.status(log()).unwrap().head, "3");
    // A new process knows it too.
    drop(store);
    let mut store = RedbStore::open(folder.path()).unwrap();
    assert_eq!(store.append(log(), 2, &last, "x").unwrap(), AppendOutcome::Appended { size: 3 });
}

#[test]
fn a_folder_has_one_user_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let mut store = RedbStore::open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    append(&mut store, 3);
    for second in [RedbStore::open(&path), RedbStore::open_read_only(&path)] {
        let Err(error) = second else { unreachable!("two have it") };
        assert!(matches!(error, OpenError::Locked(_)));
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    drop(store);
    let mut reading = RedbStore::open_read_only(&path).unwrap();
    assert_eq!(reading.status(log()).unwrap().size, 3);
    assert!(matches!(reading.append(log(), 3, &record(3, 1), "x"), Err(StoreError::ReadOnly)));
    assert_eq!(reading.read(log(), 0, 9, usize::MAX).unwrap().len(), 3);
    assert!(RedbStore::open_read_only(&folder.path().join("none")).is_err());
    assert!(!folder.path().join("none").exists());
}

#[test]
fn a_file_of_another_format_is_refused_and_stays_as_it_is() {
    const ENTRIES: TableDefinition<'_, (u16, u64), &[u8; ENTRY_LEN]> = TableDefinition::new("entries");
    const FORMAT: TableDefinition<'_, (), u64> = TableDefinition::new("format");
    for format in [1, 3] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.redb");
        let database = Database::create(&path).unwrap();
        let write = database.begin_write().unwrap();
        if format == 1 {
            write.open_table(ENTRIES).unwrap();
        } else {
            write.open_table(FORMAT).unwrap().insert((), format).unwrap();
        }
        write.commit().unwrap();
        drop(database);
        for _ in 0..2 {
            for opened in [RedbStore::open(folder.path()), RedbStore::open_read_only(folder.path())] {
                let Err(OpenError::Format { path: named, expected: 2, got }) = opened else {
                    unreachable!("it opened")
                };
                assert_eq!((&named, got), (&path, format));
            }
        }
    }
    let error = OpenError::Format { path: "d/log.redb".into(), expected: 2, got: 1 }.to_string();
    assert!(error.starts_with("d/log.redb: expected a store of format 2, got format 1: "), "{error}");
}

#[test]
fn empty_file_is_initialised_on_open_for_writing_only() {
    let folder = tempfile::tempdir().unwrap();
    drop(Database::create(folder.path().join("log.redb")).unwrap());
    let read = RedbStore::open_read_only(folder.path());
    assert!(matches!(read, Err(OpenError::Format { expected: 2, got: 0, .. })));
    append(&mut RedbStore::open(folder.path()).unwrap(), 1);
    assert_eq!(RedbStore::open_read_only(folder.path()).unwrap().status(log()).unwrap().size, 1);
}

#[test]
fn a_retirement_in_small_steps_ends_as_one_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut model) = (RedbStore::open(folder.path()).unwrap(), MemoryStore::new());
    for index in 0..60 {
        store.append(log(), index, &record(index, 1), "head").unwrap();
        model.append(log(), index, &record(index, 1), "head").unwrap();
    }
    store.put_chunk(log(), [1; 16], 0, b"older").unwrap();
    // The last one repeats: nothing is left to look at.
    for (below, bucket, steps) in [(30, 2, 7), (50, 5, 7), (50, 5, 1)] {
        let retirement = Retirement { below, bucket, snapshot: [2; 16], boot_id: [2; 16] };
        model.retire(log(), retirement).unwrap();
        let mut taken = 1;
        while store.retire_some(log(), &retirement, 7).unwrap() {
            taken += 1;
        }
        assert_eq!(taken, steps);
        let all = store.read(log(), 0, u32::MAX, usize::MAX).unwrap();
        assert_eq!(all, model.read(log(), 0, u32::MAX, usize::MAX).unwrap());
        assert_eq!(store.chunk(log(), [1; 16], 0).unwrap(), None);
    }
}

#[test]
fn readers_on_other_threads_see_what_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = RedbStore::open(folder.path()).unwrap();
    let reader = store.reader();
    append(&mut store, 2);
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
fn fenced_enclave_retires_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut redb = RedbStore::open(folder.path()).unwrap();
    let mut memory = MemoryStore::new();
    overtaken(&mut redb);
    overtaken(&mut memory);
}

fn overtaken<S: LogStore<Error: std::fmt::Debug>>(store: &mut S) {
    store.append(log(), 0, &record(0, 1), "1").unwrap();
    store.append(log(), 1, &record(1, 1), "2").unwrap();
    store.put_chunk(log(), [1; 16], 0, b"of the newer boot").unwrap();
    let retirement = |boot_id| Retirement { below: 2, bucket: u64::MAX, snapshot: [0; 16], boot_id };
    store.retire(log(), retirement([9; 16])).unwrap();
    assert!(store.chunk(log(), [1; 16], 0).unwrap().is_some());
    assert_eq!(store.read(log(), 0, 9, usize::MAX).unwrap(), [record(0, 1), record(1, 1)]);
    store.retire(log(), retirement([2; 16])).unwrap();
    assert!(store.chunk(log(), [1; 16], 0).unwrap().is_none());
    let bare = |index| Record { hot: None, kept: None, ..record(index, 1) };
    assert_eq!(store.read(log(), 0, 9, usize::MAX).unwrap(), [bare(0), bare(1)]);
}
