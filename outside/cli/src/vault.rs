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
use std::sync::{Arc, PoisonError};

use adyton_folder::write_private;
use adyton_ledger::{Genesis, GovRecord, LogId, LogReader, VaultId};
use adyton_policy::Policy;
use adyton_transport::Address;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use crate::announced::Announced;
use crate::client::Client;
use crate::enclave::Enclave;
use crate::enrolment::{enrol, pem};
use crate::folders::Folders;
use crate::laptop::{override_key, policy_text, sign_first_settings};
use crate::processes::{Process, Surroundings};
use crate::ssh::make_key;
use crate::stop;
use crate::store::Source;
use crate::supervision::{Order, Supervised};
use crate::tenant_file::TenantFile;
use crate::trust::certificate;

pub(crate) use crate::wiring::{EnclaveIs, INGRESS, RuntimeDir, Wiring, routes, text, workers};

type Error = Box<dyn std::error::Error>;

/// The vault's two processes.
pub(crate) struct Vault {
    pub(crate) enclave: Enclave,
    pub(crate) host: Process,
    host_arguments: Vec<String>,
    wiring: Wiring,
    data: PathBuf,
    /// How often an emulated machine hung before its image ran, and was started again.
    pub(crate) hangs: u32,
    /// Where the API listens, port known.
    pub(crate) listen: SocketAddr,
    /// Where Prometheus asks.
    pub(crate) metrics: String,
    /// Where the public log and the operations logs are read.
    pub(crate) tiles: String,
    pub(crate) tiles_ops: String,
    supervised: Pair,
    announced: Announced,
}

/// Both processes as their supervisor sees them.
struct Pair {
    host: Supervised,
    enclave: Supervised,
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
    pub(crate) fn start(data: &Path, mut wiring: Wiring) -> Result<Self, Error> {
        let (workers, announced) = (workers(), Announced::default());
        let observed = announced.clone();
        wiring.host.lines = Some(Arc::new(move |line| observed.observe(line, Instant::now())));
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
            "--tiles".into(),
            "127.0.0.1:0".into(),
            "--tiles-ops".into(),
            "127.0.0.1:0".into(),
            "--workers".into(),
            workers,
        ];
        host_arguments.extend(wiring.routes.iter().flat_map(|route| ["--route".into(), route.clone()]));
        let (host, ready) = Process::start_ready("adyton-host", &host_arguments, &wiring.host)?;
        let listen: SocketAddr = ready["listen"].as_str().unwrap_or_default().parse()?;
        // A host that is started again takes the same ports.
        let mut keep = |option: &str, name: &str| {
            let address = ready[name].as_str().unwrap_or_default().to_owned();
            let place = host_arguments.iter().position(|argument| argument == option);
            if let Some(value) = place.and_then(|place| host_arguments.get_mut(place + 1)) {
                value.clone_from(&address);
            }
            address
        };
        keep("--listen", "listen");
        let (metrics, tiles, tiles_ops) =
            (keep("--metrics", "metrics"), keep("--tiles", "tiles"), keep("--tiles-ops", "tiles_ops"));
        let enclave = Enclave::start(&wiring, data)?;
        let supervised = Pair { host: Supervised::new(), enclave: Supervised::new() };
        let data = data.into();
        Ok(Self {
            enclave,
            host,
            host_arguments,
            wiring,
            data,
            hangs: 0,
            listen,
            metrics,
            tiles,
            tiles_ops,
            supervised,
            announced,
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
        let root = certificate(&PathBuf::from(pretend["root"].as_str().ok_or("adyton-pretend says too little")?))?;
        let tenant = enrol(&folder, &client, (&vault_id, &genesis), &root).await?;
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
        if Instant::now() > self.announced.deadline(began) {
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
        let host_ended = self.host.ended();
        if self.supervised.host.step(host_ended, std::time::Instant::now()) == Order::Start {
            match self.start_host() {
                Ok(()) => eprintln!("adyton: the host had ended and was started again"),
                Err(error) => {
                    self.supervised.host.failed(std::time::Instant::now());
                    say_failure("host", &error);
                }
            }
        }
        if self.announced.was_ready() {
            self.supervised.enclave.served();
        }
        let enclave_ended = self.enclave.ended();
        if let Some(code) = self.enclave.exit_code()
            && self.supervised.enclave.exited()
        {
            eprintln!("adyton: the enclave has ended with status {code}: it is started again after a pause");
        }
        if self.supervised.enclave.step(enclave_ended, std::time::Instant::now()) == Order::Start {
            match self.start_enclave() {
                Ok(()) => eprintln!("adyton: the enclave had ended and was started again; live codes are void"),
                Err(error) => {
                    self.supervised.enclave.failed(std::time::Instant::now());
                    say_failure("enclave", &error);
                }
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
        self.supervised.host.started();
        // Its first line said so.
        self.supervised.host.served();
        Ok(())
    }

    /// Starts the enclave again, which has ended.
    pub(crate) fn start_enclave(&mut self) -> Result<(), Error> {
        self.enclave.clear();
        self.enclave = Enclave::start(&self.wiring, &self.data)?;
        self.supervised.enclave.started();
        Ok(())
    }

    /// Stops both.
    pub(crate) fn stop(self) {
        self.enclave.stop();
        self.host.stop();
    }
}

fn say_failure(what: &str, error: &Error) {
    if !stop::is_asked() {
        eprintln!("adyton: the {what} could not be started again, and is tried again: {error}");
    }
}

fn read_genesis(service: &Path) -> Result<(VaultId, Genesis), Error> {
    let records = Source::connect(service)?.read(LogId::GOV, 0, 1, 1 << 20)?;
    let record = records.first().ok_or("not yet")?;
    match GovRecord::decode(record.kept.as_ref().ok_or("the genesis has no body")?)? {
        GovRecord::Genesis(genesis) => Ok((VaultId::of_genesis(&record.entry), genesis)),
        _ => Err("the log does not begin with a genesis".into()),
    }
}
