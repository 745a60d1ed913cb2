//! `adyton verify`: asks a vault for evidence as a stranger would, and judges it (`docs/spec/10-appraisal.md`).
//!
//! 1. a connection to whoever answers, his evidence for a new nonce, appraised by what the arguments demand;
//! 2. the connection's key and binding, so that what was judged is what was spoken with (`adyton-client`);
//! 3. what is trusted and what is not, in words or as one line of JSON.
//!
//! `--watch` repeats it and says what changed; `--diff` judges two vaults and says where they differ. Whatever is not as it
//! should be ends the command with status 1 and its reason; wrong arguments with status 2.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use adyton_attest::{AppraisalPolicy, Appraised, Bundle, Freshness, Measurements, Pcr, REGISTERS, Root};
use adyton_client::{Attestation, Client, ClientError, Endpoint};
use adyton_ledger::VaultId;
use data_encoding::HEXLOWER;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

type Error = Box<dyn std::error::Error>;

/// Whom to ask, and the least that he must show.
#[derive(clap::Args)]
pub(crate) struct Whom {
    /// The vault's API, such as https://127.0.0.1:8443
    pub(crate) url: Endpoint,
    /// The vault's id, from where you trust it
    #[arg(long, value_name = "ID")]
    pub(crate) vault_id: VaultId,
    /// PEM or DER of the root that signs evidence, in place of AWS's: a laptop's vault has one of its own
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// What a register must hold, as NUMBER=HEX; 0 to 4, 8 and 16; may be repeated
    #[arg(long = "pcr", value_name = "N=HEX", value_parser = register)]
    pub(crate) pcrs: Vec<(u8, Pcr)>,
    /// One line of JSON instead of sentences
    #[arg(long)]
    pub(crate) json: bool,
}

impl Whom {
    /// What is demanded of a vault's evidence.
    pub(crate) fn demands(&self, vault_id: VaultId) -> Result<Attestation, Error> {
        let root = match &self.root {
            None => Root::aws(),
            Some(file) => Root::explicit(certificate(file)?),
        };
        let mut policy = AppraisalPolicy::any_code(vault_id.0);
        if !self.pcrs.is_empty() {
            policy.measurements = Measurements::Registers(self.pcrs.clone());
        }
        Ok(Attestation { root, policy })
    }
}

/// What to judge, and by what.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    whom: Whom,
    /// The policy that must be in force: its file, or its SHA-256
    #[arg(long, value_name = "FILE|HASH")]
    policy: Option<String>,
    /// Demand that the log's freshness is certified by notaries
    #[arg(long)]
    certified: bool,
    /// An output that may carry a secret outward; may be repeated
    #[arg(long = "accept-reveal", value_name = "NAME")]
    reveals: Vec<String>,
    /// Oldest document, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    max_age: u64,
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
    let (client, json) = (client(options, &options.whom.url, options.whom.vault_id)?, options.whom.json);
    let shown = match client.appraise(|appraised| appraised.map(Shown::of)).await {
        Ok(shown) => shown.ok_or("nothing was appraised")?,
        Err(error) => return Ok(refused(&options.whom.url, &error, json)),
    };
    match (&options.diff, options.watch) {
        (Some(other), _) => compare(options, &shown, other).await,
        (None, false) => {
            shown.print(&options.whom.url, json);
            Ok(ExitCode::SUCCESS)
        }
        (None, true) => watch(options, &client, shown).await,
    }
}

/// What a person is shown of an appraisal.
struct Shown {
    /// Whether the code is one that was demanded. If not, the facts are its own word.
    code_is_known: bool,
    facts: Vec<(&'static str, String)>,
    words: String,
}

impl Shown {
    fn of(appraised: &Appraised) -> Self {
        // Destructured so that a new field is not forgotten.
        let Bundle {
            vault_id,
            release,
            policy_hash,
            boot_id,
            profile,
            tls_key,
            hpke_key,
            log_key,
            ca_key,
            notaries,
            reveals,
        } = appraised.bundle();
        let profile = adyton_ledger::Profile::from_number(*profile).map_or("unknown", |profile| profile.text());
        let freshness = match notaries.keys.len() {
            0 => "none".to_owned(),
            count => format!("{} of {count} notaries", notaries.quorum),
        };
        let mut facts = vec![
            ("vault_id", HEXLOWER.encode(vault_id)),
            ("release", release.to_string()),
            ("policy_sha256", HEXLOWER.encode(policy_hash)),
            ("profile", profile.to_owned()),
            ("freshness", freshness),
            ("reveals", reveals.join(" ")),
            ("boot_id", HEXLOWER.encode(boot_id)),
            ("tls_key_sha256", HEXLOWER.encode(tls_key)),
            ("hpke_key", HEXLOWER.encode(hpke_key)),
            ("log_key", HEXLOWER.encode(log_key)),
            ("ca_key_sha256", HEXLOWER.encode(ca_key)),
        ];
        let names = ["pcr0", "pcr1", "pcr2", "pcr3", "pcr4", "pcr8", "pcr16"];
        for (name, number) in names.into_iter().zip(REGISTERS) {
            if let Some(pcr) = appraised.pcr(number) {
                facts.push((name, HEXLOWER.encode(pcr)));
            }
        }
        Self { code_is_known: appraised.code_is_known(), facts, words: appraised.explain() }
    }

    fn print(&self, url: &Endpoint, json: bool) {
        if json {
            let facts: serde_json::Map<_, Value> =
                self.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            println!(
                "{}",
                json!({
                    "url": url.to_string(), "verified": true, "code_is_known": self.code_is_known, "facts": facts,
                    "explained": self.words,
                })
            );
            return;
        }
        if self.code_is_known {
            println!("{url} shows what it is.\n");
        } else {
            println!("A platform vouches for {url}; which code it runs was not compared. It says of itself:\n");
        }
        for (name, value) in &self.facts {
            println!("  {name:15} {value}");
        }
        println!("\n{}", self.words);
    }

    /// Names and both values of what differs.
    fn differences<'a>(&'a self, other: &'a Self) -> Vec<(&'static str, &'a str, &'a str)> {
        let value = |shown: &'a Self, name: &str| {
            shown.facts.iter().find(|(known, _)| *known == name).map_or("absent", |(_, value)| &value[..])
        };
        let mut names: Vec<_> = self.facts.iter().chain(&other.facts).map(|(name, _)| *name).collect();
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        let both = names.into_iter().map(|name| (name, value(self, name), value(other, name)));
        both.filter(|(_, ours, theirs)| ours != theirs).collect()
    }
}

fn refused(url: &Endpoint, error: &ClientError, json: bool) -> ExitCode {
    if json {
        println!(
            "{}",
            json!({ "url": url.to_string(), "verified": false, "refusal": code(error), "message": error.to_string() })
        );
    } else if is_away(error) {
        eprintln!("adyton: {url} shows nothing: {error}");
    } else {
        eprintln!("adyton: {url} is not to be trusted: {error}");
    }
    ExitCode::FAILURE
}

/// Whether nothing was shown, so that there is nothing to judge.
fn is_away(error: &ClientError) -> bool {
    matches!(error, ClientError::Io(_) | ClientError::TimedOut | ClientError::Http(_))
}

/// A word for programs.
fn code(error: &ClientError) -> &'static str {
    match error {
        ClientError::Refused(refusal) => refusal.code(),
        ClientError::NotTheAttestedKey { .. } => "not-the-attested-key",
        ClientError::NoEvidence { .. } => "no-evidence",
        ClientError::Form(_) => "form",
        ClientError::Io(_) | ClientError::TimedOut => "unreachable",
        ClientError::Tls(_) => "tls",
        ClientError::Http(_) | ClientError::TooLarge | ClientError::Request => "http",
    }
}

async fn compare(options: &Options, shown: &Shown, other: &Endpoint) -> Result<ExitCode, Error> {
    let vault_id = options.diff_vault_id.unwrap_or(options.whom.vault_id);
    let theirs = match client(options, other, vault_id)?.appraise(|appraised| appraised.map(Shown::of)).await {
        Ok(theirs) => theirs.ok_or("nothing was appraised")?,
        Err(error) => return Ok(refused(other, &error, options.whom.json)),
    };
    let differences = shown.differences(&theirs);
    if options.whom.json {
        let differences: Vec<_> = differences
            .iter()
            .map(|(name, ours, theirs)| json!({ "name": name, "first": ours, "second": theirs }))
            .collect();
        println!(
            "{}",
            json!({
                "url": options.whom.url.to_string(), "diff": other.to_string(), "verified": true,
                "code_is_known": shown.code_is_known && theirs.code_is_known, "differences": differences,
            })
        );
    } else if differences.is_empty() {
        println!("{} and {other} show the same.", options.whom.url);
    } else {
        println!("{} and {other} differ:", options.whom.url);
        differences.iter().for_each(|(name, ours, theirs)| println!("  {name:15} {ours}\n  {:15} {theirs}", ""));
    }
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn watch(options: &Options, client: &Client, mut shown: Shown) -> Result<ExitCode, Error> {
    shown.print(&options.whom.url, options.whom.json);
    loop {
        tokio::time::sleep(Duration::from_secs(options.every)).await;
        let now = match client.appraise(|appraised| appraised.map(Shown::of)).await {
            Ok(now) => now.ok_or("nothing was appraised")?,
            // It is away, starts again, or somebody cuts the line.
            Err(error) if is_away(&error) => {
                if options.whom.json {
                    let message = error.to_string();
                    println!(
                        "{}",
                        json!({ "url": options.whom.url.to_string(), "reachable": false, "message": message })
                    );
                } else {
                    eprintln!("adyton: {error}");
                }
                continue;
            }
            Err(error) => return Ok(refused(&options.whom.url, &error, options.whom.json)),
        };
        let changes = shown.differences(&now);
        if options.whom.json && !changes.is_empty() {
            let changes: Vec<_> =
                changes.iter().map(|(name, old, new)| json!({ "name": name, "was": old, "is": new })).collect();
            println!("{}", json!({ "url": options.whom.url.to_string(), "verified": true, "changes": changes }));
        } else {
            changes.iter().for_each(|(name, old, new)| println!("{name} was {old}\n{:1$} is {new}", "", name.len()));
        }
        shown = now;
    }
}

fn client(options: &Options, url: &Endpoint, vault_id: VaultId) -> Result<Client, Error> {
    let mut demands = options.whom.demands(vault_id)?;
    demands.policy.policy_hash = options.policy.as_deref().map(policy_hash).transpose()?;
    demands.policy.freshness = if options.certified { Freshness::Certified } else { Freshness::None };
    demands.policy.reveals.clone_from(&options.reveals);
    demands.policy.max_age_ms = options.max_age.saturating_mul(1000);
    Ok(Client::attested(url.clone(), demands))
}

/// A certificate in PEM or DER.
fn certificate(file: &PathBuf) -> Result<Vec<u8>, Error> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    if let Ok(certificate) = CertificateDer::from_pem_slice(&bytes) {
        return Ok(certificate.to_vec());
    }
    // DER: a sequence that is as long as the file.
    match &bytes[..] {
        [0x30, 0x82, high, low, rest @ ..] if rest.len() == usize::from(u16::from_be_bytes([*high, *low])) => Ok(bytes),
        _ => Err(format!("{}: no certificate, neither PEM nor DER", file.display()).into()),
    }
}

fn policy_hash(text: &str) -> Result<[u8; 32], Error> {
    if let Some(hash) = HEXLOWER.decode(text.as_bytes()).ok().and_then(|hash| hash.try_into().ok()) {
        return Ok(hash);
    }
    let bytes =
        std::fs::read(text).map_err(|error| format!("--policy {text}: neither a SHA-256 nor a file: {error}"))?;
    Ok(adyton_ledger::sha256(&bytes).0)
}

pub(crate) fn register(text: &str) -> Result<(u8, Pcr), String> {
    let (number, value) = text.split_once('=').ok_or("expected NUMBER=HEX")?;
    let number = number.parse().ok().filter(|number| REGISTERS.contains(number));
    let number = number.ok_or("a register that can be demanded is 0, 1, 2, 3, 4, 8 or 16")?;
    let value = HEXLOWER.decode(value.as_bytes()).ok().and_then(|value| <[u8; 48]>::try_from(value).ok());
    let value = value.ok_or("a register holds 48 bytes: 96 lower-case hexadecimal digits")?;
    Ok((number, Pcr::new(value).ok_or("a register of zeros is that of an enclave in debug mode")?))
}
