//! Snapshots from a second state that replays the stored log behind the first.
//!
//! 1. read what has become durable, take it into a state of its own (hot bodies are hashed only: nothing needs them);
//! 2. every so many entries, seal that state into chunks and store them;
//! 3. have the writer append the manifest;
//! 4. once it is durable, let the host retire what no boot will need again.
//!
//! It never holds the writer up: if the host is away it waits and begins again where it was.

use std::sync::Arc;

use adyton_frame::Event;
use adyton_ledger::{Frontier, Keep, LogId, Retirement, VaultId};
use adyton_seal::{KeyTree, random};
use adyton_vault::State;
use tokio::time::{Duration, sleep};

use super::replay::{Replay, ReplayError};
use super::snapshot::Scope;
use super::writer::Engine;
use crate::clock::Clock;
use crate::events::Events;
use crate::store::Store;
use adyton_transport::Address;

/// Entries between snapshots.
pub const EVERY: u64 = 16_384;

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
    /// Follows from a state and a frontier, for ever.
    pub async fn run(self, state: State, frontier: Frontier) {
        let mut last = frontier.size();
        let mut replay = Replay::from_snapshot(&self.keys, self.vault, self.log, state, frontier);
        loop {
            sleep(Duration::from_millis(500)).await;
            let Ok(mut store) = Store::connect(&self.service).await else { continue };
            // An error here is the host's: what is wrong with its log will refuse the next boot, and no snapshot is
            // taken from it.
            if self.follow(&mut store, &mut replay).await.is_err() {
                continue;
            }
            if replay.frontier.size() - last >= self.every
                && let Some(covered) = self.snapshot(&mut store, &replay).await
            {
                last = covered;
            }
        }
    }

    async fn follow(&self, store: &mut Store, replay: &mut Replay<'_>) -> Result<(), ReplayError> {
        let durable = self.engine.durable();
        while replay.frontier.size() < durable {
            for record in store.read(self.log, replay.frontier.size(), 1024).await? {
                let keep = record.entry.header().map_err(ReplayError::Entry)?.keep;
                if keep == Keep::UntilSnapshot {
                    replay.hash_only(&record)?;
                } else {
                    replay.entry(&record)?;
                }
            }
        }
        Ok(())
    }

    async fn snapshot(&self, store: &mut Store, replay: &Replay<'_>) -> Option<u64> {
        let scope = Scope { keys: &self.keys, vault: self.vault, log: self.log, boot_id: self.boot_id };
        let (manifest, chunks) = scope.seal(random().ok()?, &replay.state, &replay.frontier).ok()?;
        for (number, chunk) in (0..).zip(chunks) {
            store.put_chunk(self.log, manifest.id, number, chunk).await.ok()?;
        }
        self.engine.append_snapshot(manifest.encode()).await.ok()?;
        self.events.emit(Event::SnapshotTaken { log: self.log.number(), index: manifest.covered });
        let bucket = self.clock.now().saturating_sub(self.retention) / 10;
        let retirement = Retirement { below: manifest.covered, bucket, snapshot: manifest.id };
        // If this is lost, the next snapshot's retirement covers it.
        let _ = store.retire(self.log, retirement).await;
        Some(manifest.covered)
    }
}
