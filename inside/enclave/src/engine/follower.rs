//! Snapshots from a second state that replays the stored log behind the first.
//!
//! 1. read what has become durable, take it into a state of its own (hot bodies are hashed only: nothing needs them);
//! 2. every so many entries, seal that state into chunks and store them;
//! 3. have the writer append the manifest;
//! 4. once it is durable, let the host retire what no boot will need again.
//!
//! It never holds the writer up: if the host is away it waits and begins again where it was. What the host shows is
//! believed only as far as this vault's signed head bears it out. When it does not, that is said once
//! ([`Event::LogFaulty`]) and the second state is built anew from the start; the writer goes on, for what it appends is
//! no worse for it. When the writer has stopped, so does this.

use std::sync::Arc;

use adyton_engine::snapshot::Scope;
use adyton_engine::{Machine, Replay, ReplayError};
use adyton_frame::Event;
use adyton_ledger::{Frontier, Head, LogId, Retirement, VaultId, origin};
use adyton_seal::{KeyTree, random};
use adyton_vault::State;
use tokio::time::{Duration, sleep};

use super::replay::{ReadError, replay, up_to};
use super::writer::Engine;
use crate::clock::Clock;
use crate::events::Events;
use crate::store::Store;
use adyton_transport::Address;

/// Entries between snapshots.
pub const EVERY: u64 = 16_384;
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
    /// Entries that the newest snapshot covers.
    pub covered: u64,
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
    /// Entries between snapshots ([`EVERY`], less in tests).
    pub every: u64,
}

impl Follower {
    /// Follows from a state and a frontier, until the writer stops.
    pub async fn run(self, state: State, frontier: Frontier) {
        let mut second = Some(Replay::from_snapshot(&self.keys, self.vault, self.log, state, frontier));
        let mut connection = None;
        let mut faulty = false;
        // Counted from the last snapshot, not from this boot: a vault that restarts often takes some too.
        let mut tried = self.covered;
        loop {
            sleep(PAUSE).await;
            if self.engine.is_stopped() {
                return;
            }
            let durable = self.engine.durable();
            if second.as_ref().is_some_and(|second| second.frontier.size() >= durable) {
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
                && replay.frontier.size().saturating_sub(tried) >= self.every
            {
                tried = replay.frontier.size();
                replay.state.compact(self.clock.now());
                if self.snapshot(&mut store, replay).await.is_none() {
                    continue;
                }
            }
            connection = Some(store);
        }
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
            None => replay(store, &self.keys, self.vault, self.log, &self.log_key).await.map_err(|error| (0, error))?,
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

    async fn snapshot(&self, store: &mut Store, replay: &Replay<'_, State>) -> Option<()> {
        let scope = Scope { keys: &self.keys, vault: self.vault, log: self.log, boot_id: self.boot_id };
        // 2.
        let (manifest, chunks) = scope.seal(random().ok()?, &replay.state, &replay.frontier).ok()?;
        for (number, chunk) in (0..).zip(chunks) {
            store.put_chunk(self.log, manifest.id, number, chunk).await.ok()?;
        }
        // 3.
        self.engine.append_snapshot(manifest.encode()).await.ok()?;
        self.events.emit(Event::SnapshotTaken { log: self.log.number(), index: manifest.covered });
        // 4.
        let bucket = self.clock.now().saturating_sub(self.retention) / 10;
        let retirement = Retirement { below: manifest.covered, bucket, snapshot: manifest.id, boot_id: self.boot_id };
        // If this is lost, the next snapshot's retirement covers it.
        store.retire(self.log, retirement).await.ok()
    }
}
