//! Recomputing a vault's logs from a store: what `adyton log check` says.
//!
//! The numbered procedure is `docs/spec/03-heads.md`, "What `adyton log check` recomputes":
//!
//! 1. entry 0 of `gov` is the genesis; it names the vault and the key of all heads;
//! 2. headers, places, buckets, bodies;
//! 3. the tree against every head and every stored tile;
//! 4. boots and hourly roots of `gov` against what the logs hold.
//!
//! It streams: memory does not grow with the log. Limits: a store that shows an older, complete log passes, because
//! nothing in the log says what is newest (DESIGN §6). It opens no body.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::{
    EntryError, Frontier, Genesis, GovError, GovRecord, Hash, Head, HeadError, Keep, Kind, LogId, LogReader, OpsRoot,
    Status, StoredRecord, TileBuilder, VaultId, origin,
};

const RECORDS: u32 = 1024;
const BYTES: usize = 768 * 1024;

/// The rule that a log breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The vault has no genesis, or a second one.
    Genesis,
    /// The header does not decode.
    Header(EntryError),
    /// The header's index is not its place.
    Index {
        /// What the header says.
        got: u64,
    },
    /// The kind does not belong in this log.
    Kind(Kind),
    /// The time bucket is lower than the one before.
    TimeBucket,
    /// The body does not have the entry's hash or length.
    Body,
    /// The body is missing where it cannot have been retired.
    BodyMissing,
    /// A public record does not decode.
    Record(GovError),
    /// The boot id is not one that `gov` knows.
    BootId,
    /// A stored head does not open.
    Head(HeadError),
    /// A stored head's root is not the recomputed one at its size.
    Root {
        /// The head's.
        expected: Hash,
        /// The recomputed one.
        got: Hash,
    },
    /// The newest head is missing or not of the log's size.
    NewestHead,
    /// An hourly root in `gov` is not the recomputed one, or the log is shorter.
    OpsRoot,
    /// A stored tile is missing or not the recomputed one.
    Tile {
        /// Its level.
        level: u8,
        /// Its number.
        number: u64,
    },
    /// The store gives fewer entries than it says it has.
    Short,
}

/// The first fault found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In which log.
    pub log: LogId,
    /// At which entry, or after how many.
    pub index: u64,
    /// What is wrong.
    pub rule: Rule,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log {}, entry {}: ", self.log, self.index)?;
        match &self.rule {
            Rule::Genesis => f.write_str("the genesis record belongs at entry 0 of gov and nowhere else"),
            Rule::Header(error) => write!(f, "{error}"),
            Rule::Index { got } => write!(f, "the header says index {got}"),
            Rule::Kind(kind) => write!(f, "an entry of kind {kind:?} does not belong here"),
            Rule::TimeBucket => f.write_str("the time bucket is lower than the one before"),
            Rule::Body => f.write_str("the body is not the one the entry was made for"),
            Rule::BodyMissing => f.write_str("the body is missing, though nothing may have retired it"),
            Rule::Record(error) => write!(f, "{error}"),
            Rule::BootId => f.write_str("the boot id is not one that gov knows"),
            Rule::Head(error) => write!(f, "a stored head: {error}"),
            Rule::Root { expected, got } => write!(f, "a signed head has root {expected}, the entries give {got}"),
            Rule::NewestHead => f.write_str("there is no signed head for the log's size"),
            Rule::OpsRoot => f.write_str("an hourly root in gov is not the root of these entries"),
            Rule::Tile { level, number } => write!(f, "stored tile {level}/{number} is not the one the entries give"),
            Rule::Short => f.write_str("the store says it has more entries than it gives"),
        }
    }
}

/// Why a check did not pass.
#[derive(Debug)]
pub enum CheckError<E> {
    /// The store could not be read.
    Store(E),
    /// The log is wrong.
    Fault(Fault),
}

impl<E> From<E> for CheckError<E> {
    fn from(error: E) -> Self {
        Self::Store(error)
    }
}

/// What was recomputed of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// Which log.
    pub log: LogId,
    /// Entries checked.
    pub size: u64,
    /// The recomputed root.
    pub root: Hash,
    /// Bodies compared.
    pub bodies: u64,
    /// Bodies that were retired.
    pub retired: u64,
    /// Signed heads that match.
    pub heads: u64,
    /// Stored tiles that match.
    pub tiles: u64,
}

/// A vault whose logs hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The vault.
    pub vault: VaultId,
    /// Its genesis.
    pub genesis: Genesis,
    /// Boots that `gov` knows.
    pub boots: u64,
    /// Its logs.
    pub logs: Vec<LogReport>,
}

/// Checks every log of a vault; works on a store that grows meanwhile.
///
/// # Errors
/// [`CheckError::Fault`] with the first fault, or the store's own error.
pub fn check<R: LogReader>(reader: &R) -> Result<Report, CheckError<R::Error>> {
    // The operations log is sized before gov is read: so gov, which is written first, knows every boot in it.
    let mut statuses = BTreeMap::new();
    for shard in 0..u16::MAX {
        let status = reader.status(LogId::ops(shard))?;
        if status.size == 0 {
            break;
        }
        statuses.insert(LogId::ops(shard), Some(status));
    }

    // 1. The genesis.
    let fault = |log, index, rule| CheckError::Fault(Fault { log, index, rule });
    let first = reader.read(LogId::GOV, 0, 1, BYTES)?;
    let StoredRecord { entry, body: Some(body) } = first.first().ok_or(fault(LogId::GOV, 0, Rule::Genesis))? else {
        return Err(fault(LogId::GOV, 0, Rule::BodyMissing));
    };
    let genesis = match GovRecord::decode(body) {
        Ok(GovRecord::Genesis(genesis)) => genesis,
        Ok(_) => return Err(fault(LogId::GOV, 0, Rule::Genesis)),
        Err(error) => return Err(fault(LogId::GOV, 0, Rule::Record(error))),
    };
    let vault = VaultId::of_genesis(entry);

    let mut walk = Walk::new(&vault, LogId::GOV, &genesis.log_key);
    let gov = walk.run(reader, Some(&reader.status(LogId::GOV)?))?;
    let Walk { boots, ops_roots, .. } = walk;
    // A log that only an hourly root speaks of is read as far as that root.
    for ops in ops_roots.iter().filter(|ops| ops.size > 0) {
        statuses.entry(ops.log).or_insert(None);
    }
    let mut logs = alloc::vec![gov];
    for (log, status) in statuses {
        let mut walk = Walk::new(&vault, log, &genesis.log_key);
        walk.boots.clone_from(&boots);
        walk.expected.extend(ops_roots.iter().filter(|ops| ops.log == log).map(|ops| (ops.size, ops.root)));
        logs.push(walk.run(reader, status.as_ref())?);
    }
    Ok(Report { vault, genesis, boots: boots.len() as u64, logs })
}

/// One pass over one log.
struct Walk<'a> {
    log: LogId,
    origin: String,
    key: &'a [u8; 32],
    boots: BTreeSet<[u8; 16]>,
    ops_roots: Vec<OpsRoot>,
    /// Roots that `gov` expects of this log, by size.
    expected: BTreeSet<(u64, Hash)>,
    bucket: u64,
    /// The first missing body that no snapshot after it explains.
    unexplained: Option<u64>,
    frontier: Frontier,
    builder: TileBuilder,
    report: LogReport,
}

impl<'a> Walk<'a> {
    fn new(vault: &VaultId, log: LogId, key: &'a [u8; 32]) -> Self {
        let report = LogReport { log, size: 0, root: Hash::default(), bodies: 0, retired: 0, heads: 0, tiles: 0 };
        Self {
            log,
            origin: origin(vault, log),
            key,
            boots: BTreeSet::new(),
            ops_roots: Vec::new(),
            expected: BTreeSet::new(),
            bucket: 0,
            unexplained: None,
            frontier: Frontier::new(),
            builder: TileBuilder::new(),
            report,
        }
    }

    fn fault<E>(&self, rule: Rule) -> CheckError<E> {
        CheckError::Fault(Fault { log: self.log, index: self.frontier.size(), rule })
    }

    fn run<R: LogReader>(&mut self, reader: &R, status: Option<&Status>) -> Result<LogReport, CheckError<R::Error>> {
        if let Some(status) = status {
            self.walk_to(reader, status)?;
        }
        // 4. What gov says of a larger size is read to that size, which no boot that gov does not know has reached.
        if let Some((furthest, _)) = self.expected.last().copied().filter(|(size, _)| *size > self.frontier.size()) {
            // A log that is shorter now, or gone, is a rollback that gov remembers.
            let now = reader.status(self.log)?.size;
            if now < furthest {
                return Err(CheckError::Fault(Fault { log: self.log, index: now, rule: Rule::OpsRoot }));
            }
            self.read_to(reader, furthest)?;
        }
        if self.unexplained.is_some() {
            // A running vault may have retired bodies since, after a snapshot above this size.
            self.walk_to(reader, &reader.status(self.log)?)?;
        }
        if let Some(index) = self.unexplained {
            return Err(CheckError::Fault(Fault { log: self.log, index, rule: Rule::BodyMissing }));
        }
        self.report.size = self.frontier.size();
        self.report.root = self.frontier.root();
        Ok(self.report.clone())
    }

    fn walk_to<R: LogReader>(&mut self, reader: &R, status: &Status) -> Result<(), CheckError<R::Error>> {
        // The head that came with the size must be of that size: what no head covers is not believed.
        let size = status.size;
        let newest = Head::open(&status.head, &self.origin, self.key).map_err(|error| self.fault(Rule::Head(error)))?;
        if newest.size != size {
            return Err(self.fault(Rule::NewestHead));
        }
        self.read_to(reader, size)?;
        let got = self.frontier.root();
        if newest.root != got {
            return Err(self.fault(Rule::Root { expected: newest.root, got }));
        }
        Ok(())
    }

    fn read_to<R: LogReader>(&mut self, reader: &R, size: u64) -> Result<(), CheckError<R::Error>> {
        let mut heads: Vec<Head> = Vec::new();
        while self.frontier.size() < size {
            let records = reader.read(self.log, self.frontier.size(), RECORDS, BYTES)?;
            if records.is_empty() {
                return Err(self.fault(Rule::Short));
            }
            for record in records {
                if self.frontier.size() == size {
                    break;
                }
                self.entry(&record)?;
                self.tree(reader, &record, &mut heads)?;
            }
        }
        Ok(())
    }

    /// 2. and 4.: one entry by itself.
    fn entry<E>(&mut self, record: &StoredRecord) -> Result<(), CheckError<E>> {
        let index = self.frontier.size();
        let header = record.entry.header().map_err(|error| self.fault(Rule::Header(error)))?;
        if header.index != index {
            return Err(self.fault(Rule::Index { got: header.index }));
        }
        if (header.kind == Kind::Gov) != (self.log == LogId::GOV) {
            return Err(self.fault(Rule::Kind(header.kind)));
        }
        if header.time_bucket < self.bucket {
            return Err(self.fault(Rule::TimeBucket));
        }
        self.bucket = header.time_bucket;
        if header.kind == Kind::Snapshot {
            // Bodies below a snapshot may have been retired; the entry says so, not the store's hint.
            self.unexplained = None;
        }
        let Some(body) = &record.body else {
            if header.keep == Keep::Forever || self.log == LogId::GOV {
                return Err(self.fault(Rule::BodyMissing));
            }
            self.unexplained = self.unexplained.or(Some(index));
            self.report.retired += 1;
            return self.known_boot(header.boot_id);
        };
        let length_fits = u32::try_from(body.len()).is_ok_and(|length| length == header.body_len);
        if !length_fits || crate::sha256(body) != record.entry.body_hash() {
            return Err(self.fault(Rule::Body));
        }
        self.report.bodies += 1;
        if self.log == LogId::GOV {
            let record = GovRecord::decode(body).map_err(|error| self.fault(Rule::Record(error)))?;
            match record {
                GovRecord::Genesis(_) if index == 0 => {
                    // The boot that makes the vault writes its own record right after.
                    self.boots.insert(header.boot_id);
                }
                GovRecord::Genesis(_) => return Err(self.fault(Rule::Genesis)),
                GovRecord::Boot(boot) => {
                    self.boots.insert(boot.boot_id);
                }
                GovRecord::OpsRoot(ops) => {
                    let of_nothing = ops.size == 0 && ops.root != Frontier::new().root();
                    if ops.log == LogId::GOV || of_nothing {
                        return Err(self.fault(Rule::OpsRoot));
                    }
                    self.ops_roots.push(ops);
                }
            }
        }
        self.known_boot(header.boot_id)
    }

    fn known_boot<E>(&self, boot_id: [u8; 16]) -> Result<(), CheckError<E>> {
        if self.boots.contains(&boot_id) { Ok(()) } else { Err(self.fault(Rule::BootId)) }
    }

    /// 3.: the tree as it grows by this entry.
    fn tree<R: LogReader>(
        &mut self,
        reader: &R,
        record: &StoredRecord,
        heads: &mut Vec<Head>,
    ) -> Result<(), CheckError<R::Error>> {
        let leaf = record.entry.leaf_hash();
        let mut full = Vec::new();
        self.builder.push(leaf, &mut |level, number, bytes| full.push((level, number, bytes)));
        for (level, number, bytes) in full {
            if reader.tile(self.log, level, number)?.as_deref() != Some(&bytes[..]) {
                return Err(self.fault(Rule::Tile { level, number }));
            }
            self.report.tiles += 1;
        }
        self.frontier.push(leaf);
        let size = self.frontier.size();
        let mut expected = self.expected.range((size, Hash([0; 32]))..=(size, Hash([0xFF; 32]))).peekable();
        if expected.peek().is_some() {
            let root = self.frontier.root();
            if expected.any(|(_, expected)| *expected != root) {
                return Err(self.fault(Rule::OpsRoot));
            }
        }
        // Heads are fetched in runs as their sizes come up; a log always has one at or above any size it has had.
        if heads.last().is_none_or(|last| last.size < size) {
            heads.clear();
            for note in reader.heads(self.log, size, RECORDS)? {
                let head = Head::open(&note, &self.origin, self.key).map_err(|error| self.fault(Rule::Head(error)))?;
                heads.push(head);
            }
            if heads.is_empty() {
                return Err(self.fault(Rule::NewestHead));
            }
        }
        if let Some(head) = heads.iter().find(|head| head.size == size) {
            let got = self.frontier.root();
            if head.root != got {
                return Err(self.fault(Rule::Root { expected: head.root, got }));
            }
            self.report.heads += 1;
        }
        Ok(())
    }
}
