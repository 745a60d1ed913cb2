//! Batches as a vault appends them, with heads that `adyton log check` accepts; bodies are not sealed.

use adyton_ledger::{
    Body, BootRecord, CheckContext, CheckError, Entry, Frontier, Genesis, GovRecord, Hash, Head, Header, Kind, LogId,
    LogReader, LogStore, PolicyRecord, Profile, Record, Size, VaultId, check, origin, sha256,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

pub(crate) const BOOT: [u8; 16] = [0xB0; 16];

/// Bytes of a sealed body's tag.
const TAG: usize = 16;

const POLICY: &[u8] = b"the policy";

/// The log of the operations.
pub(crate) const OPS: LogId = LogId::from_number(1);

/// One append.
pub(crate) struct Batch {
    pub(crate) expected_size: u64,
    pub(crate) record: Record,
    pub(crate) head: String,
}

impl Batch {
    /// Size once it is appended.
    pub(crate) fn size(&self) -> u64 {
        self.expected_size + 1
    }
}

/// The hand that writes the operations log.
pub(crate) struct Vault {
    id: VaultId,
    key: Ed25519KeyPair,
    frontier: Frontier,
}

impl Vault {
    /// A vault whose public log, a genesis, its policy and a boot, stands in `store`.
    pub(crate) fn new<S: LogStore<Error: std::fmt::Debug>>(store: &mut S) -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
        let genesis = GovRecord::Genesis(Genesis {
            profile: Profile::Dev,
            nonce: [1; 32],
            attestation_root: [2; 32],
            policy_hash: sha256(POLICY).0,
            log_key: key.public_key().as_ref().try_into().unwrap(),
            hpke_key: [4; 32],
            ca_certificate: vec![5; 300],
            sealed_ca_key: vec![6; 80],
            wrapped_root: vec![7; 60],
            kms_ciphertext: vec![8; 100],
        });
        let policy_hash = sha256(POLICY).0;
        let boot = BootRecord { boot_id: BOOT, release: 1, policy_hash, bundle_hash: [4; 32], time: 1000 };
        let policy = PolicyRecord { release: 1, policy: POLICY.to_vec() };
        let records = [genesis, GovRecord::Policy(policy), GovRecord::Boot(boot)];
        let first = record(0, Kind::Gov, Body::Kept, records[0].encode());
        let vault = Self { id: VaultId::of_genesis(&first.entry), key, frontier: Frontier::new() };
        let mut frontier = Frontier::new();
        for (index, body) in (0..).zip(records) {
            let record = record(index, Kind::Gov, Body::Kept, body.encode());
            frontier.push(record.entry.leaf_hash());
            store.append(LogId::GOV, index, &record, &vault.head(LogId::GOV, &frontier)).unwrap();
        }
        vault
    }

    /// The next batch, with a body of so many KiB, one of the sizes.
    pub(crate) fn batch(&mut self, kibibytes: usize) -> Batch {
        let index = self.frontier.size();
        let body = if index.is_multiple_of(3) { Body::Kept } else { Body::Hot };
        self.sealed(record(index, Kind::Ops, body, vec![u8::try_from(index % 251).unwrap(); 1024 * kibibytes + TAG]))
    }

    /// The manifest of a snapshot.
    pub(crate) fn snapshot(&mut self) -> Batch {
        self.sealed(record(self.frontier.size(), Kind::Snapshot, Body::Kept, vec![1; 1024 + TAG]))
    }

    fn sealed(&mut self, record: Record) -> Batch {
        let expected_size = self.frontier.size();
        self.frontier.push(record.entry.leaf_hash());
        let head = self.head(OPS, &self.frontier);
        Batch { expected_size, record, head }
    }

    fn head(&self, log: LogId, frontier: &Frontier) -> String {
        let head = Head { origin: origin(&self.id, log), size: frontier.size(), root: frontier.root() };
        let public = self.key.public_key().as_ref().try_into().unwrap();
        head.sign(public, |text| self.key.sign(text).as_ref().try_into().unwrap())
    }
}

/// When every body may have gone.
struct Later;

impl CheckContext for Later {
    fn retention(&self, _policy: &[u8]) -> Option<u64> {
        Some(0)
    }

    fn now(&self) -> u64 {
        u64::MAX
    }
}

/// Size of the operations log, once the whole store has passed `adyton log check`.
pub(crate) fn checked_size(store: &impl LogReader<Error: std::fmt::Debug>) -> u64 {
    match check(store, &Later) {
        Ok(report) => report.logs.iter().filter(|log| log.log == OPS).map(|log| log.size).sum(),
        Err(CheckError::Fault(fault)) => panic!("{fault}"),
        Err(error) => panic!("{error:?}"),
    }
}

/// An entry with one body; that of the public log is not padded.
fn record(index: u64, kind: Kind, body: Body, bytes: Vec<u8>) -> Record {
    let (plain, root) =
        if kind == Kind::Gov { (bytes.len(), Hash::default()) } else { (bytes.len() - TAG, Hash([7; 32])) };
    let size = Size::holding(plain).unwrap();
    let of = |which| if which == body { (size, root, Some(bytes.clone())) } else { Default::default() };
    let ((hot_size, hot_root, hot), (kept_size, kept_root, kept)) = (of(Body::Hot), of(Body::Kept));
    let (time_bucket, boot_id, release) = (100, BOOT, 1);
    let header = Header { kind, hot_size, kept_size, index, time_bucket, boot_id, release, hot_root, kept_root };
    Record { entry: Entry::new(&header, hot.as_deref(), kept.as_deref()), hot, kept }
}
