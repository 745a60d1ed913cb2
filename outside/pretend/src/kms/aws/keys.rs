//! The keys, and the file that keeps them: material, policy, grants.

use std::collections::BTreeMap;
use std::io;

use adyton_seal::{AeadKey, Nonce, Plaintext, Secret, random};
use adyton_wire::Put;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{ACCOUNT, REGION, Refusal};
use crate::folder::Folder;

const FILE: &str = "kms-aws.json";
const CIPHERTEXT: &[u8] = b"adyton pretend aws v1";

/// An encryption context.
pub(super) type Context = BTreeMap<String, String>;

/// Whom a key may be used by, beside its policy.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Grant {
    pub(super) id: String,
    pub(super) grantee: String,
    pub(super) operations: Vec<String>,
}

/// One key.
#[derive(Deserialize, Serialize)]
pub(super) struct Key {
    pub(super) arn: String,
    material: String,
    pub(super) policy: String,
    pub(super) grants: Vec<Grant>,
    pub(super) created: u64,
}

/// All keys, by id.
pub(super) struct Keys {
    folder: Folder,
    keys: BTreeMap<String, Key>,
}

fn internal(_: impl Sized) -> Refusal {
    Refusal::new("KMSInternalException", "")
}

impl Keys {
    pub(super) fn open(folder: Folder) -> io::Result<Self> {
        let kept = folder.read_or_make(FILE, || Ok(b"{}".to_vec()))?;
        Ok(Self { keys: serde_json::from_slice(&kept)?, folder })
    }

    /// A key by its ARN or id.
    pub(super) fn find(&mut self, name: &str) -> Result<&mut Key, Refusal> {
        let id = name.rsplit('/').next().unwrap_or_default();
        match self.keys.get_mut(id) {
            Some(key) if key.arn == name || id == name => Ok(key),
            _ => Err(Refusal::new("NotFoundException", format!("Key '{name}' does not exist"))),
        }
    }

    /// The key that made a ciphertext.
    pub(super) fn of_ciphertext(&mut self, ciphertext: &[u8]) -> Option<&mut Key> {
        let id = ciphertext.first_chunk::<16>()?;
        self.keys.get_mut(&uuid(id))
    }

    pub(super) fn create(&mut self, policy: String, created: u64) -> Result<&mut Key, Refusal> {
        let id = uuid(&random::<16>().map_err(internal)?);
        let arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}");
        let material = HEXLOWER.encode(&random::<32>().map_err(internal)?);
        let key = Key { policy, arn, material, grants: Vec::new(), created };
        self.keys.insert(id.clone(), key);
        self.save()?;
        self.keys.get_mut(&id).ok_or_else(|| internal(()))
    }

    /// Writes what changed.
    pub(super) fn save(&self) -> Result<(), Refusal> {
        let text = serde_json::to_vec_pretty(&self.keys).map_err(internal)?;
        self.folder.write(FILE, &text).map_err(internal)
    }
}

impl Key {
    /// Its id.
    pub(super) fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }

    fn cipher(&self) -> Result<AeadKey, Refusal> {
        let material = HEXLOWER.decode(self.material.as_bytes()).map_err(internal)?;
        AeadKey::new(&Secret::try_from(&material[..]).map_err(internal)?).map_err(internal)
    }

    fn aad(&self, context: &Context) -> Vec<u8> {
        let mut aad = Vec::new();
        aad.put_lp(CIPHERTEXT);
        aad.put_lp(self.arn.as_bytes());
        for text in context.iter().flat_map(|(name, value)| [name, value]) {
            aad.put_lp(text.as_bytes());
        }
        aad
    }

    /// `id [16] || nonce [12] || AES-256-GCM`.
    pub(super) fn encrypt(&self, secret: &[u8], context: &Context) -> Result<Vec<u8>, Refusal> {
        let id = HEXLOWER.decode(self.id().replace('-', "").as_bytes()).map_err(internal)?;
        let nonce: [u8; 12] = random().map_err(internal)?;
        let mut plaintext = Plaintext::with_capacity(secret.len());
        plaintext.put(secret);
        let mut out = [&id[..], &nonce].concat();
        self.cipher()?.seal(Nonce::random(nonce), &self.aad(context), plaintext, &mut out).map_err(internal)?;
        Ok(out)
    }

    pub(super) fn decrypt(&self, ciphertext: &[u8], context: &Context) -> Result<Plaintext, Refusal> {
        let invalid = || Refusal::new("InvalidCiphertextException", "");
        let rest = ciphertext.get(16..).ok_or_else(invalid)?;
        let (nonce, sealed) = rest.split_first_chunk::<12>().ok_or_else(invalid)?;
        self.cipher()?.open(Nonce::random(*nonce), &self.aad(context), sealed).map_err(|_| invalid())
    }
}

fn uuid(bytes: &[u8; 16]) -> String {
    let hex = HEXLOWER.encode(bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
