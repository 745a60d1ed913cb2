//! One log, read from its beginning: steps 2 to 4 of the check.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::retention::{CheckContext, Retained};
use super::{BYTES, CheckError, Fault, History, LogReport, Rule};
use crate::{
    Body, Entry, Frontier, GovRecord, Hash, Head, Header, Kind, LogId, LogReader, OpsRoot, Record, Releases, Size,
    Status, TileBuilder, VaultId, origin,
};

const RECORDS: u32 = 1024;
/// Bytes of the tag that follows a sealed body.
const TAG_LEN: usize = 16;
/// How often a log is read on; each time only what came while it was read before.
const ROUNDS: usize = 16;

/// One pass over one log.
pub(super) struct Walk<'a> {
    log: LogId,
    origin: String,
    key: &'a [u8; 32],
    /// Boot ids that `gov` knows, and the entry that named each.
    pub(super) boots: BTreeMap<[u8; 16], u64>,
    pub(super) ops_roots: Vec<OpsRoot>,
    /// Roots that `gov` expects of this log, by size.
    pub(super) expected: BTreeSet<(u64, Hash)>,
    /// The release in force, once the genesis was read.
    releases: Option<Releases>,
    /// Actions of the owners in `gov`.
    pub(super) history: History,
    bucket: u64,
    /// The first missing body that no snapshot after it explains.
    unexplained: Option<u64>,
    retained: Retained,
    frontier: Frontier,
    builder: TileBuilder,
    report: LogReport,
}

impl<'a> Walk<'a> {
    pub(super) fn new(vault: &VaultId, log: LogId, key: &'a [u8; 32]) -> Self {
        let report = LogReport { log, size: 0, root: Hash::default(), bodies: 0, retired: 0, heads: 0, tiles: 0 };
        Self {
            log,
            origin: origin(vault, log),
            key,
            boots: BTreeMap::new(),
            ops_roots: Vec::new(),
            expected: BTreeSet::new(),
            releases: None,
            history: History::default(),
            bucket: 0,
            unexplained: None,
            retained: Retained::default(),
            frontier: Frontier::new(),
            builder: TileBuilder::new(),
            report,
        }
    }

    fn fault<E>(&self, rule: Rule) -> CheckError<E> {
        CheckError::Fault(Fault { log: self.log, index: self.frontier.size(), rule })
    }

    /// The facts recomputed so far.
    pub(super) fn report(&self) -> LogReport {
        LogReport { size: self.frontier.size(), root: self.frontier.root(), ..self.report.clone() }
    }

    /// Reads an operations log to the size that was asked for before `gov` was read.
    pub(super) fn operations<R: LogReader>(
        &mut self,
        reader: &R,
        status: Option<&Status>,
        gov: &mut Self,
        terms: &impl CheckContext,
    ) -> Result<LogReport, CheckError<R::Error>> {
        self.boots.clone_from(&gov.boots);
        if let Some(status) = status {
            self.read_to_head(reader, status)?;
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
        self.explain(reader, gov)?;
        // 2. Once all releases that wrote here are known.
        match self.retained.fault(&gov.history.policies, terms) {
            Some((index, rule)) => Err(CheckError::Fault(Fault { log: self.log, index, rule })),
            None => Ok(self.report()),
        }
    }

    /// Step 2: a running vault may have retired a missing body since, after a snapshot above the size read so far. That
    /// snapshot was there before the body went, so it is below the size the log has now: if it is not, the body is
    /// missing for no reason. While the log is read on, bodies may go behind that snapshot too, and so on.
    fn explain<R: LogReader>(&mut self, reader: &R, gov: &mut Self) -> Result<(), CheckError<R::Error>> {
        for _ in 0..ROUNDS {
            let Some(missing) = self.unexplained else { return Ok(()) };
            // Sized before gov is read on, as at the start: so gov knows every boot that has written here.
            let status = reader.status(self.log)?;
            gov.read_to_head(reader, &reader.status(gov.log)?)?;
            self.boots.clone_from(&gov.boots);
            self.read_to_head(reader, &status)?;
            if self.unexplained == Some(missing) {
                return Err(CheckError::Fault(Fault { log: self.log, index: missing, rule: Rule::BodyMissing }));
            }
        }
        if self.unexplained.is_none() { Ok(()) } else { Err(CheckError::Unsettled(self.log)) }
    }

    /// Reads on to the size of a status, under its head.
    pub(super) fn read_to_head<R: LogReader>(
        &mut self,
        reader: &R,
        status: &Status,
    ) -> Result<(), CheckError<R::Error>> {
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
    fn entry<E>(&mut self, record: &Record) -> Result<(), CheckError<E>> {
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
        self.retained.entry(&header);
        if header.kind == Kind::Snapshot {
            // Bodies below a snapshot may have been retired; the entry says so, not the store's hint.
            self.unexplained = None;
        }
        for body in Body::ALL {
            self.body(&record.entry, &header, body, record.body(body))?;
        }
        if let Some(body) = record.kept.as_ref().filter(|_| self.log == LogId::GOV) {
            let record = GovRecord::decode(body).map_err(|error| self.fault(Rule::Record(error)))?;
            let followed = self.releases.as_mut().map_or(Ok(()), |releases| releases.follow(&record));
            followed.map_err(|error| self.fault(Rule::Release(error)))?;
            match record {
                GovRecord::Genesis(genesis) if index == 0 => {
                    self.releases = Some(Releases::new(&genesis));
                    // The boot that makes the vault writes its own record before any other does.
                    self.boots.insert(header.boot_id, index);
                }
                GovRecord::Genesis(_) => return Err(self.fault(Rule::Genesis)),
                GovRecord::Boot(boot) => {
                    self.before_its_boot(boot.boot_id)?;
                    self.boots.insert(boot.boot_id, index);
                }
                GovRecord::OpsRoot(ops) => {
                    let of_nothing = ops.size == 0 && ops.root != Frontier::new().root();
                    let last = self.ops_roots.iter().rev().find(|last| last.log == ops.log);
                    let rises = last.is_none_or(|last| last.size < ops.size);
                    if ops.log == LogId::GOV || of_nothing || !rises {
                        return Err(self.fault(Rule::OpsRoot));
                    }
                    self.ops_roots.push(ops);
                }
                GovRecord::Policy(policy) => {
                    self.history.policies.push(policy);
                    return self.before_its_boot(header.boot_id);
                }
                GovRecord::Approval(approval) => {
                    self.history.approvals.push(approval);
                    return self.before_its_boot(header.boot_id);
                }
                GovRecord::Order(_) => {}
                // One without a chain, or with the last one's, tells of the account only.
                GovRecord::Certificate(certificate) if certificate.chain.is_empty() => {}
                GovRecord::Certificate(certificate)
                    if self.history.certificates.last().is_some_and(|last| last.chain == certificate.chain) => {}
                GovRecord::Certificate(certificate) => self.history.certificates.push(certificate),
                GovRecord::Settings(settings) => self.history.settings.push(settings),
            }
        }
        self.known_boot(header.boot_id)
    }

    /// 2.: one body of an entry.
    fn body<E>(
        &mut self,
        entry: &Entry,
        header: &Header,
        which: Body,
        body: Option<&[u8]>,
    ) -> Result<(), CheckError<E>> {
        let (size, gov) = (header.size(which), self.log == LogId::GOV);
        // A public record is in the kept body.
        if gov && size.is_absent() != (which == Body::Hot) {
            return Err(self.fault(Rule::Body));
        }
        let expected = entry.body_hash(which);
        match body {
            Some(body) => {
                // A sealed body is padded to its size, and a tag follows.
                let fits =
                    if gov { Size::holding(body.len()) == Some(size) } else { body.len() == size.bytes() + TAG_LEN };
                if size.is_absent() || !fits || crate::sha256(body) != expected {
                    return Err(self.fault(Rule::Body));
                }
                self.report.bodies += 1;
            }
            None if size.is_absent() && expected == Hash::default() => {}
            None if size.is_absent() => return Err(self.fault(Rule::Body)),
            None if gov => return Err(self.fault(Rule::BodyMissing)),
            None => {
                self.unexplained = self.unexplained.or(Some(header.index));
                self.report.retired += 1;
                if which == Body::Kept {
                    self.retained.missing(header);
                }
            }
        }
        Ok(())
    }

    /// A boot id that no record named so far, or the one of the boot that made the vault: the genesis named it, and its
    /// record comes before any other's.
    fn before_its_boot<E>(&self, boot_id: [u8; 16]) -> Result<(), CheckError<E>> {
        match self.boots.get(&boot_id) {
            Some(first) if *first > 0 || self.boots.len() > 1 => Err(self.fault(Rule::BootRepeated { first: *first })),
            _ => Ok(()),
        }
    }

    fn known_boot<E>(&self, boot_id: [u8; 16]) -> Result<(), CheckError<E>> {
        if self.boots.contains_key(&boot_id) { Ok(()) } else { Err(self.fault(Rule::BootId)) }
    }

    /// 3.: the tree as it grows by this entry.
    fn tree<R: LogReader>(
        &mut self,
        reader: &R,
        record: &Record,
        heads: &mut Vec<Head>,
    ) -> Result<(), CheckError<R::Error>> {
        let leaf = record.entry.leaf_hash();
        let mut full = Vec::new();
        self.builder.push(leaf, &mut |level, number, bytes| full.push((level, number, bytes)));
        for (level, number, bytes) in full {
            // Tiles are built some time after their entries, so one may be missing.
            let Some(stored) = reader.tile(self.log, level, number)? else { continue };
            if stored != bytes {
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
