//! The first tenant of a laptop's vault. `up` plays that tenant: it makes the secrets, which stay in the client folder.

use std::path::Path;

use adyton_attest::Root;
use adyton_ledger::{Genesis, VaultId};
use adyton_seal::RecipientPublicKey;
use data_encoding::BASE64;
use serde_json::Value;

use crate::client::{Client, expect};
use crate::ssh::make_key;
use crate::tenant_file::TenantFile;

type Error = Box<dyn std::error::Error>;

/// Finds the tenant of this vault in its folder, or makes it. What was begun and not finished is finished: the SID and
/// the token are kept before the vault hears of them.
///
/// `root` (DER) signs the vault's evidence; the file remembers it.
pub(crate) async fn enrol(
    folder: &Path,
    client: &Client,
    (vault, genesis): (&VaultId, &Genesis),
    root: &[u8],
) -> Result<TenantFile, Error> {
    let (file, root) = (folder.join("tenant.json"), Root::explicit(root.to_vec()));
    let ssh_key = make_key(&folder.join("tenant"), "tenant of a laptop's vault")?.parse()?;
    let mut tenant = match TenantFile::read(&file) {
        Ok(kept) => kept,
        Err(_) if !file.exists() => {
            let tenant = TenantFile::new(vault, Some(&root))?;
            tenant.write(&file)?;
            tenant
        }
        Err(error) => return Err(error),
    };
    if tenant.learn(Some(&root)) {
        tenant.write(&file)?;
    }
    if tenant.service_sid.is_some() {
        return Ok(tenant);
    }
    let request = tenant.introduction(&RecipientPublicKey(genesis.hpke_key), "First tenant", &ssh_key)?;
    let json = [("content-type", "application/json")];
    expect(201, client.request("POST", "/adyton/v1/tenants", &json, serde_json::to_string(&request)?).await?)?;
    let basic = tenant.basic();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", &basic)];
    let created = client.request("POST", "/v2/Services", &headers, "FriendlyName=Adyton".into()).await?;
    let service: Value = serde_json::from_slice(&expect(201, created)?)?;
    tenant.service_sid = Some(service["sid"].as_str().ok_or("the service has no SID")?.into());
    tenant.write(&file)?;
    Ok(tenant)
}

pub(crate) fn pem(der: &[u8]) -> String {
    let base64 = BASE64.encode(der);
    let lines: Vec<&str> = (0..base64.len()).step_by(64).map(|at| &base64[at..base64.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
