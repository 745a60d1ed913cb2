//! `adyton certificate`: a certificate that everybody's browser trusts, for a key that never leaves the vault.
//!
//! 1. `request` asks the vault for what a CA is to sign, over a connection that showed its evidence: whoever stood between
//!    could otherwise hand out a request for a key of his own, and would be given a certificate for the vault's name;
//! 2. a CA signs it: by ACME, or as it does (`docs/deploy-nitro.md`);
//! 3. `import` puts the chain and the sealed key into the settings, which the owners sign.
//!
//! Where the policy names a CA that speaks ACME the vault does all of it; `account` says under which account, so that the
//! names can be bound to that one. It asks as `request` does: another account's address would let its owner in.
//!
//! What it is not: it does not speak with a CA, and holds no key.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adyton_api::{Acme, CertificateRequest};
use adyton_folder::write_private;
use clap::Subcommand;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::client::expect;
use crate::settings::compare_and_change;
use crate::trust::{Connection, Place, Target};

type Error = Box<dyn std::error::Error>;

/// The settings' section that holds a certificate.
const SECTION: &str = "[public_certificate]";

/// What can be done about a public certificate.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Asks the vault for a request that a CA signs, and for its key, which only this vault opens.
    Request(Asked),
    /// Says which account the vault has at its CA, and the DNS record that keeps everybody else from a certificate.
    Account(Target),
    /// Puts the CA's answer into the settings, signed by the owners; it is shown at once.
    Import(Import),
}

/// A request, and where it goes.
#[derive(clap::Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    target: Target,
    /// Where the request goes, in PEM
    #[arg(long, value_name = "FILE", default_value = "request.pem")]
    out: PathBuf,
    /// Where the sealed key goes
    #[arg(long, value_name = "FILE", default_value = "sealed-key.txt")]
    sealed_key: PathBuf,
}

/// What came back, and where it goes.
#[derive(clap::Args)]
pub(crate) struct Import {
    #[command(flatten)]
    place: Place,
    /// What the CA gave, in PEM: the vault's certificate, then each one's issuer
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,
    /// The sealed key that came with the request
    #[arg(long, value_name = "FILE", default_value = "sealed-key.txt")]
    sealed_key: PathBuf,
    /// The settings in force; the certificate takes the place of the last one
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// An owner's SSH key; repeated as often as the policy's threshold says
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// Removes credentials that routes need and the file lacks without asking, for scripts
    #[arg(long)]
    yes: bool,
}

/// Carries out a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        match command {
            Command::Request(asked) => request(asked).await,
            Command::Account(target) => account(target).await,
            Command::Import(import) => self::import(import).await,
        }
    })
}

impl Target {
    /// What the vault says at a path, over an attested connection; and whether its code is one that was demanded.
    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<(T, bool), Error> {
        let Connection { client, code_is_known, .. } = self.appraise(None).await?;
        let body = expect(200, client.request("GET", path, &[], String::new()).await?)?;
        Ok((serde_json::from_slice(&body)?, code_is_known))
    }
}

async fn account(target: &Target) -> Result<ExitCode, Error> {
    let (acme, code_is_known) = target.ask("/adyton/v1/acme").await?;
    let Acme { directory, account, renews_at, failures, last_failure } = acme;
    if target.json {
        println!(
            "{}",
            json!({ "directory": directory, "account": account, "renews_at": renews_at, "failures": failures,
                    "last_failure": last_failure, "code_is_known": code_is_known })
        );
        return Ok(ExitCode::SUCCESS);
    }
    match &account {
        Some(account) => println!(
            "account {account}\nThe CAA record of each public name, with your CA's own name in place of CA:\n  \
             0 issue \"CA; accounturi={account}; validationmethods=tls-alpn-01\""
        ),
        None => println!("{directory}: there is no account yet"),
    }
    if let Some(renews_at) = renews_at {
        println!("the next certificate is asked for at {renews_at}");
    }
    if let Some(last_failure) = last_failure {
        println!("{failures} faults since the last success; the last: {last_failure}");
    }
    Ok(ExitCode::SUCCESS)
}

/// 1.
async fn request(asked: &Asked) -> Result<ExitCode, Error> {
    let (given, compared): (CertificateRequest, _) = asked.target.ask("/adyton/v1/public-certificate-request").await?;
    fs::write(&asked.out, &given.request).map_err(|error| at(&asked.out, &error))?;
    write_private(&asked.sealed_key, format!("{}\n", given.sealed_key).as_bytes())
        .map_err(|error| at(&asked.sealed_key, &error))?;
    if asked.target.json {
        let (out, sealed_key) = (&asked.out, &asked.sealed_key);
        println!(
            "{}",
            json!({ "names": given.names, "request": out, "sealed_key": sealed_key, "code_is_known": compared })
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{}: have a CA sign it, for {}.\n{}: keep it for `adyton certificate import`; only this vault opens it.",
        asked.out.display(),
        given.names.join(", "),
        asked.sealed_key.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// 3. What else the file changes against the settings in force is shown. The file changes once the vault has taken what it then says.
async fn import(import: &Import) -> Result<ExitCode, Error> {
    let Import { place, chain, sealed_key, file, key, yes } = import;
    let read = |path: &PathBuf| fs::read_to_string(path).map_err(|error| at(path, &error));
    let text = with_certificate(&read(file)?, &read(chain)?, &read(sealed_key)?)?;
    let changed = compare_and_change(place, text.clone(), key, *yes).await?;
    write_private(file, text.as_bytes()).map_err(|error| at(file, &error))?;
    if place.json() {
        println!(
            "{}",
            json!({ "sequence": changed.sequence, "settings": file, "changes": changed.changes, "warnings": changed.warnings })
        );
    } else {
        println!("The certificate is shown from now on (request {} of the owners).", changed.sequence);
        println!("{}: it stands there now; the next one takes its place.", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Settings with this certificate in place of the one that they have. Everything else stays as it was written.
fn with_certificate(settings: &str, chain: &str, sealed_key: &str) -> Result<String, String> {
    let chain = chain.replace("\r\n", "\n");
    let certificates = adyton_policy::certificates(&chain);
    if certificates.is_none_or(|certificates| certificates.len() < 2) {
        return Err(
            "--chain: expected the vault's certificate and then each one's issuer, in PEM, and nothing else".into()
        );
    }
    let mut ours = false;
    let kept: Vec<&str> = settings
        .lines()
        .filter(|line| {
            if line.starts_with('[') {
                ours = line.trim_end() == SECTION;
            }
            !ours
        })
        .collect();
    let (kept, chain, sealed_key) = (kept.join("\n"), chain.trim(), sealed_key.trim());
    Ok(format!("{}\n\n{SECTION}\nchain = \"\"\"\n{chain}\n\"\"\"\nsealed_key = \"{sealed_key}\"\n", kept.trim_end()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    #[test]
    fn a_certificate_takes_the_place_of_the_last_and_the_rest_stays() {
        let two = format!("{PEM}\r\n{PEM}");
        let first = with_certificate("# mine\nversion = 1\n\n[limits]\nfailed_checks = 5\n", &two, "AAAA\n").unwrap();
        assert!(first.starts_with("# mine\nversion = 1\n\n[limits]\nfailed_checks = 5\n\n[public_certificate]\n"));
        let again = with_certificate(&first, &two, "BBBB").unwrap();
        assert_eq!(again, first.replace("AAAA", "BBBB"));
        let moved = format!("version = 1\n\n{}\n[limits]\nfailed_checks = 5\n", &first[first.find(SECTION).unwrap()..]);
        let moved = with_certificate(&moved, &two, "CCCC").unwrap();
        assert_eq!(moved.matches(SECTION).count(), 1);
        assert!(moved.starts_with("version = 1\n\n[limits]\nfailed_checks = 5\n\n[public_certificate]\n"));
        for chain in [PEM.to_owned(), two.replace("CERTIFICATE", "PRIVATE KEY"), String::new()] {
            assert!(with_certificate("version = 1\n", &chain, "AAAA").unwrap_err().starts_with("--chain: "));
        }
    }
}
