//! Rebuilding a shard from what the host stored (`docs/spec/04-snapshots.md`, "Boot").

use adyton_ledger::{EntryError, Frontier, Head, HeadError, Header, Kind, LogId, StoredRecord, VaultId, origin};
use adyton_seal::KeyTree;
use adyton_vault::{Event, Record as _, State};

use super::sealing::{BodyError, Opener};
use super::snapshot::{Manifest, Scope};
use crate::store::{Store, StoreError};

/// Why a log cannot be replayed. The boot is refused; the vault never guesses.
#[derive(Debug)]
pub enum ReplayError {
    /// The store did not answer.
    Store(StoreError),
    /// An entry does not decode.
    Entry(EntryError),
    /// An entry stands at another place than its header says.
    Index,
    /// A body that is needed is missing.
    BodyMissing {
        /// Where.
        index: u64,
    },
    /// A body or a snapshot does not open.
    Body,
    /// The signed head does not open.
    Head(HeadError),
    /// The entries are not those that the head was signed for.
    Root,
}

impl std::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Entry(error) => error.fmt(f),
            Self::Index => f.write_str("an entry of the log is out of place"),
            Self::BodyMissing { index } => write!(f, "the body of entry {index} is missing"),
            Self::Body => BodyError.fmt(f),
            Self::Head(error) => error.fmt(f),
            Self::Root => f.write_str("the log is not the one that its head was signed for"),
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<StoreError> for ReplayError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<BodyError> for ReplayError {
    fn from(_: BodyError) -> Self {
        Self::Body
    }
}

/// A shard's state as it is rebuilt, entry by entry.
pub struct Replay<'a> {
    opener: Opener<'a>,
    log: LogId,
    /// Entries that the snapshot it began at covers.
    pub covered: u64,
    /// What survives a restart.
    pub state: State,
    /// The tree so far.
    pub frontier: Frontier,
    /// The last time bucket.
    pub bucket: u64,
    /// Events seen.
    pub events: u64,
}

impl<'a> Replay<'a> {
    /// Begins at nothing.
    pub fn new(keys: &'a KeyTree, vault: VaultId, log: LogId) -> Self {
        Self::from_snapshot(keys, vault, log, State::new(), Frontier::new())
    }

    /// Begins at a snapshot.
    pub fn from_snapshot(keys: &'a KeyTree, vault: VaultId, log: LogId, state: State, frontier: Frontier) -> Self {
        let covered = frontier.size();
        Self { opener: Opener::new(keys, vault, log), log, covered, state, frontier, bucket: 0, events: 0 }
    }

    /// Takes the next entry in. One that is refused changes nothing: it can be asked for again, and is never passed over.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn entry(&mut self, record: &StoredRecord) -> Result<(), ReplayError> {
        let header = self.next_header(record)?;
        let body = record.body.as_ref().ok_or(ReplayError::BodyMissing { index: header.index })?;
        let (state, events) = (&mut self.state, &mut self.events);
        self.opener.open(&record.entry, &header, body, |bytes| {
            if header.kind != Kind::Snapshot {
                // What was hot is void after this boot's own first entry: only what survives is kept.
                state.evolve_cold(Event::decode_all(bytes).map_err(|_| BodyError)?);
                *events += 1;
            }
            Ok(())
        })?;
        self.push(record, &header);
        Ok(())
    }

    /// Takes in what the store has, up to a signed head, and compares the root. After a refusal that is not the
    /// store's absence the state may hold what was never written, and is to be dropped.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub async fn up_to(&mut self, head: &Head, store: &mut Store) -> Result<(), ReplayError> {
        while self.frontier.size() < head.size {
            let records = store.read(self.log, self.frontier.size(), 4096).await?;
            if records.is_empty() {
                return Err(ReplayError::Root);
            }
            for record in &records {
                if self.frontier.size() < head.size {
                    self.entry(record)?;
                }
            }
        }
        // Public values.
        if self.frontier.size() == head.size && self.frontier.root() == head.root {
            Ok(())
        } else {
            Err(ReplayError::Root)
        }
    }

    fn next_header(&self, record: &StoredRecord) -> Result<Header, ReplayError> {
        let header = record.entry.header().map_err(ReplayError::Entry)?;
        if header.index == self.frontier.size() { Ok(header) } else { Err(ReplayError::Index) }
    }

    fn push(&mut self, record: &StoredRecord, header: &Header) {
        self.frontier.push(record.entry.leaf_hash());
        self.bucket = self.bucket.max(header.time_bucket);
    }
}

/// Replays a whole operations log.
///
/// # Errors
/// [`ReplayError`].
pub async fn replay<'a>(
    store: &mut Store,
    keys: &'a KeyTree,
    vault: VaultId,
    log: LogId,
    log_key: &[u8; 32],
) -> Result<Replay<'a>, ReplayError> {
    // 1. Size, head and snapshot are hints; the head's signature is checked.
    let status = store.status(log).await?;
    if status.size == 0 {
        return Ok(Replay::new(keys, vault, log));
    }
    let head = Head::open(&status.head, &origin(&vault, log), log_key).map_err(ReplayError::Head)?;
    // 2. The newest snapshot.
    let mut replay = match status.latest_snapshot {
        None => Replay::new(keys, vault, log),
        Some(index) => {
            let (state, frontier) = snapshot(store, keys, vault, log, index).await?;
            Replay::from_snapshot(keys, vault, log, state, frontier)
        }
    };
    // 3. Everything after it, and 4. the recomputed root is the head's.
    replay.up_to(&head, store).await?;
    Ok(replay)
}

async fn snapshot(
    store: &mut Store,
    keys: &KeyTree,
    vault: VaultId,
    log: LogId,
    index: u64,
) -> Result<(State, Frontier), ReplayError> {
    let records = store.read(log, index, 1).await?;
    let record = records.first().ok_or(ReplayError::BodyMissing { index })?;
    let header = record.entry.header().map_err(ReplayError::Entry)?;
    if header.kind != Kind::Snapshot || header.index != index {
        return Err(ReplayError::Index);
    }
    let body = record.body.as_ref().ok_or(ReplayError::BodyMissing { index })?;
    let mut manifest = Err(BodyError);
    Opener::new(keys, vault, log).open(&record.entry, &header, body, |record| {
        manifest = Manifest::decode(record);
        Ok(())
    })?;
    let manifest = manifest?;
    let mut chunks = Vec::with_capacity(manifest.chunks.len());
    for number in 0..u32::try_from(manifest.chunks.len()).map_err(|_| ReplayError::Body)? {
        chunks.push(store.chunk(log, manifest.id, number).await?);
    }
    let scope = Scope { keys, vault, log, boot_id: header.boot_id };
    Ok(scope.open(&manifest, &chunks)?)
}
