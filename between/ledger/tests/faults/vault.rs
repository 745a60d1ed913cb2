//! A vault's own hand: it appends as the enclave does, one head for each append.

use adyton_ledger::{
    AppendOutcome, ApprovalRecord, Body, BootRecord, CheckContext, CheckError, Entry, Fault, Frontier, Genesis,
    GovRecord, Hash, Head, Header, Kind, LogId, LogStore, MemoryStore, OpsRoot, PolicyRecord, Profile, Record, Report,
    Rule, SettingsRecord, Size, VaultId, check, origin, sha256,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

pub(crate) const BOOT: [u8; 16] = [0xB0; 16];
/// Bytes of the smallest sealed body.
pub(crate) const SEALED: usize = 1024 + 16;
pub(crate) const POLICY: &[u8] = b"the first policy";

/// Seconds for which each policy keeps bodies; another text is no policy.
const RETENTIONS: [(&[u8], u64); 4] =
    [(POLICY, 1000), (b"the longer policy", 5000), (b"the shorter policy", 100), (b"a policy that keeps nothing", 0)];

/// A check's terms at a time.
pub(crate) struct At(pub(crate) u64);

impl CheckContext for At {
    fn retention(&self, policy: &[u8]) -> Option<u64> {
        RETENTIONS.iter().find(|(text, _)| *text == policy).map(|(_, seconds)| *seconds)
    }

    fn now(&self) -> u64 {
        self.0
    }
}

/// A time at which every policy has let go of all that these vaults write.
pub(crate) const LATER: At = At(1_000_000);

pub(crate) fn ops() -> LogId {
    LogId::ops(0)
}

/// A vault over a store in memory.
pub(crate) struct Vault {
    pub(crate) store: MemoryStore,
    pub(crate) key: Ed25519KeyPair,
    pub(crate) id: VaultId,
    pub(crate) frontiers: [Frontier; 2],
}

impl Vault {
    /// Genesis, its policy, then a boot.
    pub(crate) fn new() -> Self {
        let mut vault = Self::newborn();
        vault.policy(BOOT, 1, POLICY);
        vault.boot(BOOT);
        vault
    }

    /// Genesis alone.
    pub(crate) fn newborn() -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
        let genesis = Genesis {
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
        };
        let body = GovRecord::Genesis(genesis).encode();
        let first = record(LogId::GOV, 0, Kind::Gov, Body::Kept, BOOT, 100, body);
        let id = VaultId::of_genesis(&first.entry);
        let mut vault = Self { store: MemoryStore::new(), key, id, frontiers: [Frontier::new(), Frontier::new()] };
        vault.append(LogId::GOV, &first);
        vault
    }

    /// Twelve operations, the snapshot at 5 covers the first five; `gov` names the root at 8.
    pub(crate) fn busy() -> Self {
        let mut vault = Self::new();
        (0..5).for_each(|_| vault.operate(Body::Hot));
        vault.entry(Kind::Snapshot, Body::Kept, BOOT, 200);
        (0..2).for_each(|_| vault.operate(Body::Kept));
        vault.ops_root(None);
        (0..4).for_each(|_| vault.operate(Body::Hot));
        vault
    }

    pub(crate) fn frontier(&mut self, log: LogId) -> &mut Frontier {
        &mut self.frontiers[usize::from(log.number())]
    }

    pub(crate) fn head(&self, log: LogId, size: u64, root: Hash) -> String {
        let head = Head { origin: origin(&self.id, log), size, root };
        let public = self.key.public_key().as_ref().try_into().unwrap();
        head.sign(public, |text| self.key.sign(text).as_ref().try_into().unwrap())
    }

    pub(crate) fn append(&mut self, log: LogId, record: &Record) {
        let size = self.frontier(log).size();
        self.frontier(log).push(record.entry.leaf_hash());
        let (new, root) = (self.frontier(log).size(), self.frontier(log).root());
        let head = self.head(log, new, root);
        let appended = self.store.append(log, size, record, &head).unwrap();
        assert_eq!(appended, AppendOutcome::Appended { size: new });
    }

    pub(crate) fn gov(&mut self, boot: [u8; 16], body: &GovRecord) {
        let index = self.frontier(LogId::GOV).size();
        self.append(LogId::GOV, &record(LogId::GOV, index, Kind::Gov, Body::Kept, boot, 100, body.encode()));
    }

    pub(crate) fn boot(&mut self, boot_id: [u8; 16]) {
        self.boot_of(boot_id, 1, POLICY);
    }

    pub(crate) fn boot_of(&mut self, boot_id: [u8; 16], release: u64, policy: &[u8]) {
        let policy_hash = sha256(policy).0;
        self.gov(
            boot_id,
            &GovRecord::Boot(BootRecord { boot_id, release, policy_hash, bundle_hash: [4; 32], time: 1000 }),
        );
    }

    pub(crate) fn policy(&mut self, boot_id: [u8; 16], release: u64, policy: &[u8]) {
        self.gov(boot_id, &GovRecord::Policy(PolicyRecord { release, policy: policy.to_vec() }));
    }

    pub(crate) fn approval(&mut self, boot_id: [u8; 16], release: u64, old: &[u8], new: &[u8]) {
        let (old, new) = (sha256(old).0, sha256(new).0);
        let signatures = vec![b"not looked at here".to_vec()];
        self.gov(boot_id, &GovRecord::Approval(ApprovalRecord { release, old, new, signatures }));
    }

    pub(crate) fn settings(&mut self, sequence: u64) {
        let signatures = vec![b"not looked at here".to_vec()];
        self.gov(BOOT, &GovRecord::Settings(SettingsRecord { sequence, hash: [5; 32], signatures }));
    }

    pub(crate) fn ops_root(&mut self, root: Option<Hash>) {
        let (size, own) = (self.frontier(ops()).size(), self.frontier(ops()).root());
        self.gov(BOOT, &GovRecord::OpsRoot(OpsRoot { log: ops(), size, root: root.unwrap_or(own) }));
    }

    pub(crate) fn entry(&mut self, kind: Kind, body: Body, boot: [u8; 16], bucket: u64) {
        let index = self.frontier(ops()).size();
        let bytes = vec![u8::try_from(index % 251).unwrap(); SEALED];
        self.append(ops(), &record(ops(), index, kind, body, boot, bucket, bytes));
    }

    /// An entry with a kept body, by a boot of a release.
    pub(crate) fn entry_of(&mut self, kind: Kind, release: u64, boot: [u8; 16], bucket: u64) {
        let index = self.frontier(ops()).size();
        let Record { entry, hot, kept } = record(ops(), index, kind, Body::Kept, boot, bucket, vec![7; SEALED]);
        let header = Header { release, ..entry.header().unwrap() };
        self.append(ops(), &Record { entry: Entry::new(&header, hot.as_deref(), kept.as_deref()), hot, kept });
    }

    pub(crate) fn operate(&mut self, body: Body) {
        self.entry(Kind::Ops, body, BOOT, 200);
    }

    pub(crate) fn report(&self) -> Report {
        match check(&self.store, &LATER) {
            Ok(report) => report,
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(crate) fn fault(&self) -> Fault {
        self.fault_at(LATER)
    }

    pub(crate) fn fault_at(&self, terms: At) -> Fault {
        match check(&self.store, &terms) {
            Err(CheckError::Fault(fault)) => fault,
            other => panic!("{other:?}"),
        }
    }

    /// Asserts the one fault, and that its sentence names the log.
    pub(crate) fn finds(&self, log: LogId, index: u64, rule: Rule) {
        let fault = self.fault();
        assert_eq!(fault, Fault { log, index, rule });
        assert!(fault.to_string().starts_with(&format!("log {}, entry {index}: ", log.name())), "{fault}");
    }

    pub(crate) fn stored(&mut self, log: LogId, index: usize) -> &mut Record {
        &mut self.store.records_mut(log)[index]
    }

    /// Puts a byte into an entry where it stands.
    pub(crate) fn patch(&mut self, log: LogId, index: usize, at: usize, byte: u8) {
        let stored = self.stored(log, index);
        let mut bytes = *stored.entry.as_bytes();
        assert_ne!(bytes[at], byte);
        bytes[at] = byte;
        stored.entry = Entry::from_bytes(bytes);
    }
}

/// An entry with one body; that of the public log is not padded.
pub(crate) fn record(
    log: LogId,
    index: u64,
    kind: Kind,
    body: Body,
    boot_id: [u8; 16],
    time_bucket: u64,
    bytes: Vec<u8>,
) -> Record {
    let gov = log == LogId::GOV;
    let size = Size::holding(if gov { bytes.len() } else { bytes.len() - 16 }).unwrap();
    let root = if gov { Hash::default() } else { sha256(&bytes) };
    let of = |which| if which == body { (size, root, Some(bytes.clone())) } else { Default::default() };
    let ((hot_size, hot_root, hot), (kept_size, kept_root, kept)) = (of(Body::Hot), of(Body::Kept));
    let header = Header { kind, hot_size, kept_size, index, time_bucket, boot_id, release: 1, hot_root, kept_root };
    Record { entry: Entry::new(&header, hot.as_deref(), kept.as_deref()), hot, kept }
}
