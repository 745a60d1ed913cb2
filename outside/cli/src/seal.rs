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
use adyton_policy::{Policy, RouteKind};
use adyton_seal::SealedPurpose;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use crate::governance::follow;
use crate::trust::{Connection, Place};

type Error = Box<dyn std::error::Error>;

/// Longest secret.
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
    check_form(route.map(|route| route.kind), secret)?;
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

/// The form that a route needs, or, for `None`, an external account at a CA; as the vault reads it
/// (`inside/enclave/src/delivery/credential.rs`, `acme/external.rs`). A refusal names no byte of the secret.
fn check_form(kind: Option<RouteKind>, secret: &[u8]) -> Result<(), String> {
    let refused = |what: &str| Err(format!("stdin: {what}; nothing was sealed"));
    if secret.is_empty() {
        return refused("no secret came; pipe one in, such as `printf %s \"$USER:$PASSWORD\" | adyton seal …`");
    }
    if secret.len() > MAX_SECRET {
        return refused("the secret is longer than 4096 bytes");
    }
    let Ok(text) = std::str::from_utf8(secret) else { return refused("the secret is not UTF-8") };
    if text.chars().any(char::is_control) {
        return refused("the secret holds a line break or another control character; one at its very end is cut off");
    }
    if kind.is_none() {
        let key = text.rsplit_once(':').filter(|(id, _)| !id.is_empty()).map(|(_, key)| key.trim_end_matches('='));
        let key = key.and_then(|key| BASE64URL_NOPAD.decode(key.as_bytes()).ok()).map(Zeroizing::new);
        return match key.map(|key| key.len()) {
            Some(32..=64) => Ok(()),
            _ => {
                refused("an external account is KEY-ID:KEY, the key 32 to 64 bytes in base64url, as the CA shows them")
            }
        };
    }
    if kind == Some(RouteKind::Webhook) {
        let key = HEXLOWER_PERMISSIVE.decode(secret).map(Zeroizing::new);
        return match key.map(|key| key.len()) {
            Ok(32..=64) => Ok(()),
            Ok(bytes) => {
                refused(&format!("a webhook's key has 32 to 64 bytes as hexadecimal digits, and this one {bytes}"))
            }
            Err(_) => refused(
                "a webhook's key is 32 to 64 bytes as hexadecimal digits, such as `openssl rand -hex 32` prints",
            ),
        };
    }
    match text.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => Ok(()),
        _ => refused("this route needs user:password, and neither may be empty"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_route_has_its_form_and_a_refusal_names_it() {
        let key = "ab".repeat(32);
        for (kind, secret) in [
            (RouteKind::TwilioMessages, "AC0123:token"),
            (RouteKind::Smtp, "a:b:c"),
            (RouteKind::Webhook, &key[..]),
            (RouteKind::Webhook, &"AB".repeat(64)),
        ] {
            assert_eq!(check_form(Some(kind), secret.as_bytes()), Ok(()), "{secret}");
        }
        for (kind, secret, why) in [
            (RouteKind::Smtp, &b""[..], "no secret came"),
            (RouteKind::Smtp, b"no colon", "user:password"),
            (RouteKind::TwilioMessages, b":token", "user:password"),
            (RouteKind::TwilioMessages, b"AC0123:", "user:password"),
            (RouteKind::Smtp, b"user:two\nlines", "control character"),
            (RouteKind::Smtp, b"user:\xFF", "UTF-8"),
            (RouteKind::Smtp, &[b'a'; 4097], "4096"),
            (RouteKind::Webhook, b"user:password", "hexadecimal"),
            (RouteKind::Webhook, &[b'a'; 62], "and this one 31"),
            (RouteKind::Webhook, &[b'a'; 130], "and this one 65"),
        ] {
            let refused = check_form(Some(kind), secret).err().unwrap_or_default();
            assert!(refused.contains(why) && refused.ends_with("nothing was sealed"), "{refused}");
        }
    }

    #[test]
    fn an_external_account_has_its_form() {
        let key = BASE64URL_NOPAD.encode(&[0xFB; 32]);
        for secret in [format!("kid:{key}"), format!("https://ca.example/kid:{key}=")] {
            assert_eq!(check_form(None, secret.as_bytes()), Ok(()), "{secret}");
        }
        for secret in [key.clone(), format!(":{key}"), "kid:short".into(), format!("kid:{key}{key}{key}")] {
            let refused = check_form(None, secret.as_bytes()).err().unwrap_or_default();
            assert!(refused.contains("KEY-ID:KEY"), "{refused}");
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
