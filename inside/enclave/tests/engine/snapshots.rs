//! Snapshots for real: against a host that is killed and comes back, and against hosts that show another log.

use adyton_enclave::store::Store;
use adyton_engine::sealing::Opener;
use adyton_engine::{Machine as _, Replay, Sections};
use adyton_frame::{Event, Frame, Message, RecordBytes};
use adyton_host::RedbReader;
use adyton_ledger::{Body, Entry, Frontier, Kind, LogId, LogReader, LogStore, Record, Retirement};
use adyton_seal::Plaintext;
use adyton_transport::{FrameReader, FrameWriter, Listener, accept_channel};
use adyton_vault::{Record as _, Reply, ServiceId, State, decide, services};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Duration, sleep, timeout};

use crate::disk::Disk;
use crate::fixtures::{KEYS, OPS, VAULT, boot, context, create_service, create_tenant, fresh, kept_of, start};
use crate::host::{Heard, Host, TEST_TIMEOUT, address};
use crate::live::{Live, RETENTION};

/// A snapshot of entries below an index, the first at or above this one.
fn taken(said: &[Event], at_least: u64) -> Option<u64> {
    said.iter().rev().find_map(|event| match event {
        Event::SnapshotTaken { log: 1, index } if *index >= at_least => Some(*index),
        _ => None,
    })
}

/// A service and a live code in it, in entries of their own.
async fn work(live: &Live, who: u8) -> ServiceId {
    let Reply::Services(services::Reply::Service(view)) = live.submit(create_service).await else {
        panic!("not a service")
    };
    live.submit(|| start(view.service, who)).await;
    view.service
}

/// Waits until no hot body is left below an index.
async fn until_retired(live: &Live, below: u64) {
    until_gone(live, below, Body::Hot).await;
}

/// Waits until no such body is left below an index.
async fn until_gone(live: &Live, below: u64, which: Body) {
    let gone = async {
        loop {
            let of_entries = bodies(live, below, which).await;
            if !of_entries.is_empty() && of_entries.iter().all(|is_there| !is_there) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(TEST_TIMEOUT, gone).await.unwrap();
}

/// Of each entry below an index that has such a body, whether the host still has it.
async fn bodies(live: &Live, below: u64, which: Body) -> Vec<bool> {
    let mut store = Store::connect(&address(live.folder.path())).await.unwrap();
    let records = store.read(OPS, 0, u32::try_from(below).unwrap()).await.unwrap();
    let with = records.iter().filter(|record| !record.entry.header().unwrap().size(which).is_absent());
    with.map(|record| record.body(which).is_some()).collect()
}

/// What the writer's state leaves to a boot.
async fn cold(live: &Live) -> Vec<u8> {
    let (frozen, _) = live.engine.freeze().await.unwrap();
    let mut out = Plaintext::with_capacity(256);
    State::save(&frozen, &mut Sections::new(&mut out));
    out.as_bytes().to_vec()
}

/// What a boot from this disk finds, beside what the writer had and what kept bodies alone give.
fn reboot(disk: &Disk, written: &[u8]) -> Replay<'static, adyton_vault::State> {
    let (disk, written) = (disk.clone(), written.to_vec());
    std::thread::spawn(move || {
        let found = boot(&disk);
        assert!(found.state.cold_bytes() == written, "a boot finds what the writer had");
        let (mut state, mut frontier, mut opener) = (State::new(), Frontier::new(), Opener::new(&KEYS, VAULT, OPS));
        for record in disk.store().unwrap().read(OPS, 0, u32::MAX, usize::MAX).unwrap() {
            frontier.push(record.entry.leaf_hash());
            let header = record.entry.header().unwrap();
            let Some(sealed) = record.kept.as_ref().filter(|_| header.kind != Kind::Snapshot) else { continue };
            for part in opener.open_body(&record.entry, &header, Body::Kept, sealed).unwrap().iter() {
                let apply = |event: &[u8]| {
                    state.apply_cold(adyton_vault::Event::decode_all(event).unwrap());
                    Ok(())
                };
                adyton_engine::sealing::records(part, apply).unwrap();
            }
        }
        assert_eq!(kept_of(&found.state.cold_bytes()), kept_of(&state.cold_bytes()));
        assert_eq!(found.frontier.root(), frontier.root());
        found
    })
    .join()
    .unwrap()
}

#[tokio::test]
async fn snapshots_are_taken_retired_and_booted_from_while_the_host_comes_and_goes() {
    let mut live = Live::start(Disk::default(), 1).await;
    live.follow(live.folder.path(), 4);
    live.submit(create_tenant).await;
    let mut services = Vec::new();
    let mut covered = 0;
    for round in 0..3 {
        services.push(work(&live, round).await);
        services.push(work(&live, round + 3).await);
        let said = live.heard.until(|said| taken(said, covered + 4).is_some()).await;
        covered = taken(&said, 0).unwrap();
        until_retired(&live, covered).await;
        let written = cold(&live).await;
        live.kill_host();
        let found = reboot(&live.disk, &written);
        assert_eq!(found.covered, covered);
        for service in &services {
            let decided = decide(&found.state, start(*service, 9), &mut context(1_900_000_000, &mut fresh(1)));
            assert!(decided.answer.is_ok());
        }
        live.start_host();
    }

    // A boot goes on counting where the last snapshot ended, not at its own beginning.
    live.kill_host();
    let disk = live.disk.clone();
    let size = disk.store().unwrap().status(OPS).unwrap().size;
    let next = Live::start(disk, 2).await;
    assert_eq!(next.found.covered, covered);
    // All entries since then have one small body; that of the snapshot does not count.
    next.follow(next.folder.path(), size + 1 - covered);
    next.submit(create_service).await;
    next.heard.until(|said| taken(said, size + 2).is_some()).await;
}

#[tokio::test]
async fn an_entry_is_covered_within_an_hour_and_a_snapshot_needs_none() {
    let mut live = Live::start(Disk::default(), 1).await;
    live.submit(create_tenant).await;
    live.follow_later(live.folder.path(), u64::from(u32::MAX), 3700);
    let said = live.heard.until(|said| taken(said, 2).is_some()).await;
    let covered = taken(&said, 2).unwrap();
    until_retired(&live, covered).await;
    // Nothing but the snapshot's own entry stands behind it.
    live.submit(create_service).await;
    live.heard.until(|said| taken(said, covered + 2).is_some()).await;
    let written = cold(&live).await;
    live.kill_host();
    assert_eq!(reboot(&live.disk, &written).covered, covered + 2);
    assert_eq!(live.disk.store().unwrap().status(OPS).unwrap().size, covered + 3);
}

#[tokio::test]
async fn kept_bodies_go_at_retention_though_no_snapshot_follows() {
    let mut live = Live::start(Disk::default(), 1).await;
    live.submit(create_tenant).await;
    work(&live, 1).await;
    let clock = live.follow_later(live.folder.path(), 1, 0);
    let said = live.heard.until(|said| taken(said, ENTRIES).is_some()).await;
    let covered = taken(&said, 0).unwrap();
    until_retired(&live, covered).await;
    assert!(bodies(&live, covered, Body::Kept).await.iter().all(|is_there| *is_there));
    // The host is away when it is to be told, and is told once it is back.
    live.kill_host();
    clock.at_least(clock.now() + RETENTION + 20);
    live.start_host();
    until_gone(&live, covered, Body::Kept).await;
    let snapshots = live.heard.all().iter().filter(|event| matches!(event, Event::SnapshotTaken { .. })).count();
    assert_eq!(snapshots, 1);
    live.kill_host();
    assert_eq!(boot_covered(&live.disk), covered);
}

/// What a boot from this disk finds covered.
fn boot_covered(disk: &Disk) -> u64 {
    let disk = disk.clone();
    std::thread::spawn(move || boot(&disk).covered).join().unwrap()
}

/// The log of a disk as another host shows it: entries changed, some bodies gone, the newest head as it is.
fn forged(disk: &Disk, change: impl Fn(&mut [u8; 176]), hide: Option<Retirement>) -> Disk {
    let (store, forged) = (disk.store().unwrap(), Disk::default());
    let head = store.status(OPS).unwrap().head;
    let records = store.read(OPS, 0, u32::MAX, usize::MAX).unwrap().into_iter().map(|record| {
        let mut entry = *record.entry.as_bytes();
        change(&mut entry);
        Record { entry: Entry::from_bytes(entry), ..record }
    });
    let mut other = forged.store().unwrap();
    for (index, record) in (0..).zip(records) {
        other.append(OPS, index, &record, &head).unwrap();
    }
    if let Some(retirement) = hide {
        other.retire(OPS, retirement).unwrap();
    }
    drop(other);
    forged
}

/// Of the boot, a tenant, a service and a verification.
const ENTRIES: u64 = 4;

/// The log is read back at one host while the writer writes at another.
async fn follow_a_forgery(change: impl Fn(&mut [u8; 176]), hide: Option<Retirement>, index: u64) {
    let mut live = Live::start(Disk::default(), 1).await;
    live.submit(create_tenant).await;
    work(&live, 1).await;
    live.kill_host();
    let shown = forged(&live.disk, change, hide);
    let truth = live.disk.after_power_failure(|| true);
    live.start_host();
    let elsewhere: TempDir = tempfile::tempdir().unwrap();
    let liar = Host::start(shown.store().unwrap(), elsewhere.path(), &Heard::default());
    live.follow(elsewhere.path(), 1);
    live.heard.until(|said| !said.is_empty()).await;
    assert_eq!(live.heard.all(), [Event::LogFaulty { log: 1, index }]);

    // The truth again: the log is read anew, and a snapshot is taken.
    drop(liar);
    let honest = Host::start(truth.store().unwrap(), elsewhere.path(), &Heard::default());
    let said = live.heard.until(|said| taken(said, 1).is_some()).await;
    // The writer lost its own host for a moment when that was started again.
    let of_the_store = |event: &Event| matches!(event, Event::StoreLost { .. } | Event::StoreBack { .. });
    let said: Vec<_> = said.into_iter().filter(|event| !of_the_store(event)).collect();
    assert_eq!(
        said,
        [Event::LogFaulty { log: 1, index }, Event::SnapshotTaken { log: 1, index: ENTRIES }],
        "said once"
    );
    drop(honest);
}

#[tokio::test]
async fn a_body_that_is_not_shown_is_not_passed_over() {
    // Entry 1 is the tenant's.
    let hide = Retirement { below: 2, bucket: u64::MAX, snapshot: [0; 16], boot_id: [1; 16] };
    // The boot's own entry goes too: reading starts at its index, 0.
    follow_a_forgery(|_| {}, Some(hide), 0).await;
}

#[tokio::test]
async fn a_body_that_is_shown_as_absent_is_not_passed_over() {
    // The tenant's entry, whose kept body the host may not retire: its header says that there is none.
    let change = |entry: &mut [u8; 176]| {
        if entry[8..16] == 1u64.to_be_bytes() {
            assert_eq!(std::mem::replace(&mut entry[3], 0), 1);
            entry[80..112].fill(0);
        }
    };
    // No body is opened then, but the entries are not those that the head was signed for.
    follow_a_forgery(change, None, ENTRIES).await;
}

#[tokio::test]
async fn a_body_under_a_changed_header_is_not_passed_over() {
    let change = |entry: &mut [u8; 176]| {
        if entry[8..16] == 1u64.to_be_bytes() {
            assert_eq!(std::mem::replace(&mut entry[47], 2), 1, "the release");
        }
    };
    follow_a_forgery(change, None, 1).await;
}

#[tokio::test]
async fn a_log_that_is_shorter_than_its_head_is_not_waited_for() {
    let mut live = Live::start(Disk::default(), 1).await;
    live.submit(create_tenant).await;
    work(&live, 1).await;
    live.kill_host();
    let shown = Disk::default();
    let (store, mut short) = (live.disk.store().unwrap(), shown.store().unwrap());
    let first = store.read(OPS, 0, 1, usize::MAX).unwrap().remove(0);
    short.append(OPS, 0, &first, &store.status(OPS).unwrap().head).unwrap();
    drop((store, short));
    live.start_host();
    let elsewhere = tempfile::tempdir().unwrap();
    let _liar = Host::start(shown.store().unwrap(), elsewhere.path(), &Heard::default());
    live.follow(elsewhere.path(), 1);
    live.heard.until(|said| said.contains(&Event::LogFaulty { log: 1, index: 1 })).await;
}

/// A host that keeps other chunks than it is given; the log is that of a store.
async fn keep_other_chunks(listener: Listener, store: RedbReader, kept: mpsc::UnboundedSender<u32>) {
    let mut chunks = Vec::new();
    while let Ok(mut stream) = listener.accept().await {
        if accept_channel(&mut stream).await.is_err() {
            continue;
        }
        let (read, write) = tokio::io::split(stream);
        let (mut reader, mut writer) = (FrameReader::new(read), FrameWriter::new(write));
        while let Ok(Some(Frame { id, message })) = reader.read().await {
            let answer = match message {
                Message::Read { log, from, max } => {
                    let records = store.read(LogId::from_number(log), from, max, 1 << 19).unwrap().into_iter();
                    let stored = |Record { entry, hot, kept }| RecordBytes { entry: *entry.as_bytes(), hot, kept };
                    Message::Records(records.map(stored).collect())
                }
                Message::PutChunk { number, mut bytes, .. } => {
                    bytes[0] ^= 1;
                    chunks.push(bytes);
                    kept.send(number).unwrap();
                    Message::Done
                }
                Message::GetChunk { .. } => Message::Chunk(chunks.pop().unwrap()),
                other => panic!("{other:?}"),
            };
            if writer.write(&Frame { id, message: answer }).await.is_err() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn chunks_that_the_host_shows_otherwise_are_no_snapshot() {
    let live = Live::start(Disk::default(), 1).await;
    live.submit(create_tenant).await;
    let (size, _) = live.engine.durable_root();
    let elsewhere = tempfile::tempdir().unwrap();
    let listener = Listener::bind(&address(elsewhere.path())).unwrap();
    let (sender, mut kept) = mpsc::unbounded_channel();
    let reader = live.host.as_ref().unwrap().reader().clone();
    tokio::spawn(keep_other_chunks(listener, reader, sender));
    live.follow(elsewhere.path(), 1);
    assert_eq!(timeout(TEST_TIMEOUT, kept.recv()).await.unwrap(), Some(0));
    live.submit(create_service).await;
    let again = timeout(Duration::from_secs(2), kept.recv()).await;
    assert!(again.is_err(), "a snapshot that failed is not taken again at once");
    assert_eq!(live.engine.durable_root().0, size + 1, "no manifest");
    assert_eq!(live.heard.all(), []);
}

#[tokio::test]
async fn frozen_state_is_that_of_a_durable_size_and_waits_for_it() {
    let mut live = Live::start(Disk::default(), 1).await;
    live.submit(create_tenant).await;
    let (size, root) = live.engine.durable_root();
    let frozen_at = |frontier: Frontier| (frontier.size(), frontier.root());
    // Nothing is under way.
    let (_, frontier) = timeout(TEST_TIMEOUT, live.engine.freeze()).await.unwrap().unwrap();
    assert_eq!(frozen_at(frontier), (size, root));
    // A batch is: nothing of it is claimed while the host is away.
    live.kill_host();
    let engine = live.engine.clone();
    let creates = tokio::spawn(async move { engine.submit(create_service()).await });
    live.until_away().await;
    let mut freezing = Box::pin(live.engine.freeze());
    assert!(timeout(Duration::from_millis(1), &mut freezing).await.is_err());
    let (store, folder, heard) = (live.disk.store().unwrap(), live.folder.path().to_owned(), live.heard.clone());
    let host = Host::start(store, &folder, &heard);
    let (frozen, frontier) = timeout(TEST_TIMEOUT, freezing).await.unwrap().unwrap();
    assert!(creates.await.unwrap().is_ok());
    assert_eq!(frozen_at(frontier), live.engine.durable_root());
    let mut out = Plaintext::with_capacity(256);
    State::save(&frozen, &mut Sections::new(&mut out));
    drop(host);
    assert_eq!(reboot(&live.disk, out.as_bytes()).frontier.size(), size + 1);
}
