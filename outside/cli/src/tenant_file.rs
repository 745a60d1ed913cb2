//! What a tenant keeps: one file (0600) with its SID and token, and how to tell its vault from another.

use std::fs;
use std::path::Path;

use adyton_attest::Root;
use adyton_folder::write_private;
use adyton_ledger::{SshPublicKey, VaultId};
use adyton_seal::{RecipientPublicKey, SealedPurpose};
use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};

use crate::trust::Remembered;

type Error = Box<dyn std::error::Error>;

/// A tenant's own file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantFile {
    /// The vault that it is a tenant of.
    pub(crate) vault_id: String,
    /// The root that signs that vault's evidence: `aws`, or the DER of another one, base64. Missing until a vault was appraised: a
    /// tenant that was made with `--trust-operator` knows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) root: Option<String>,
    /// `AC…`.
    pub(crate) account_sid: String,
    /// The secret.
    pub(crate) auth_token: String,
    /// The service that `adyton up` made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service_sid: Option<String>,
}

/// How a file names AWS's root.
const AWS: &str = "aws";

/// How a file names a root.
pub(crate) fn root_text(root: &Root) -> String {
    if root.is_aws() { AWS.into() } else { BASE64.encode(root.der()) }
}

/// 128 random bits in hexadecimal.
pub(crate) fn random_hex() -> Result<String, Error> {
    Ok(HEXLOWER.encode(&adyton_seal::random::<16>()?))
}

impl TenantFile {
    /// A tenant that no vault has heard of; `root` signs its vault's evidence, if that is known.
    pub(crate) fn new(vault: &VaultId, root: Option<&Root>) -> Result<Self, Error> {
        let (account_sid, auth_token) = (format!("AC{}", random_hex()?), random_hex()?);
        let root = root.map(root_text);
        Ok(Self { vault_id: vault.to_string(), root, account_sid, auth_token, service_sid: None })
    }

    /// What it says of its vault; `file` is where it stands.
    pub(crate) fn remembered<'a>(&self, file: &'a Path) -> Result<Remembered<'a>, Error> {
        let wrong = |what: &str| format!("{}: {what}", file.display());
        let vault_id = self.vault().map_err(|_| wrong("vault_id is not a vault's id"))?;
        let parse = |text: &String| match &text[..] {
            AWS => Ok(Root::aws()),
            text => BASE64.decode(text.as_bytes()).map(Root::explicit),
        };
        let root = self.root.as_ref().map(parse).transpose().map_err(|_| wrong("root is neither aws nor base64"))?;
        Ok(Remembered { file, vault_id, root })
    }

    /// Remembers the root of the first evidence that convinced, if the file names none yet. Whether it changed.
    pub(crate) fn learn(&mut self, root: Option<&Root>) -> bool {
        let learnt = self.root.is_none() && root.is_some();
        if learnt {
            self.root = root.map(root_text);
        }
        learnt
    }

    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let kept = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_slice(&kept).map_err(|error| format!("{}: {error}", path.display()))?)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        Ok(write_private(path, &serde_json::to_vec_pretty(self)?)?)
    }

    /// The vault's id.
    pub(crate) fn vault(&self) -> Result<VaultId, Error> {
        Ok(self.vault_id.parse()?)
    }

    /// The token, sealed to the vault.
    pub(crate) fn sealed_token(&self, key: &RecipientPublicKey) -> Result<String, Error> {
        let purpose = SealedPurpose::tenant_token(&self.vault()?.0, &self.account_sid);
        Ok(BASE64.encode(&key.seal(&purpose, self.auth_token.as_bytes())?))
    }

    /// What introduces it to the vault.
    pub(crate) fn introduction(
        &self,
        key: &RecipientPublicKey,
        name: &str,
        ssh_key: &SshPublicKey,
    ) -> Result<adyton_api::CreateTenant, Error> {
        Ok(adyton_api::CreateTenant {
            account_sid: self.account_sid.clone(),
            friendly_name: name.into(),
            sealed_token: self.sealed_token(key)?,
            ssh_key: ssh_key.to_string(),
        })
    }

    /// Its `Authorization` header.
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", BASE64.encode(format!("{}:{}", self.account_sid, self.auth_token).as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn a_file_learns_its_root_once() {
        let remembered = |file: &TenantFile| file.remembered(Path::new("t.json")).unwrap().root;
        let mut file = TenantFile::new(&VaultId([7; 32]), None).unwrap();
        assert_eq!(remembered(&file), None);
        assert!(!file.learn(None) && file.root.is_none());
        let laptops = Root::explicit(vec![1, 2, 3]);
        assert!(file.learn(Some(&laptops)));
        assert!(!file.learn(Some(&Root::aws())), "it is known");
        assert_eq!(remembered(&file), Some(laptops));
        let file = TenantFile::new(&VaultId([7; 32]), Some(&Root::aws())).unwrap();
        assert_eq!((file.root.as_deref(), remembered(&file)), (Some("aws"), Some(Root::aws())));
        let wrong = TenantFile { root: Some("?".into()), ..file };
        let refused = wrong.remembered(Path::new("t.json")).err().unwrap().to_string();
        assert_eq!(refused, "t.json: root is neither aws nor base64");
    }
}
