//! The vault's beginning: its genesis record, made here once or opened again (`docs/spec/03-heads.md`).
//!
//! The record is public and the host keeps it, so nothing in it is believed because it stands there: what is derived
//! from the root key is derived again and compared, and what is sealed opens or does not. Otherwise a host could put a
//! key of its own beside ours and have the platform attest to it.

use std::sync::Arc;

use adyton_ledger::{Body, Entry, Genesis, GovRecord, Kind, LogId, Record, VaultId, sha256};
use adyton_policy::SuccessionError;
use adyton_seal::{KeyTree, Label, Opaque, RecipientKey, RootKey, SigningKey, mix_random, random};

use super::{BootError, EPOCH};
use crate::clock::Clock;
use crate::custody::{self, Custodian};
use crate::engine::gov;
use crate::identity::make_ca;
use crate::platform::Nsm;
use crate::policy::Measured;
use crate::store::Store;

/// The release of a genesis.
const FIRST_RELEASE: u64 = 1;

/// The vault as its genesis made it, with its keys.
pub(super) struct Vault {
    pub(super) id: VaultId,
    pub(super) genesis: Genesis,
    pub(super) keys: Arc<KeyTree>,
    /// The genesis entry, if it was born just now.
    pub(super) newborn: Option<Record>,
}

/// What of a genesis follows from the root key.
struct Derived {
    log_key: [u8; 32],
    hpke_key: [u8; 32],
}

impl Derived {
    fn new(keys: &KeyTree) -> Result<Self, Opaque> {
        Ok(Self {
            log_key: SigningKey::from_seed(&keys.derive(Label::LogSigning, &[])?)?.public_key(),
            hpke_key: RecipientKey::new(&keys.derive(Label::Hpke, &[])?)?.public_key().0,
        })
    }
}

/// The vault of the host's public log, or a new one if there is none.
pub(super) async fn vault(
    store: &mut Store,
    policy: &Measured,
    kms: &Custodian,
    nsm: &mut Nsm,
    boot_id: [u8; 16],
    clock: &Clock,
) -> Result<Vault, BootError> {
    let first = store.read(LogId::GOV, 0, 1).await?;
    let Some(record) = first.into_iter().next() else {
        return born(policy, kms, nsm, boot_id, clock).await;
    };
    let genesis = read(&record.entry, record.kept.as_deref(), policy)?;
    let wrap = kms.decrypt(nsm, clock, &genesis.nonce, &genesis.kms_ciphertext).await?;
    let root = wrap.unwrap(&custody::wrap_aad(&genesis.nonce, &genesis.policy_hash), &genesis.wrapped_root)?;
    opened(&record.entry, genesis, &root)
}

/// The record of a genesis entry, under this policy. Public values, all of them.
fn read(entry: &Entry, body: Option<&[u8]>, policy: &Measured) -> Result<Genesis, BootError> {
    let body = body.ok_or(BootError::Gov)?;
    let header = entry.header().map_err(|_| BootError::Gov)?;
    if header.index != 0 || header.kind != Kind::Gov || sha256(body) != entry.body_hash(Body::Kept) {
        return Err(BootError::Gov);
    }
    let Ok(GovRecord::Genesis(genesis)) = GovRecord::decode(body) else { return Err(BootError::Gov) };
    // Which policy is in force now, the rest of the log says; these two, which the record names, no approval changes.
    if genesis.profile != policy.profile() {
        return Err(SuccessionError::Profile.into());
    }
    if genesis.attestation_root != sha256(&policy.attestation_root).0 {
        return Err(SuccessionError::AttestationRoot.into());
    }
    Ok(genesis)
}

/// The vault of a genesis whose root key was released: it is only ours if what it says of our keys is so.
fn opened(entry: &Entry, genesis: Genesis, root: &RootKey) -> Result<Vault, BootError> {
    let keys = KeyTree::new(root, EPOCH);
    let Derived { log_key, hpke_key } = Derived::new(&keys)?;
    if (genesis.log_key, genesis.hpke_key) != (log_key, hpke_key) {
        return Err(BootError::Crypto);
    }
    Ok(Vault { id: VaultId::of_genesis(entry), genesis, keys: Arc::new(keys), newborn: None })
}

/// Genesis: everything that is born is born here, and exists once its one record is durable.
async fn born(
    policy: &Measured,
    kms: &Custodian,
    nsm: &mut Nsm,
    boot_id: [u8; 16],
    clock: &Clock,
) -> Result<Vault, BootError> {
    let root = RootKey::new(mix_random(&nsm.random().await?)?);
    let nonce: [u8; 32] = random()?;
    let released = kms.generate(nsm, clock, &nonce).await?;
    let wrapped_root = released.wrap.wrap(random()?, &custody::wrap_aad(&nonce, &policy.hash), &root)?;
    let keys = KeyTree::new(&root, EPOCH);
    let ca = make_ca(&policy.policy.api, &keys, &nonce)?;
    let Derived { log_key, hpke_key } = Derived::new(&keys)?;
    let genesis = Genesis {
        profile: policy.profile(),
        nonce,
        attestation_root: sha256(&policy.attestation_root).0,
        policy_hash: policy.hash,
        log_key,
        hpke_key,
        ca_certificate: ca.certificate,
        sealed_ca_key: ca.sealed_key,
        wrapped_root,
        kms_ciphertext: released.ciphertext,
    };
    let record = gov::entry(&GovRecord::Genesis(genesis.clone()), 0, clock.now() / 10, boot_id, FIRST_RELEASE);
    Ok(Vault { id: VaultId::of_genesis(&record.entry), genesis, keys: Arc::new(keys), newborn: Some(record) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use adyton_ledger::Profile;
    use adyton_seal::Secret;

    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    fn policy() -> Measured {
        let peer = format!("host = \"peer.adyton.test\"\nport = 443\ntrust = \"\"\"\n{PEM}\"\"\"\n");
        let text = format!(
            "version = 1\nprofile = \"dev\"\nretention_days = 30\n[attestation]\nroot = \"\"\"\n{PEM}\"\"\"\n\
             [tenants]\nadmission = \"open\"\nloosening_hours = 24\n[api]\nnames = [\"localhost\"]\naddresses = []\n\
             [custody]\n{peer}[verification]\nchannels = []\ncountries = []\n"
        );
        Measured::parse(text.as_bytes()).unwrap()
    }

    fn root() -> RootKey {
        RootKey::new(Secret::init_with(|bytes| bytes.fill(7)))
    }

    fn genesis(policy: &Measured) -> Genesis {
        let Derived { log_key, hpke_key } = Derived::new(&KeyTree::new(&root(), EPOCH)).unwrap();
        Genesis {
            profile: Profile::Dev,
            nonce: [1; 32],
            attestation_root: sha256(&policy.attestation_root).0,
            policy_hash: policy.hash,
            log_key,
            hpke_key,
            ca_certificate: vec![5; 300],
            sealed_ca_key: vec![6; 80],
            wrapped_root: vec![7; 60],
            kms_ciphertext: vec![8; 100],
        }
    }

    /// What a boot says of the entry that a host made of this record.
    fn reason(policy: &Measured, genesis: Genesis, index: u64) -> Option<u8> {
        let Record { entry, kept, .. } = gov::entry(&GovRecord::Genesis(genesis), index, 0, [3; 16], FIRST_RELEASE);
        let opened = read(&entry, kept.as_deref(), policy).and_then(|genesis| opened(&entry, genesis, &root()));
        opened.err().map(|refusal| refusal.reason())
    }

    #[test]
    fn a_genesis_with_another_key_in_it_is_refused() {
        let policy = policy();
        assert_eq!(reason(&policy, genesis(&policy), 0), None);
        for forge in
            [|genesis: &mut Genesis| genesis.log_key = [9; 32], |genesis: &mut Genesis| genesis.hpke_key = [9; 32]]
        {
            let mut forged = genesis(&policy);
            forge(&mut forged);
            assert_eq!(reason(&policy, forged, 0), Some(BootError::Crypto.reason()));
        }
    }

    #[test]
    fn a_genesis_of_another_profile_root_or_place_is_refused() {
        let policy = policy();
        for forge in [
            |genesis: &mut Genesis| genesis.profile = Profile::Kms,
            |genesis: &mut Genesis| genesis.attestation_root = [9; 32],
        ] {
            let mut other = genesis(&policy);
            forge(&mut other);
            assert_eq!(reason(&policy, other, 0), Some(18));
        }
        assert_eq!(reason(&policy, genesis(&policy), 1), Some(BootError::Gov.reason()));
        let entry = gov::entry(&GovRecord::Genesis(genesis(&policy)), 0, 0, [3; 16], FIRST_RELEASE).entry;
        for body in [None, Some(&b"another"[..])] {
            assert!(matches!(read(&entry, body, &policy), Err(BootError::Gov)));
        }
    }
}
