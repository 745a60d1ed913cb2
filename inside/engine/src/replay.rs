//! Rebuilding a machine from entries (`docs/spec/04-snapshots.md`, "Boot"), one after the other.

use core::fmt;

use adyton_decider::Record;
use alloc::vec::Vec;

use adyton_ledger::{
    Body, EntryError, Frontier, Hash, Head, HeadError, Header, Kind, LogId, Record as Stored, VaultId,
};
use adyton_seal::KeyTree;
use adyton_wire::Reader;

use crate::sealing::{BodyError, Opened, Opener};
use crate::snapshot::{Base, KnownRoot, Manifest};
use crate::{Machine, Mode};

/// Why a log cannot be replayed: the boot is refused.
#[derive(Debug)]
pub enum ReplayError {
    /// An entry does not decode.
    Entry(EntryError),
    /// An entry's index is not the one that its header has.
    Index,
    /// A body that is needed is missing.
    BodyMissing {
        /// Index of the entry.
        index: u64,
    },
    /// A body or a snapshot does not open.
    Body,
    /// The signed head does not open.
    Head(HeadError),
    /// The entries do not have the root that the head was signed for, or the root that is known of an earlier size.
    Root,
    /// The log has fewer entries than it is known to have had.
    Older {
        /// The log's size.
        size: u64,
        /// The size that it has had.
        known: u64,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(error) => error.fmt(f),
            Self::Index => f.write_str("an entry of the log is out of place"),
            Self::BodyMissing { index } => write!(f, "the body of entry {index} is missing"),
            Self::Body => BodyError.fmt(f),
            Self::Head(error) => error.fmt(f),
            Self::Root => f.write_str("the log is not the one that its head was signed for"),
            Self::Older { size, known } => {
                write!(f, "the log is older than the public log says: it has {size} entries and had {known}")
            }
        }
    }
}

impl core::error::Error for ReplayError {}

impl From<BodyError> for ReplayError {
    fn from(_: BodyError) -> Self {
        Self::Body
    }
}

/// Entries that no snapshot covers; those of kind `snapshot` do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncovered {
    /// Bytes of bodies.
    pub bytes: u64,
    /// Time bucket of the oldest entry.
    pub oldest: Option<u64>,
}

impl Uncovered {
    /// Counts an entry.
    pub(crate) fn add(&mut self, header: &Header, record: &Stored) {
        if header.kind == Kind::Snapshot {
            return;
        }
        let bodies = Body::ALL.iter().filter_map(|body| record.body(*body));
        self.bytes += bodies.map(|body| body.len() as u64).sum::<u64>();
        self.oldest = self.oldest.or(Some(header.time_bucket));
    }
}

/// Rebuilds a machine, entry by entry.
pub struct Replay<'a, M> {
    opener: Opener<'a>,
    /// Number of entries that the snapshot covers from which the replay began.
    pub covered: u64,
    /// The state that survives a restart.
    pub state: M,
    /// The tree so far.
    pub frontier: Frontier,
    /// The last time bucket.
    pub bucket: u64,
    /// Events applied.
    pub events: u64,
    /// Entries replayed since that snapshot.
    pub uncovered: Uncovered,
    /// A size that the log has had, and its root at that size.
    known: Option<(u64, Hash)>,
    /// Roots that the snapshot names.
    roots: Vec<KnownRoot>,
}

impl<'a, M: Machine> Replay<'a, M> {
    /// Begins with the first entry.
    pub fn new(keys: &'a KeyTree, vault: VaultId, log: LogId) -> Self {
        Self::from_snapshot(keys, vault, log, M::default(), Base::default())
    }

    /// Begins behind a snapshot.
    pub fn from_snapshot(keys: &'a KeyTree, vault: VaultId, log: LogId, state: M, base: Base) -> Self {
        let Base { frontier, roots } = base;
        let covered = frontier.size();
        Self {
            opener: Opener::new(keys, vault, log),
            covered,
            state,
            frontier,
            bucket: 0,
            events: 0,
            uncovered: Uncovered::default(),
            known: None,
            roots,
        }
    }

    /// Requires this root at this size. A snapshot that covers the size must name the root.
    ///
    /// # Errors
    /// [`ReplayError::Root`] if the snapshot ends there with another root, or covers it and does
    /// not name it.
    pub fn require_root(&mut self, size: u64, root: Hash) -> Result<(), ReplayError> {
        // Public values.
        if size < self.frontier.size() && !self.roots.contains(&KnownRoot { size, root }) {
            return Err(ReplayError::Root);
        }
        self.known = Some((size, root));
        self.at_known()
    }

    fn at_known(&self) -> Result<(), ReplayError> {
        // Public values.
        let other = |(size, root)| size == self.frontier.size() && root != self.frontier.root();
        if self.known.is_some_and(other) { Err(ReplayError::Root) } else { Ok(()) }
    }

    /// Applies the next entry. After a refusal the machine and the tree are to be dropped.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn entry(&mut self, record: &Stored) -> Result<(), ReplayError> {
        let header = next_header(&self.frontier, record)?;
        let opened = open_whole(&mut self.opener, record, &header)?;
        if header.kind != Kind::Snapshot {
            let (state, events) = (&mut self.state, &mut self.events);
            opened.each(|bytes| {
                let mut reader = Reader::new(bytes);
                let event = M::Event::decode(&mut reader)?;
                reader.finish()?;
                // This boot's own first entry voids what is hot, so only what survives a restart is kept.
                state.apply(event, Mode::Cold);
                *events += 1;
                Ok(())
            })?;
        }
        self.uncovered.add(&header, record);
        self.frontier.push(record.entry.leaf_hash());
        self.bucket = self.bucket.max(header.time_bucket);
        self.at_known()
    }

    /// Compares what was read with a head whose signature was checked.
    ///
    /// # Errors
    /// [`ReplayError::Root`] or [`ReplayError::Older`]. The machine may then hold what was never written: drop it.
    pub fn matches(&self, head: &Head) -> Result<(), ReplayError> {
        if let Some((known, _)) = self.known.filter(|(known, _)| *known > head.size) {
            return Err(ReplayError::Older { size: head.size, known });
        }
        // Public values.
        let same = self.frontier.size() == head.size && self.frontier.root() == head.root;
        if same { Ok(()) } else { Err(ReplayError::Root) }
    }
}

/// The header of the entry that follows.
pub(crate) fn next_header(frontier: &Frontier, record: &Stored) -> Result<Header, ReplayError> {
    let header = record.entry.header().map_err(ReplayError::Entry)?;
    if header.index == frontier.size() { Ok(header) } else { Err(ReplayError::Index) }
}

/// Opens both bodies of an entry, of which none may be missing.
pub(crate) fn open_whole(opener: &mut Opener<'_>, record: &Stored, header: &Header) -> Result<Opened, ReplayError> {
    let missing = |body: &Body| !header.size(*body).is_absent() && record.body(*body).is_none();
    if Body::ALL.iter().any(missing) {
        return Err(ReplayError::BodyMissing { index: header.index });
    }
    Ok(opener.open(record, header)?)
}

impl Opener<'_> {
    /// The manifest that the entry at `index` holds, and the boot that took the snapshot.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn manifest(&mut self, record: &Stored, index: u64) -> Result<(Manifest, [u8; 16]), ReplayError> {
        let header = record.entry.header().map_err(ReplayError::Entry)?;
        if header.kind != Kind::Snapshot || header.index != index {
            return Err(ReplayError::Index);
        }
        if record.kept.is_none() {
            return Err(ReplayError::BodyMissing { index });
        }
        let mut manifest = Err(BodyError);
        self.open(record, &header)?.each(|record| {
            manifest = Manifest::decode(record);
            Ok(())
        })?;
        Ok((manifest?, header.boot_id))
    }
}
