//! Snapshots of what the writer froze, once the stored log was read back.
//!
//! 1. read what has become durable back from the host: every body opens, and the tree has the root that the writer knows;
//! 2. after so many bytes of bodies, or an hour after the oldest entry that no snapshot covers, ask the writer for its state,
//!    frozen at a durable size, and read the log back to that size;
//! 3. write the frozen state on a thread of its own: each chunk leaves before the next but one is sealed. Then read all chunks
//!    back;
//! 4. have the writer append the manifest;
//! 5. once it is durable, and every hour after that, tell the host what may be retired: bodies age without a snapshot too.
//!
//! It never holds the writer up: if the host is away it waits and begins again where it was. Nothing that the
//! host returns is trusted: the writer knows the root of every durable size. When the host
//! shows another log, one event reports it ([`Event::LogFaulty`]) and the log is read again from where
//! it was last right; no snapshot is taken over it. The writer goes on, since its appends do not depend
//! on it. When the writer has stopped, so does this.
//!
//! No second state is held. While a snapshot is taken, the frozen state keeps what the writer has
//! changed since.

use std::sync::{Arc, Mutex, PoisonError};

use adyton_engine::snapshot::{Base, KnownRoot, Manifest, SnapshotContext};
use adyton_engine::{ReadBack, ReplayError, Uncovered};
use adyton_frame::Event;
use adyton_ledger::{Frontier, Hash, LogId, Retirement, VaultId, sha256};
use adyton_seal::{KeyTree, random};
use adyton_transport::Address;
use adyton_vault::{Frozen, State};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, sleep};

use super::Engine;
use super::replay::ReadError;
use crate::clock::Clock;
use crate::events::Events;
use crate::store::Store;

/// Bytes of bodies between snapshots, at the most.
pub const SNAPSHOT_BYTES: u64 = 64 * 1024 * 1024;
/// Seconds until a snapshot covers an entry, at the most.
const SNAPSHOT_SECONDS: u64 = 3600;
/// Seconds after which a snapshot that failed is taken again; twice as many after each further one, up to an hour.
const RETRY_SECONDS: u64 = 60;
/// Seconds between two retirement requests.
const RETIRE_SECONDS: u64 = 3600;
/// Polling interval.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// Entries asked for at a time; a frame holds fewer.
const RECORDS: u32 = 4096;
/// Sealed chunks that wait for the host.
const CHUNKS: usize = 1;

/// Dependencies of the snapshot task.
pub struct Snapshots {
    /// The host.
    pub service: Address,
    /// Keys, to read what the writer wrote.
    pub keys: Arc<KeyTree>,
    /// The vault.
    pub vault: VaultId,
    /// The log.
    pub log: LogId,
    /// Replayed entries that the newest snapshot does not cover.
    pub uncovered: Uncovered,
    /// This boot.
    pub boot_id: [u8; 16],
    /// The writer.
    pub engine: Engine,
    /// Time.
    pub clock: Arc<Clock>,
    /// Operational events.
    pub events: Events,
    /// Seconds that kept bodies stay.
    pub retention: u64,
    /// The last roots of this log that the public log was given.
    pub roots: LastRoots,
    /// Bytes of bodies between snapshots ([`SNAPSHOT_BYTES`], less in tests).
    pub every_bytes: u64,
}

/// The last two roots of a log that were given to the public one. The newer one may not be durable there yet; each waits for
/// the one before.
#[derive(Clone, Default)]
pub struct LastRoots(Arc<Mutex<Vec<KnownRoot>>>);

impl LastRoots {
    /// A root is on record, or about to be.
    pub fn push(&self, size: u64, root: Hash) {
        let mut roots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        roots.push(KnownRoot { size, root });
        let extra = roots.len().saturating_sub(2);
        roots.drain(..extra);
    }

    fn last(&self) -> Vec<KnownRoot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// When a snapshot is taken, and when the host receives a retirement request.
#[derive(Default)]
struct Schedule {
    newest: Option<LatestSnapshot>,
    /// Not before this time: the last one failed.
    retry_at: u64,
    /// Seconds of the last pause; 0 if none failed.
    pause: u64,
}

/// The newest snapshot that this boot took. Until there is one, within an hour of the boot, nothing
/// is retired.
struct LatestSnapshot {
    id: [u8; 16],
    covered: u64,
    /// When the host last took a retirement request.
    retire_requested: Option<u64>,
}

impl LatestSnapshot {
    fn is_due(&self, now: u64) -> bool {
        self.retire_requested.is_none_or(|retire_requested| now >= retire_requested + RETIRE_SECONDS)
    }
}

impl Snapshots {
    /// Reads behind the writer from a frontier, which the boot has compared, until the writer
    /// stops.
    pub async fn run(self, frontier: Frontier) {
        // Counted from the last snapshot, not from this boot: a vault that restarts often takes
        // some too.
        let mut reading = ReadBack::new(&self.keys, self.vault, self.log, frontier, self.uncovered);
        let mut connection = None;
        let mut schedule = Schedule::default();
        let mut faulty = false;
        loop {
            sleep(POLL_INTERVAL).await;
            if self.engine.is_stopped() {
                return;
            }
            if !self.has_work(&reading, &schedule) {
                continue;
            }
            let store = match connection.take() {
                Some(store) => Ok(store),
                None => Store::connect(&self.service).await,
            };
            let Ok(mut store) = store else { continue };
            match self.work(&mut store, &mut reading, &mut schedule).await {
                Ok(()) => {
                    faulty = false;
                    connection = Some(store);
                }
                // The connection is dropped with it, and another one is opened.
                Err(ReadError::Store(_)) => {}
                Err(ReadError::Log(_)) => {
                    if !faulty {
                        self.events.emit(Event::LogFaulty { log: self.log.number(), index: reading.size() });
                    }
                    faulty = true;
                    reading.restart();
                }
            }
        }
    }

    fn has_work(&self, reading: &ReadBack<'_>, schedule: &Schedule) -> bool {
        let now = self.clock.now();
        let is_behind = reading.size() < self.engine.durable_root().0;
        let retires = schedule.newest.as_ref().is_some_and(|newest| newest.is_due(now));
        is_behind || retires || self.is_due(reading, schedule, now)
    }

    fn is_due(&self, reading: &ReadBack<'_>, schedule: &Schedule, now: u64) -> bool {
        let Uncovered { bytes, oldest } = reading.uncovered();
        let is_due = bytes >= self.every_bytes || oldest.is_some_and(|oldest| now >= oldest * 10 + SNAPSHOT_SECONDS);
        is_due && now >= schedule.retry_at
    }

    /// One round of work. A snapshot that fails is taken again after [`RETRY_SECONDS`]; its chunks
    /// stay at the host until a retirement.
    async fn work(
        &self,
        store: &mut Store,
        reading: &mut ReadBack<'_>,
        schedule: &mut Schedule,
    ) -> Result<(), ReadError> {
        let now = self.clock.now();
        // 1.
        let (size, root) = self.engine.durable_root();
        self.read_to(store, reading, size, root).await?;
        if self.is_due(reading, schedule, now) {
            // 2.
            let Some((frozen, frontier)) = self.engine.freeze().await else { return Ok(()) };
            self.read_to(store, reading, frontier.size(), frontier.root()).await?;
            // Each try leaves its chunks at the host until a retirement.
            schedule.pause = (schedule.pause * 2).clamp(RETRY_SECONDS, SNAPSHOT_SECONDS);
            schedule.retry_at = now.saturating_add(schedule.pause);
            if let Some(taken) = self.snapshot(store, frozen, frontier).await? {
                reading.covered();
                *schedule = Schedule { newest: Some(taken), ..Schedule::default() };
            }
        }
        // 5.
        if let Some(newest) = schedule.newest.as_mut().filter(|newest| newest.is_due(now)) {
            let bucket = now.saturating_sub(self.retention) / 10;
            let (below, snapshot) = (newest.covered, newest.id);
            store.retire(self.log, Retirement { below, bucket, snapshot, boot_id: self.boot_id }).await?;
            newest.retire_requested = Some(now);
        }
        Ok(())
    }

    /// Reads the log back to a size that it has had, whose root the writer knows.
    async fn read_to(
        &self,
        store: &mut Store,
        reading: &mut ReadBack<'_>,
        size: u64,
        root: Hash,
    ) -> Result<(), ReadError> {
        if reading.size() >= size {
            return Ok(());
        }
        while reading.size() < size {
            let records = store.read(self.log, reading.size(), RECORDS).await?;
            if records.is_empty() {
                return Err(ReplayError::Root.into());
            }
            for record in &records {
                if reading.size() < size {
                    reading.entry(record)?;
                }
            }
        }
        Ok(reading.compare(root)?)
    }

    /// Steps 3 and 4. `None` if the host does not show what it was given, or the writer has
    /// stopped.
    async fn snapshot(
        &self,
        store: &mut Store,
        frozen: Frozen,
        frontier: Frontier,
    ) -> Result<Option<LatestSnapshot>, ReadError> {
        // 3.
        let Ok(id) = random() else { return Ok(None) };
        let Some(manifest) = self.write(store, id, frozen, frontier).await? else { return Ok(None) };
        for (number, expected) in (0..).zip(&manifest.chunks) {
            let stored = store.chunk(self.log, manifest.id, number).await?;
            // Public values.
            if sha256(&stored) != *expected {
                return Ok(None);
            }
        }
        // 4.
        if self.engine.append_snapshot(manifest.encode()).await.is_err() {
            return Ok(None);
        }
        self.events.emit(Event::SnapshotTaken { log: self.log.number(), index: manifest.covered });
        Ok(Some(LatestSnapshot { id, covered: manifest.covered, retire_requested: None }))
    }

    /// Seals frozen state and has the host keep each chunk.
    async fn write(
        &self,
        store: &mut Store,
        id: [u8; 16],
        frozen: Frozen,
        frontier: Frontier,
    ) -> Result<Option<Manifest>, ReadError> {
        let (give, mut chunks) = mpsc::channel(CHUNKS);
        let (keys, vault, log, boot_id) = (Arc::clone(&self.keys), self.vault, self.log, self.boot_id);
        let base = Base { frontier, roots: self.roots.last() };
        let sealing = spawn_blocking(move || {
            let scope = SnapshotContext { keys: &keys, vault, log, boot_id };
            scope.seal::<State>(id, &frozen, &base, |chunk| give.blocking_send(chunk).is_ok())
        });
        for number in 0.. {
            // If the host fails, the receiver is dropped, and sealing ends.
            let Some(chunk) = chunks.recv().await else { break };
            store.put_chunk(self.log, id, number, chunk).await?;
        }
        Ok(sealing.await.ok().and_then(Result::ok))
    }
}
