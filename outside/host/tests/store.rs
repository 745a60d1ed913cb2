//! The redb store against its model, and what only a file can do.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stderr, reason = "says how fast it was")]

use adyton_host::{OpenError, RedbStore, StoreError};
use adyton_ledger::{
    AppendOutcome, Entry, Hash, Header, Keep, Kind, LogId, LogReader, LogStore, MemoryStore, Record, Retirement,
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
}

fn step() -> impl Strategy<Value = Step> {
    let (log, skew) = (0..3u16, prop_oneof![8 => Just(0), 1 => -3..3i8]);
    prop_oneof![
        6 => (log.clone(), skew, prop_oneof![1..5u64, 100..300u64], any::<u8>())
            .prop_map(|(log, skew, count, seed)| Step::Append { log, skew, count, seed }),
        1 => log.clone().prop_map(|log| Step::Repeat { log }),
        1 => (log.clone(), 0..3u8, 0..3u32, any::<u8>())
            .prop_map(|(log, snapshot, number, seed)| Step::PutChunk { log, snapshot, number, seed }),
        1 => (log, 0..600u64, 0..80u64, 0..3u8)
            .prop_map(|(log, below, bucket, snapshot)| Step::Retire { log, below, bucket, snapshot }),
        1 => Just(Step::Reopen),
    ]
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
                    let retirement = Retirement { below, bucket, snapshot: [snapshot; 16] };
                    store.retire(LogId::from_number(log), retirement).unwrap();
                    model.retire(LogId::from_number(log), retirement).unwrap();
                }
                Step::Reopen => {
                    drop(store);
                    store = RedbStore::open(folder.path()).unwrap();
                }
            }
        }
        for number in 0..3 {
            let id = LogId::from_number(number);
            let status = model.status(id).unwrap();
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
