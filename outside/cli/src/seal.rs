//! `adyton seal`: a credential of a route or of the CA's external account, sealed so that only this vault opens it, for one place.
//!
//! 1. the key is the one that the vault's evidence names, or that of an operator who is trusted by name (`trust`);
//! 2. the policy says for which host and port, and in which form: from a file, or from the folder of a vault on this machine. Its
//!    hash must be the one that the vault shows;
//! 3. the secret is read from stdin and held to that form before it is sealed.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adyton_ledger::sha256;
use adyton_policy::{CredentialFault, CredentialForm, Policy};
use adyton_seal::SealedPurpose;
use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::governance::follow;
use crate::trust::{Connection, Place};

type Error = Box<dyn std::error::Error>;

/// Longest secret, beyond which no form goes.
const MAX_SECRET: usize = 4096;

/// What sealing needs.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Place,
    /// The folder of a vault on this machine, in place of --policy FILE
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The credential's name in the policy
    #[arg(long = "for", value_name = "NAME")]
    name: String,
}

/// Reads the secret from stdin, and prints the sealed value.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(seal(options))
}

async fn seal(options: &Options) -> Result<ExitCode, Error> {
    let text = policy_text(options)?;
    // 1.
    let Connection { vault_id, key, policy_hash, code_is_known, .. } = options.place.connect(None).await?;
    // 2. Both are public.
    if sha256(&text).0 != policy_hash {
        return Err("the policy is not the one that is in force there: nothing was sealed".into());
    }
    let policy = Policy::parse(&text)?;
    let (host, port) = policy.place_of_credential(&options.name).ok_or_else(|| {
        format!("--for: neither a route of the policy nor acme.external_account names a credential {}", options.name)
    })?;
    let route = policy.routes.iter().find(|route| route.credential == options.name);
    // 3.
    if std::io::stdin().is_terminal() {
        return Err(
            "stdin: a terminal shows what is typed: pipe the secret in, such as `printf %s \"$USER:$PASSWORD\" | adyton seal …`; \
             nothing was sealed"
                .into(),
        );
    }
    let mut secret = Zeroizing::new(Vec::with_capacity(MAX_SECRET + 3));
    std::io::stdin().take(MAX_SECRET as u64 + 3).read_to_end(&mut secret)?;
    let secret = without_line_end(&secret);
    let form = route.map_or(CredentialForm::ExternalAccount, |route| CredentialForm::of_route(route.kind));
    check_form(form, secret)?;
    let purpose = SealedPurpose::credential(&vault_id.0, &options.name, host, port);
    let sealed = BASE64.encode(&key.seal(&purpose, secret)?);
    if options.place.json() {
        println!(
            "{}",
            serde_json::json!({ "credential": options.name, "sealed": sealed, "code_is_known": code_is_known })
        );
    } else {
        println!("{sealed}");
    }
    Ok(ExitCode::SUCCESS)
}

fn policy_text(options: &Options) -> Result<Vec<u8>, Error> {
    let read = |file: &Path| std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()));
    let demands = &options.place.target.demands;
    match (demands.policy_file(), &options.data) {
        (Some(file), None) => Ok(read(file)?),
        (Some(_), Some(_)) => Err("--policy FILE and --data DIR both name a policy: leave one of them out".into()),
        (None, Some(data)) => {
            let found = follow(data)?;
            Ok(found.releases.policy().ok_or("the vault has not booted under its policy yet: start it first")?.to_vec())
        }
        (None, None) if demands.names_a_hash() => Err(
            "--policy: a hash does not say where the credential is for: name the policy's file, or the vault's folder besides, \
             with --data DIR"
                .into(),
        ),
        (None, None) => {
            Err("name the policy that says where the credential is for: --policy FILE, or --data DIR".into())
        }
    }
}

/// Without one line's end, which an editor or `echo` adds.
fn without_line_end(secret: &[u8]) -> &[u8] {
    let secret = secret.strip_suffix(b"\n").unwrap_or(secret);
    secret.strip_suffix(b"\r").unwrap_or(secret)
}

/// The form, as the vault reads it. A refusal names no byte of the secret.
fn check_form(form: CredentialForm, secret: &[u8]) -> Result<(), String> {
    let Err(fault) = form.read(secret) else { return Ok(()) };
    let hint = match fault {
        CredentialFault::Empty => "; pipe one in, such as `printf %s \"$USER:$PASSWORD\" | adyton seal …`",
        CredentialFault::Control => "; one line end at its very end is cut off",
        CredentialFault::Hexadecimal => ", such as `openssl rand -hex 32` prints",
        _ => "",
    };
    Err(format!("stdin: {fault}{hint}; nothing was sealed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    include!("../../../between/policy/src/credential/cases.rs");

    #[test]
    fn what_the_vault_would_not_read_is_not_sealed() {
        for (form, secret, fault) in cases() {
            let refused = check_form(form, &secret).err();
            assert_eq!(refused.is_some(), fault.is_some(), "{}", String::from_utf8_lossy(&secret));
            let said = refused.zip(fault).is_none_or(|(refused, fault)| {
                refused.starts_with(&format!("stdin: {fault}")) && refused.ends_with("; nothing was sealed")
            });
            assert!(said, "{fault:?}");
        }
    }

    #[test]
    fn one_line_end_is_cut_off() {
        for text in ["a:b", "a:b\n", "a:b\r\n"] {
            assert_eq!(without_line_end(text.as_bytes()), b"a:b");
        }
        assert_eq!(without_line_end(b"a:b\n\n"), b"a:b\n");
    }
}
