//! Snapshots from a second state that replays the stored log behind the first.
//!
//! 1. read what has become durable, take it into a state of its own (hot bodies are hashed only: nothing needs them);
//! 2. after so many bytes of bodies, or an hour after the oldest entry that no snapshot covers, seal that state into chunks,
//!    store them, and read them back;
//! 3. have the writer append the manifest;
//! 4. once it is durable, and every hour after that, tell the host what may be retired: bodies age without a snapshot too.
//!
//! It never holds the writer up: if the host is away it waits and begins again where it was. What the host shows is
//! believed only as far as this vault's signed head bears it out. When it does not, that is said once
//! ([`Event::LogFaulty`]) and the second state is built anew from the start; the writer goes on, for what it appends is
//! no worse for it. When the writer has stopped, so does this.

use std::sync::Arc;

use adyton_engine::snapshot::Scope;
use adyton_engine::{Machine, Replay, ReplayError, Uncovered};
use adyton_frame::Event;
use adyton_ledger::{Frontier, Head, LogId, Retirement, VaultId, origin, sha256};
use adyton_seal::{KeyTree, random};
use adyton_vault::State;
use tokio::time::{Duration, sleep};

use super::replay::{ReadError, replay, up_to};
use super::writer::Engine;
use crate::clock::Clock;
use crate::events::Events;
use crate::store::Store;
use adyton_transport::Address;

/// Bytes of bodies between snapshots, at the most.
pub const EVERY_BYTES: u64 = 64 * 1024 * 1024;
/// Seconds after which an entry is covered by a snapshot.
const EVERY_SECONDS: u64 = 3600;
/// Seconds between two times that the host is told what may be retired.
const RETIRE_SECONDS: u64 = 3600;
/// Wait between two looks at what the writer has made durable.
const PAUSE: Duration = Duration::from_millis(500);

/// What the follower needs.
pub struct Follower {
    /// The host.
    pub service: Address,
    /// Keys, to read what the writer wrote.
    pub keys: Arc<KeyTree>,
    /// The vault.
    pub vault: VaultId,
    /// The log.
    pub log: LogId,
    /// The key that signs the log's heads.
    pub log_key: [u8; 32],
    /// What the newest snapshot does not cover of what this boot has replayed.
    pub uncovered: Uncovered,
    /// This boot.
    pub boot_id: [u8; 16],
    /// The writer.
    pub engine: Engine,
    /// Time.
    pub clock: Arc<Clock>,
    /// Words to the outside.
    pub events: Events,
    /// Seconds that bodies are kept after a snapshot.
    pub retention: u64,
    /// Bytes of bodies between snapshots ([`EVERY_BYTES`], less in tests).
    pub every_bytes: u64,
}

/// The newest snapshot that this boot took. Until there is one, within an hour of the boot, nothing is retired.
struct Newest {
    id: [u8; 16],
    covered: u64,
    /// When the host last took what may be retired.
    told: Option<u64>,
}

impl Newest {
    fn is_due(&self, now: u64) -> bool {
        self.told.is_none_or(|told| now >= told + RETIRE_SECONDS)
    }
}

impl Follower {
    /// Follows from a state and a frontier, until the writer stops.
    pub async fn run(self, state: State, frontier: Frontier) {
        let mut second = Replay::from_snapshot(&self.keys, self.vault, self.log, state, frontier);
        // Counted from the last snapshot, not from this boot: a vault that restarts often takes some too.
        second.uncovered = self.uncovered;
        let mut second = Some(second);
        let mut connection = None;
        let mut newest: Option<Newest> = None;
        let mut faulty = false;
        loop {
            sleep(PAUSE).await;
            if self.engine.is_stopped() {
                return;
            }
            let (durable, now) = (self.engine.durable(), self.clock.now());
            let is_up =
                second.as_ref().is_some_and(|second| second.frontier.size() >= durable && !self.is_due(second, now));
            if is_up && !newest.as_ref().is_some_and(|newest| newest.is_due(now)) {
                continue;
            }
            let mut store = match connection.take() {
                Some(store) => store,
                None => match Store::connect(&self.service).await {
                    Ok(store) => store,
                    Err(_) => continue,
                },
            };
            // 1.
            if let Err((index, error)) = self.follow(&mut store, &mut second).await {
                if !matches!(error, ReadError::Store(_)) && !faulty {
                    faulty = true;
                    self.events.emit(Event::LogFaulty { log: self.log.number(), index });
                }
                continue;
            }
            faulty = false;
            // Whether it succeeds or not: chunks of a snapshot that no entry names stay until the next one's retirement.
            if let Some(replay) = &mut second
                && self.is_due(replay, now)
            {
                replay.uncovered = Uncovered::default();
                replay.state.compact(now);
                match self.snapshot(&mut store, replay).await {
                    Some(taken) => newest = Some(taken),
                    None => continue,
                }
            }
            // 4.
            if let Some(newest) = newest.as_mut().filter(|newest| newest.is_due(now)) {
                match self.retire(&mut store, newest).await {
                    Some(()) => newest.told = Some(now),
                    None => continue,
                }
            }
            connection = Some(store);
        }
    }

    fn is_due(&self, replay: &Replay<'_, State>, now: u64) -> bool {
        let Uncovered { bytes, oldest } = replay.uncovered;
        bytes >= self.every_bytes || oldest.is_some_and(|oldest| now >= oldest * 10 + EVERY_SECONDS)
    }

    /// Brings the second state up to the newest signed head. On a refusal, where that was and why; the state is gone
    /// unless only the host was.
    async fn follow<'a>(
        &'a self,
        store: &mut Store,
        second: &mut Option<Replay<'a, State>>,
    ) -> Result<(), (u64, ReadError)> {
        let mut behind = match second.take() {
            Some(behind) => behind,
            None => replay(store, &self.keys, self.vault, self.log, &self.log_key, None)
                .await
                .map_err(|error| (0, error))?,
        };
        let done = self.up_to_head(store, &mut behind).await.map_err(|error| (behind.frontier.size(), error));
        if matches!(done, Ok(()) | Err((_, ReadError::Store(_)))) {
            *second = Some(behind);
        }
        done
    }

    async fn up_to_head(&self, store: &mut Store, behind: &mut Replay<'_, State>) -> Result<(), ReadError> {
        let status = store.status(self.log).await?;
        let head = Head::open(&status.head, &origin(&self.vault, self.log), &self.log_key);
        up_to(behind, self.log, &head.map_err(ReplayError::Head)?, store).await
    }

    async fn snapshot(&self, store: &mut Store, replay: &Replay<'_, State>) -> Option<Newest> {
        let scope = Scope { keys: &self.keys, vault: self.vault, log: self.log, boot_id: self.boot_id };
        // 2.
        let (manifest, chunks) = scope.seal::<State>(random().ok()?, &replay.state.freeze(), &replay.frontier).ok()?;
        for (number, chunk) in (0..).zip(chunks) {
            store.put_chunk(self.log, manifest.id, number, chunk).await.ok()?;
        }
        // A snapshot counts once the host has shown all of it again.
        for (number, expected) in (0..).zip(&manifest.chunks) {
            let stored = store.chunk(self.log, manifest.id, number).await.ok()?;
            // Public values.
            (sha256(&stored) == *expected).then_some(())?;
        }
        // 3.
        self.engine.append_snapshot(manifest.encode()).await.ok()?;
        self.events.emit(Event::SnapshotTaken { log: self.log.number(), index: manifest.covered });
        Some(Newest { id: manifest.id, covered: manifest.covered, told: None })
    }

    async fn retire(&self, store: &mut Store, newest: &Newest) -> Option<()> {
        let bucket = self.clock.now().saturating_sub(self.retention) / 10;
        let Newest { id: snapshot, covered: below, .. } = *newest;
        store.retire(self.log, Retirement { below, bucket, snapshot, boot_id: self.boot_id }).await.ok()
    }
}
