//! `adyton seal`: a credential of a route or of the CA's external account, sealed so that only this vault opens it, for one place.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use adyton_ledger::VaultId;
use adyton_seal::{RecipientPublicKey, SealedPurpose};
use data_encoding::BASE64;

use crate::governance::follow;

/// Longest secret.
const MAX_SECRET: usize = 4096;

/// What sealing needs.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The vault's id, from where you trust it: the folder is the host's, which could put another key there
    #[arg(long, value_name = "ID")]
    vault: VaultId,
    /// The vault's folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The credential's name in the policy
    #[arg(long = "for", value_name = "NAME")]
    name: String,
}

/// Reads the secret from stdin, and prints the sealed value.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let found = follow(&options.data)?;
    // The id covers the genesis, and so the key that is sealed to.
    if found.vault != options.vault {
        return Err(format!("{} holds vault {}, not this one", options.data.display(), found.vault).into());
    }
    let policy = found.policy()?;
    let (host, port) = policy.place_of_credential(&options.name).ok_or_else(|| {
        format!("neither a route of the policy nor acme.external_account names a credential {}", options.name)
    })?;
    let mut secret = Vec::new();
    std::io::stdin().take(MAX_SECRET as u64 + 1).read_to_end(&mut secret)?;
    // A line's end is the terminal's.
    let secret = secret.strip_suffix(b"\n").unwrap_or(&secret);
    if !(1..=MAX_SECRET).contains(&secret.len()) {
        return Err("stdin: a secret of 1 to 4096 bytes is needed".into());
    }
    let purpose = SealedPurpose::credential(&found.vault.0, &options.name, host, port);
    println!("{}", BASE64.encode(&RecipientPublicKey(found.genesis.hpke_key).seal(&purpose, secret)?));
    Ok(ExitCode::SUCCESS)
}
