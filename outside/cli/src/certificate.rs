//! `adyton certificate`: a certificate that everybody's browser trusts, for a key that never leaves the vault.
//!
//! 1. `request` asks the vault for what a CA is to sign, over a connection that showed its evidence: whoever stood between
//!    could otherwise hand out a request for a key of his own, and would be given a certificate for the vault's name;
//! 2. a CA signs it: by ACME, or as it does (`docs/deploy-nitro.md`);
//! 3. `import` puts the chain and the sealed key into the settings in force, which the owners sign; it changes no other setting.
//!
//! Where the policy names a CA that speaks ACME the vault does all of it; `account` says under which account, so that the
//! names can be bound to that one. It asks as `request` does: another account's address would let its owner in.
//!
//! What it is not: it does not speak with a CA, and holds no key.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adyton_api::{Acme, CertificateRequest};
use adyton_folder::write_private;
use adyton_policy::{Settings, quoted, settings_diff};
use clap::Subcommand;
use data_encoding::BASE64;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::answers;
use crate::client::expect;
use crate::outputs;
use crate::quote::sh;
use crate::settings::edit_and_change;
use crate::ssh::is_private;
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
    /// Your copy of the settings in force: the certificate is put there too. It may say nothing else than they do
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// An owner's SSH key; repeated as often as the policy's threshold says
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
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
    match account.as_deref().map(answers::uri).transpose()? {
        Some(account) => println!(
            "account {account}\nThe CAA record of each public name, with your CA's own name in place of CA:\n  \
             0 issue \"CA; accounturi={account}; validationmethods=tls-alpn-01\""
        ),
        None => println!("{}: there is no account yet", quoted(&directory)),
    }
    if let Some(renews_at) = renews_at {
        println!("the next certificate is asked for at {}", quoted(&renews_at));
    }
    if let Some(last_failure) = last_failure {
        println!("{failures} faults since the last success; the last: {}", quoted(&last_failure));
    }
    Ok(ExitCode::SUCCESS)
}

/// 1. Both files are written, or what is there stays: the key of a request that is at a CA is nowhere else.
async fn request(asked: &Asked) -> Result<ExitCode, Error> {
    outputs::distinct([("--out", &asked.out), ("--sealed-key", &asked.sealed_key)])?;
    let (given, compared): (CertificateRequest, _) = asked.target.ask("/adyton/v1/public-certificate-request").await?;
    let Asked { out, sealed_key, .. } = asked;
    let key = format!("{}\n", given.sealed_key);
    // Within one boot the vault gives the same pair again.
    let missing = [is_missing(sealed_key, &key)?, is_missing(out, &given.request)?];
    // The key first: a request without its key is worth nothing.
    if missing[0] {
        write_private(sealed_key, key.as_bytes())?;
    }
    if missing[1] {
        let written = fs::write(out, &given.request).map_err(|error| at(out, &error));
        if written.is_err() && missing[0] {
            fs::remove_file(sealed_key).map_err(|error| at(sealed_key, &error))?;
        }
        written?;
    }
    if asked.target.json {
        println!(
            "{}",
            json!({ "names": given.names, "request": out, "sealed_key": sealed_key, "code_is_known": compared })
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{}: have a CA sign it, for {}.\n{}: keep it: only this vault opens it. With the CA's answer:\n  \
         adyton certificate import --chain CHAIN.pem --sealed-key {} --key OWNER-KEY",
        out.display(),
        answers::list(&given.names),
        sealed_key.display(),
        sh(sealed_key.display())
    );
    Ok(ExitCode::SUCCESS)
}

/// Whether a file has to be written. One that holds something else is refused.
fn is_missing(path: &Path, content: &str) -> Result<bool, Error> {
    match fs::read(path) {
        Ok(there) if there == content.as_bytes() => Ok(false),
        Ok(_) => Err(format!(
            "{}: is there already, with another content: a CA may be signing the request that it belongs to. Nothing was \
             written: name other files with --out and --sealed-key, or move both away",
            path.display()
        )
        .into()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(at(path, &error).into()),
    }
}

/// 3. The settings in force, with this certificate and no other change. The file changes once the vault has taken them.
async fn import(import: &Import) -> Result<ExitCode, Error> {
    let Import { place, chain, sealed_key, file, key } = import;
    let read = |path: &PathBuf| fs::read_to_string(path).map_err(|error| at(path, &error));
    // What the files hold is parsed before anything is sent.
    let certificate = section(&read(chain)?, &read(sealed_key)?)?;
    let given = file.as_ref().map(read).transpose()?;
    let edit = |in_force: &str| {
        let base = match (&given, file) {
            (Some(given), Some(file)) => {
                changes_nothing_else(in_force, given).map_err(|error| format!("{}: {error}", file.display()))?;
                given
            }
            _ if in_force.is_empty() => "version = 1\n",
            _ => in_force,
        };
        with_certificate(base, &certificate)
    };
    let (changed, text) = edit_and_change(place, key, false, edit).await?;
    if let Some(file) = file {
        write_private(file, text.as_bytes())?;
    }
    if place.json() {
        println!(
            "{}",
            json!({ "sequence": changed.sequence, "settings": file, "changes": changed.changes, "warnings": changed.warnings })
        );
        return Ok(ExitCode::SUCCESS);
    }
    if changed.changed {
        println!("The certificate is shown from now on (request {} of the owners).", changed.sequence);
    } else {
        println!("The certificate was in force already, by request {} of the owners.", changed.sequence);
    }
    if let Some(file) = file {
        println!("{}: it stands there now; the next one takes its place.", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// A file that is to take the certificate says the same as the settings in force, but for the certificate.
fn changes_nothing_else(in_force: &str, given: &str) -> Result<(), Error> {
    let without = |text: &str| {
        let parsed =
            if text.is_empty() { Ok(Settings { version: 1, ..Settings::default() }) } else { Settings::kept(text) };
        parsed.map(|settings| Settings { public_certificate: None, ..settings })
    };
    if without(in_force)? == without(given)? {
        return Ok(());
    }
    let mut changes = settings_diff(in_force, given)?;
    changes.retain(|change| !change.starts_with("public_certificate."));
    Err(format!(
        "these are not the settings in force, and a certificate is no reason to change others. Nothing was changed. Leave out \
         --file, or write the settings in force there (`adyton settings show --key OWNER-KEY`). It would change:\n{}",
        changes.join("\n")
    )
    .into())
}

/// The settings' section of a certificate, from a CA's answer and the sealed key.
fn section(chain: &str, sealed_key: &str) -> Result<String, String> {
    let (chain, sealed_key) = (chain.replace("\r\n", "\n"), sealed_key.trim());
    let certificates = adyton_policy::certificates(&chain);
    if certificates.is_none_or(|certificates| certificates.len() < 2) {
        return Err(
            "--chain: expected the vault's certificate and then each one's issuer, in PEM, and nothing else. Nothing was sent"
                .into(),
        );
    }
    if is_private(sealed_key.as_bytes()) {
        return Err(
            "--sealed-key: this is a private key in the clear, and not one of the vault's. Nothing was sent".into()
        );
    }
    let sealed = BASE64.decode(sealed_key.as_bytes());
    if sealed.is_err() || sealed_key.is_empty() {
        return Err("--sealed-key: expected the one line of base64 that came with the request. Nothing was sent".into());
    }
    Ok(format!("{SECTION}\nchain = \"\"\"\n{}\n\"\"\"\nsealed_key = \"{sealed_key}\"\n", chain.trim()))
}

/// Settings with this section in place of the one that they have. Everything else stays as it was written.
fn with_certificate(settings: &str, section: &str) -> Result<String, Error> {
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
    let text = format!("{}\n\n{section}", kept.join("\n").trim_end());
    // A section that is spelt otherwise stays there, and stands twice then.
    Settings::kept(&text).map_err(|error| {
        format!("{error}\nThe certificate's section has to begin with the line {SECTION}. Nothing was changed")
    })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    fn two() -> String {
        format!("{PEM}\r\n{PEM}")
    }

    #[test]
    fn a_certificate_takes_the_place_of_the_last_and_the_rest_stays() {
        let edit = |settings: &str, key: &str| with_certificate(settings, &section(&two(), key).unwrap()).unwrap();
        let first = edit("# mine\nversion = 1\n\n[limits]\nfailed_checks = 5\n", "AAAA\n");
        assert!(first.starts_with("# mine\nversion = 1\n\n[limits]\nfailed_checks = 5\n\n[public_certificate]\n"));
        let again = edit(&first, "BBBB");
        assert_eq!(again, first.replace("AAAA", "BBBB"));
        let moved = format!("version = 1\n\n{}\n[limits]\nfailed_checks = 5\n", &first[first.find(SECTION).unwrap()..]);
        let moved = edit(&moved, "CCCC");
        assert_eq!(moved.matches(SECTION).count(), 1);
        assert!(moved.starts_with("version = 1\n\n[limits]\nfailed_checks = 5\n\n[public_certificate]\n"));
        let spelt = first.replace(SECTION, "[ public_certificate ]");
        let refused = with_certificate(&spelt, &section(&two(), "AAAA").unwrap()).unwrap_err().to_string();
        assert!(refused.contains("begin with the line [public_certificate]"), "{refused}");
    }

    #[test]
    fn only_a_chain_and_a_sealed_key_are_taken() {
        for chain in [PEM.to_owned(), two().replace("CERTIFICATE", "PRIVATE KEY"), String::new()] {
            let refused = section(&chain, "AAAA").unwrap_err();
            assert!(refused.starts_with("--chain: ") && refused.ends_with("Nothing was sent"), "{refused}");
        }
        for key in ["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "", "AAAA\nBBBB", "AAAA\"\nx = 1"]
        {
            let refused = section(&two(), key).unwrap_err();
            assert!(refused.starts_with("--sealed-key: ") && refused.ends_with("Nothing was sent"), "{refused}");
        }
    }

    #[test]
    fn a_file_that_changes_anything_but_the_certificate_is_refused() {
        let in_force = "version = 1\n[credentials]\nmail = \"AAAA\"\n";
        let with = with_certificate(in_force, &section(&two(), "AAAA").unwrap()).unwrap();
        for same in [in_force.to_owned(), format!("# mine\n{in_force}"), with.clone()] {
            assert!(
                changes_nothing_else(in_force, &same).is_ok() && changes_nothing_else(&with, &same).is_ok(),
                "{same}"
            );
        }
        assert!(changes_nothing_else("", "version = 1\n").is_ok());
        for other in ["version = 1\n", "version = 1\n[credentials]\nmail = \"BBBB\"\n", "version = 2\n"] {
            let refused = changes_nothing_else(&with, other).unwrap_err().to_string();
            assert!(refused.starts_with("these are not the settings in force"), "{refused}");
        }
        let refused = changes_nothing_else(in_force, "version = 1\n").unwrap_err().to_string();
        assert!(refused.ends_with("credentials.mail: removed"), "{refused}");
    }

    #[test]
    fn a_file_that_holds_something_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealed-key.txt");
        assert!(is_missing(&path, "AAAA\n").unwrap());
        fs::write(&path, "AAAA\n").unwrap();
        assert!(!is_missing(&path, "AAAA\n").unwrap());
        let refused = is_missing(&path, "BBBB\n").unwrap_err().to_string();
        assert!(refused.contains("is there already") && refused.contains("Nothing was written"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "AAAA\n");
    }
}
