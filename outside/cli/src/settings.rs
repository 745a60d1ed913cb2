//! `adyton settings`: what the owners chose within the policy.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use adyton_api::{AcceptedRequest, Vault};
use adyton_ledger::{Action, Signer, VaultId};
use clap::Subcommand;
use serde_json::json;

use crate::client::Client;
use crate::requests::Unsigned;

type Error = Box<dyn std::error::Error>;

/// Where a vault's API is.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// Its address, such as https://127.0.0.1:8443
    #[arg(long, value_name = "URL", env = "ADYTON_API")]
    api: String,
    /// The vault's CA, in PEM
    #[arg(long, value_name = "FILE", env = "ADYTON_CA")]
    ca: PathBuf,
    /// One line of JSON instead of sentences
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can be done with settings.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Says which settings are in force: their digest and sequence.
    Show(Place),
    /// Signs settings with the owners' SSH keys; they take effect at once.
    Set {
        /// Where the vault is.
        #[command(flatten)]
        place: Place,
        /// The vault's id, from where you trust it: nothing is signed for another that answers
        #[arg(long, value_name = "ID")]
        vault: VaultId,
        /// The settings, in TOML
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// An owner's SSH key; repeated as often as the policy's threshold says
        #[arg(long, value_name = "FILE", required = true)]
        key: Vec<PathBuf>,
    },
}

/// Carries out a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        match command {
            Command::Show(place) => show(place).await,
            Command::Set { place, vault, file, key } => set(place, vault, file, key).await,
        }
    })
}

impl Place {
    /// A client of it.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        let address = self.api.strip_prefix("https://").ok_or("--api: expected https://IP:PORT")?;
        let address: SocketAddr =
            address.trim_end_matches('/').parse().map_err(|_| "--api: expected https://IP:PORT")?;
        let pem = std::fs::read_to_string(&self.ca).map_err(|error| format!("{}: {error}", self.ca.display()))?;
        let ca =
            adyton_policy::certificate(&pem).ok_or_else(|| format!("{}: not one certificate", self.ca.display()))?;
        Client::new(address, &ca)
    }
}

/// What a vault says of itself.
pub(crate) async fn vault(client: &Client) -> Result<Vault, Error> {
    match client.request("GET", "/adyton/v1/vault", &[], String::new()).await? {
        (200, body) => Ok(serde_json::from_slice(&body)?),
        (status, body) => Err(format!("the vault answered {status}: {}", String::from_utf8_lossy(&body)).into()),
    }
}

async fn show(place: &Place) -> Result<ExitCode, Error> {
    let vault = vault(&place.client()?).await?;
    if place.json {
        println!("{}", serde_json::to_string(&vault)?);
    } else {
        println!("vault {}, release {}, policy {}", vault.vault_id, vault.release, vault.policy_hash);
        println!("settings {}; the owners signed {} requests", vault.settings_sha256, vault.owners_sequence);
        if let Some(fingerprint) = &vault.public_certificate_sha256 {
            println!("public certificate {fingerprint}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(place: &Place, wanted: &VaultId, file: &PathBuf, keys: &[PathBuf]) -> Result<ExitCode, Error> {
    let client = place.client()?;
    let body = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let accepted = change(&client, wanted, body, keys).await?;
    if place.json {
        println!("{}", json!({ "sequence": accepted.sequence }));
    } else {
        println!("The settings are in force (request {} of the owners).", accepted.sequence);
    }
    Ok(ExitCode::SUCCESS)
}

/// Signs settings for the vault that is wanted and posts them.
pub(crate) async fn change(
    client: &Client,
    wanted: &VaultId,
    body: String,
    keys: &[PathBuf],
) -> Result<AcceptedRequest, Error> {
    let vault = vault(client).await?;
    if vault.vault_id != wanted.to_string() {
        return Err(format!("vault {} answers there, not {wanted}: nothing was signed", vault.vault_id).into());
    }
    let unsigned = Unsigned { action: Action::Settings, signer: Signer::Owners, body, keys, authorization: None };
    let (_, answer) = unsigned.post(client, wanted, vault.owners_sequence + 1).await?;
    Ok(serde_json::from_slice(&answer)?)
}
