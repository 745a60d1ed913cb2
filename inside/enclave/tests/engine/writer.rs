//! The writer's shell against a host on a socket that is silent, full, gone and back, or another writer's.

use std::sync::Arc;
use std::task::Poll;

use adyton_enclave::engine::replay::{ReadError, replay};
use adyton_enclave::engine::{Failure, WriterStopped};
use adyton_enclave::policy::Effective;
use adyton_enclave::store::Store;
use adyton_engine::ReplayError;
use adyton_frame::{Event, StopReason};
use adyton_ledger::{AppendOutcome, Frontier, Hash, LogReader, LogStore, OpsRoot};
use adyton_transport::{Listener, Stream, accept_channel};
use adyton_vault::{Effect, EventKind, Record as _, Refusal, Reply, ServiceId, WrongSequence, services, tenancy};
use tokio::time::timeout;

use crate::disk::Disk;
use crate::fixtures::{KEYS, OPS, RULES, VAULT, boot, create_service, create_tenant, shard, signer, start};
use crate::host::{Heard, Host, TEST_TIMEOUT, address};
use crate::live::{Live, at_once};

fn service(reply: Reply) -> ServiceId {
    let Reply::Services(services::Reply::Service(view)) = reply else { panic!("not a service") };
    view.service
}

/// Whether a boot from this disk knows the service.
fn knows(disk: &Disk, service: ServiceId) -> bool {
    let disk = disk.clone();
    std::thread::spawn(move || {
        let mut events = created_services(&disk);
        events.any(|created| created == service)
    })
    .join()
    .unwrap()
}

/// Services that the log on a disk tells of, in order; a boot from it is possible.
fn created_services(disk: &Disk) -> impl Iterator<Item = ServiceId> + use<> {
    boot(disk);
    let mut opener = adyton_engine::sealing::Opener::new(&KEYS, VAULT, OPS);
    let mut created = Vec::new();
    for record in disk.store().unwrap().read(OPS, 0, u32::MAX, usize::MAX).unwrap() {
        let header = record.entry.header().unwrap();
        let each = |event: &[u8]| {
            let kind = adyton_vault::Event::decode_all(event).unwrap().kind;
            if let EventKind::Services(services::Event::ServiceCreated { service, .. }) = kind {
                created.push(service);
            }
            Ok(())
        };
        opener.open(&record, &header).unwrap().each(each).unwrap();
    }
    created.into_iter()
}

fn other_sequence(expected: u64) -> Failure {
    Failure::Refused(Refusal::Tenancy(tenancy::Refusal::Sequence(WrongSequence { expected })))
}

/// Settings of a sequence; what they allow is told apart by their hash.
fn settings(sequence: u64, hash: u8) -> Effective {
    Effective {
        rules: RULES.clone(),
        table: Arc::default(),
        public: None,
        external: Ok(None),
        retired_account: None,
        sequence,
        settings: String::new(),
        settings_hash: [hash; 32],
    }
}

#[tokio::test]
async fn settings_are_in_force_once_they_are_decided_and_in_their_turn_only() {
    let mut live = Live::start(Disk::default(), 1).await;
    assert_eq!(live.engine.published().next_owners_sequence(), 1);
    for wrong in [0, 2] {
        let refused = live.engine.change_settings("version = 1".into(), settings(wrong, 1)).await.map(drop);
        assert_eq!(refused, Err(other_sequence(1)));
        assert_eq!((live.effective.now().settings_hash, live.engine.published().next_owners_sequence()), ([0; 32], 1));
    }
    let changed = live.engine.change_settings("version = 1".into(), settings(1, 2)).await;
    assert!(matches!(changed, Ok(Reply::Tenancy(tenancy::Reply::Done))));
    assert_eq!((live.effective.now().settings_hash, live.engine.published().next_owners_sequence()), ([2; 32], 2));
    let again = live.engine.change_settings("version = 1".into(), settings(1, 3)).await.map(drop);
    assert_eq!(again, Err(other_sequence(2)));
    assert_eq!(live.effective.now().settings_hash, [2; 32]);
    // The log has them for the next boot.
    live.kill_host();
    let disk = live.disk.clone();
    let found = std::thread::spawn(move || {
        let state = boot(&disk).state;
        (state.settings().to_owned(), state.next_owners_sequence())
    });
    assert_eq!(found.join().unwrap(), ("version = 1".to_owned(), 2));
}

#[tokio::test]
async fn while_the_host_is_away_new_work_is_refused_and_held_answers_come_when_it_is_back() {
    let mut live = Live::start(Disk::default(), 1).await;
    live.submit(create_tenant).await;
    let before = service(live.submit(create_service).await);
    live.submit(|| start(before, 1)).await;
    assert!(matches!(live.effects.recv().await, Some(Effect::Send { .. })));

    assert!(live.engine.is_ready());
    live.kill_host();
    let engine = live.engine.clone();
    let held = tokio::spawn(async move { engine.submit(create_service()).await });
    let engine = live.engine.clone();
    let held_start = tokio::spawn(async move { engine.submit(start(before, 2)).await });
    tokio::task::yield_now().await;
    live.until_away().await;
    assert!(!live.engine.is_ready());
    for _ in 0..3 {
        let refused = at_once(live.engine.submit(create_service())).await;
        assert_eq!(refused.map(|answer| answer.map(drop)), Poll::Ready(Err(Failure::Unavailable)));
    }
    assert!(!held.is_finished() && !held_start.is_finished());
    assert!(live.effects.try_recv().is_err(), "no message leaves before it is durable");

    live.start_host();
    let held = service(timeout(TEST_TIMEOUT, held).await.unwrap().unwrap().map_err(|_| ()).unwrap());
    assert!(timeout(TEST_TIMEOUT, held_start).await.unwrap().unwrap().is_ok());
    assert!(matches!(live.effects.recv().await, Some(Effect::Send { .. })));
    let after = service(live.submit(create_service).await);
    live.heard.until(|said| said.contains(&Event::StoreBack { log: 1 })).await;
    live.kill_host();
    assert!(knows(&live.disk, before) && knows(&live.disk, held) && knows(&live.disk, after));
}

#[tokio::test]
async fn while_the_disk_is_full_answers_are_held_and_the_same_bytes_are_taken_when_there_is_room() {
    let mut live = Live::start(Disk::default(), 1).await;
    live.submit(create_tenant).await;
    live.disk.set_full(true);
    let engine = live.engine.clone();
    let held = tokio::spawn(async move { engine.submit(create_service()).await });
    live.heard.until(|said| said.contains(&Event::StoreLost { log: 1 })).await;
    live.until_away().await;
    assert!(!held.is_finished());

    live.disk.set_full(false);
    let held = service(timeout(TEST_TIMEOUT, held).await.unwrap().unwrap().map_err(|_| ()).unwrap());
    let said = live.heard.until(|said| said.contains(&Event::StoreBack { log: 1 })).await;
    assert_eq!(said, [Event::StoreLost { log: 1 }, Event::StoreBack { log: 1 }], "said once, however often it tried");
    live.kill_host();
    assert!(knows(&live.disk, held));
}

#[tokio::test]
async fn a_conflict_fences_for_ever() {
    let mut live = Live::start(Disk::default(), 1).await;
    live.submit(create_tenant).await;
    live.kill_host();
    // Another process boots from the same folder and writes.
    let disk = live.disk.clone();
    let size = std::thread::spawn(move || {
        let mut second = shard::<()>(boot(&disk), [2; 16]);
        second.boot(adyton_decider::BootId([2; 16]), 1_800_000_000);
        let batch = second.seal(1_800_000_000).unwrap().unwrap();
        let appended = disk.store().unwrap().append(OPS, batch.expected_size, &batch.record, &batch.head).unwrap();
        assert_eq!(appended, AppendOutcome::Appended { size: batch.size });
        batch.size
    });
    let size = size.join().unwrap();
    live.start_host();

    let refused = timeout(TEST_TIMEOUT, live.engine.submit(create_service())).await.unwrap();
    assert_eq!(refused.map(drop), Err(Failure::Unavailable));
    live.heard.until(|said| said.contains(&Event::Fenced { log: 1, size })).await;
    assert!(live.engine.is_stopped() && !live.engine.is_ready());
    let told = timeout(TEST_TIMEOUT, live.stopped.recv()).await.unwrap();
    assert_eq!(told, Some(WriterStopped { log: OPS, reason: StopReason::Conflict }), "so that the process ends");
    for _ in 0..2 {
        live.kill_host();
        live.start_host();
        let refused = at_once(live.engine.submit(create_service())).await;
        assert_eq!(refused.map(|answer| answer.map(drop)), Poll::Ready(Err(Failure::Unavailable)));
    }
    live.kill_host();
    assert_eq!(live.disk.store().unwrap().status(OPS).unwrap().size, size, "it wrote nothing more");
}

/// Takes connections and never answers.
async fn silence(listener: Listener) {
    let mut taken: Vec<Stream> = Vec::new();
    while let Ok(mut stream) = listener.accept().await {
        if accept_channel(&mut stream).await.is_ok() {
            taken.push(stream);
        }
    }
}

#[tokio::test]
async fn a_full_queue_refuses_and_what_it_took_is_carried_out() {
    let disk = Disk::default();
    let mut live = Live::start(disk.clone(), 1).await;
    live.submit(create_tenant).await;
    live.kill_host();
    // The next boot meets a host that takes a batch and says nothing of it, which is not yet a host that is away.
    let mut live = Live::without_host(disk, 2).await;
    let silent = tokio::spawn(silence(Listener::bind(&address(live.folder.path())).unwrap()));
    let mut queued = 0;
    loop {
        match at_once(live.engine.submit(create_service())).await {
            // Nobody waits for it any longer; it is carried out all the same.
            Poll::Pending => queued += 1,
            Poll::Ready(refused) => {
                assert_eq!(refused.map(drop), Err(Failure::Busy));
                break;
            }
        }
        // The writer fills its batch meanwhile, until that is full as well.
        tokio::task::yield_now().await;
    }
    // 8 MiB of 2 KiB each, and what the open batch took.
    assert!(queued > 4096, "{queued}");

    silent.abort();
    assert!(silent.await.unwrap_err().is_cancelled());
    live.start_host();
    let last = service(live.submit(create_service).await);
    live.kill_host();
    let disk = live.disk.clone();
    let created = std::thread::spawn(move || created_services(&disk).collect::<Vec<_>>()).join().unwrap();
    assert_eq!(created.len(), queued + 1, "each once");
    assert_eq!(created.last(), Some(&last));
}

#[tokio::test]
async fn a_boot_refuses_a_log_that_lacks_what_the_public_log_knows_of_it() {
    let mut live = Live::start(Disk::default(), 1).await;
    live.submit(create_tenant).await;
    let (size, root) = live.engine.durable_root();
    live.submit(create_service).await;
    live.kill_host();
    let read = async |disk: &Disk, size, root| {
        let folder = tempfile::tempdir().unwrap();
        let _host = Host::start(disk.store().unwrap(), folder.path(), &Heard::default());
        let mut store = Store::connect(&address(folder.path())).await.unwrap();
        let known = OpsRoot { log: OPS, size, root };
        let found = replay(&mut store, &KEYS, VAULT, OPS, &signer().public_key(), Some(&known)).await;
        found.map(|found| found.frontier.size())
    };
    assert_eq!(read(&live.disk, size, root).await.unwrap(), size + 1);
    let refused = read(&live.disk, size, Hash([7; 32])).await;
    assert!(matches!(refused, Err(ReadError::Log(ReplayError::Root))), "{refused:?}");
    let refused = read(&live.disk, size + 2, root).await;
    let older = |refused: Result<u64, ReadError>| match refused {
        Err(ReadError::Log(ReplayError::Older { size, known })) => (size, known),
        other => panic!("{other:?}"),
    };
    assert_eq!(older(refused), (size + 1, size + 2));
    assert_eq!(older(read(&Disk::default(), size, root).await), (0, size));
    assert_eq!(read(&Disk::default(), 0, Frontier::new().root()).await.unwrap(), 0, "a log that never had an entry");
}
