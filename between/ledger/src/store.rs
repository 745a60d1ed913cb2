//! The store that keeps a vault's logs on the untrusted side.
//!
//! Small on purpose: append at an expected size, read, keep and drop the bytes of snapshots. Nothing here is trusted
//! by the vault; what it needs to believe it checks against signed heads. The host implements it over redb
//! (`adyton-host`), [`crate::MemoryStore`] implements it for tests and tools, and faults are injected by wrapping it.
//!
//! Bytes: `docs/spec/01-frames.md` (append, store), `docs/spec/04-snapshots.md` (retention).

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Body, Entry, Kind, LogId};

/// One entry and its bodies, sealed for operations logs, public for `gov`. A body is missing if the entry has none, and in
/// what is read back also once [`LogStore::retire`] took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The 176-byte leaf of the log.
    pub entry: Entry,
    /// The hot body.
    pub hot: Option<Vec<u8>>,
    /// The kept body.
    pub kept: Option<Vec<u8>>,
}

impl Record {
    /// One of the bodies.
    pub fn body(&self, body: Body) -> Option<&[u8]> {
        match body {
            Body::Hot => self.hot.as_deref(),
            Body::Kept => self.kept.as_deref(),
        }
    }

    /// Bytes that it takes in a store.
    pub fn stored_len(&self) -> usize {
        let body = |body| self.body(body).map_or(0, <[u8]>::len);
        self.entry.as_bytes().len() + body(Body::Hot) + body(Body::Kept)
    }
}

/// Status of one log in a store.
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
    /// The record is durable, now or since an earlier try with the same bytes.
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
    /// Bodies at or above this index stay; below it hot bodies go.
    pub below: u64,
    /// Below `below`, kept bodies go too when their time bucket is lower than this.
    pub bucket: u64,
    /// Chunks of every other snapshot of the log go.
    pub snapshot: [u8; 16],
    /// The boot that asks. Nothing is deleted unless the log's newest entry is of this boot: an
    /// enclave that was fenced would delete the chunks of its successor.
    pub boot_id: [u8; 16],
}

/// Reading a log, enough for `adyton log check`.
pub trait LogReader {
    /// Why the store could not answer.
    type Error;

    /// Size, newest head and newest snapshot of `log`; an unknown log is empty.
    fn status(&self, log: LogId) -> Result<Status, Self::Error>;

    /// Records from index `from`, at most `max` of them and about `max_bytes` bytes, but at least one if there is one.
    fn read(&self, log: LogId, from: u64, max: u32, max_bytes: usize) -> Result<Vec<Record>, Self::Error>;

    /// Signed heads kept, of size `from` or more, ascending, at most `max`.
    fn heads(&self, log: LogId, from: u64, max: u32) -> Result<Vec<String>, Self::Error>;

    /// The stored bytes of a full tile (8192), or `None` if it is not built yet.
    fn tile(&self, log: LogId, level: u8, number: u64) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// A store that can also write.
pub trait LogStore: LogReader {
    /// Appends `record` and `head` durably, both or neither, if the log has `expected_size` entries. A repeat of the
    /// last append with the same entry answers `Appended` and changes nothing.
    fn append(
        &mut self,
        log: LogId,
        expected_size: u64,
        record: &Record,
        head: &str,
    ) -> Result<AppendOutcome, Self::Error>;

    /// Keeps one sealed chunk of a snapshot, replacing an equal-named one.
    fn put_chunk(&mut self, log: LogId, snapshot: [u8; 16], number: u32, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Reads one sealed chunk.
    fn chunk(&self, log: LogId, snapshot: [u8; 16], number: u32) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Drops bodies and chunks that are no longer needed, unless another boot has written since
    /// ([`is_fenced`]).
    fn retire(&mut self, log: LogId, retirement: Retirement) -> Result<(), Self::Error>;
}

/// Whether the newest head, of size `old`, is kept permanently when one of size `new` follows: the
/// last one of every 256 entries is.
pub fn head_is_kept(old: u64, new: u64) -> bool {
    old / 256 != new / 256
}

/// Whether an append at `expected_size` was already carried out by a store of `size` entries with this newest one: the
/// request's entry stands at its place and nothing stands after it.
pub fn is_repeat(size: u64, newest: Option<&Entry>, expected_size: u64, record: &Record) -> bool {
    expected_size.checked_add(1) == Some(size) && newest == Some(&record.entry)
}

/// Whether another boot than the one that asks has written the log's newest entry.
pub fn is_fenced(retirement: &Retirement, newest: Option<&Entry>) -> bool {
    newest.and_then(|entry| entry.header().ok()).is_none_or(|header| header.boot_id != retirement.boot_id)
}

/// Whether a retirement takes this body of this entry. An entry that does not decode keeps its bodies, and so does one of
/// the public log.
pub fn retires(retirement: &Retirement, entry: &Entry, body: Body) -> bool {
    let Ok(header) = entry.header() else { return false };
    header.kind != Kind::Gov
        && header.index < retirement.below
        && (body == Body::Hot || header.time_bucket < retirement.bucket)
}
