//! The public log: continued only where this vault has signed it.

use adyton_enclave::engine::appender::Appender;
use adyton_enclave::engine::gov::{Fenced, GovLog, GovReplayError, entry, replay};
use adyton_enclave::events::Events;
use adyton_enclave::store::Store;
use adyton_frame::{Event, Frame, Message, StoredBytes};
use adyton_ledger::{BootRecord, Frontier, GovRecord, Hash, LogId, OpsRoot, Record, VaultId};
use adyton_transport::{Address, FrameReader, FrameWriter, Listener, accept_channel};

use crate::disk::Disk;
use crate::fixtures::{OPS, signer};
use crate::host::{Heard, Host, address};

const BOOT: [u8; 16] = [1; 16];

/// What a vault begins with. Whether it is a genesis is for `boot` to say.
fn first() -> Record {
    let record = GovRecord::OpsRoot(OpsRoot { log: OPS, size: 0, root: Hash::default() });
    entry(&record, 0, 180_000_000, BOOT, 1)
}

fn boot_record(time: u64) -> GovRecord {
    GovRecord::Boot(BootRecord { boot_id: BOOT, release: 1, policy_hash: [0; 32], bundle_hash: [0; 32], time })
}

fn log(vault: VaultId, frontier: Frontier, address: Address) -> GovLog {
    let appender = Appender::start(address.clone(), LogId::GOV, Events::start(address));
    GovLog::new(vault, signer(), frontier, 0, BOOT, 1, appender)
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
    let mut gov = log(vault, Frontier::new(), address(folder.path()));
    gov.append_entry(first()).await.unwrap();
    gov.append(&boot_record(1_800_000_020), 1_800_000_020).await.unwrap();

    let mut store = Store::connect(&address(folder.path())).await.unwrap();
    let (frontier, bucket) = replay(&mut store, &vault, &signer().public_key()).await.unwrap();
    assert_eq!((frontier.size(), bucket), (2, 180_000_002));
    for (vault, key) in [(VaultId([9; 32]), signer().public_key()), (vault, [9; 32])] {
        assert!(matches!(replay(&mut store, &vault, &key).await, Err(GovReplayError::Faulty)));
    }

    // Whoever continues it from an older place was overtaken, and says so.
    let mut late = log(vault, Frontier::new(), address(folder.path()));
    assert_eq!(late.append(&boot_record(1_800_000_030), 1_800_000_030).await, Err(Fenced));
    heard.until(|said| said.contains(&Event::Fenced { log: 0, size: 2 })).await;
}

#[tokio::test]
async fn a_host_that_shows_no_log_or_another_beginning_gets_no_second_one_signed() {
    let (genesis, vault) = (first(), VaultId::of_genesis(&first().entry));
    let other = entry(&boot_record(1_800_000_000), 0, 180_000_000, BOOT, 1);
    // The vault has signed a log with the other beginning, which nothing but a fault of ours could bring about.
    let mut frontier = Frontier::new();
    frontier.push(other.entry.leaf_hash());
    let head =
        adyton_ledger::Head { origin: adyton_ledger::origin(&vault, LogId::GOV), size: 1, root: frontier.root() };
    let head = head.sign(&signer().public_key(), |text| signer().sign(text));
    for (shown, size, head) in [(&genesis, 0, String::new()), (&genesis, 1, String::new()), (&other, 1, head)] {
        let folder = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&address(folder.path())).unwrap();
        let stored = StoredBytes { entry: *shown.entry.as_bytes(), body: Some(shown.body.clone()) };
        let host = tokio::spawn(answering(listener, move |asked| match asked {
            Message::Status { .. } => Message::StatusIs { size, latest_snapshot: None, head: head.clone() },
            _ => Message::Records(vec![stored.clone()]),
        }));
        let mut store = Store::connect(&address(folder.path())).await.unwrap();
        let refused = replay(&mut store, &vault, &signer().public_key()).await;
        assert!(matches!(refused, Err(GovReplayError::Faulty)), "{refused:?}");
        host.abort();
    }
}
