//! `adyton up`: a whole vault on one machine, nothing to configure.
//!
//! 1. the folders, and a lock on the vault's;
//! 2. pretend: NSM, KMS, carrier, phone;
//! 3. the policy, written once into a new folder, with an owner's key that is made in the client folder; in profile `small`
//!    also a key of the pretend KMS and its key policy, because `up` plays the KMS's administrator (`kms_admin`);
//! 4. host and enclave; genesis happens inside, if the folder is new;
//! 5. the owner signs first settings (`laptop`); the tenant: its secrets are made here, because `up` plays the tenant, and
//!    stay in the client folder;
//! 6. until a signal: a host or enclave that dies is started again. Killing the host voids nothing; a new enclave voids
//!    live codes. Without pretend there is no platform, so its end ends all.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use adyton_policy::{Policy, ProfileName};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Duration, sleep};

use crate::emulated::{self, EnclaveKind, Parts};
use crate::folders::Folders;
use crate::kms_admin::{Caller, measure};
use crate::processes::{Surroundings, sibling};
use crate::vault::{RuntimeDir, Serving, Vault, Wiring, start_platform, write_policy};

type Error = Box<dyn std::error::Error>;

/// What `up` may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The vault's folder [default: ~/.local/share/adyton/vault]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The tenant's folder [default: DIR.client]
    #[arg(long, value_name = "DIR")]
    client_dir: Option<PathBuf>,
    /// The folder of what plays the platform [default: DIR.pretend]
    #[arg(long, value_name = "DIR")]
    pretend_dir: Option<PathBuf>,
    /// Who keeps the root key of a new vault
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// What the inside is; nitro-qemu implies --profile small, needs the source tree, and builds what it needs the first time
    #[arg(long, value_enum, default_value_t)]
    enclave: EnclaveKind,
    /// Adyton's source tree, for --enclave nitro-qemu [default: this folder, or one above it]
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Where the API listens; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// A key of a new vault's policy and its value in TOML, such as limits.failed_checks=5; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A name of the policy and where it is on this machine, such as acme.example.com:443=127.0.0.1:14000; may be repeated
    #[arg(long = "route", value_name = "NAME:PORT=IP:PORT")]
    route: Vec<String>,
    /// One line of JSON when ready, instead of instructions
    #[arg(long)]
    json: bool,
}

/// Custody profiles that a laptop can play.
#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Profile {
    /// A KMS that gives it to whatever runs here
    #[default]
    Dev,
    /// One that plays AWS's, and gives it to the code and the policy that its key policy names
    Small,
}

/// Runs until a signal.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Error> {
    // One thread: the children are told to die with the thread that started them.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(up(options))
}

async fn up(options: &Options) -> Result<ExitCode, Error> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // 1.
    if !options.listen.ip().is_loopback() {
        return Err(
            "--listen: a laptop's vault protects nothing from this machine, so it listens on loopback only".into()
        );
    }
    let folders =
        Folders::open(options.data.as_deref(), options.client_dir.as_deref(), options.pretend_dir.as_deref())?;
    let lock = fs::File::create(folders.data.join("lock"))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        format!(
            "{} is in use by another `adyton up`: stop it, or name another folder with --data",
            folders.data.display()
        )
    })?;
    let runtime = RuntimeDir::new()?;
    let parts = match options.enclave {
        EnclaveKind::Process => None,
        EnclaveKind::NitroQemu => Some(Arc::new(Parts::prepare(options.source.as_deref())?)),
    };
    let is_small = options.profile == Profile::Small || parts.is_some();
    // 2.
    let (mut pretend, ready) =
        start_platform(&folders, &runtime.0, &sibling("adyton-enclave")?, &Surroundings::default())?;
    // 3.
    let administrator = Caller::administrator(&ready)?;
    let mut set = options.set.clone();
    if is_small && !folders.data.join("adyton.toml").exists() {
        set.extend(administrator.new_key().await?);
    }
    let policy = Policy::parse(&fs::read(write_policy(&folders, &ready, options.listen, &set)?)?)?;
    if is_small && policy.profile != ProfileName::Small {
        return Err(
            "--profile: this vault has another profile, which is fixed at genesis: name another folder with --data"
                .into(),
        );
    }
    let mut wiring = Wiring::direct(&runtime.0, &ready, options.listen)?;
    if let Some(parts) = &parts {
        emulated::wire(&mut wiring, emulated::plan(parts, &runtime.0, &ready)?);
        administrator.approve_first(&folders, parts.measure(&folders.data)?).await?;
    } else {
        let nsm = ready["nsm"].as_str().ok_or("adyton-pretend says too little")?;
        administrator.approve_first(&folders, measure(nsm.as_ref()).await?).await?;
    }
    // 4. and 5.
    wiring.routes.extend(options.route.iter().cloned());
    let mut vault = Vault::start(&folders.data, wiring)?;
    let api = vault.listen;
    let serving = vault.serve(&folders, &ready, api);
    let prepared = tokio::select! {
        prepared = serving => Some(prepared),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    let ended = match prepared {
        Some(Ok(Serving { vault_id, genesis, folder, tenant, .. })) => {
            let announcement = json!({
                "api": format!("https://{}", vault.listen), "account_sid": tenant.account_sid,
                "auth_token": tenant.auth_token, "service_sid": tenant.service_sid, "ca": folder.join("ca.pem"),
                "settings": folder.join("settings.toml"),
                "phone": ready["phone"], "vault_id": vault_id.to_string(), "root": ready["root"],
                "metrics": format!("http://{}/metrics", vault.metrics), "enclave_pid": vault.enclave.id(), "host_pid": vault.host.id(),
                "client_dir": folders.client, "tenant": folder.join("tenant.json"), "tenant_key": folder.join("tenant"),
                "owner_key": folders.client.join("owner"), "pretend_dir": folders.pretend,
                "profile": genesis.profile.text(), "nsm": ready["nsm"],
                "machine": { "heartbeat_ms": vault.enclave.heartbeat_ms(), "hangs": vault.hangs },
                "kms": { "key": policy.custody.key, "address": ready["tls"], "ca": ready["tls_ca"],
                    "administrator": ready["kms_administrator"], "role": ready["kms_role"], "imds": ready["imds"] },
            });
            if options.json {
                println!("{announcement}")
            } else {
                instructions(&announcement, &folders)
            }
            // 6.
            loop {
                tokio::select! {
                    () = sleep(Duration::from_millis(50)) => vault.restart_what_ended(),
                    _ = terminate.recv() => break Ok(ExitCode::SUCCESS),
                    _ = interrupt.recv() => break Ok(ExitCode::SUCCESS),
                }
                // Its sockets, its phone's address and its messages went with it.
                if pretend.ended() {
                    break Err("adyton-pretend has ended, and with it the phone: start again".into());
                }
            }
        }
        Some(Err(error)) => Err(error),
        None => Ok(ExitCode::SUCCESS),
    };
    vault.stop();
    pretend.stop();
    ended
}

fn instructions(up: &Value, folders: &Folders) {
    let field = |name: &str| up[name].as_str().unwrap_or_default();
    let (api, ca, account, token, service) =
        (field("api"), field("ca"), field("account_sid"), field("auth_token"), field("service_sid"));
    let (tenant, tenant_key, owner_key, settings, vault_id) =
        (field("tenant"), field("tenant_key"), field("owner_key"), field("settings"), field("vault_id"));
    println!(
        "The vault is up at {api}
vault id {vault_id}
profile {}: this shows the wall and tests it; it protects nothing from this machine's root. freshness: none

Phone: {}
Metrics: {}

Send a first code with the Python SDK (pip install twilio; unset TWILIO_REGION and TWILIO_EDGE):

  export REQUESTS_CA_BUNDLE={ca}
  python3 -c '
  from twilio.rest import Client
  client = Client(\"{account}\", \"{token}\")
  client.verify.base_url = \"{api}\"
  verify = client.verify.v2.services(\"{service}\")
  print(verify.verifications.create(to=\"+12025550123\", channel=\"sms\").status)
  print(verify.verification_checks.create(to=\"+12025550123\", code=input(\"code: \")).status)'

or with curl:

  curl --cacert {ca} -u {account}:{token} {api}/v2/Services/{service}/Verifications \\
    -d To=%2B12025550123 -d Channel=sms
  curl --cacert {ca} -u {account}:{token} {api}/v2/Services/{service}/VerificationCheck \\
    -d To=%2B12025550123 -d Code=123456

or the adyton command, for the tenant and for the owner:

  export ADYTON_API={api} ADYTON_CA={ca} ADYTON_TENANT={tenant}
  adyton key create --key {tenant_key} --scope support --out support.json
  adyton tenant show
  adyton settings set --vault {vault_id} --key {owner_key} --file {settings}

Ask it what it is: adyton verify {api} --vault-id {vault_id} --root {}
Check the log: adyton log check --data {}
Stop: Ctrl-C",
        field("profile"),
        field("phone"),
        field("metrics"),
        field("root"),
        folders.data.display(),
    );
}
