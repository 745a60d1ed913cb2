//! What the owner of a laptop's vault decides: a policy whose routes are the pretend carriers', and settings with what those
//! carriers know the vault by.
//!
//! Elsewhere an owner writes both by hand, and seals real credentials (`adyton seal`, `adyton settings set`).

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use adyton_folder::write_private;
use adyton_ledger::{Genesis, VaultId};
use adyton_policy::Policy;
use adyton_seal::{RecipientPublicKey, SealedPurpose};
use data_encoding::BASE64;
use serde_json::Value;

use crate::client::Client;
use crate::{settings, trust};

type Error = Box<dyn std::error::Error>;

/// Seals the pretend carriers' credentials and signs the first settings, unless the owners have already signed some. The
/// text stays in `file`, to be changed and signed again.
pub(crate) async fn sign_first_settings(
    client: &Client,
    (vault, genesis): (&VaultId, &Genesis),
    (policy, pretend): (&Policy, &Value),
    (file, owner): (&Path, &Path),
) -> Result<(), Error> {
    if trust::vault(client).await?.owners_sequence > 0 {
        return Ok(());
    }
    let mut text = String::from(
        "# The owners' first settings. `adyton settings show --key OWNER-KEY` prints those in force, and `adyton settings set \
         --file FILE --key OWNER-KEY` signs\n# what a file says, all of it, in place of them.\n\
         version = 1\n\n[credentials]\n",
    );
    for route in &policy.routes {
        let Some(secret) = pretend["credentials"][&route.credential].as_str() else { continue };
        let purpose = SealedPurpose::credential(&vault.0, &route.credential, &route.host, route.port);
        let sealed = RecipientPublicKey(genesis.hpke_key).seal(&purpose, secret.as_bytes())?;
        text += &format!("{} = \"{}\"\n", route.credential, BASE64.encode(&sealed));
    }
    write_private(file, text.as_bytes())?;
    settings::change(client, vault, text, &[owner.to_path_buf()]).await?;
    Ok(())
}

/// The policy of a new vault: its routes are the pretend carriers'.
pub(crate) fn policy_text(pretend: &Value, listen: SocketAddr, owner: &str) -> Result<String, Error> {
    let read = |name: &str| Ok::<_, Error>(fs::read_to_string(pretend[name].as_str().ok_or("no path")?)?);
    let (root, trust) = (read("root")?, read("tls_ca")?);
    let account = pretend["account"].as_str().ok_or("no account")?;
    let mut addresses = vec!["127.0.0.1".to_string()];
    if listen.ip().to_string() != "127.0.0.1" {
        addresses.push(listen.ip().to_string());
    }
    Ok(format!(
        r#"# The vault's policy. It is measured: a vault boots under it, or under another one that the owners approved
# (`adyton policy approve --data DIR --key OWNER-KEY`).
version = 1
profile = "dev"
retention_days = 30

[attestation]
root = """
{root}"""

[owners]
threshold = 1
keys = [{owner:?}]

[tenants]
admission = "open"     # on a laptop whoever reaches the vault may become a tenant
loosening_hours = 24   # what makes a service weaker waits this long

[api]
names = ["localhost"]
addresses = {addresses:?}

[custody]
host = "kms.adyton.test"
port = 443
trust = """
{trust}"""

[verification]
channels = ["sms", "email"]
countries = ["+1", "+44"]   # every other country is closed

[limits]
failed_checks_refill_seconds = 1   # two minutes, as elsewhere, would be a long wait on a laptop

[[routes]]
name = "pretend"
kind = "twilio-messages"
channels = ["sms"]
host = "carrier.adyton.test"
port = 443
trust = """
{trust}"""
credential = "pretend-messages"
account = {account:?}
from = "Adyton"
cost = 0.01

[[routes]]
name = "pretend-mail"
kind = "smtp"
channels = ["email"]
host = "mail.adyton.test"
port = 465
trust = """
{trust}"""
credential = "pretend-mail"
tls = "implicit"
from = "Adyton <codes@adyton.test>"
"#
    ))
}

/// Sets a dotted key in the text of a policy: in place of its line, or in front of its table's others. What comes of it
/// is parsed afterwards.
pub(crate) fn override_key(text: &str, key: &str, value: &str) -> String {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    let (line, header) = (format!("{name} = {value}"), format!("[{table}]"));
    let mut lines: Vec<&str> = text.lines().collect();
    let first = if table.is_empty() { Some(0) } else { lines.iter().position(|line| *line == header).map(|at| at + 1) };
    let Some(first) = first else { return format!("{text}\n{header}\n{line}\n") };
    let end = lines[first..].iter().position(|line| line.starts_with('[')).map_or(lines.len(), |length| first + length);
    let is_key = |line: &&str| line.split_once('=').is_some_and(|(before, _)| before.trim() == name);
    match lines[first..end].iter().position(is_key) {
        Some(at) => lines[first + at] = &line,
        None => lines.insert(first, &line),
    }
    lines.join("\n") + "\n"
}
