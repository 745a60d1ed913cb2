//! Rows of the log alone: sealing and hashing, durable appends through the host, replay.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adyton_enclave::engine::appender::Appender;
use adyton_enclave::engine::replay::replay;
use adyton_enclave::events::Events;
use adyton_enclave::store::Store;
use adyton_engine::Sealed;
use adyton_engine::sealing::{Place, Records, Sealer};
use adyton_ledger::{Frontier, Head, Keep, Kind, LogId, Record, VaultId, origin};
use adyton_seal::{AeadKey, KeyTree, Label, Nonce, Plaintext, RootKey, Secret, SigningKey};
use adyton_transport::Address;
use adyton_vault::{Channel, Event, EventKind, Sid, SidKind};

use crate::vault::sibling;
use crate::{Beside, Error, Options, Row, disk, postgres};

const OPS: LogId = LogId::from_number(1);
const VAULT: VaultId = VaultId([9; 32]);
const NOW: u64 = 1_800_000_000;
/// As much associated data as an entry has.
const AAD: [u8; 200] = [0; 200];
/// Entries of one batch.
const BATCH: usize = 512;
/// Events of one entry where a busy tenant is meant.
const BUSY: u64 = 64;

/// Writes a log with keys of its own.
struct Writer {
    sealer: Sealer,
    signer: SigningKey,
    frontier: Frontier,
    events: u64,
}

fn keys() -> KeyTree {
    KeyTree::new(&RootKey::new(Secret::init_with(|bytes| bytes.fill(7))), 1)
}

impl Writer {
    fn new() -> Result<Self, Error> {
        let keys = keys();
        Ok(Self {
            sealer: Sealer::new(&keys, VAULT, OPS, [1; 16], 1)?,
            signer: SigningKey::from_seed(&keys.derive(Label::LogSigning, &[])?)?,
            frontier: Frontier::new(),
            events: 0,
        })
    }

    fn records(&mut self, events: u64) -> Records {
        let mut records = Records::default();
        for _ in 0..events {
            self.events += 1;
            let mut sid = [0; 16];
            sid[..8].copy_from_slice(&self.events.to_be_bytes());
            records.push(&Event {
                at: NOW,
                kind: EventKind::VerificationStarted {
                    verification: Sid(sid),
                    account: Sid([1; 16]),
                    service: Sid([2; 16]),
                    channel: Channel::Sms,
                    subject: sid,
                    attempt: Sid(sid),
                    code_length: 6,
                    sent: None,
                    destination: None,
                    custom_code: None,
                },
            });
        }
        records
    }

    /// One batch, sealed, hashed and signed.
    fn batch(&mut self, entries: usize, events: u64) -> Result<Sealed, Error> {
        let expected_size = self.frontier.size();
        let mut sealed: Vec<Record> = Vec::with_capacity(entries);
        for _ in 0..entries {
            let records = self.records(events);
            let place = Place {
                kind: Kind::Ops,
                keep: Keep::UntilSnapshot,
                index: self.frontier.size(),
                time_bucket: NOW / 10,
                tenant: Some(Sid([1; 16]).text(SidKind::Account)),
            };
            let record = self.sealer.seal(&place, &records)?;
            self.frontier.push(record.entry.leaf_hash());
            sealed.push(record);
        }
        let head = Head { origin: origin(&VAULT, OPS), size: self.frontier.size(), root: self.frontier.root() };
        let head = head.sign(&self.signer.public_key(), |text| self.signer.sign(text));
        Ok(Sealed { expected_size, size: self.frontier.size(), records: sealed, head })
    }
}

/// A host of its own over a folder.
struct Host {
    child: Child,
    address: Address,
}

impl Host {
    fn start(folder: &Path) -> Result<Self, Error> {
        let address = Address::Unix(folder.join("host.sock"));
        let child = Command::new(sibling("adyton-host")?)
            .arg("--data")
            .arg(folder.join("log"))
            .args(["--listen", "127.0.0.1:0", "--ingress"])
            .arg(format!("unix:{}", folder.join("enclave.sock").display()))
            .args(["--service", &address.to_string(), "--die-with-parent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { child, address })
    }

    async fn store(&self) -> Result<Store, Error> {
        let began = Instant::now();
        loop {
            match Store::connect(&self.address).await {
                Ok(store) => return Ok(store),
                Err(error) if began.elapsed() > Duration::from_secs(10) => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) async fn run(options: Options, folder: &Path, print: &mut impl FnMut(Row)) -> Result<(), Error> {
    // A Unix socket's path is short.
    let short = tempfile::Builder::new().prefix("adyton-bench-").tempdir()?;
    let sockets = short.path();
    sealing(options, print)?;
    for (busy, append, back) in
        [(1, "append, 1 event an entry", "replay, 1 event an entry"), (BUSY, "append, 64 events", "replay, 64 events")]
    {
        let data = folder.join(format!("log-{busy}"));
        std::fs::create_dir_all(&data)?;
        std::os::unix::fs::symlink(&data, sockets.join(format!("log-{busy}")))?;
        let host = Host::start(&sockets.join(format!("log-{busy}")))?;
        host.store().await?;
        let mut writer = Writer::new()?;
        let mut appender = Appender::start(host.address.clone(), OPS, Events::silent());
        let batches = options.scale(if busy == 1 { 400 } else { 64 });
        let (mut bytes, mut waited) = (0, Duration::ZERO);
        for _ in 0..batches {
            let entries = if busy == 1 { BATCH } else { 64 };
            let sealed = writer.batch(entries, busy)?;
            let frame = sealed.frame(sealed.size, OPS.number())?;
            bytes = frame.len();
            let began = Instant::now();
            if appender.append(frame).await != Ok(sealed.size) {
                return Err("the host refused an append".into());
            }
            waited += began.elapsed();
        }
        let per_batch = writer.events as f64 / batches as f64;
        let limit = disk::synced_writes(folder, bytes, batches)? * per_batch;
        let peer = if options.peers {
            match postgres::measure(options, folder, &Writer::new()?.batch(BATCH, busy)?) {
                Ok(entries) => {
                    Beside::Peer { name: postgres::Cluster::name(), rate: entries * busy as f64, p99_ms: None }
                }
                Err(unavailable) => Beside::NotRun(unavailable),
            }
        } else {
            Beside::Nothing
        };
        print(Row {
            limit: Some(limit),
            peer,
            ..Row::new(append, "events/s", writer.events as f64 / waited.as_secs_f64())
        });
        let keys = keys();
        let began = Instant::now();
        let found = replay(&mut host.store().await?, &keys, VAULT, OPS, &writer.signer.public_key()).await?;
        let rate = found.events as f64 / began.elapsed().as_secs_f64();
        if found.events != writer.events || found.frontier.root() != writer.frontier.root() {
            return Err("the replay is not what was written".into());
        }
        let size = if busy == 1 { 256 } else { 8192 };
        let limit = raw_open(options.scale(if busy == 1 { 400_000 } else { 8_000 }), size)? * busy as f64;
        print(Row { limit: Some(limit), ..Row::new(back, "events/s", rate) });
    }
    Ok(())
}

/// One core: sealing, hashing, tree and head; the limit is AES-256-GCM and SHA-256 of the same bytes.
fn sealing(options: Options, print: &mut impl FnMut(Row)) -> Result<(), Error> {
    let mut writer = Writer::new()?;
    let batches = options.scale(4000);
    let began = Instant::now();
    for _ in 0..batches {
        writer.batch(BATCH, 1)?;
    }
    let took = began.elapsed();
    let entries = (batches * BATCH) as f64;
    print(Row {
        limit: Some(raw(batches * BATCH)?),
        ..Row::new("seal and hash", "entries/s", entries / took.as_secs_f64())
    });
    Ok(())
}

/// AES-256-GCM and SHA-256 and nothing else: seals 256 bytes and hashes what came out.
fn raw(count: usize) -> Result<f64, Error> {
    let key = AeadKey::new(&Secret::init_with(|bytes| bytes.fill(3)))?;
    let mut body = Vec::with_capacity(300);
    let began = Instant::now();
    for index in 0..count {
        let mut plaintext = Plaintext::with_capacity(256);
        plaintext.pad_to(256);
        body.clear();
        key.seal(Nonce::counter(index as u64), &AAD, plaintext, &mut body)?;
        std::hint::black_box(adyton_ledger::sha256(&body));
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// The same the other way: opens bodies of `size` bytes and hashes a leaf for each.
fn raw_open(count: usize, size: usize) -> Result<f64, Error> {
    let key = AeadKey::new(&Secret::init_with(|bytes| bytes.fill(3)))?;
    let (mut plaintext, mut body) = (Plaintext::with_capacity(size), Vec::new());
    plaintext.pad_to(size);
    key.seal(Nonce::counter(1), &AAD, plaintext, &mut body)?;
    let began = Instant::now();
    for _ in 0..count {
        std::hint::black_box(key.open(Nonce::counter(1), &AAD, &body)?);
        std::hint::black_box(adyton_ledger::leaf_hash(&[0; 160]));
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}
