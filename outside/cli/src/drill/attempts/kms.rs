//! The KMS's folder beside the vault's: what a laptop's custody is worth (docs/spec/03-heads.md, 00-conventions.md).
//!
//! 1. the KMS's key opens the secret that stands in the genesis as its ciphertext;
//! 2. that secret unwraps the root key, from which every key of the vault follows;
//! 3. the bodies of the operations log are opened, boot by boot;
//! 4. numbers are recognised in them by their keyed hash, as anybody would who tries all numbers there are; decoys are not.
//!    The tenant's salt, which the hash needs, stands in one of those bodies too.

use adyton_ledger::{Body, Genesis, LogId, LogReader, Record, VaultId};
use adyton_seal::{AeadKey, HmacKey, KeyTree, Label, Nonce, RootKey, Secret as Key, WrapKey, keyed_hash_16};
use adyton_wire::Put;
use data_encoding::HEXLOWER;

use super::Attempt;
use crate::drill::canary::Secret;
use crate::drill::report::{Expected, Finding};
use crate::drill::{Drill, Error};
use crate::store::Source;

/// The attempt.
pub(super) const ATTEMPTS: [Attempt; 1] = [Attempt {
    id: "kms-folder",
    what: "Opens the log with the KMS's folder and the vault's, and tries numbers against its keyed hashes",
    expected: Expected::Open { until: "kms: a cloud KMS, and its administrator; kms+quorum: a quorum besides" },
    run: |drill| Box::pin(open_all(drill)),
}];

async fn open_all(drill: &mut Drill) -> Result<Finding, Error> {
    // 1.
    let kms_key = std::fs::read(drill.stack.folders.pretend.join("kms.key"))?;
    let kms_key = AeadKey::new(&Key::try_from(&kms_key[..])?)?;
    let ciphertext = &drill.stack.serving.genesis.kms_ciphertext;
    let (nonce, sealed) = ciphertext.split_first_chunk::<12>().ok_or("the KMS's ciphertext is too short")?;
    let secret = kms_key.open(Nonce::random(*nonce), b"adyton pretend kms v1", sealed)?;
    open_with(drill, &Key::try_from(secret.as_bytes())?, "the KMS's key gave the root key")
}

/// 2. to 4., with the KMS's secret.
pub(super) fn open_with(drill: &Drill, secret: &Key<32>, how: &str) -> Result<Finding, Error> {
    let serving = &drill.stack.serving;
    let keys = keys(secret, &serving.genesis)?;
    // 3.
    let log = LogId::ops(0);
    let source = Source::open(&drill.stack.folders.data)?;
    let (mut bodies, mut entries, mut next) = (Vec::new(), 0, 0);
    loop {
        let records = source.read(log, next, 1024, 8 << 20)?;
        if records.is_empty() {
            break;
        }
        next += records.len() as u64;
        for record in records {
            entries += 1;
            for body in Body::ALL {
                bodies.extend(opened(&keys, &serving.vault_id, log, &record, body)?);
            }
        }
    }
    // 4.
    let account = &serving.tenant.account_sid;
    let salt = bodies.iter().find_map(|body| salt(body, account)).ok_or("no opened body has the tenant's salt")?;
    let subjects = Subjects::new(&keys, account, &salt, &drill.done.service)?;
    let numbers = || {
        let pairs = drill.planted.canaries.iter().zip(&drill.planted.decoys);
        // Those of this service; other attempts have numbers of their own.
        pairs.filter(|(canary, _)| drill.done.verifications.iter().any(|started| started.to[1..] == canary.value))
    };
    let known = |number: &Secret| {
        let hash = subjects.of(&format!("+{}", number.value));
        bodies.iter().any(|body| body.windows(16).any(|window| window == hash))
    };
    let of = numbers().count();
    let found = numbers().filter(|(canary, _)| known(canary)).count();
    let by_chance = numbers().filter(|(_, decoy)| known(decoy)).count();
    let detail = format!(
        "{how}; {} bodies of {entries} entries opened; {found} of {of} numbers and {by_chance} of {of} decoys recognised by their keyed hash",
        bodies.len()
    );
    Ok(if found > by_chance { Finding::open(detail) } else { Finding::failed(detail) })
}

/// 2.
fn keys(secret: &Key<32>, genesis: &Genesis) -> Result<KeyTree, Error> {
    let mut bound_to = Vec::new();
    bound_to.put_lp(b"adyton root wrap v1");
    bound_to.put(&genesis.nonce);
    bound_to.put(&genesis.policy_hash);
    let root: RootKey = WrapKey::from_kms_secret(secret)?.unwrap(&bound_to, &genesis.wrapped_root)?;
    Ok(KeyTree::new(&root, 1))
}

/// 3. A body of one entry, unless it has none or it is gone.
fn opened(keys: &KeyTree, vault: &VaultId, log: LogId, record: &Record, body: Body) -> Result<Option<Vec<u8>>, Error> {
    let Some(sealed) = record.body(body) else { return Ok(None) };
    let (header, name) = (record.entry.header()?, log.name());
    let key = AeadKey::new(&keys.derive(Label::Log, &[name.as_bytes(), &header.boot_id])?)?;
    let mut bound_to = Vec::new();
    bound_to.put_lp(b"adyton entry v2");
    bound_to.put(&vault.0);
    bound_to.put_lp(name.as_bytes());
    bound_to.put_u64(header.index);
    bound_to.put_u8(body.number());
    bound_to.put(&record.entry.header_bytes());
    let nonce = Nonce::numbered(u32::from(body.number()), header.index);
    Ok(Some(key.open(nonce, &bound_to, sealed)?.as_bytes().to_vec()))
}

/// The salt in the event by which a tenant was created (docs/spec/02-entries.md, `TenantCreated`), if a body holds it.
fn salt(body: &[u8], account: &str) -> Option<[u8; 16]> {
    const CREATED: u8 = 2;
    let account = HEXLOWER.decode(account.strip_prefix("AC")?.as_bytes()).ok()?;
    // `u8` number, `u64` time, account [16], token hash [32], salt [16].
    body.windows(1 + 8 + 16 + 32 + 16)
        .find(|event| event[0] == CREATED && event[9..25] == account)
        .and_then(|event| event[57..].try_into().ok())
}

/// What a service of a tenant knows numbers by.
struct Subjects {
    key: HmacKey,
    service: String,
}

impl Subjects {
    fn new(keys: &KeyTree, account: &str, salt: &[u8; 16], service: &str) -> Result<Self, Error> {
        let key = HmacKey::new(&keys.derive(Label::Subject, &[account.as_bytes(), salt])?);
        Ok(Self { key, service: service.into() })
    }

    fn of(&self, number: &str) -> [u8; 16] {
        keyed_hash_16(&self.key, &[self.service.as_bytes(), b"sms", number.as_bytes()])
    }
}
