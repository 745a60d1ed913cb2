//! What a tenant keeps: one file (0600) with its SID and token, and how to tell its vault from another.

use std::fs;
use std::path::Path;

use adyton_folder::write_private;
use adyton_ledger::VaultId;
use adyton_seal::{RecipientPublicKey, SealedPurpose};
use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};

use adyton_attest::Root;

use crate::trust::Remembered;

type Error = Box<dyn std::error::Error>;

/// A tenant's own file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantFile {
    /// The vault that it is a tenant of.
    pub(crate) vault_id: String,
    /// DER of the root that signs that vault's evidence, base64; AWS's if it is missing.
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

/// 128 random bits in hexadecimal.
pub(crate) fn random_hex() -> Result<String, Error> {
    Ok(HEXLOWER.encode(&adyton_seal::random::<16>()?))
}

impl TenantFile {
    /// A tenant that no vault has heard of; `root` (DER) signs its vault's evidence, or AWS's does.
    pub(crate) fn new(vault: &VaultId, root: Option<&[u8]>) -> Result<Self, Error> {
        let (account_sid, auth_token) = (format!("AC{}", random_hex()?), random_hex()?);
        let root = root.map(|root| BASE64.encode(root));
        Ok(Self { vault_id: vault.to_string(), root, account_sid, auth_token, service_sid: None })
    }

    /// What it says of its vault; `file` is where it stands.
    pub(crate) fn remembered<'a>(&self, file: &'a Path) -> Result<Remembered<'a>, Error> {
        let wrong = |what: &str| format!("{}: {what}", file.display());
        let vault_id = self.vault().map_err(|_| wrong("vault_id is not a vault's id"))?;
        let root = self.root.as_ref().map(|root| BASE64.decode(root.as_bytes())).transpose();
        let root = root.map_err(|_| wrong("root is not base64"))?.map_or_else(Root::aws, Root::explicit);
        Ok(Remembered { file, vault_id, root })
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
        ssh_key: &str,
    ) -> Result<adyton_api::CreateTenant, Error> {
        Ok(adyton_api::CreateTenant {
            account_sid: self.account_sid.clone(),
            friendly_name: name.into(),
            sealed_token: self.sealed_token(key)?,
            ssh_key: ssh_key.into(),
        })
    }

    /// Its `Authorization` header.
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", BASE64.encode(format!("{}:{}", self.account_sid, self.auth_token).as_bytes()))
    }
}
