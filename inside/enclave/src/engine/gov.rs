//! The public log: genesis, boots, hourly roots of the operations logs.

use adyton_engine::LogTip;
use adyton_frame::StopReason;
use adyton_ledger::{
    Body, CertificateRecord, Entry, Frontier, Genesis, GovRecord, Hash, Head, Header, Kind, LogId, OpsRoot,
    OrderRecord, Record, Releases, Size, VaultId, origin, sha256,
};

use super::log_writer::LogWriter;
use super::stop::StopReporter;
use crate::store::{Store, StoreError};

/// The writer of `gov`. Its bodies are public, so nothing is sealed.
pub struct GovLog {
    tip: LogTip,
    boot_id: [u8; 16],
    release: u64,
    writer: LogWriter,
    stop: StopReporter,
}

/// Why a record was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// No boot could read it back, or no frame holds it. Nothing is changed, and the log goes on without it.
    Record,
    /// The writer has stopped, and the process ends ([`StopReporter`]).
    Stopped,
}

/// Why the public log cannot be continued. `adyton log check` names the first fault.
#[derive(Debug)]
pub enum GovReplayError {
    /// The store did not answer.
    Store(StoreError),
    /// It is not a log that this vault has signed.
    Faulty,
}

impl From<StoreError> for GovReplayError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Facts that the public log of a vault records.
#[derive(Debug)]
pub struct GovReplay {
    /// Its tree.
    pub frontier: Frontier,
    /// Its last time bucket.
    pub bucket: u64,
    /// The release in force.
    pub releases: Releases,
    /// The last root of the operations log.
    pub ops_root: Option<OpsRoot>,
    /// When enclaves began, Unix seconds, in the log's order.
    pub boots: Vec<u64>,
    /// The certificate that the vault last obtained from a CA.
    pub certificate: Option<CertificateRecord>,
    /// The vault's last order at a CA, if neither a certificate nor another account came after it.
    pub order: Option<OrderRecord>,
}

impl GovReplay {
    /// A log that is empty yet.
    pub fn newborn(genesis: &Genesis) -> Self {
        Self {
            frontier: Frontier::new(),
            bucket: 0,
            releases: Releases::new(genesis),
            ops_root: None,
            boots: Vec::new(),
            certificate: None,
            order: None,
        }
    }
}

/// Recomputes the public log of a vault against its signed head, and follows its records.
///
/// A vault's public log is never empty, for the genesis is what makes the vault: a host that shows none wants a second
/// log to be signed in the place of the first.
///
/// # Errors
/// [`GovReplayError`].
pub async fn replay(store: &mut Store, vault: &VaultId, genesis: &Genesis) -> Result<GovReplay, GovReplayError> {
    let mut replayed = GovReplay::newborn(genesis);
    let GovReplay { frontier, bucket, releases, ops_root, boots, certificate, order } = &mut replayed;
    let status = store.status(LogId::GOV).await?;
    // Public values, all of them.
    let head =
        Head::open(&status.head, &origin(vault, LogId::GOV), &genesis.log_key).map_err(|_| GovReplayError::Faulty)?;
    while frontier.size() < head.size {
        let records = store.read(LogId::GOV, frontier.size(), 1024).await?;
        if records.is_empty() {
            return Err(GovReplayError::Faulty);
        }
        for Record { entry, kept, .. } in &records {
            let header = entry.header().map_err(|_| GovReplayError::Faulty)?;
            if frontier.size() == 0 && VaultId::of_genesis(entry) != *vault {
                return Err(GovReplayError::Faulty);
            }
            if frontier.size() == head.size {
                break;
            }
            let body = kept
                .as_ref()
                .filter(|body| sha256(body) == entry.body_hash(Body::Kept))
                .ok_or(GovReplayError::Faulty)?;
            let record = GovRecord::decode(body).map_err(|_| GovReplayError::Faulty)?;
            releases.follow(&record).map_err(|_| GovReplayError::Faulty)?;
            match record {
                GovRecord::Boot(boot) => boots.push(boot.time),
                GovRecord::OpsRoot(root) => *ops_root = Some(root),
                GovRecord::Certificate(record) => {
                    let same = certificate.as_ref().is_some_and(|last| last.account == record.account);
                    // An order belongs to its account.
                    if !record.chain.is_empty() || !same {
                        *order = None;
                    }
                    *certificate = Some(record);
                }
                GovRecord::Order(record) => *order = Some(record),
                _ => {}
            }
            *bucket = header.time_bucket.max(*bucket);
            frontier.push(entry.leaf_hash());
        }
    }
    if frontier.size() == 0 || frontier.root() != head.root {
        return Err(GovReplayError::Faulty);
    }
    Ok(replayed)
}

/// Builds an entry of `gov`.
pub fn entry(record: &GovRecord, index: u64, time_bucket: u64, boot_id: [u8; 16], release: u64) -> Record {
    let body = record.encode();
    let header = Header {
        kind: Kind::Gov,
        hot_size: Size::ABSENT,
        // A larger record fits no frame either.
        kept_size: Size::holding(body.len()).unwrap_or_default(),
        index,
        time_bucket,
        boot_id,
        release,
        hot_root: Hash::default(),
        kept_root: Hash::default(),
    };
    Record { entry: Entry::new(&header, None, Some(&body)), hot: None, kept: Some(body) }
}

impl GovLog {
    /// Continues the log at its end; `stop` reports when its writer has stopped.
    pub fn new(tip: LogTip, boot_id: [u8; 16], release: u64, writer: LogWriter, stop: StopReporter) -> Self {
        Self { tip, boot_id, release, writer, stop }
    }

    /// Appends a record and waits until it is durable.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append(&mut self, record: &GovRecord, now: u64) -> Result<(), AppendError> {
        GovRecord::decode(&record.encode()).map_err(|_| AppendError::Record)?;
        let record = entry(record, self.tip.size(), self.tip.bucket_at(now), self.boot_id, self.release);
        self.append_entry(record).await
    }

    /// Appends an entry that was built already: the genesis.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append_entry(&mut self, record: Record) -> Result<(), AppendError> {
        // A caller that went away may have left its entry in flight.
        self.settle().await?;
        let sealed = self.tip.sign(record);
        match self.writer.send(&sealed) {
            Ok(()) => self.tip.advance(&sealed),
            Err(StopReason::Frame) => return Err(AppendError::Record),
            Err(reason) => return Err(self.stopped(reason)),
        }
        self.settle().await
    }

    async fn settle(&mut self) -> Result<(), AppendError> {
        self.writer.settle().await.map_err(|reason| self.stopped(reason))
    }

    fn stopped(&self, reason: StopReason) -> AppendError {
        self.stop.report(LogId::GOV, reason);
        AppendError::Stopped
    }
}
