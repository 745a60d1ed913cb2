//! `adyton up`: a whole vault on one machine, nothing to configure.
//!
//! 1. the folders, and a lock on the vault's;
//! 2. pretend: NSM, KMS, carrier, phone;
//! 3. the policy, written once into a new folder, with an owner's key that is made in the client folder;
//! 4. host and enclave; genesis happens inside, if the folder is new;
//! 5. the owner signs first settings (`laptop`); the tenant: its secrets are made here, because `up` plays the tenant, and
//!    stay in the client folder;
//! 6. until a signal: a host or enclave that dies is started again. Killing the host voids nothing; a new enclave voids
//!    live codes. Without pretend there is no platform, so its end ends all.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Duration, sleep};

use crate::folders::Folders;
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
    // 2.
    let (mut pretend, ready) =
        start_platform(&folders, &runtime.0, &sibling("adyton-enclave")?, &Surroundings::default())?;
    // 3.
    write_policy(&folders, &ready, options.listen, &options.set)?;
    // 4. and 5.
    let mut wiring = Wiring::direct(&runtime.0, &ready, options.listen)?;
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
        Some(Ok(Serving { vault_id, folder, tenant, .. })) => {
            let announcement = json!({
                "api": format!("https://{}", vault.listen), "account_sid": tenant.account_sid,
                "auth_token": tenant.auth_token, "service_sid": tenant.service_sid, "ca": folder.join("ca.pem"),
                "settings": folder.join("settings.toml"),
                "phone": ready["phone"], "vault_id": vault_id.to_string(), "root": ready["root"],
                "metrics": format!("http://{}/metrics", vault.metrics), "enclave_pid": vault.enclave.id(), "host_pid": vault.host.id(),
                "client_dir": folders.client, "tenant": folder.join("tenant.json"), "tenant_key": folder.join("tenant"),
                "owner_key": folders.client.join("owner"), "pretend_dir": folders.pretend,
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
profile dev: this shows the wall and tests it; it protects nothing from this machine's root. freshness: none

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
        field("phone"),
        field("metrics"),
        field("root"),
        folders.data.display(),
    );
}
