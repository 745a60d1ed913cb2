//! Plants each fault in a store and asserts the rule that names it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use adyton_ledger::*;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

const BOOT: [u8; 16] = [7; 16];

struct Vault {
    store: MemoryStore,
    key: Ed25519KeyPair,
    public: [u8; 32],
    id: VaultId,
}

fn entry(kind: Kind, keep: Keep, index: u64, boot_id: [u8; 16], body: &[u8]) -> Record {
    let (body_len, commitments) = (u32::try_from(body.len()).unwrap(), Hash([0; 32]));
    let header = Header {
        kind,
        keep,
        body_len,
        index,
        time_bucket: 100 + index,
        tenant: [0; 16],
        boot_id,
        release: 1,
        commitments,
    };
    Record { entry: Entry::new(&header, body), body: body.to_vec() }
}

fn root(records: &[StoredRecord]) -> Hash {
    let mut frontier = Frontier::new();
    records.iter().for_each(|record| frontier.push(record.entry.leaf_hash()));
    frontier.root()
}

impl Vault {
    fn append(&mut self, log: LogId, record: Record) {
        let mut after = self.store.records_mut(log).clone();
        let size = after.len() as u64;
        after.push(StoredRecord { entry: record.entry.clone(), body: Some(record.body.clone()) });
        let head = self.head(log, size + 1, root(&after));
        self.store.append(log, size, &[record], &head).unwrap();
    }

    fn head(&self, log: LogId, size: u64, root: Hash) -> String {
        let head = Head { origin: origin(&self.id, log), size, root };
        head.sign(&self.public, |bytes| self.key.sign(bytes).as_ref().try_into().unwrap())
    }

    fn gov(&mut self, record: &GovRecord) {
        let index = self.store.records_mut(LogId::GOV).len() as u64;
        self.append(LogId::GOV, entry(Kind::Gov, Keep::Forever, index, BOOT, &record.encode()));
    }

    /// Signs the changed log again, as if the vault itself had written it.
    fn resign(&mut self, log: LogId) {
        let records = self.store.records_mut(log).clone();
        let size = records.len() as u64;
        let head = self.head(log, size, root(&records));
        self.store.heads_mut(log).clear();
        self.store.heads_mut(log).insert(size, head);
    }

    fn rule(&self) -> Rule {
        match check(&self.store) {
            Err(CheckError::Fault(fault)) => fault.rule,
            other => panic!("{other:?}"),
        }
    }
}

fn ops() -> LogId {
    LogId::ops(0)
}

fn vault() -> Vault {
    let key = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let public: [u8; 32] = key.public_key().as_ref().try_into().unwrap();
    let [nonce, attestation_root, policy_hash, hpke_key] = [[1; 32], [2; 32], [3; 32], [4; 32]];
    let empty = Vec::new;
    let genesis = GovRecord::Genesis(Genesis {
        profile: Profile::Dev,
        nonce,
        attestation_root,
        policy_hash,
        log_key: public,
        hpke_key,
        ca_certificate: empty(),
        sealed_ca_key: empty(),
        wrapped_root: empty(),
        kms_ciphertext: empty(),
    });
    let id = VaultId::of_genesis(&entry(Kind::Gov, Keep::Forever, 0, BOOT, &genesis.encode()).entry);
    let mut vault = Vault { store: MemoryStore::new(), key, public, id };
    vault.gov(&genesis);
    let boot = BootRecord { boot_id: BOOT, release: 1, policy_hash, bundle_hash: [5; 32], time: 1 };
    vault.gov(&GovRecord::Boot(boot));
    for index in 0..300 {
        vault.append(ops(), entry(Kind::Ops, Keep::Retention, index, BOOT, b"sealed"));
    }
    vault
}

#[test]
fn a_good_vault_passes() {
    let mut vault = vault();
    let root = root(vault.store.records_mut(ops()));
    vault.gov(&GovRecord::OpsRoot(OpsRoot { log: ops(), size: 300, root }));
    let report = check(&vault.store).unwrap();
    assert_eq!((report.vault, report.logs.len()), (vault.id, 2));
    let log = &report.logs[1];
    assert_eq!((log.size, log.root, log.bodies, log.retired, log.tiles), (300, root, 300, 0, 1));
}

#[test]
fn tampering_is_named() {
    let good = vault;
    let mut v = good();
    v.store.records_mut(ops())[9].body = Some(b"seaLed".to_vec());
    assert_eq!(v.rule(), Rule::Body);
    let mut v = good();
    v.store.records_mut(ops())[9].entry = entry(Kind::Ops, Keep::Retention, 9, BOOT, b"others").entry;
    v.store.records_mut(ops())[9].body = Some(b"others".to_vec());
    assert!(matches!(v.rule(), Rule::Tile { level: 0, number: 0 } | Rule::Root { .. }));
    let mut v = good();
    v.store.records_mut(ops()).swap(3, 4);
    assert_eq!(v.rule(), Rule::Index { got: 4 });
    let mut v = good();
    v.store.tiles_mut(ops()).get_mut(&(0, 0)).unwrap()[5] ^= 1;
    assert_eq!(v.rule(), Rule::Tile { level: 0, number: 0 });
    let mut v = good();
    v.store.heads_mut(ops()).last_entry().unwrap().get_mut().push('x');
    assert_eq!(v.rule(), Rule::Head(HeadError::Form));
    // The newest entries dropped, the newest head kept.
    let mut v = good();
    v.store.records_mut(ops()).truncate(299);
    assert_eq!(v.rule(), Rule::NewestHead);
}

#[test]
fn a_vault_that_writes_wrongly_is_named() {
    let cases = [
        (entry(Kind::Gov, Keep::Forever, 300, BOOT, b"x"), Rule::Kind(Kind::Gov)),
        (entry(Kind::Ops, Keep::Retention, 300, [8; 16], b"x"), Rule::BootId),
    ];
    for (record, rule) in cases {
        let mut v = vault();
        v.append(ops(), record);
        assert_eq!(v.rule(), rule);
    }
    let mut v = vault();
    v.gov(&GovRecord::OpsRoot(OpsRoot { log: ops(), size: 20, root: Hash([1; 32]) }));
    assert_eq!(v.rule(), Rule::OpsRoot);
    let mut v = vault();
    v.store.records_mut(ops()).pop();
    v.resign(ops());
    v.gov(&GovRecord::OpsRoot(OpsRoot { log: ops(), size: 300, root: Hash([1; 32]) }));
    assert_eq!(v.rule(), Rule::OpsRoot);
}

#[test]
fn a_body_is_missing_only_below_a_snapshot() {
    let mut v = vault();
    v.store.records_mut(ops())[9].body = None;
    assert_eq!(v.rule(), Rule::BodyMissing);
    v.append(ops(), entry(Kind::Snapshot, Keep::Forever, 300, BOOT, b"manifest"));
    assert_eq!(check(&v.store).unwrap().logs[1].retired, 1);
    v.store.records_mut(LogId::GOV)[1].body = None;
    assert_eq!(v.rule(), Rule::BodyMissing);
}
