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
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adyton_folder::write_private;
use adyton_ledger::{Genesis, GovRecord, LogId, LogReader, VaultId};
use adyton_policy::Policy;
use adyton_seal::RecipientPublicKey;
use data_encoding::{BASE64, HEXLOWER};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Duration, Instant, sleep};

use crate::client::{Client, expect};
use crate::folders::Folders;
use crate::laptop::{override_key, policy_text, sign_first_settings};
use crate::processes::{Process, sibling};
use crate::ssh::make_key;
use crate::store::Source;
use crate::tenant_file::TenantFile;

type Error = Box<dyn std::error::Error>;

/// Longest wait for the API.
const PATIENCE: Duration = Duration::from_secs(60);

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
    // A Unix socket's path is short, a folder's may be long.
    let runtime = RuntimeDir::new()?;
    // 2.
    let policy = folders.data.join("adyton.toml");
    let arguments = [
        ["--dir".into(), text(&folders.pretend)],
        ["--runtime".into(), text(&runtime.0)],
        ["--enclave".into(), text(&sibling("adyton-enclave")?)],
        ["--policy".into(), text(&policy)],
    ];
    let (mut pretend, ready) = Process::start_ready("adyton-pretend", arguments.as_flattened())?;
    // 3.
    if !policy.exists() {
        let owner = make_key(&folders.client.join("owner"), "owner of a laptop's vault")?;
        let mut text = policy_text(&ready, options.listen, &owner)?;
        for setting in &options.set {
            let (key, value) = setting.split_once('=').ok_or_else(|| format!("--set {setting}: expected KEY=VALUE"))?;
            text = override_key(&text, key.trim(), value.trim());
        }
        Policy::parse(text.as_bytes())?;
        write_private(&policy, text.as_bytes())?;
    }
    // 4.
    let mut vault = Vault::start(&folders, &runtime.0, &ready, options.listen)?;
    let serving = async {
        let began = Instant::now();
        let service = runtime.0.join("host.sock");
        let (vault_id, genesis) = loop {
            if let Ok(found) = read_genesis(&service) {
                break found;
            }
            vault.restart_what_ended_at_boot(began)?;
            sleep(Duration::from_millis(5)).await;
        };
        let client = Client::new(vault.listen, &genesis.ca_certificate)?;
        while client.request("GET", "/health", &[], String::new()).await.is_err() {
            vault.restart_what_ended_at_boot(began)?;
            sleep(Duration::from_millis(5)).await;
        }
        // 5.
        let folder = folders.client.join(vault_id.to_string());
        adyton_folder::make(&folder)?;
        let ca = folder.join("ca.pem");
        write_private(&ca, pem(&genesis.ca_certificate).as_bytes())?;
        let text = Policy::parse(&fs::read(&policy)?)?;
        let (settings, owner) = (folder.join("settings.toml"), folders.client.join("owner"));
        sign_first_settings(&client, (&vault_id, &genesis), (&text, &ready), (&settings, &owner)).await?;
        let tenant = enrol(&folder, &client, &vault_id, &genesis).await?;
        Ok::<_, Error>((vault_id, folder, tenant))
    };
    let prepared = tokio::select! {
        prepared = serving => Some(prepared),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    let ended = match prepared {
        Some(Ok((vault_id, folder, tenant))) => {
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

/// The vault's two processes.
struct Vault {
    enclave: Process,
    host: Process,
    enclave_arguments: Vec<String>,
    host_arguments: Vec<String>,
    /// Where the API listens, port known.
    listen: SocketAddr,
    /// Where Prometheus asks.
    metrics: String,
}

impl Vault {
    fn start(folders: &Folders, runtime: &Path, pretend: &Value, listen: SocketAddr) -> Result<Self, Error> {
        let socket = |name: &str| format!("unix:{}", runtime.join(name).display());
        let field = |name: &str| pretend[name].as_str().map(str::to_owned).ok_or("adyton-pretend says too little");
        let tls = field("tls")?;
        // Enclave and host share the cores here, where hardware gives each its own; more threads would only wake each
        // other.
        let workers = (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1).to_string();
        let mut host_arguments = vec![
            "--data".into(),
            text(&folders.data),
            "--listen".into(),
            listen.to_string(),
            "--ingress".into(),
            socket("enclave.sock"),
            "--service".into(),
            socket("host.sock"),
            "--metrics".into(),
            "127.0.0.1:0".into(),
            "--workers".into(),
            workers.clone(),
        ];
        for name in ["carrier.adyton.test", "kms.adyton.test"] {
            host_arguments.extend(["--route".into(), format!("{name}:443={tls}")]);
        }
        host_arguments.extend(["--route".into(), format!("mail.adyton.test:465={}", field("mail")?)]);
        let (host, ready) = Process::start_ready("adyton-host", &host_arguments)?;
        let listen: SocketAddr = ready["listen"].as_str().unwrap_or_default().parse()?;
        // A host that is started again takes the same ports.
        host_arguments[3] = listen.to_string();
        let metrics = ready["metrics"].as_str().unwrap_or_default().to_owned();
        host_arguments[9].clone_from(&metrics);
        let enclave_arguments = vec![
            "--ingress".into(),
            socket("enclave.sock"),
            "--service".into(),
            socket("host.sock"),
            "--nsm".into(),
            field("nsm")?,
            "--policy".into(),
            text(&folders.data.join("adyton.toml")),
            "--workers".into(),
            workers,
        ];
        let (enclave, _) = Process::start("adyton-enclave", &enclave_arguments)?;
        Ok(Self { enclave, host, enclave_arguments, host_arguments, listen, metrics })
    }

    /// At boot an enclave that ends has been refused, and said why.
    fn restart_what_ended_at_boot(&mut self, began: Instant) -> Result<(), Error> {
        if self.enclave.ended() {
            return Err("the enclave refused to boot (its reason stands above)".into());
        }
        if began.elapsed() > PATIENCE {
            return Err("the vault did not come up in time".into());
        }
        self.restart_what_ended();
        Ok(())
    }

    fn restart_what_ended(&mut self) {
        if self.host.ended()
            && let Ok((host, _)) = Process::start_ready("adyton-host", &self.host_arguments)
        {
            eprintln!("adyton: the host had ended and was started again");
            self.host = host;
        }
        if self.enclave.ended()
            && let Ok((enclave, _)) = Process::start("adyton-enclave", &self.enclave_arguments)
        {
            eprintln!("adyton: the enclave had ended and was started again; live codes are void");
            self.enclave = enclave;
        }
    }

    fn stop(self) {
        self.enclave.stop();
        self.host.stop();
    }
}

/// A folder for sockets that goes with this process.
struct RuntimeDir(PathBuf);

impl RuntimeDir {
    fn new() -> Result<Self, Error> {
        use std::os::unix::fs::DirBuilderExt;
        let name = format!("adyton-{}", HEXLOWER.encode(&adyton_seal::random::<8>()?));
        let path = std::env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for RuntimeDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn read_genesis(service: &Path) -> Result<(VaultId, Genesis), Error> {
    let records = Source::connect(service)?.read(LogId::GOV, 0, 1, 1 << 20)?;
    let record = records.first().ok_or("not yet")?;
    match GovRecord::decode(record.body.as_ref().ok_or("the genesis has no body")?)? {
        GovRecord::Genesis(genesis) => Ok((VaultId::of_genesis(&record.entry), genesis)),
        _ => Err("the log does not begin with a genesis".into()),
    }
}

/// Finds the tenant of this vault in its folder, or makes it. What was begun and not finished is finished: the SID and
/// the token are kept before the vault hears of them.
async fn enrol(folder: &Path, client: &Client, vault: &VaultId, genesis: &Genesis) -> Result<TenantFile, Error> {
    let file = folder.join("tenant.json");
    let ssh_key = make_key(&folder.join("tenant"), "tenant of a laptop's vault")?;
    let mut tenant = match TenantFile::read(&file) {
        Ok(kept) => kept,
        Err(_) if !file.exists() => {
            let tenant = TenantFile::new(vault)?;
            tenant.write(&file)?;
            tenant
        }
        Err(error) => return Err(error),
    };
    if tenant.service_sid.is_some() {
        return Ok(tenant);
    }
    let request = tenant.introduction(&RecipientPublicKey(genesis.hpke_key), "First tenant", &ssh_key)?;
    let json = [("content-type", "application/json")];
    expect(201, client.request("POST", "/adyton/v1/tenants", &json, serde_json::to_string(&request)?).await?)?;
    let basic = tenant.basic();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", &basic)];
    let created = client.request("POST", "/v2/Services", &headers, "FriendlyName=Adyton".into()).await?;
    let service: Value = serde_json::from_slice(&expect(201, created)?)?;
    tenant.service_sid = Some(service["sid"].as_str().ok_or("the service has no SID")?.into());
    tenant.write(&file)?;
    Ok(tenant)
}

fn pem(der: &[u8]) -> String {
    let base64 = BASE64.encode(der);
    let lines: Vec<&str> = (0..base64.len()).step_by(64).map(|at| &base64[at..base64.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn instructions(up: &Value, folders: &Folders) {
    let field = |name: &str| up[name].as_str().unwrap_or_default();
    let (api, ca, account, token, service) =
        (field("api"), field("ca"), field("account_sid"), field("auth_token"), field("service_sid"));
    let (tenant, tenant_key, owner_key, settings) =
        (field("tenant"), field("tenant_key"), field("owner_key"), field("settings"));
    println!(
        "The vault is up at {api}
vault id {}
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
  adyton settings set --key {owner_key} --file {settings}

Check the log: adyton log check --data {}
Stop: Ctrl-C",
        field("vault_id"),
        field("phone"),
        field("metrics"),
        folders.data.display(),
    );
}
