//! `adyton settings`: what the owners chose within the policy.
//!
//! 1. `show` says which settings are in force; with an owner's key also their text, which the vault gives to any one owner alone;
//! 2. `set` shows what changes and warns of routes that would have no credential, then signs and posts the text. Before it removes
//!    a credential that a route needs it asks: a text that is older than the one in force, or a part of it, does that unseen.

use std::path::PathBuf;
use std::process::ExitCode;

use adyton_api::{AcceptedRequest, RouteCredential, ShownSettings};
use adyton_ledger::{Action, Signer, VaultId, sha256};
use adyton_policy::{Settings, quoted, settings_diff};
use clap::Subcommand;
use serde_json::json;

use crate::client::Client;
use crate::consent;
use crate::quote::sh;
use crate::requests::{Unsigned, after};
use crate::trust::{Connection, Place, vault};

type Error = Box<dyn std::error::Error>;

/// What can be done with settings.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Says which settings are in force: their digest and sequence; with an owner's key, their text.
    Show {
        #[command(flatten)]
        place: Place,
        /// An owner's SSH key, which signs the question: prints the text that is in force, and nothing else
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Shows what changes, and signs settings with the owners' SSH keys; they take effect at once.
    Set {
        #[command(flatten)]
        place: Place,
        /// The settings, in TOML
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// An owner's SSH key; repeated as often as the policy's threshold says
        #[arg(long, value_name = "FILE", required = true)]
        key: Vec<PathBuf>,
        /// Removes credentials that routes need without asking, for scripts
        #[arg(long)]
        yes: bool,
    },
}

/// Carries out a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        match command {
            Command::Show { place, key: None } => show(place).await,
            Command::Show { place, key: Some(key) } => show_text(place, key).await,
            Command::Set { place, file, key, yes } => set(place, file, key, *yes).await,
        }
    })
}

async fn show(place: &Place) -> Result<ExitCode, Error> {
    let vault = vault(&place.connect(None).await?.client).await?;
    if place.json() {
        println!("{}", serde_json::to_string(&vault)?);
    } else {
        let (id, policy, settings) =
            (quoted(&vault.vault_id), quoted(&vault.policy_hash), quoted(&vault.settings_sha256));
        println!("vault {id}, release {}, policy {policy}", vault.release);
        println!("settings {settings}; the owners' last request is {}", vault.owners_sequence);
        if let Some(fingerprint) = &vault.public_certificate_sha256 {
            println!("public certificate {}", quoted(fingerprint));
        }
        println!("Their text is for owners: --key OWNER-KEY.");
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_text(place: &Place, key: &PathBuf) -> Result<ExitCode, Error> {
    let Connection { client, vault_id, .. } = place.connect(None).await?;
    let (_, shown) = in_force(&client, &vault_id, key).await?;
    if place.json() {
        let sha256 = sha256(shown.text.as_bytes()).to_string();
        println!("{}", json!({ "sequence": shown.sequence, "sha256": sha256, "text": shown.text }));
    } else {
        // Exactly as it was signed, so that a file of it can be changed and signed again.
        print!("{}", shown.text);
    }
    Ok(ExitCode::SUCCESS)
}

/// The settings in force, asked for by one owner, and the number that the owners' next request has as long as they are.
async fn in_force(client: &Client, vault_id: &VaultId, key: &PathBuf) -> Result<(u64, ShownSettings), Error> {
    let now = vault(client).await?;
    let unsigned = Unsigned {
        action: Action::SettingsShow,
        signer: Signer::Owners,
        body: String::new(),
        keys: std::slice::from_ref(key),
        authorization: None,
    };
    let (next, (_, answer)) = unsigned.post_numbered(client, vault_id, after(now.owners_sequence)?).await?;
    Ok((next, serde_json::from_slice(&answer)?))
}

async fn set(place: &Place, file: &PathBuf, keys: &[PathBuf], yes: bool) -> Result<ExitCode, Error> {
    let body = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let changed = compare_and_change(place, body, keys, yes).await?;
    let Changed { sequence, changes, warnings, code_is_known, .. } = changed;
    if place.json() {
        let answer =
            json!({ "sequence": sequence, "changes": changes, "warnings": warnings, "code_is_known": code_is_known });
        println!("{answer}");
    } else {
        println!("The settings in force are those of request {sequence} of the owners.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Settings that took effect.
pub(crate) struct Changed {
    /// Whether anything was signed for it: they may have been in force already.
    pub(crate) changed: bool,
    /// Of the owners' request.
    pub(crate) sequence: u64,
    pub(crate) changes: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// Whether the vault's code is one that was demanded.
    pub(crate) code_is_known: bool,
}

/// Changes the settings to this text.
async fn compare_and_change(place: &Place, body: String, keys: &[PathBuf], yes: bool) -> Result<Changed, Error> {
    // What is not settings is refused before it leaves; all other rules are the vault's, which knows the policy.
    Settings::read(&body)?;
    edit_and_change(place, keys, yes, |_| Ok(body)).await.map(|(changed, _)| changed)
}

/// Makes settings from the text in force, prints what changes, and warnings; asks, unless `yes`, before a credential goes that a
/// route needs; then signs and posts. Gives their text too.
pub(crate) async fn edit_and_change(
    place: &Place,
    keys: &[PathBuf],
    yes: bool,
    edit: impl FnOnce(&str) -> Result<String, Error>,
) -> Result<(Changed, String), Error> {
    let Connection { client, vault_id, code_is_known, .. } = place.connect(None).await?;
    let (next, shown) = in_force(&client, &vault_id, keys.first().ok_or("--key is missing")?).await?;
    let body = edit(&shown.text)?;
    if shown.text == body {
        if !place.json() {
            println!("These settings are in force already: nothing was changed.");
        }
        let (sequence, changes, warnings) = (shown.sequence, Vec::new(), without_credential(&shown, &body));
        return Ok((Changed { changed: false, sequence, changes, warnings, code_is_known }, body));
    }
    let changes = settings_diff(&shown.text, &body)?;
    let warnings = without_credential(&shown, &body);
    if !place.json() {
        print_changes(&changes);
    }
    warnings.iter().for_each(|warning| eprintln!("adyton: warning: {warning}"));
    if !yes && let Some(loss) = removed_credentials(&shown, &body) {
        if place.json() {
            // Standard output is one line of JSON; what is asked for is shown all the same.
            changes.iter().for_each(|change| eprintln!("{change}"));
        }
        match consent::ask(&format!("This removes {loss}. Sign it?")) {
            Some(true) => {}
            Some(false) => return Err("nothing was signed".into()),
            None => {
                return Err(format!(
                    "nothing was signed: this removes {loss}, and there is no terminal to ask on; give --yes to remove without asking"
                )
                .into());
            }
        }
    }
    // Under the number that was next when they were shown: what another owner changes meanwhile is not undone unseen.
    let sequence = replace(&client, &vault_id, body.clone(), keys, next).await?.sequence;
    Ok((Changed { changed: true, sequence, changes, warnings, code_is_known }, body))
}

fn print_changes(changes: &[String]) {
    if changes.is_empty() {
        println!("Nothing changes but the text itself.");
    }
    changes.iter().for_each(|change| println!("{change}"));
}

/// Routes of the policy that a text of settings leaves without a credential: no message leaves by them.
fn bare_routes<'a>(shown: &'a ShownSettings, text: &str) -> Vec<&'a RouteCredential> {
    let Ok(settings) = Settings::kept(text) else { return Vec::new() };
    shown.routes.iter().filter(|needed| !settings.credentials.contains_key(&needed.credential)).collect()
}

/// The credentials in force that a text does not have any more and that routes need; `None` if it keeps all.
fn removed_credentials(shown: &ShownSettings, text: &str) -> Option<String> {
    let bare_now = bare_routes(shown, &shown.text);
    // An empty text stands for no settings.
    let removed = bare_routes(shown, text).into_iter().filter(|_| !shown.text.is_empty());
    let removed = removed.filter(|needed| !bare_now.contains(needed));
    let named: Vec<String> = removed
        .map(|needed| format!("credential {}, which route {} needs", quoted(&needed.credential), quoted(&needed.route)))
        .collect();
    (!named.is_empty()).then(|| named.join("; "))
}

/// The warning of each route without a credential.
fn without_credential(shown: &ShownSettings, text: &str) -> Vec<String> {
    let warning = |needed: &RouteCredential| {
        format!(
            "route {} has no credential {}: no message leaves by it (`adyton seal --policy FILE --for {}`)",
            quoted(&needed.route),
            quoted(&needed.credential),
            sh(quoted(&needed.credential))
        )
    };
    bare_routes(shown, text).into_iter().map(warning).collect()
}

/// Signs settings for a vault and posts them, whatever the ones in force are.
pub(crate) async fn change(
    client: &Client,
    vault_id: &VaultId,
    body: String,
    keys: &[PathBuf],
) -> Result<AcceptedRequest, Error> {
    let now = vault(client).await?;
    if now.vault_id != vault_id.to_string() {
        let answers = quoted(&now.vault_id);
        return Err(format!("vault {answers} answers there, not {vault_id}: nothing was signed").into());
    }
    replace(client, vault_id, body, keys, after(now.owners_sequence)?).await
}

/// Replaces the settings that are in force as long as this is the owners' next number.
async fn replace(
    client: &Client,
    vault_id: &VaultId,
    body: String,
    keys: &[PathBuf],
    next: u64,
) -> Result<AcceptedRequest, Error> {
    let unsigned = Unsigned { action: Action::Settings, signer: Signer::Owners, body, keys, authorization: None };
    let (_, answer) = unsigned.post_exactly(client, vault_id, next).await?;
    Ok(serde_json::from_slice(&answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_name_is_pasted_as_a_word() {
        let needed = RouteCredential { route: "sms\nX".into(), credential: "a$(id)".into() };
        let shown = ShownSettings { sequence: 1, text: String::new(), routes: vec![needed] };
        let expected = "route \"sms\\nX\" has no credential a$(id): no message leaves by it (`adyton seal --policy FILE --for \
                        'a$(id)'`)";
        assert_eq!(without_credential(&shown, "version = 1\n"), [expected]);
    }

    #[test]
    fn a_credential_that_a_route_needs_is_not_removed_unasked() {
        let needed =
            |route: &str, credential: &str| RouteCredential { route: route.into(), credential: credential.into() };
        let routes = vec![needed("sms", "a"), needed("backup", "a"), needed("mail", "b"), needed("hook", "c")];
        let text = "version = 1\n[credentials]\na = \"AAAA\"\nb = \"BBBB\"\nold = \"CCCC\"\n";
        let shown = ShownSettings { sequence: 1, text: text.into(), routes };
        let removed = |text: &str| removed_credentials(&shown, text);
        for kept in [
            text,
            "version = 1\n[credentials]\nb = \"other\"\na = \"another\"\n",
            "version = 1\n[credentials]\na = \"A\"\nb = \"B\"\nc = \"C\"\n",
            // The vault refuses it.
            "version = ",
        ] {
            assert_eq!(removed(kept), None, "{kept}");
        }
        let mail = "credential b, which route mail needs";
        assert_eq!(removed("version = 1\n[credentials]\na = \"A\"\n").as_deref(), Some(mail));
        let all = format!("credential a, which route sms needs; credential a, which route backup needs; {mail}");
        assert_eq!(removed("version = 1\n[limits]\nfailed_checks = 5\n"), Some(all));
        let none = ShownSettings { text: String::new(), ..shown };
        assert_eq!(removed_credentials(&none, "version = 1\n"), None);
    }
}
