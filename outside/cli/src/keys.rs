//! `adyton key`: a tenant's API keys. SID and secret are made here; the vault gets the secret sealed and keeps a keyed hash.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adyton_api::{ChangeKeys, NewKey};
use adyton_folder::write_private;
use adyton_seal::{RecipientPublicKey, SealedPurpose};
use clap::Subcommand;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answers;
use crate::client::{hinted, nothing_happened};
use crate::outputs;
use crate::tenant::{Tenant, TenantKey, account, change_keys, runtime, say};
use crate::tenant_file::{TenantFile, random_hex};
use crate::trust::Connection;

type Error = Box<dyn std::error::Error>;

/// What can be done with API keys.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes an API key: its secret is made here and kept in a file; the vault gets it sealed.
    Create {
        #[command(flatten)]
        tenant: Tenant,
        #[command(flatten)]
        key: TenantKey,
        /// What it may do: verify, admin, support; may be repeated
        #[arg(long, required = true, value_parser = ["verify", "admin", "support"])]
        scope: Vec<String>,
        /// Where its SID and secret go
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Forgets an API key.
    Remove {
        #[command(flatten)]
        tenant: Tenant,
        #[command(flatten)]
        key: TenantKey,
        /// The API key
        #[arg(value_name = "SK…")]
        sid: String,
    },
    /// Lists the API keys: SIDs and scopes.
    List(Tenant),
}

/// An API key's own file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyFile {
    account_sid: String,
    pub(crate) key_sid: String,
    pub(crate) key_secret: String,
}

impl KeyFile {
    /// Its `Authorization` header.
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", BASE64.encode(format!("{}:{}", self.key_sid, self.key_secret).as_bytes()))
    }
}

/// Makes an API key: what stays here, and what the vault gets.
pub(crate) fn new_key(
    file: &TenantFile,
    vault_key: &RecipientPublicKey,
    scopes: &[String],
) -> Result<(KeyFile, NewKey), Error> {
    let made = KeyFile {
        account_sid: file.account_sid.clone(),
        key_sid: format!("SK{}", random_hex()?),
        key_secret: random_hex()?,
    };
    let purpose = SealedPurpose::api_key(&file.vault()?.0, &file.account_sid, &made.key_sid);
    let new = NewKey {
        key_sid: made.key_sid.clone(),
        scopes: scopes.to_vec(),
        sealed_secret: BASE64.encode(&vault_key.seal(&purpose, made.key_secret.as_bytes())?),
    };
    Ok((made, new))
}

/// Carries out a command about API keys.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Error> {
    runtime()?.block_on(async {
        match command {
            Command::Create { tenant, key, scope, out } => create(tenant, key, scope, out).await,
            Command::Remove { tenant, key, sid } => remove(tenant, key, sid).await,
            Command::List(tenant) => list(tenant).await,
        }
    })
}

async fn create(tenant: &Tenant, key: &TenantKey, scopes: &[String], out: &Path) -> Result<ExitCode, Error> {
    let mut scopes = scopes.to_vec();
    scopes.sort();
    scopes.dedup();
    outputs::free(out)?;
    let (Connection { client, key: vault_key, .. }, file) = tenant.open().await?;
    let (made, new) = new_key(&file, &vault_key, &scopes)?;
    write_private(out, &serde_json::to_vec_pretty(&made)?)?;
    let changes = ChangeKeys { add: vec![new], ..ChangeKeys::default() };
    if let Err(error) = change_keys(&client, &file, &changes, key).await {
        if nothing_happened(&error) {
            std::fs::remove_file(out)?;
            return Err(error);
        }
        let told = format!("holds a key that the vault may not know: look with `adyton key list {}`", tenant.option());
        return Err(format!("{error}\n{} {told}", out.display()).into());
    }
    let sentence = format!("{} may {}; its secret is in {}.", made.key_sid, scopes.join(", "), out.display());
    Ok(say(&tenant.place, &json!({ "key_sid": made.key_sid, "scopes": scopes, "key": out }), &sentence))
}

async fn remove(tenant: &Tenant, key: &TenantKey, sid: &str) -> Result<ExitCode, Error> {
    let (Connection { client, .. }, file) = tenant.open().await?;
    let changes = ChangeKeys { remove: vec![sid.into()], ..ChangeKeys::default() };
    let changed = change_keys(&client, &file, &changes, key).await;
    let listed = format!("`adyton key list {}` says which keys there are.", tenant.option());
    changed.map_err(|error| hinted(error, 404, &listed))?;
    Ok(say(&tenant.place, &json!({ "key_sid": sid }), &format!("{sid} is forgotten.")))
}

async fn list(tenant: &Tenant) -> Result<ExitCode, Error> {
    let keys = account(tenant).await?.keys;
    let lines: Vec<_> = keys.iter().map(answers::key).collect::<Result<_, _>>()?;
    let sentence = if lines.is_empty() {
        format!(
            "No API keys: `adyton key create {} --key TENANT-KEY --scope verify --out KEY.json` makes one.",
            tenant.option()
        )
    } else {
        lines.join("\n")
    };
    Ok(say(&tenant.place, &json!({ "keys": keys }), &sentence))
}
