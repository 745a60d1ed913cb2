//! A vault on this machine, as `adyton up` and `adyton drill` start one.
//!
//! 1. the platform, which measures the program and the policy of whatever connects to it;
//! 2. a policy is written once into a new folder, with an owner's key that is made in the client folder;
//! 3. host and enclave; genesis happens inside, if the folder is new;
//! 4. once the API answers: the owner signs first settings (`laptop`), and the tenant is made, whose secrets stay in the
//!    client folder, because whoever calls this plays both.
//!
//! What it is not: it restarts nothing unasked.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use adyton_folder::write_private;
use adyton_ledger::{Genesis, GovRecord, LogId, LogReader, VaultId};
use adyton_policy::Policy;
use adyton_seal::RecipientPublicKey;
use adyton_transport::Address;
use data_encoding::{BASE64, HEXLOWER};
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use crate::client::{Client, expect};
use crate::enclave::Enclave;
use crate::folders::Folders;
use crate::laptop::{override_key, policy_text, sign_first_settings};
use crate::machine::Plan;
use crate::processes::{Process, Surroundings};
use crate::restarts::Restarts;
use crate::ssh::make_key;
use crate::store::Source;
use crate::tenant_file::TenantFile;

type Error = Box<dyn std::error::Error>;

/// Longest wait for the API.
const PATIENCE: Duration = Duration::from_secs(60);

/// The socket of the ingress, in the runtime folder.
pub(crate) const INGRESS: &str = "enclave.sock";

/// Where the processes find each other, and what they get besides.
#[derive(Clone)]
pub(crate) struct Wiring {
    /// Where the API listens; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// What the enclave is.
    pub(crate) enclave_is: EnclaveIs,
    /// Where the host brings clients' connections.
    pub(crate) host_ingress: Address,
    /// Where the host takes the enclave's channels.
    pub(crate) host_service: PathBuf,
    /// Carriers, KMS and metadata service, `NAME:PORT=IP:PORT`.
    pub(crate) routes: Vec<String>,
    /// What the enclave gets besides.
    pub(crate) enclave: Surroundings,
    /// What the host gets besides.
    pub(crate) host: Surroundings,
}

/// What runs the inside.
#[derive(Clone)]
pub(crate) enum EnclaveIs {
    /// A process on this machine.
    Process {
        /// Where it takes clients' connections.
        ingress: PathBuf,
        /// Where it opens channels.
        service: PathBuf,
        /// The platform's socket.
        nsm: String,
    },
    /// An image on an emulated one.
    Machine(Plan),
}

impl Wiring {
    /// Nothing stands between the processes. `pretend` is what `adyton-pretend` said when it was ready.
    pub(crate) fn direct(runtime: &Path, pretend: &Value, listen: SocketAddr) -> Result<Self, Error> {
        let field = |name: &str| pretend[name].as_str().map(str::to_owned).ok_or("adyton-pretend says too little");
        let (ingress, service) = (runtime.join(INGRESS), runtime.join("host.sock"));
        let (tls, mail, imds) = (field("tls")?, field("mail")?, field("imds")?);
        Ok(Self {
            listen,
            host_ingress: Address::Unix(ingress.clone()),
            host_service: service.clone(),
            enclave_is: EnclaveIs::Process { ingress, service, nsm: field("nsm")? },
            routes: routes(&tls, &mail, &imds),
            enclave: Surroundings::default(),
            host: Surroundings::default(),
        })
    }
}

/// The routes of a laptop's policy, to where those listen who play them.
pub(crate) fn routes(tls: &str, mail: &str, imds: &str) -> Vec<String> {
    let named = ["carrier.adyton.test", "kms.adyton.test"].map(|name| format!("{name}:443={tls}"));
    let others = [format!("mail.adyton.test:465={mail}"), format!("169.254.169.254:80={imds}")];
    named.into_iter().chain(others).collect()
}

/// The vault's two processes.
pub(crate) struct Vault {
    pub(crate) enclave: Enclave,
    pub(crate) host: Process,
    host_arguments: Vec<String>,
    wiring: Wiring,
    data: PathBuf,
    /// How often an emulated machine hung before its image ran, and was started again.
    pub(crate) hangs: u32,
    restarts: Restarts,
    /// Where the API listens, port known.
    pub(crate) listen: SocketAddr,
    /// Where Prometheus asks.
    pub(crate) metrics: String,
}

/// A vault that serves, and its first tenant.
pub(crate) struct Serving {
    pub(crate) vault_id: VaultId,
    pub(crate) genesis: Genesis,
    /// What the tenant keeps of this vault.
    pub(crate) folder: PathBuf,
    pub(crate) tenant: TenantFile,
    pub(crate) client: Client,
}

/// 1. Starts what plays the platform, and gives what it said when it was ready. `enclave` is the program that it measures.
pub(crate) fn start_platform(
    folders: &Folders,
    runtime: &Path,
    enclave: &Path,
    surroundings: &Surroundings,
) -> Result<(Process, Value), Error> {
    let arguments = [
        ["--dir".into(), text(&folders.pretend)],
        ["--runtime".into(), text(runtime)],
        ["--enclave".into(), text(enclave)],
        ["--policy".into(), text(&folders.data.join("adyton.toml"))],
    ];
    Process::start_ready("adyton-pretend", arguments.as_flattened(), surroundings)
}

/// 2. Writes the policy of a new vault, with `set` (`KEY=VALUE`) in place of what a laptop's says.
pub(crate) fn write_policy(
    folders: &Folders,
    pretend: &Value,
    listen: SocketAddr,
    set: &[String],
) -> Result<PathBuf, Error> {
    let policy = folders.data.join("adyton.toml");
    if !policy.exists() {
        let owner = make_key(&folders.client.join("owner"), "owner of a laptop's vault")?;
        let mut text = policy_text(pretend, listen, &owner)?;
        for setting in set {
            let (key, value) = setting.split_once('=').ok_or_else(|| format!("--set {setting}: expected KEY=VALUE"))?;
            text = override_key(&text, key.trim(), value.trim());
        }
        Policy::parse(text.as_bytes())?;
        write_private(&policy, text.as_bytes())?;
    }
    Ok(policy)
}

impl Vault {
    /// 3. Starts host and enclave over a folder that has a policy.
    pub(crate) fn start(data: &Path, wiring: Wiring) -> Result<Self, Error> {
        let workers = workers();
        let mut host_arguments = vec![
            "--data".into(),
            text(data),
            "--listen".into(),
            wiring.listen.to_string(),
            "--ingress".into(),
            wiring.host_ingress.to_string(),
            "--service".into(),
            Address::Unix(wiring.host_service.clone()).to_string(),
            "--metrics".into(),
            "127.0.0.1:0".into(),
            "--workers".into(),
            workers,
        ];
        host_arguments.extend(wiring.routes.iter().flat_map(|route| ["--route".into(), route.clone()]));
        let (host, ready) = Process::start_ready("adyton-host", &host_arguments, &wiring.host)?;
        let listen: SocketAddr = ready["listen"].as_str().unwrap_or_default().parse()?;
        // A host that is started again takes the same ports.
        host_arguments[3] = listen.to_string();
        let metrics = ready["metrics"].as_str().unwrap_or_default().to_owned();
        host_arguments[9].clone_from(&metrics);
        let enclave = Enclave::start(&wiring, data)?;
        Ok(Self {
            enclave,
            host,
            host_arguments,
            wiring,
            data: data.into(),
            hangs: 0,
            restarts: Restarts::new(),
            listen,
            metrics,
        })
    }

    /// 4. Waits until the API answers at `api` (its own address, or that of a relay before it), and makes the tenant.
    pub(crate) async fn serve(
        &mut self,
        folders: &Folders,
        pretend: &Value,
        api: SocketAddr,
    ) -> Result<Serving, Error> {
        let began = Instant::now();
        let (vault_id, genesis) = loop {
            if let Ok(found) = read_genesis(&self.wiring.host_service) {
                break found;
            }
            self.restart_what_ended_at_boot(began)?;
            sleep(Duration::from_millis(5)).await;
        };
        let client = Client::new(api, &genesis.ca_certificate)?;
        self.answers(&client, began).await?;
        let folder = folders.client.join(vault_id.to_string());
        adyton_folder::make(&folder)?;
        write_private(&folder.join("ca.pem"), pem(&genesis.ca_certificate).as_bytes())?;
        let policy = Policy::parse(&fs::read(folders.data.join("adyton.toml"))?)?;
        let (settings, owner) = (folder.join("settings.toml"), folders.client.join("owner"));
        sign_first_settings(&client, (&vault_id, &genesis), (&policy, pretend), (&settings, &owner)).await?;
        let tenant = enrol(&folder, &client, &vault_id, &genesis).await?;
        Ok(Serving { vault_id, genesis, folder, tenant, client })
    }

    /// Waits until the API answers.
    pub(crate) async fn answers(&mut self, client: &Client, began: Instant) -> Result<(), Error> {
        while client.request("GET", "/health", &[], String::new()).await.is_err() {
            self.restart_what_ended_at_boot(began)?;
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// At boot an enclave that ends has been refused, and said why.
    fn restart_what_ended_at_boot(&mut self, began: Instant) -> Result<(), Error> {
        if self.enclave.ended() {
            return Err(self.refusal().into());
        }
        if self.hangs > 1 {
            return Err("the emulated machine hung twice before its image ran".into());
        }
        if began.elapsed() > PATIENCE {
            return Err("the vault did not come up in time".into());
        }
        self.restart_what_ended();
        Ok(())
    }

    /// That the boot was refused, and why, if what it said was collected and not passed on.
    fn refusal(&self) -> String {
        let collected =
            self.wiring.enclave.output.as_ref().map(|output| {
                String::from_utf8_lossy(&output.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
            });
        let said = collected.as_ref().and_then(|said| said.lines().rfind(|line| line.starts_with("adyton-enclave: ")));
        let reason = said.map_or("its reason stands above", |said| said.trim_start_matches("adyton-enclave: ").trim());
        format!("the enclave refused to boot ({reason})")
    }

    /// Starts again what has ended, and says so.
    pub(crate) fn restart_what_ended(&mut self) {
        // An emulated machine may hang before its image runs.
        if self.enclave.hangs() {
            self.hangs += 1;
            eprintln!(
                "adyton: the emulated machine hung before its image ran: it is started again ({} so far)",
                self.hangs
            );
            self.enclave.end(Signal::KILL);
        }
        if self.host.ended() && self.start_host().is_ok() {
            eprintln!("adyton: the host had ended and was started again");
        }
        if self.enclave.ended() {
            let code = self.enclave.exit_code();
            let wait = self.restarts.ended(code.is_some());
            if let (Some(wait), Some(code)) = (wait, code) {
                let wait = wait.as_millis();
                eprintln!("adyton: the enclave has ended with status {code}: it is started again in {wait} ms");
            }
            if self.restarts.is_due() && self.start_enclave().is_ok() {
                eprintln!("adyton: the enclave had ended and was started again; live codes are void");
            }
        }
    }

    /// Where the host takes an enclave's channels.
    pub(crate) fn service(&self) -> PathBuf {
        self.wiring.host_service.clone()
    }

    /// Starts the host again, which has ended.
    pub(crate) fn start_host(&mut self) -> Result<(), Error> {
        self.host = Process::start_ready("adyton-host", &self.host_arguments, &self.wiring.host)?.0;
        Ok(())
    }

    /// Starts the enclave again, which has ended.
    pub(crate) fn start_enclave(&mut self) -> Result<(), Error> {
        self.enclave.clear();
        self.enclave = Enclave::start(&self.wiring, &self.data)?;
        self.restarts.started();
        Ok(())
    }

    /// Stops both.
    pub(crate) fn stop(self) {
        self.enclave.stop();
        self.host.stop();
    }
}

/// A folder for sockets that goes with this process.
pub(crate) struct RuntimeDir(pub(crate) PathBuf);

impl RuntimeDir {
    /// Makes one, closed to others. A Unix socket's path is short, a folder's may be long.
    pub(crate) fn new() -> Result<Self, Error> {
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

/// Threads of host and enclave each: they share the cores here, where hardware gives each its own, and more threads would
/// only wake each other.
pub(crate) fn workers() -> String {
    (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1).to_string()
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> String {
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
