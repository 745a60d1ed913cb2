//! The public log: continued only where this vault has signed it.

use adyton_enclave::engine::gov::{AppendError, GovLog, GovReplay, GovReplayError, entry, replay};
use adyton_enclave::engine::log_writer::LogWriter;
use adyton_enclave::engine::{StopReporter, WriterStopped};
use adyton_enclave::events::Events;
use adyton_enclave::store::Store;
use adyton_engine::LogTip;
use adyton_frame::{Event, Frame, Message, RecordBytes, StopReason};
use adyton_ledger::{
    BootRecord, CertificateRecord, Frontier, Genesis, GovRecord, LogId, OrderRecord, PolicyRecord, Profile, Record,
    VaultId, sha256,
};
use adyton_transport::{Address, FrameReader, FrameWriter, Listener, accept_channel};

use crate::disk::Disk;
use crate::fixtures::signer;
use crate::host::{Heard, Host, address};

const BOOT: [u8; 16] = [1; 16];

const POLICY: &[u8] = b"the policy";

fn genesis() -> Genesis {
    Genesis {
        profile: Profile::Dev,
        nonce: [1; 32],
        attestation_root: [2; 32],
        policy_hash: sha256(POLICY).0,
        log_key: signer().public_key(),
        hpke_key: [4; 32],
        ca_certificate: Vec::new(),
        sealed_ca_key: Vec::new(),
        wrapped_root: Vec::new(),
        kms_ciphertext: Vec::new(),
    }
}

/// What a vault begins with.
fn first() -> Record {
    entry(&GovRecord::Genesis(genesis()), 0, 180_000_000, BOOT, 1)
}

fn policy_record() -> GovRecord {
    GovRecord::Policy(PolicyRecord { release: 1, policy: POLICY.to_vec() })
}

fn boot_record(time: u64) -> GovRecord {
    let policy_hash = sha256(POLICY).0;
    GovRecord::Boot(BootRecord { boot_id: BOOT, release: 1, policy_hash, bundle_hash: [0; 32], time })
}

fn log(vault: VaultId, frontier: Frontier, address: Address, stop: &StopReporter) -> GovLog {
    let writer = LogWriter::start(address.clone(), LogId::GOV, Events::start(address));
    GovLog::new(LogTip::new(&vault, LogId::GOV, signer(), frontier, 0), BOOT, 1, writer, stop.clone())
}

/// Takes a store connection and answers with what it is given, whatever is asked.
async fn answering(listener: Listener, answer: impl Fn(&Message) -> Message) {
    let mut stream = listener.accept().await.unwrap();
    accept_channel(&mut stream).await.unwrap();
    let (read, write) = stream.into_split();
    let (mut reader, mut writer) = (FrameReader::new(read), FrameWriter::new(write));
    while let Ok(Some(Frame { id, message })) = reader.read().await {
        writer.write(&Frame { id, message: answer(&message) }).await.unwrap();
    }
}

#[tokio::test]
async fn a_log_is_continued_where_its_head_says() {
    let (folder, heard) = (tempfile::tempdir().unwrap(), Heard::default());
    let _host = Host::start(Disk::default().store().unwrap(), folder.path(), &heard);
    let vault = VaultId::of_genesis(&first().entry);
    let (stop, mut stopped) = StopReporter::channel();
    let mut gov = log(vault, Frontier::new(), address(folder.path()), &stop);
    gov.append_entry(first()).await.unwrap();
    gov.append(&policy_record(), 1_800_000_010).await.unwrap();
    // What no boot could read back is not written, and the log goes on without it.
    let too_long = GovRecord::Policy(PolicyRecord { release: 2, policy: vec![b'x'; 65_537] });
    assert_eq!(gov.append(&too_long, 1_800_000_015).await, Err(AppendError::Record));
    gov.append(&boot_record(1_800_000_020), 1_800_000_020).await.unwrap();

    let mut store = Store::connect(&address(folder.path())).await.unwrap();
    let replayed = replay(&mut store, &vault, &genesis()).await.unwrap();
    let GovReplay { frontier, bucket, releases, ops_root, boots, certificate, order } = replayed;
    assert_eq!((ops_root, certificate, order), (None, None, None));
    assert_eq!((frontier.size(), bucket, boots), (3, 180_000_002, vec![1_800_000_020]));
    assert_eq!((releases.number(), releases.policy()), (1, Some(POLICY)));
    for (vault, log_key) in [(VaultId([9; 32]), signer().public_key()), (vault, [9; 32])] {
        let genesis = Genesis { log_key, ..genesis() };
        assert!(matches!(replay(&mut store, &vault, &genesis).await, Err(GovReplayError::Faulty)));
    }

    // Whoever continues it from an older place was overtaken, and says so.
    assert!(stopped.try_recv().is_err());
    let mut late = log(vault, Frontier::new(), address(folder.path()), &stop);
    for _ in 0..2 {
        assert_eq!(late.append(&boot_record(1_800_000_030), 1_800_000_030).await, Err(AppendError::Stopped));
    }
    assert_eq!(stopped.recv().await, Some(WriterStopped { log: LogId::GOV, reason: StopReason::Conflict }));
    heard.until(|said| said.contains(&Event::Fenced { log: 0, size: 3 })).await;
}

/// An order is resumed until a certificate or another account comes after it.
#[tokio::test]
async fn the_last_order_without_a_certificate_is_found() {
    let (folder, heard) = (tempfile::tempdir().unwrap(), Heard::default());
    let _host = Host::start(Disk::default().store().unwrap(), folder.path(), &heard);
    let vault = VaultId::of_genesis(&first().entry);
    let mut gov = log(vault, Frontier::new(), address(folder.path()), &StopReporter::channel().0);
    gov.append_entry(first()).await.unwrap();
    let order = |number: u8| OrderRecord { address: vec![number], sealed_key: vec![number; 3] };
    let account = |number: u8| format!("https://acme.example/account/{number}").into_bytes();
    let certificate = |chain: Vec<Vec<u8>>| CertificateRecord {
        account: account(1),
        sealed_account_key: vec![1],
        sealed_key: vec![2],
        chain,
    };
    let mut store = Store::connect(&address(folder.path())).await.unwrap();
    for (record, expected) in [
        (GovRecord::Certificate(certificate(vec![])), None),
        (GovRecord::Order(order(1)), Some(order(1))),
        (GovRecord::Order(order(2)), Some(order(2))),
        (GovRecord::Certificate(certificate(vec![])), Some(order(2))),
        (GovRecord::Certificate(certificate(vec![vec![3]])), None),
        (GovRecord::Order(order(3)), Some(order(3))),
        (GovRecord::Certificate(CertificateRecord { account: account(2), ..certificate(vec![]) }), None),
    ] {
        gov.append(&record, 1_800_000_020).await.unwrap();
        assert_eq!(replay(&mut store, &vault, &genesis()).await.unwrap().order, expected, "{record:?}");
    }
}

#[tokio::test]
async fn a_host_that_shows_no_log_or_another_beginning_gets_no_second_one_signed() {
    let (beginning, vault) = (first(), VaultId::of_genesis(&first().entry));
    let other = entry(&boot_record(1_800_000_000), 0, 180_000_000, BOOT, 1);
    // The vault has signed a log with the other beginning, which nothing but a fault of ours could bring about.
    let mut frontier = Frontier::new();
    frontier.push(other.entry.leaf_hash());
    let head =
        adyton_ledger::Head { origin: adyton_ledger::origin(&vault, LogId::GOV), size: 1, root: frontier.root() };
    let head = head.sign(&signer().public_key(), |text| signer().sign(text));
    for (shown, size, head) in [(&beginning, 0, String::new()), (&beginning, 1, String::new()), (&other, 1, head)] {
        let folder = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&address(folder.path())).unwrap();
        let stored = RecordBytes { entry: *shown.entry.as_bytes(), hot: None, kept: shown.kept.clone() };
        let host = tokio::spawn(answering(listener, move |asked| match asked {
            Message::Status { .. } => Message::StatusIs { size, latest_snapshot: None, head: head.clone() },
            _ => Message::Records(vec![stored.clone()]),
        }));
        let mut store = Store::connect(&address(folder.path())).await.unwrap();
        let refused = replay(&mut store, &vault, &genesis()).await;
        assert!(matches!(refused, Err(GovReplayError::Faulty)), "{refused:?}");
        host.abort();
    }
}

#[tokio::test]
async fn a_log_whose_records_do_not_follow_or_are_not_shown_is_not_continued() {
    let vault = VaultId::of_genesis(&first().entry);
    let appended = |records: Vec<GovRecord>| {
        let mut stored = vec![first()];
        for (index, record) in (1..).zip(&records) {
            stored.push(entry(record, index, 180_000_000, BOOT, 1));
        }
        stored
    };
    // Another time of a boot: it decodes, and it follows. Only its entry says that it is another.
    let mut changed = appended(vec![policy_record(), boot_record(1_800_000_020)]);
    changed[2].kept = Some(boot_record(1_800_000_021).encode());
    let faults = [
        (appended(vec![boot_record(1_800_000_020)]), None),
        (appended(vec![policy_record(), policy_record()]), None),
        (changed, None),
        (appended(vec![policy_record()]), Some(1)),
    ];
    for (records, without_body) in faults {
        let mut frontier = Frontier::new();
        records.iter().for_each(|record| frontier.push(record.entry.leaf_hash()));
        let size = frontier.size();
        let head =
            adyton_ledger::Head { origin: adyton_ledger::origin(&vault, LogId::GOV), size, root: frontier.root() };
        let head = head.sign(&signer().public_key(), |text| signer().sign(text));
        let stored: Vec<RecordBytes> = (0..)
            .zip(records)
            .map(|(index, record)| RecordBytes {
                entry: *record.entry.as_bytes(),
                hot: None,
                kept: record.kept.filter(|_| without_body != Some(index)),
            })
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&address(folder.path())).unwrap();
        let host = tokio::spawn(answering(listener, move |asked| match asked {
            Message::Status { .. } => Message::StatusIs { size, latest_snapshot: None, head: head.clone() },
            _ => Message::Records(stored.clone()),
        }));
        let mut store = Store::connect(&address(folder.path())).await.unwrap();
        let refused = replay(&mut store, &vault, &genesis()).await;
        assert!(matches!(refused, Err(GovReplayError::Faulty)), "{refused:?}");
        host.abort();
    }
}
