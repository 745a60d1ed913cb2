//! Batches as a vault appends them, with heads that `adyton log check` accepts; bodies are not sealed.

use adyton_ledger::{
    BootRecord, CheckError, Entry, Frontier, Genesis, GovRecord, Hash, Head, Header, Keep, Kind, LogId, LogReader,
    LogStore, PolicyRecord, Profile, Record, VaultId, check, origin, sha256,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

pub(crate) const BOOT: [u8; 16] = [0xB0; 16];

const POLICY: &[u8] = b"the policy";

/// The log of the operations.
pub(crate) const OPS: LogId = LogId::from_number(1);

/// One append.
pub(crate) struct Batch {
    pub(crate) expected_size: u64,
    pub(crate) records: Vec<Record>,
    pub(crate) head: String,
}

impl Batch {
    /// Size once it is appended.
    pub(crate) fn size(&self) -> u64 {
        self.expected_size + self.records.len() as u64
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
        let records: Vec<Record> =
            (0..).zip(records).map(|(index, body)| record(index, Kind::Gov, Keep::Forever, body.encode())).collect();
        let id = VaultId::of_genesis(&records[0].entry);
        let mut frontier = Frontier::new();
        records.iter().for_each(|record| frontier.push(record.entry.leaf_hash()));
        let vault = Self { id, key, frontier: Frontier::new() };
        store.append(LogId::GOV, 0, &records, &vault.head(LogId::GOV, &frontier)).unwrap();
        vault
    }

    /// The next batch: so many operations, each with a body of so many bytes.
    pub(crate) fn batch(&mut self, operations: u64, body: usize) -> Batch {
        let expected_size = self.frontier.size();
        let records: Vec<Record> = (expected_size..expected_size + operations)
            .map(|index| {
                let keep = if index % 3 == 0 { Keep::Retention } else { Keep::UntilSnapshot };
                record(index, Kind::Ops, keep, vec![u8::try_from(index % 251).unwrap(); body])
            })
            .collect();
        self.sealed(expected_size, records)
    }

    /// The manifest of a snapshot.
    pub(crate) fn snapshot(&mut self) -> Batch {
        let index = self.frontier.size();
        self.sealed(index, vec![record(index, Kind::Snapshot, Keep::Forever, vec![1; 272])])
    }

    fn sealed(&mut self, expected_size: u64, records: Vec<Record>) -> Batch {
        records.iter().for_each(|record| self.frontier.push(record.entry.leaf_hash()));
        let head = self.head(OPS, &self.frontier);
        Batch { expected_size, records, head }
    }

    fn head(&self, log: LogId, frontier: &Frontier) -> String {
        let head = Head { origin: origin(&self.id, log), size: frontier.size(), root: frontier.root() };
        let public = self.key.public_key().as_ref().try_into().unwrap();
        head.sign(public, |text| self.key.sign(text).as_ref().try_into().unwrap())
    }
}

/// Size of the operations log, once the whole store has passed `adyton log check`.
pub(crate) fn checked_size(store: &impl LogReader<Error: std::fmt::Debug>) -> u64 {
    match check(store) {
        Ok(report) => report.logs.iter().filter(|log| log.log == OPS).map(|log| log.size).sum(),
        Err(CheckError::Fault(fault)) => panic!("{fault}"),
        Err(error) => panic!("{error:?}"),
    }
}

fn record(index: u64, kind: Kind, keep: Keep, body: Vec<u8>) -> Record {
    let commitments = if kind == Kind::Gov { Hash::default() } else { Hash([7; 32]) };
    let header = Header {
        kind,
        keep,
        body_len: u32::try_from(body.len()).unwrap(),
        index,
        time_bucket: 100,
        tenant: [0; 16],
        boot_id: BOOT,
        release: 1,
        commitments,
    };
    Record { entry: Entry::new(&header, &body), body }
}
