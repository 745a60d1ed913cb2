//! `adyton policy`: checking, comparing and approving.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adyton_api::SignedRequest;
use adyton_folder::write_private;
use adyton_host::Approvals;
use adyton_ledger::{Action, Request, Signer, SignersError, sha256};
use adyton_policy::{Direction, Policy, Trust, diff, may_follow};
use clap::Subcommand;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use serde_json::json;

use crate::consent;
use crate::governance::{Governance, follow};
use crate::quote::sh;
use crate::ssh::sign;

type Error = Box<dyn std::error::Error>;

/// What can be done with a policy.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Reads a policy as a vault would, and names the first rule that it breaks.
    Check {
        /// The policy.
        file: PathBuf,
        /// The folder of a vault: checks also that its next policy can be this one
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// One line of JSON instead of sentences
        #[arg(long)]
        json: bool,
    },
    /// Says in plain words what changes from one policy to another.
    Diff {
        /// The policy before.
        old: PathBuf,
        /// The policy after.
        new: PathBuf,
        /// One line of JSON instead of sentences
        #[arg(long)]
        json: bool,
    },
    /// Signs another policy with an owner's SSH key, so that the vault boots under it.
    Approve(Approve),
}

/// What an approval needs.
#[derive(clap::Args)]
pub(crate) struct Approve {
    /// The vault's folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The policy to approve [default: DIR/adyton.toml]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The owner's SSH key, as `ssh-keygen -f` takes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Signs without asking, for scripts that have shown the difference (`adyton policy diff`)
    #[arg(long)]
    yes: bool,
    /// One line of JSON instead of sentences
    #[arg(long)]
    json: bool,
}

/// Carries out a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Error> {
    match command {
        Command::Check { file, data, json } => check(file, data.as_deref(), *json),
        Command::Diff { old, new, json } => {
            let (old, new) = (read(old)?.1, read(new)?.1);
            let changes = changes(&old, &new);
            if *json {
                println!("{}", json!({ "changes": changes }));
            } else {
                print_changes(&changes);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Approve(options) => approve(options),
    }
}

fn read(file: &Path) -> Result<(String, Policy), Error> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let policy = Policy::parse(text.as_bytes()).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok((text, policy))
}

/// Reads a policy, and refuses one that the vault does not boot under, approved or not.
fn read_for(vault: &Governance, file: &Path) -> Result<(String, Policy), Error> {
    let (text, policy) = read(file)?;
    may_follow(&vault.first_policy()?, &policy).map_err(|error| format!("{}: {error}", file.display()))?;
    if let Some(key) = no_certificate(&policy) {
        return Err(format!("{}: {key}: what stands there in PEM is no X.509 certificate", file.display()).into());
    }
    Ok((text, policy))
}

/// The key of the first certificate that a vault's TLS does not take, though its text is PEM; it refuses to boot then.
fn no_certificate(policy: &Policy) -> Option<String> {
    let of_routes = policy.routes.iter().map(|route| (format!("routes.{}.trust", route.name), &route.trust));
    let of_acme = policy.acme.iter().map(|acme| ("acme.trust".to_owned(), &acme.trust));
    let custody = ("custody.trust".to_owned(), &policy.custody.trust);
    let is_wrong = |trust: &str| match Trust::parse(trust) {
        Some(Trust::Ca(der)) => RootCertStore::empty().add(CertificateDer::from(der)).is_err(),
        _ => false,
    };
    let wrong = core::iter::once(custody).chain(of_acme).chain(of_routes).find(|(_, trust)| is_wrong(trust));
    wrong.map(|(key, _)| key)
}

fn check(file: &Path, data: Option<&Path>, as_json: bool) -> Result<ExitCode, Error> {
    let checked = match data {
        Some(data) => follow(data).and_then(|vault| read_for(&vault, file)),
        None => read(file),
    };
    match checked {
        Ok((text, _)) => {
            let hash = sha256(text.as_bytes()).to_string();
            if as_json {
                println!("{}", json!({ "ok": true, "policy_hash": hash }));
            } else {
                println!("{}: a policy, hash {hash}", file.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if as_json => {
            println!("{}", json!({ "ok": false, "error": error.to_string() }));
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error),
    }
}

fn changes(old: &Policy, new: &Policy) -> Vec<(&'static str, String)> {
    let word = |direction| match direction {
        Direction::Loosens => "loosens",
        Direction::Tightens => "tightens",
        Direction::Changes => "changes",
    };
    diff(old, new).into_iter().map(|change| (word(change.direction), change.words)).collect()
}

fn print_changes(changes: &[(&'static str, String)]) {
    in_words(changes).iter().for_each(|line| println!("{line}"));
}

fn in_words(changes: &[(&'static str, String)]) -> Vec<String> {
    if changes.is_empty() {
        return vec!["nothing changes that a vault would notice".into()];
    }
    changes.iter().map(|(direction, words)| format!("{direction:9} {words}")).collect()
}

/// Signatures that the approval's file holds already. A file of another text is refused: its signatures approve nothing else, and
/// their owners gave them for that one.
fn gathered(path: &Path, request: &Request) -> Result<Vec<String>, Error> {
    let kept = match fs::read(path) {
        Ok(kept) => kept,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", path.display()).into()),
    };
    let kept: SignedRequest = serde_json::from_slice(&kept).map_err(|error| format!("{}: {error}", path.display()))?;
    if kept.body == request.body && kept.action == request.action.text() && kept.sequence == request.sequence {
        return Ok(kept.signatures);
    }
    let hash = |text: &str| sha256(text.as_bytes());
    Err(format!(
        "{}: holds {} of another policy, SHA-256 {}; this one is {}. Nothing was signed. Approve that one, or move the file away \
         to gather signatures anew",
        path.display(),
        if kept.signatures.len() == 1 { "a signature".into() } else { format!("{} signatures", kept.signatures.len()) },
        hash(&kept.body),
        hash(&request.body)
    )
    .into())
}

/// Shows the difference, asks, and adds this owner's signature to the approval of the next release.
fn approve(options: &Approve) -> Result<ExitCode, Error> {
    let vault = follow(&options.data)?;
    let in_folder = options.data.join("adyton.toml");
    let file = options.policy.clone().unwrap_or_else(|| in_folder.clone());
    // What no boot takes is not worth a signature, and would stand in the way of the next approval.
    let (body, policy) = read_for(&vault, &file).map_err(|error| format!("{error}. Nothing was signed"))?;
    if sha256(body.as_bytes()).0 == vault.releases.policy_hash() {
        return Err(format!("{}: this policy is in force already", file.display()).into());
    }
    let in_force = vault.policy()?;
    let owners = in_force.owners.as_ref().ok_or("the policy in force has no owners, so it stays for ever")?;
    let changes = changes(&in_force, &policy);
    let sequence = vault.releases.number() + 1;
    let replaces = Some(vault.releases.policy_hash());
    let request = Request { action: Action::Policy, signer: Signer::Owners, sequence, body, replaces };

    let is_in_folder = fs::read(&in_folder).is_ok_and(|bytes| bytes == request.body.as_bytes());
    let path = Approvals::new(&options.data).path(sequence);
    let mut signatures = gathered(&path, &request)?;
    // Read before the key is asked. What is signed names both policies, so it approves this step and no other.
    if !options.json {
        println!("vault {}, release {sequence}:", vault.vault);
        print_changes(&changes);
    } else if !options.yes {
        // Standard output is one line of JSON; what is asked for is shown all the same.
        eprintln!("vault {}, release {sequence}:", vault.vault);
        in_words(&changes).iter().for_each(|line| eprintln!("{line}"));
    }
    if !options.yes {
        match consent::ask(&format!("Sign this as release {sequence}?")) {
            Some(true) => {}
            Some(false) => return Err("nothing was signed".into()),
            None => {
                return Err(
                    "nothing was signed: there is no terminal to ask on; give --yes to sign without asking".into()
                );
            }
        }
    }
    let signature = sign(&options.key, &request.text(&vault.vault))?;
    if !signatures.contains(&signature) {
        signatures.push(signature);
    }
    // Verified as the vault will, so that what is written either holds or lacks only further owners.
    let verified = request.clone().signed(&signatures)?.verify(&vault.vault, &owners.signers()?);
    let missing = match verified {
        Ok(_) => 0,
        Err(SignersError::Threshold { expected, got }) => expected - got,
        Err(error) => return Err(error.into()),
    };
    let approval = SignedRequest {
        action: request.action.text().into(),
        signer: request.signer.to_string(),
        sequence,
        body: request.body,
        signatures,
    };
    adyton_folder::make(path.parent().ok_or("no folder")?)?;
    write_private(&path, &serde_json::to_vec_pretty(&approval)?)?;
    if options.json {
        println!("{}", json!({ "release": sequence, "missing": missing, "approval": path, "changes": changes }));
    } else {
        match missing {
            // By what it holds: one file has many names.
            0 if is_in_folder => println!("Approved as release {sequence}: the vault takes it at its next boot."),
            0 => println!(
                "Approved as release {sequence}. It is not in the vault's folder yet: `cp {} {}`, then restart the vault.",
                sh(file.display()),
                sh(in_folder.display())
            ),
            1 => println!("Signed as release {sequence}: one more owner must run this command."),
            _ => println!("Signed as release {sequence}: {missing} more owners must run this command."),
        }
    }
    Ok(ExitCode::SUCCESS)
}
