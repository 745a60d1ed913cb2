//! The store that keeps a vault's logs on the untrusted side.
//!
//! Small on purpose: append at an expected size, read, keep and drop the bytes of snapshots. Nothing here is trusted
//! by the vault; what it needs to believe it checks against signed heads. The host implements it over redb
//! (`adyton-host`), [`crate::MemoryStore`] implements it for tests and tools, and faults are injected by wrapping it.
//!
//! Bytes: `docs/spec/01-frames.md` (append, store), `docs/spec/04-snapshots.md` (retention).

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Entry, Keep, LogId};

/// One entry and the body that is kept beside it, as they are appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The 160-byte leaf of the log.
    pub entry: Entry,
    /// The body whose SHA-256 the entry carries: sealed for operations logs, public for `gov`.
    pub body: Vec<u8>,
}

/// One entry as it is read back; its body may have been retired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The 160-byte leaf of the log.
    pub entry: Entry,
    /// The body, or `None` once [`LogStore::retire`] took it.
    pub body: Option<Vec<u8>>,
}

/// What a store says of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Number of entries.
    pub size: u64,
    /// Index of the newest entry of kind `snapshot`.
    pub latest_snapshot: Option<u64>,
    /// The newest signed head; empty while `size` is 0.
    pub head: String,
}

/// How an append that reached the store ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// All records are durable, now or since an earlier try with the same bytes.
    Appended {
        /// Size after the append.
        size: u64,
    },
    /// Another writer was here: the store's size, and nothing was changed.
    Conflict {
        /// Size the store has.
        size: u64,
    },
}

/// Which bodies and chunks may go (`docs/spec/04-snapshots.md`, retention).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retirement {
    /// Bodies at or above this index stay.
    pub below: u64,
    /// Below `below`, bodies of keep 1 go too when their time bucket is lower than this.
    pub bucket: u64,
    /// Chunks of every other snapshot of the log go.
    pub snapshot: [u8; 16],
    /// The boot that asks. Nothing goes unless the log's newest entry is of this boot: an enclave that was overtaken
    /// would take away the chunks of the one that overtook it.
    pub boot_id: [u8; 16],
}

/// Reading a log, enough for `adyton log check`.
pub trait LogReader {
    /// Why the store could not answer.
    type Error;

    /// Size, newest head and newest snapshot of `log`; an unknown log is empty.
    fn status(&self, log: LogId) -> Result<Status, Self::Error>;

    /// Records from index `from`, at most `max` of them and about `max_bytes` bytes, but at least one if there is one.
    fn read(&self, log: LogId, from: u64, max: u32, max_bytes: usize) -> Result<Vec<StoredRecord>, Self::Error>;

    /// Signed heads kept, of size `from` or more, ascending, at most `max`.
    fn heads(&self, log: LogId, from: u64, max: u32) -> Result<Vec<String>, Self::Error>;

    /// The stored bytes of a full tile (8192), or `None` if it is not built yet.
    fn tile(&self, log: LogId, level: u8, number: u64) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// A store that can also write.
pub trait LogStore: LogReader {
    /// Appends `records` and `head` durably, all or nothing, if the log has `expected_size` entries. A repeat of the
    /// last append with the same entries answers `Appended` and changes nothing.
    fn append(
        &mut self,
        log: LogId,
        expected_size: u64,
        records: &[Record],
        head: &str,
    ) -> Result<AppendOutcome, Self::Error>;

    /// Keeps one sealed chunk of a snapshot, replacing an equal-named one.
    fn put_chunk(&mut self, log: LogId, snapshot: [u8; 16], number: u32, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Reads one sealed chunk.
    fn chunk(&self, log: LogId, snapshot: [u8; 16], number: u32) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Drops bodies and chunks that are no longer needed, unless another boot has written since ([`overtaken`]).
    fn retire(&mut self, log: LogId, retirement: Retirement) -> Result<(), Self::Error>;
}

/// Whether the newest head, of size `old`, is kept for good when one of size `new` follows: the last one of every
/// 256 entries is.
pub fn head_is_kept(old: u64, new: u64) -> bool {
    old / 256 != new / 256
}

/// Whether an append at `expected_size` was already carried out by a store of `size` entries, whose last ones are read
/// by `entry`: every entry of the request stands at its place and nothing stands after them.
///
/// # Errors
/// Whatever `entry` says.
pub fn is_repeat<E>(
    size: u64,
    expected_size: u64,
    records: &[Record],
    mut entry: impl FnMut(u64) -> Result<Option<Entry>, E>,
) -> Result<bool, E> {
    if records.is_empty() || expected_size.checked_add(records.len() as u64) != Some(size) {
        return Ok(false);
    }
    for (index, record) in (expected_size..).zip(records) {
        if entry(index)?.as_ref() != Some(&record.entry) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether another boot than the one that asks has written the log's newest entry.
pub fn overtaken(retirement: &Retirement, newest: Option<&Entry>) -> bool {
    newest.and_then(|entry| entry.header().ok()).is_none_or(|header| header.boot_id != retirement.boot_id)
}

/// Whether a retirement takes the body of this entry. An entry that does not decode keeps its body.
pub fn retires(retirement: &Retirement, entry: &Entry) -> bool {
    let Ok(header) = entry.header() else { return false };
    header.index < retirement.below
        && match header.keep {
            Keep::UntilSnapshot => true,
            Keep::Retention => header.time_bucket < retirement.bucket,
            Keep::Forever => false,
        }
}
