//! `adyton verify`: asks a vault for evidence as a stranger would, and judges it (`docs/spec/10-appraisal.md`).
//!
//! 1. a connection to the server that answers, its evidence for a new nonce, appraised by what the arguments demand;
//! 2. the connection's key and binding, so that what was judged is what was spoken with (`adyton-client`);
//! 3. what is trusted and what is not, in words or as one line of JSON.
//!
//! `--watch` repeats it and says what changed; `--diff` judges two vaults and says where they differ.
//!
//! Exit codes (`EXIT_CODES`): 0, the vault runs code that was demanded; 1, refused, unreachable, or two vaults differ; 2, wrong arguments; 3, the
//! evidence holds and no demand named the code ("identity-only"): a platform vouches for keys of unknown code.

mod shown;

use std::process::ExitCode;
use std::time::Duration;

use adyton_attest::Refusal;
use adyton_client::{Client, ClientError, Endpoint};
use adyton_ledger::VaultId;
use serde_json::{Value, json};

use crate::output;
use crate::trust::{Demands, ROOT_HINT};
use shown::Shown;

pub(crate) use crate::trust::register;

type Error = Box<dyn std::error::Error>;

/// What `--help` says of them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0, the vault runs code that was demanded (--pcr); 1, refused, unreachable, or two vaults differ; 2, wrong arguments;
3, the evidence holds and no demand named the code (\"identity-only\"): a platform vouches for keys of unknown code.";

/// Exit code of evidence that holds when no demand named the code.
const IDENTITY_ONLY: u8 = 3;
/// Longest pause of `--watch` that a server may ask for, in seconds.
const MAX_PAUSE: u64 = 600;

/// What to judge, and by what.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The vault's API, such as https://127.0.0.1:8443
    #[arg(env = "ADYTON_API")]
    url: Endpoint,
    /// The vault's id, from where you trust it
    #[arg(long, value_name = "ID", env = "ADYTON_VAULT_ID")]
    vault_id: VaultId,
    #[command(flatten)]
    demands: Demands,
    /// One line of JSON instead of sentences
    #[arg(long)]
    json: bool,
    /// Judge again and again, and say what changes
    #[arg(long, conflicts_with = "diff")]
    watch: bool,
    /// Seconds between two looks of --watch
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Another address, judged by the same demands, and compared
    #[arg(long, value_name = "URL")]
    diff: Option<Endpoint>,
    /// The id of the vault there, if it is another one
    #[arg(long, value_name = "ID", requires = "diff")]
    diff_vault_id: Option<VaultId>,
}

/// Judges and reports.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(verify(options))
}

async fn verify(options: &Options) -> Result<ExitCode, Error> {
    let (client, json) = (client(options, &options.url, options.vault_id)?, options.json);
    if options.watch {
        return watch(options, &client).await;
    }
    let shown = match client.appraise(|appraised| appraised.map(Shown::of)).await {
        Ok(shown) => shown.ok_or("nothing was appraised")?,
        Err(error) => return Ok(refused(options, &options.url, &error)),
    };
    match &options.diff {
        Some(other) => compare(options, &shown, other).await,
        None => {
            shown.print(&options.url, json);
            Ok(exit(shown.code_is_known))
        }
    }
}

/// What `"verified"` says of evidence that holds.
fn verified(code_is_known: bool) -> Value {
    if code_is_known { json!(true) } else { json!("identity-only") }
}

fn exit(code_is_known: bool) -> ExitCode {
    if code_is_known { ExitCode::SUCCESS } else { ExitCode::from(IDENTITY_ONLY) }
}

fn refused(options: &Options, url: &Endpoint, error: &ClientError) -> ExitCode {
    if options.json {
        println!("{}", refusal(url, error));
    } else if is_away(error) {
        eprintln!("adyton: {url} shows nothing: {error}");
    } else {
        eprintln!("adyton: {url} is not to be trusted: {error}");
        if let (ClientError::Refused(Refusal::Root { .. }), false) = (error, options.demands.names_a_root()) {
            eprintln!("{ROOT_HINT}");
        }
    }
    ExitCode::FAILURE
}

fn refusal(url: &Endpoint, error: &ClientError) -> Value {
    let mut said = json!({
        "url": url.to_string(), "verified": false, "refusal": code(error), "message": error.to_string(),
    });
    if let ClientError::RateLimited { retry_after } = error {
        said["retry_after"] = json!(retry_after);
    }
    said
}

/// Whether nothing was shown, so that there is nothing to judge.
fn is_away(error: &ClientError) -> bool {
    use ClientError::{Http, Io, NoEvidence, RateLimited, TimedOut};
    matches!(error, Io(_) | TimedOut | Http(_) | RateLimited { .. } | NoEvidence { status: 503, .. })
}

/// A word for programs.
fn code(error: &ClientError) -> &'static str {
    match error {
        ClientError::OutcomeUnknown(error) => code(error),
        ClientError::Refused(refusal) => refusal.code(),
        ClientError::NotTheAttestedKey { .. } => "not-the-attested-key",
        ClientError::RateLimited { .. } => "rate-limited",
        ClientError::NoEvidence { .. } => "no-evidence",
        ClientError::Form(_) => "form",
        ClientError::Io(_) | ClientError::TimedOut => "unreachable",
        ClientError::Tls(_) => "tls",
        ClientError::Http(_) | ClientError::TooLarge | ClientError::Request => "http",
    }
}

async fn compare(options: &Options, shown: &Shown, other: &Endpoint) -> Result<ExitCode, Error> {
    let vault_id = options.diff_vault_id.unwrap_or(options.vault_id);
    let theirs = match client(options, other, vault_id)?.appraise(|appraised| appraised.map(Shown::of)).await {
        Ok(theirs) => theirs.ok_or("nothing was appraised")?,
        Err(error) => return Ok(refused(options, other, &error)),
    };
    let code_is_known = shown.code_is_known && theirs.code_is_known;
    let differences = shown.differences(&theirs);
    if options.json {
        let differences: Vec<_> = differences
            .iter()
            .map(|(name, ours, theirs)| json!({ "name": name, "first": ours, "second": theirs }))
            .collect();
        println!(
            "{}",
            json!({
                "url": options.url.to_string(), "diff": other.to_string(),
                "verified": verified(code_is_known), "code_is_known": code_is_known, "differences": differences,
            })
        );
    } else if differences.is_empty() {
        println!("{} and {other} show the same.", options.url);
        if !code_is_known {
            println!("Identity only: which code they run was not compared (--pcr).");
        }
    } else {
        println!("{} and {other} differ:", options.url);
        differences.iter().for_each(|(name, ours, theirs)| println!("  {name:15} {ours}\n  {:15} {theirs}", ""));
    }
    Ok(if differences.is_empty() { exit(code_is_known) } else { ExitCode::FAILURE })
}

async fn watch(options: &Options, client: &Client) -> Result<ExitCode, Error> {
    // Nothing until the first answer that holds: the vault may be starting.
    let mut shown: Option<Shown> = None;
    let mut pause = None;
    // Its reader may end before it does.
    while !output::is_closed() {
        if let Some(pause) = pause.replace(options.every) {
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
        let now = match client.appraise(|appraised| appraised.map(Shown::of)).await {
            Ok(now) => now.ok_or("nothing was appraised")?,
            // It is away, starts again, limits the rate, or somebody cuts the connection.
            Err(error) if is_away(&error) => {
                if let ClientError::RateLimited { retry_after: Some(seconds) } = &error {
                    pause = Some(options.every.max((*seconds).min(MAX_PAUSE)));
                }
                if options.json {
                    let mut said = refusal(&options.url, &error);
                    said["reachable"] =
                        json!(!matches!(error, ClientError::Io(_) | ClientError::TimedOut | ClientError::Http(_)));
                    println!("{said}");
                } else {
                    eprintln!("adyton: {error}");
                }
                continue;
            }
            Err(error) => return Ok(refused(options, &options.url, &error)),
        };
        let Some(before) = &shown else {
            now.print(&options.url, options.json);
            shown = Some(now);
            continue;
        };
        let changes = before.differences(&now);
        if options.json && !changes.is_empty() {
            let changes: Vec<_> =
                changes.iter().map(|(name, old, new)| json!({ "name": name, "was": old, "is": new })).collect();
            let verified = verified(now.code_is_known);
            println!("{}", json!({ "url": options.url.to_string(), "verified": verified, "changes": changes }));
        } else {
            changes.iter().for_each(|(name, old, new)| println!("{name} was {old}\n{:1$} is {new}", "", name.len()));
        }
        shown = Some(now);
    }
    Ok(shown.map_or(ExitCode::FAILURE, |shown| exit(shown.code_is_known)))
}

fn client(options: &Options, url: &Endpoint, vault_id: VaultId) -> Result<Client, Error> {
    Ok(Client::attested(url.clone(), options.demands.attestation(vault_id, None)?))
}
