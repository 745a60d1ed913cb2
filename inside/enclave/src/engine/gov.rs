//! The public log: genesis, boots, hourly roots of the operations logs.

use adyton_ledger::{Entry, Frontier, GovRecord, Hash, Head, Header, Keep, Kind, LogId, Record, VaultId, origin};
use adyton_seal::{Opaque, SigningKey};

use super::appender::Appender;
use super::shard::Sealed;

/// The writer of `gov`. Its bodies are public, so nothing is sealed.
pub struct GovLog {
    vault: VaultId,
    signer: SigningKey,
    frontier: Frontier,
    bucket: u64,
    boot_id: [u8; 16],
    release: u64,
    appender: Appender,
}

/// Another writer holds the public log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fenced;

/// Builds an entry of `gov`.
pub fn entry(record: &GovRecord, index: u64, time_bucket: u64, boot_id: [u8; 16], release: u64) -> Record {
    let body = record.encode();
    let header = Header {
        kind: Kind::Gov,
        keep: Keep::Forever,
        body_len: u32::try_from(body.len()).unwrap_or(u32::MAX),
        index,
        time_bucket,
        tenant: [0; 16],
        boot_id,
        release,
        commitments: Hash::default(),
    };
    Record { entry: Entry::new(&header, &body), body }
}

impl GovLog {
    /// Continues the log at a frontier.
    pub fn new(
        vault: VaultId,
        signer: SigningKey,
        frontier: Frontier,
        bucket: u64,
        boot_id: [u8; 16],
        release: u64,
        appender: Appender,
    ) -> Self {
        Self { vault, signer, frontier, bucket, boot_id, release, appender }
    }

    /// Appends a record and waits until it is durable.
    ///
    /// # Errors
    /// [`Fenced`] if another writer was there.
    pub async fn append(&mut self, record: &GovRecord, now: u64) -> Result<(), Fenced> {
        self.bucket = self.bucket.max(now / 10);
        let record = entry(record, self.frontier.size(), self.bucket, self.boot_id, self.release);
        self.append_entry(record).await.map_err(|_| Fenced)
    }

    /// Appends an entry that was built already: the genesis.
    ///
    /// # Errors
    /// [`Opaque`] if another writer was there.
    pub async fn append_entry(&mut self, record: Record) -> Result<(), Opaque> {
        let expected_size = self.frontier.size();
        self.frontier.push(record.entry.leaf_hash());
        let size = self.frontier.size();
        let head = Head { origin: origin(&self.vault, LogId::GOV), size, root: self.frontier.root() };
        let head = head.sign(&self.signer.public_key(), |text| self.signer.sign(text));
        let sealed = Sealed { expected_size, size, records: vec![record], head };
        let appended = self.appender.append(sealed.frame(size, LogId::GOV.number())?).await;
        if appended == Some(size) { Ok(()) } else { Err(Opaque) }
    }
}
