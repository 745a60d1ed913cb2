//! Rows of the log alone: sealing and hashing, durable appends through the host, replay. Those of a long log's boot are in [`boot`].

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use adyton_enclave::engine::log_writer::LogWriter;
use adyton_enclave::engine::replay::replay;
use adyton_enclave::events::Events;
use adyton_enclave::store::Store;
use adyton_engine::Sealed;
use adyton_engine::sealing::{Operation, Operations, Place, Sealer};
use adyton_ledger::{Frontier, Head, Kind, LogId, Size, VaultId, origin};
use adyton_seal::{AeadKey, KeyTree, Label, Nonce, Plaintext, RootKey, Secret, SigningKey};
use adyton_transport::Address;
use adyton_vault::{AccountId, AttemptId, Channel, Event, EventKind, ServiceId, Subject, VerificationId, verification};

use crate::vault::sibling;
use crate::{Beside, Error, Options, Row, boot, disk, postgres};

pub(crate) const OPS: LogId = LogId::from_number(1);
pub(crate) const VAULT: VaultId = VaultId([9; 32]);
pub(crate) const NOW: u64 = 1_800_000_000;
/// As much associated data as an entry has.
const AAD: [u8; 200] = [0; 200];
/// Operations of one batch of a busy vault, each of one event.
pub(crate) const BUSY: usize = 512;
/// The same where few wait together.
const CALM: usize = 16;

/// Writes a log with keys of its own.
pub(crate) struct Writer {
    sealer: Sealer,
    pub(crate) signer: SigningKey,
    pub(crate) frontier: Frontier,
    pub(crate) events: u64,
}

pub(crate) fn keys() -> KeyTree {
    KeyTree::new(&RootKey::new(Secret::init_with(|bytes| bytes.fill(7))), 1)
}

impl Writer {
    pub(crate) fn new() -> Result<Self, Error> {
        let keys = keys();
        Ok(Self {
            sealer: Sealer::new(&keys, VAULT, OPS, [1; 16], 1)?,
            signer: SigningKey::from_seed(&keys.derive(Label::LogSigning, &[])?)?,
            frontier: Frontier::new(),
            events: 0,
        })
    }

    /// One batch of starts, sealed, hashed and signed.
    fn batch(&mut self, count: usize) -> Result<Sealed, Error> {
        let mut operations = Operations::default();
        for _ in 0..count {
            let start = self.start();
            add(&mut operations, start)?;
        }
        self.seal(&operations)
    }

    /// The event of a start of its own.
    pub(crate) fn start(&mut self) -> EventKind {
        let sid = self.next_sid();
        verification::Event::VerificationStarted {
            verification: VerificationId::from_bytes(sid),
            account: AccountId::from_bytes([1; 16]),
            service: ServiceId::from_bytes([2; 16]),
            channel: Channel::Sms,
            subject: Subject::from_bytes(sid),
            attempt: AttemptId::from_bytes(sid),
            code_length: 6,
            sent: None,
            destination: None,
            custom_code: None,
            slot_key: None,
        }
        .into()
    }

    /// The bytes of an id that no other event has, and one event more.
    pub(crate) fn next_sid(&mut self) -> [u8; 16] {
        self.events += 1;
        let mut sid = [0; 16];
        sid[..8].copy_from_slice(&self.events.to_be_bytes());
        sid
    }

    /// Seals, hashes and signs a batch.
    pub(crate) fn seal(&mut self, operations: &Operations) -> Result<Sealed, Error> {
        let expected_size = self.frontier.size();
        let place = Place { kind: Kind::Ops, index: expected_size, time_bucket: NOW / 10 };
        let record = self.sealer.seal(&place, operations)?;
        self.frontier.push(record.entry.leaf_hash());
        let head = Head { origin: origin(&VAULT, OPS), size: self.frontier.size(), root: self.frontier.root() };
        let head = head.sign(&self.signer.public_key(), |text| self.signer.sign(text));
        Ok(Sealed { expected_size, size: self.frontier.size(), record, head })
    }
}

/// Adds an operation of one event.
pub(crate) fn add(operations: &mut Operations, kind: EventKind) -> Result<(), Error> {
    let mut operation = Operation::default();
    operation.push(&Event { at: NOW, kind });
    if operations.add(&operation) { Ok(()) } else { Err("a batch does not hold its operations".into()) }
}

/// A host of its own over a folder.
pub(crate) struct Host {
    child: Child,
    pub(crate) address: Address,
}

impl Host {
    pub(crate) fn start(folder: &Path) -> Result<Self, Error> {
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

    pub(crate) async fn store(&self) -> Result<Store, Error> {
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
    for (count, append, back) in [
        (CALM, "append, 16 operations a batch", "replay, 16 operations a batch"),
        (BUSY, "append, 512 operations a batch", "replay, 512 operations a batch"),
    ] {
        let data = folder.join(format!("log-{count}"));
        std::fs::create_dir_all(&data)?;
        std::os::unix::fs::symlink(&data, sockets.join(format!("log-{count}")))?;
        let host = Host::start(&sockets.join(format!("log-{count}")))?;
        host.store().await?;
        let mut writer = Writer::new()?;
        let mut log = LogWriter::start(host.address.clone(), OPS, Events::silent());
        let batches = options.scale(400);
        let (mut bytes, mut waited) = (0, Duration::ZERO);
        for _ in 0..batches {
            let sealed = writer.batch(count)?;
            let frame = sealed.frame(sealed.size, OPS.number())?;
            bytes = frame.len();
            let began = Instant::now();
            log.send(&sealed).map_err(|_| "the host refused an append")?;
            log.settle().await.map_err(|_| "the host refused an append")?;
            waited += began.elapsed();
        }
        let per_batch = writer.events as f64 / batches as f64;
        let limit = disk::synced_writes(folder, bytes, batches)? * per_batch;
        let peer = if options.peers {
            match postgres::measure(options, folder, &Writer::new()?.batch(count)?) {
                Ok(batches) => {
                    Beside::Peer { name: postgres::Cluster::name(), rate: batches * count as f64, p99_ms: None }
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
        let found = replay(&mut host.store().await?, &keys, VAULT, OPS, &writer.signer.public_key(), None).await?;
        let rate = found.events as f64 / began.elapsed().as_secs_f64();
        if found.events != writer.events || found.frontier.root() != writer.frontier.root() {
            return Err("the replay is not what was written".into());
        }
        let limit = raw_open(options.scale(8_000), size_of(count))? * count as f64;
        print(Row { limit: Some(limit), ..Row::new(back, "events/s", rate) });
    }
    let data = folder.join("log-boot");
    std::fs::create_dir_all(&data)?;
    std::os::unix::fs::symlink(&data, sockets.join("log-boot"))?;
    boot::run(&sockets.join("log-boot"), print).await
}

/// One core: sealing, hashing, tree and head; the limit is AES-256-GCM and SHA-256 of the same bytes.
fn sealing(options: Options, print: &mut impl FnMut(Row)) -> Result<(), Error> {
    let mut writer = Writer::new()?;
    let batches = options.scale(4000);
    let began = Instant::now();
    for _ in 0..batches {
        writer.batch(BUSY)?;
    }
    let took = began.elapsed();
    let operations = (batches * BUSY) as f64;
    print(Row {
        limit: Some(raw(batches)? * BUSY as f64),
        ..Row::new("seal and hash", "operations/s", operations / took.as_secs_f64())
    });
    Ok(())
}

/// Bytes of the hot body of a batch: about 100 an operation.
fn size_of(count: usize) -> usize {
    Size::holding(count * 100).unwrap_or_default().bytes()
}

/// AES-256-GCM and SHA-256 and nothing else: seals the body of a busy batch and hashes what came out.
fn raw(count: usize) -> Result<f64, Error> {
    let key = AeadKey::new(&Secret::init_with(|bytes| bytes.fill(3)))?;
    let size = size_of(BUSY);
    let mut body = Vec::with_capacity(size + 16);
    let began = Instant::now();
    for index in 0..count {
        let mut plaintext = Plaintext::with_capacity(size);
        plaintext.pad_to(size);
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
        std::hint::black_box(adyton_ledger::leaf_hash(&[0; 176]));
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}
