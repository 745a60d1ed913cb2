//! `adyton tenant`: a tenant makes its own secrets, seals them to the vault, and signs for them with its own
//! SSH key. No operator makes or resets them.
//!
//! What is made is written down before the vault hears of it, so that a lost answer loses nothing: the same command again
//! finishes what was begun.
//!
//! The vault's evidence is appraised before anything is sealed or sent (`trust`). The file remembers the vault's id and the root
//! of its platform, so that later commands demand the same.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adyton_api::{Account, ChangeKeys, CreateTenant, LoosenService, Service};
use adyton_folder::write_private;
use adyton_ledger::{Action, Signer, SshPublicKey, sha256};
use adyton_policy::quoted;
use clap::Subcommand;
use data_encoding::{BASE64, BASE64_NOPAD};
use serde_json::{Value, json};

use crate::answers;
use crate::client::{Client, Refused, Unsent, expect, hinted, nothing_happened};
use crate::outputs;
use crate::quote::sh;
use crate::requests::{Unsigned, after};
use crate::ssh::public_key;
use crate::tenant_file::{TenantFile, random_hex};
use crate::trust::{Connection, Place, vault};

type Error = Box<dyn std::error::Error>;

/// Who asks, and where.
#[derive(clap::Args)]
pub(crate) struct Tenant {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The tenant's file
    #[arg(long, value_name = "FILE", env = "ADYTON_TENANT")]
    tenant: PathBuf,
}

/// What signs for a tenant.
#[derive(clap::Args)]
pub(crate) struct TenantKey {
    /// The tenant's SSH key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The request's number, which `adyton tenant show` says: needed only by a tenant that has signed a thousand
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) sequence: u64,
}

/// What a tenant can do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes a tenant: its SID and token are made here and kept in a file; the vault gets the token sealed.
    Create {
        #[command(flatten)]
        tenant: Tenant,
        /// A name for people
        #[arg(long)]
        name: String,
        /// The tenant's SSH public key, which signs for its keys and for weaker services from then on
        #[arg(long, value_name = "FILE.pub")]
        ssh_key: PathBuf,
        /// Writes the request for the owners to sign (`adyton tenant admit`), instead of asking the vault
        #[arg(long, value_name = "FILE")]
        request: Option<PathBuf>,
    },
    /// Owners admit a tenant whose client wrote a request.
    Admit {
        #[command(flatten)]
        place: Place,
        /// What `adyton tenant create --request` wrote
        #[arg(long, value_name = "FILE")]
        request: PathBuf,
        /// An owner's SSH key; repeated as often as the policy's threshold says
        #[arg(long, value_name = "FILE", required = true)]
        key: Vec<PathBuf>,
    },
    /// Shows a tenant and its API keys.
    Show(Tenant),
    /// Replaces the token and forgets every API key, by the tenant's SSH key.
    Reset {
        #[command(flatten)]
        tenant: Tenant,
        #[command(flatten)]
        key: TenantKey,
    },
    /// Weakens a service after the policy's wait, by an admin's token and the tenant's SSH key.
    Loosen {
        #[command(flatten)]
        tenant: Tenant,
        #[command(flatten)]
        key: TenantKey,
        /// The service
        #[arg(long, value_name = "VA…")]
        service: String,
        /// Code length from then on
        #[arg(long, value_name = "DIGITS", required_unless_present = "custom_code")]
        code_length: Option<u8>,
        /// Callers may supply codes from then on, as far as the policy lets them
        #[arg(long)]
        custom_code: bool,
    },
    /// Takes back a loosening that still waits, by an admin's token alone.
    Withdraw {
        #[command(flatten)]
        tenant: Tenant,
        /// The service
        #[arg(long, value_name = "VA…")]
        service: String,
    },
}

/// Carries out a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Error> {
    runtime()?.block_on(async {
        match command {
            Command::Create { tenant, name, ssh_key, request } => {
                create(tenant, name, ssh_key, request.as_deref()).await
            }
            Command::Admit { place, request, key } => admit(place, request, key).await,
            Command::Show(tenant) => show(tenant).await,
            Command::Reset { tenant, key } => reset(tenant, key).await,
            Command::Loosen { tenant, key, service, code_length, custom_code } => {
                let body = LoosenService {
                    service_sid: service.clone(),
                    code_length: *code_length,
                    custom_code_enabled: *custom_code,
                };
                loosen(tenant, key, &body).await
            }
            Command::Withdraw { tenant, service } => withdraw(tenant, service).await,
        }
    })
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

impl Tenant {
    /// A connection to the tenant's vault, which its file names, and the file.
    pub(crate) async fn open(&self) -> Result<(Connection, TenantFile), Error> {
        let mut file = TenantFile::read(&self.tenant)?;
        let connection = self.place.connect(Some(&file.remembered(&self.tenant)?)).await?;
        if file.learn(connection.root.as_ref()) {
            file.write(&self.tenant)?;
        }
        Ok((connection, file))
    }

    /// The end of a command line of this tenant's: its file, unless the environment names it.
    pub(crate) fn option(&self) -> String {
        format!("--tenant {}", sh(self.tenant.display()))
    }
}

fn signer(account_sid: &str) -> Result<Signer, Error> {
    Ok(account_sid.parse()?)
}

pub(crate) fn say(place: &Place, answer: &Value, sentence: &str) -> ExitCode {
    if place.json() {
        println!("{answer}");
    } else {
        println!("{sentence}");
    }
    ExitCode::SUCCESS
}

async fn create(tenant: &Tenant, name: &str, ssh_key: &Path, request: Option<&Path>) -> Result<ExitCode, Error> {
    let Tenant { place, tenant: path } = tenant;
    // Before anything is sent or written.
    let ssh_key = public_key(ssh_key)?;
    if let Some(request) = request {
        outputs::free(request)?;
        outputs::distinct([("--tenant", path), ("--request", request)])?;
    }
    let known = if path.exists() { Some(TenantFile::read(path)?) } else { None };
    let remembered = known.as_ref().map(|file| file.remembered(path)).transpose()?;
    let Connection { client, vault_id, key, root, .. } = place.connect(remembered.as_ref()).await?;
    let (is_new, mut file) = match known {
        Some(file) => (false, file),
        None => (true, TenantFile::new(&vault_id, root.clone().or(place.root()?).as_ref())?),
    };
    let answer = json!({ "account_sid": file.account_sid, "tenant": path });
    let sentence = format!("{} is a tenant; its token is in {}.", file.account_sid, path.display());
    if !is_new && let Some(account) = introduced(&client, &file).await? {
        if (&account.friendly_name[..], account.ssh_key) == (name, fingerprint(&ssh_key)) {
            return Ok(say(place, &answer, &sentence));
        }
        return Err(format!(
            "{}: {} ({}) is a tenant already: name another file with --tenant to make another one",
            path.display(),
            quoted(&account.account_sid),
            quoted(&account.friendly_name)
        )
        .into());
    }
    if is_new || file.learn(root.as_ref()) {
        file.write(path)?;
    }
    let introduction = serde_json::to_string(&file.introduction(&key, name, &ssh_key)?)?;
    let introduced = match request {
        Some(request) => write_private(request, introduction.as_bytes()).map_err(|error| Unsent(error.into()).into()),
        None => introduce(&client, introduction).await,
    };
    if let Err(error) = introduced {
        if is_new && nothing_happened(&error) {
            std::fs::remove_file(path)?;
        }
        return Err(error);
    }
    let Some(request) = request else { return Ok(say(place, &answer, &sentence)) };
    let answer = json!({ "account_sid": file.account_sid, "request": request });
    let sentence = format!(
        "The owners can admit {} now: `adyton tenant admit --request {} --key OWNER-KEY`",
        file.account_sid,
        sh(request.display())
    );
    Ok(say(place, &answer, &sentence))
}

async fn introduce(client: &Client, introduction: String) -> Result<(), Error> {
    let headers = [("content-type", "application/json")];
    let answer = client.ask("POST", "/adyton/v1/tenants", &headers, introduction).await?;
    let closed = "Run this again with --request FILE, and ask an owner for `adyton tenant admit --request FILE --key \
                  OWNER-KEY`.";
    if answer.status == 201 { Ok(()) } else { Err(hinted(Refused::of(&answer).into(), 403, closed)) }
}

/// The account of a tenant whose file was there, if the vault knows it: an earlier run may have ended before it was introduced.
async fn introduced(client: &Client, file: &TenantFile) -> Result<Option<Account>, Error> {
    let headers = [("authorization", &file.basic()[..])];
    match client.request("GET", "/adyton/v1/account", &headers, String::new()).await? {
        (401, _) => Ok(None),
        answer => Ok(Some(serde_json::from_slice(&expect(200, answer)?)?)),
    }
}

/// As `ssh-keygen -l` and the vault write it.
fn fingerprint(key: &SshPublicKey) -> String {
    format!("SHA256:{}", BASE64_NOPAD.encode(&sha256(key.blob()).0))
}

/// A request of `adyton tenant create --request`, and nothing else that a file may hold.
fn introduction(file: &Path) -> Result<CreateTenant, Error> {
    let refused = |why: &str| format!("{}: {why}. Nothing was sent", file.display());
    let read = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let read: CreateTenant = serde_json::from_slice(&read)
        .map_err(|error| refused(&format!("not a request that adyton tenant create --request wrote: {error}")))?;
    signer(&read.account_sid).map_err(|error| refused(&format!("account_sid: {error}")))?;
    read.ssh_key.parse::<SshPublicKey>().map_err(|error| refused(&format!("ssh_key: {error}")))?;
    BASE64.decode(read.sealed_token.as_bytes()).map_err(|_| refused("sealed_token: not base64"))?;
    Ok(read)
}

async fn admit(place: &Place, request: &Path, keys: &[PathBuf]) -> Result<ExitCode, Error> {
    let body = serde_json::to_string(&introduction(request)?)?;
    let Connection { client, vault_id, .. } = place.connect(None).await?;
    let vault = vault(&client).await?;
    let unsigned = Unsigned { action: Action::TenantCreate, signer: Signer::Owners, body, keys, authorization: None };
    let (_, answer) = unsigned.post(&client, &vault_id, after(vault.owners_sequence)?).await?;
    let admitted: adyton_api::Tenant = serde_json::from_slice(&answer)?;
    let sentence =
        format!("{} ({}) is a tenant.", answers::sid("AC", &admitted.account_sid)?, quoted(&admitted.friendly_name));
    Ok(say(place, &json!({ "account_sid": admitted.account_sid }), &sentence))
}

/// What the vault says of a tenant.
pub(crate) async fn account(tenant: &Tenant) -> Result<Account, Error> {
    let (Connection { client, .. }, file) = tenant.open().await?;
    let headers = [("authorization", &file.basic()[..])];
    let answer = client.request("GET", "/adyton/v1/account", &headers, String::new()).await?;
    let lost = format!(
        "If the token was lost, stolen or reset elsewhere, `adyton tenant reset {} --key TENANT-KEY` makes another one.",
        tenant.option()
    );
    Ok(serde_json::from_slice(&expect(200, answer).map_err(|error| hinted(error, 401, &lost))?)?)
}

async fn show(tenant: &Tenant) -> Result<ExitCode, Error> {
    let account = account(tenant).await?;
    let sentence = answers::account(&account, &tenant.option())?;
    Ok(say(&tenant.place, &serde_json::to_value(&account)?, &sentence))
}

async fn reset(tenant: &Tenant, key: &TenantKey) -> Result<ExitCode, Error> {
    let (Connection { client, key: vault_key, .. }, file) = tenant.open().await?;
    let path = &tenant.tenant;
    let mut next = path.as_os_str().to_os_string();
    next.push(".next");
    let next = PathBuf::from(next);
    // A token that was made and whose answer was lost is sent again.
    let begun = next.exists();
    let renewed = if begun {
        TenantFile::read(&next)?
    } else {
        let renewed = TenantFile { auth_token: random_hex()?, ..file };
        renewed.write(&next)?;
        renewed
    };
    let changes =
        ChangeKeys { reset: true, sealed_token: Some(renewed.sealed_token(&vault_key)?), ..ChangeKeys::default() };
    if let Err(error) = change_keys(&client, &renewed, &changes, key).await {
        // One that was begun before may have been taken then, whatever is refused now.
        if !begun && nothing_happened(&error) {
            std::fs::remove_file(&next)?;
        }
        return Err(error);
    }
    std::fs::rename(&next, path)?;
    let sentence = format!("The token in {} is the only one now; every API key is forgotten.", path.display());
    Ok(say(&tenant.place, &json!({ "account_sid": renewed.account_sid }), &sentence))
}

pub(crate) async fn change_keys(
    client: &Client,
    file: &TenantFile,
    changes: &ChangeKeys,
    TenantKey { key, sequence }: &TenantKey,
) -> Result<(), Error> {
    let keys = [key.clone()];
    let unsigned = Unsigned {
        action: Action::TenantKeys,
        signer: signer(&file.account_sid)?,
        body: serde_json::to_string(changes)?,
        keys: &keys,
        authorization: None,
    };
    let hint = format!("{} signed, and only the tenant's own SSH key counts.", key.display());
    unsigned.post(client, &file.vault()?, *sequence).await.map(drop).map_err(|error| hinted(error, 403, &hint))
}

async fn loosen(tenant: &Tenant, key: &TenantKey, body: &LoosenService) -> Result<ExitCode, Error> {
    let (Connection { client, .. }, file) = tenant.open().await?;
    let (keys, basic) = ([key.key.clone()], file.basic());
    let unsigned = Unsigned {
        action: Action::ServiceLoosen,
        signer: signer(&file.account_sid)?,
        body: serde_json::to_string(body)?,
        keys: &keys,
        authorization: Some(&basic),
    };
    let (_, answer) = unsigned.post(&client, &file.vault()?, key.sequence).await?;
    let service: Value = serde_json::from_slice(&answer)?;
    let pending = &service["pending_loosening"];
    let when = quoted(pending["effective"].as_str().unwrap_or_default());
    let sentence = format!(
        "{} becomes weaker at {when}; until then `adyton tenant withdraw {} --service {}` takes that back.",
        body.service_sid,
        tenant.option(),
        sh(&body.service_sid)
    );
    Ok(say(&tenant.place, pending, &sentence))
}

async fn withdraw(tenant: &Tenant, service: &str) -> Result<ExitCode, Error> {
    if !service.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("--service: expected VA and 32 hexadecimal digits".into());
    }
    let (Connection { client, .. }, file) = tenant.open().await?;
    let path = format!("/adyton/v1/services/{service}/loosening");
    let headers = [("authorization", &file.basic()[..])];
    let body = expect(200, client.request("DELETE", &path, &headers, String::new()).await?)?;
    let service: Service = serde_json::from_slice(&body)?;
    let sentence =
        format!("{} stays as it is: codes of {} digits.", answers::sid("VA", &service.sid)?, service.code_length);
    Ok(say(&tenant.place, &json!({ "service_sid": service.sid, "code_length": service.code_length }), &sentence))
}
