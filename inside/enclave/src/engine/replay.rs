//! Rebuilding the vault from what the host stored (`docs/spec/04-snapshots.md`, "Boot").

use std::fmt;

use adyton_engine::sealing::{BodyError, Opener};
use adyton_engine::snapshot::{Base, SnapshotContext};
use adyton_engine::{Replay, ReplayError};
use adyton_ledger::{Head, LogId, OpsRoot, VaultId, origin};
use adyton_seal::KeyTree;
use adyton_vault::State;

use crate::store::{Store, StoreError};

/// Why the host's log cannot be read.
#[derive(Debug)]
pub enum ReadError {
    /// The store did not answer.
    Store(StoreError),
    /// The answer is not this vault's log.
    Log(ReplayError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Log(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ReplayError> for ReadError {
    fn from(error: ReplayError) -> Self {
        Self::Log(error)
    }
}

impl From<BodyError> for ReadError {
    fn from(error: BodyError) -> Self {
        Self::Log(error.into())
    }
}

/// Replays a whole operations log, which `known` says has been of some size, with some root.
///
/// # Errors
/// [`ReadError`].
pub async fn replay<'a>(
    store: &mut Store,
    keys: &'a KeyTree,
    vault: VaultId,
    log: LogId,
    log_key: &[u8; 32],
    known: Option<&OpsRoot>,
) -> Result<Replay<'a, State>, ReadError> {
    // 1. Size, head and snapshot are hints; the head's signature is checked.
    let status = store.status(log).await?;
    if status.size == 0 {
        return match known.filter(|known| known.size > 0) {
            Some(known) => Err(ReplayError::Older { size: 0, known: known.size }.into()),
            None => Ok(Replay::new(keys, vault, log)),
        };
    }
    let head = Head::open(&status.head, &origin(&vault, log), log_key).map_err(ReplayError::Head)?;
    // 2. The newest snapshot.
    let mut replay = match status.latest_snapshot {
        None => Replay::new(keys, vault, log),
        Some(index) => {
            // The host names the entry, so it must be one that the head covers.
            if index >= head.size {
                return Err(ReplayError::Root.into());
            }
            let (state, base, bucket) = snapshot(store, keys, vault, log, index).await?;
            let mut replay = Replay::from_snapshot(keys, vault, log, state, base);
            // No time of what it covers is later than its own.
            replay.bucket = bucket;
            replay
        }
    };
    if let Some(known) = known {
        replay.require_root(known.size, known.root)?;
    }
    // 3. Everything after it, and 4. the recomputed root is the head's.
    up_to(&mut replay, log, &head, store).await?;
    Ok(replay)
}

/// Takes in what the store has, up to a signed head, and compares the root. After a refusal that is not the store's
/// absence the state may hold what was never written, and is to be dropped.
///
/// # Errors
/// [`ReadError`].
pub async fn up_to(
    replay: &mut Replay<'_, State>,
    log: LogId,
    head: &Head,
    store: &mut Store,
) -> Result<(), ReadError> {
    while replay.frontier.size() < head.size {
        let records = store.read(log, replay.frontier.size(), 4096).await?;
        if records.is_empty() {
            return Err(ReplayError::Root.into());
        }
        for record in &records {
            if replay.frontier.size() < head.size {
                replay.entry(record)?;
            }
        }
    }
    Ok(replay.matches(head)?)
}

async fn snapshot(
    store: &mut Store,
    keys: &KeyTree,
    vault: VaultId,
    log: LogId,
    index: u64,
) -> Result<(State, Base, u64), ReadError> {
    let records = store.read(log, index, 1).await?;
    let record = records.first().ok_or(ReplayError::BodyMissing { index })?;
    let (manifest, boot_id) = Opener::new(keys, vault, log).manifest(record, index)?;
    let mut chunks = Vec::with_capacity(manifest.chunks.len());
    for number in 0..u32::try_from(manifest.chunks.len()).map_err(|_| ReplayError::Body)? {
        chunks.push(store.chunk(log, manifest.id, number).await?);
    }
    let scope = SnapshotContext { keys, vault, log, boot_id };
    let (state, base) = scope.open(&manifest, &chunks)?;
    let header = record.entry.header().map_err(|_| ReplayError::Body)?;
    Ok((state, base, header.time_bucket))
}
