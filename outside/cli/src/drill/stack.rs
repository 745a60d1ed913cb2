//! A whole vault in fresh folders, with recording relays on every line that the insider could tap.
//!
//! ```text
//!  client ──[network]──▶ host ──[pipes]──▶ enclave      ingress
//!                        host ◀──[pipes]── enclave      store, dial, events
//!  carrier ◀─[network]── host
//! ```
//!
//! Attempts that break things (restarts, restored folders, other clocks) start a stack of their own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adyton_transport::{Address, INGRESS_PORT};
use bytes::Bytes;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::Instant;

use super::Error;
use super::relay::{Recording, Relays};
use crate::client::{Client, expect};
use crate::emulated::{self, Parts};
use crate::folders::Folders;
use crate::kms_admin::{Caller, measure};
use crate::processes::{Collected, Process, Surroundings, sibling};
use crate::vault::{EnclaveIs, INGRESS, Serving, Vault, Wiring, routes, start_platform, text, write_policy};

/// The file that `SSLKEYLOGFILE` asks for.
pub(crate) const KEY_LOG: &str = "sslkeys";
/// Variables that make programs say more than usual.
const VERBOSE: [(&str, &str); 6] = [
    ("RUST_LOG", "trace"),
    ("RUST_BACKTRACE", "full"),
    ("RUST_LIB_BACKTRACE", "full"),
    ("TOKIO_CONSOLE", "1"),
    ("SSLKEYLOGFILE", KEY_LOG),
    ("DEBUG", "1"),
];

/// Where stacks are started.
pub(crate) struct Site {
    pub(crate) relays: Relays,
    /// What an emulated machine is made of, if the inside runs on one.
    pub(crate) parts: Option<Arc<Parts>>,
}

/// How a stack differs from the usual one.
#[derive(Default)]
pub(crate) struct Unusual {
    /// `KEY=VALUE` of the policy.
    pub(crate) policy: Vec<String>,
    /// Further variables of enclave and platform, such as one that gives them another clock.
    pub(crate) environment: Vec<(String, String)>,
    /// The enclave's program, in place of the one beside this.
    pub(crate) program: Option<PathBuf>,
    /// The program that the platform is told it measures, in place of the one that runs.
    pub(crate) measured: Option<PathBuf>,
    /// Where the host brings connections to the carrier, in place of the carrier.
    pub(crate) carrier: Option<SocketAddr>,
    /// Whether the vault has profile `kms` on a laptop too.
    pub(crate) kms: bool,
    /// Whether nothing is recorded: for attempts that bring more bytes than memory should hold.
    pub(crate) unrecorded: bool,
}

/// A running vault, its platform and its first tenant.
pub(crate) struct Stack {
    pub(crate) folders: Folders,
    /// What `adyton-pretend` said when it was ready.
    pub(crate) ready: Value,
    pub(crate) pretend: Process,
    pub(crate) vault: Vault,
    pub(crate) serving: Serving,
    /// Where clients find the API.
    pub(crate) api: SocketAddr,
    /// What passed between enclave and host.
    pub(crate) pipes: Recording,
    /// What passed between clients and host, and host and carriers.
    pub(crate) network: Recording,
    /// All that enclave and host printed.
    pub(crate) output: Collected,
    /// Working folder and temporary folder of enclave and host.
    pub(crate) working: PathBuf,
}

impl Stack {
    /// Starts one in a new folder.
    pub(crate) async fn start(at: &Path, site: &Site, unusual: Unusual) -> Result<Self, Error> {
        fs::create_dir_all(at)?;
        let folders = Folders::open(Some(&at.join("vault")), None, None)?;
        Self::over(folders, at, site, unusual).await
    }

    /// Starts one over folders that may hold a vault already; `at` is for sockets, and new.
    pub(crate) async fn over(folders: Folders, at: &Path, site: &Site, unusual: Unusual) -> Result<Self, Error> {
        let relays = &site.relays;
        let (runtime, working) = (at.join("run"), at.join("working"));
        fs::create_dir_all(&runtime)?;
        fs::create_dir_all(&working)?;
        let platform = Surroundings { environment: unusual.environment.clone(), ..Surroundings::default() };
        let program = unusual.program.clone().map_or_else(|| sibling("adyton-enclave"), Ok)?;
        let measured = unusual.measured.as_ref().unwrap_or(&program);
        let (pretend, ready) = start_platform(&folders, &runtime, measured, &platform)?;
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        // Another program, or what is said to be one, is a process.
        let parts = site.parts.as_ref().filter(|_| unusual.program.is_none() && unusual.measured.is_none());
        let administrator = Caller::administrator(&ready)?;
        let mut policy = unusual.policy.clone();
        if (site.parts.is_some() || unusual.kms) && !folders.data.join("adyton.toml").exists() {
            policy.extend(administrator.new_key().await?);
        }
        write_policy(&folders, &ready, listen, &policy)?;

        let (pipes, network, output) = (Recording::default(), Recording::default(), Collected::default());
        let kept = |recording| if unusual.unrecorded { None } else { Some(recording) };
        let field = |name: &str| ready[name].as_str().ok_or("adyton-pretend says too little");
        let mut wiring = Wiring::direct(&runtime, &ready, listen)?;
        // The host keeps the sockets that it knows; the enclave gets others, and a relay stands between each two.
        let (ingress, service) = (runtime.join("enclave.in"), runtime.join("host.in"));
        if let Some(parts) = parts {
            let plan = emulated::plan(parts, &runtime, &ready)?;
            relays.unix(&runtime.join(INGRESS), plan.bridge(), kept(&pipes))?;
            relays.unix(&plan.service(), wiring.host_service.clone(), kept(&pipes))?;
            wiring.host_ingress = Address::Bridge { path: runtime.join(INGRESS), port: INGRESS_PORT };
            wiring.enclave_is = EnclaveIs::Machine(plan);
            administrator.approve_first(&folders, parts.measure(&folders.data)?).await?;
        } else {
            relays.unix(&runtime.join(INGRESS), ingress.clone(), kept(&pipes))?;
            relays.unix(&service, wiring.host_service.clone(), kept(&pipes))?;
            let nsm = field("nsm")?;
            administrator.approve_first(&folders, measure(nsm.as_ref()).await?).await?;
            wiring.enclave_is = EnclaveIs::Process { ingress, service, nsm: nsm.to_owned() };
        }
        let tls = relays.tcp(field("tls")?.parse()?, kept(&network))?;
        let mail = relays.tcp(field("mail")?.parse()?, kept(&network))?;
        let imds = relays.tcp(field("imds")?.parse()?, kept(&network))?;
        wiring.routes = routes(&tls.to_string(), &mail.to_string(), &imds.to_string());
        // A later route of the same name takes the place of the first.
        wiring.routes.extend(unusual.carrier.map(|carrier| format!("carrier.adyton.test:443={carrier}")));
        let mut environment: Vec<_> = VERBOSE.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        environment.push(("TMPDIR".into(), text(&working)));
        wiring.host = Surroundings {
            environment: environment.clone(),
            folder: Some(working.clone()),
            output: Some(output.clone()),
            memory: true,
            program: None,
            foreign: false,
            lines: None,
        };
        environment.extend(unusual.environment);
        wiring.enclave = Surroundings { environment, program: Some(program), ..wiring.host.clone() };
        let mut vault = Vault::start(&folders.data, wiring)?;
        let api = relays.tcp(vault.listen, kept(&network))?;
        let serving = vault.serve(&folders, &ready, api).await?;
        Ok(Self { folders, ready, pretend, vault, serving, api, pipes, network, output, working })
    }

    /// A client's request with a form and an `Authorization` header: status and body.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        form: &[(&str, &str)],
        authorization: &str,
    ) -> Result<(u16, Bytes), Error> {
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", authorization)];
        self.serving.client.request(method, path, &headers, body).await
    }

    /// The same by the tenant's token, when an answer with this status is expected.
    pub(crate) async fn tenant(
        &self,
        status: u16,
        method: &str,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<Value, Error> {
        let answer = self.ask(method, path, form, &self.serving.tenant.basic()).await?;
        Ok(serde_json::from_slice(&expect(status, answer)?)?)
    }

    /// The phone's page.
    pub(crate) fn phone(&self) -> &str {
        self.ready["phone"].as_str().unwrap_or_default()
    }

    /// The tenant's API, for requests that are not forms.
    pub(crate) fn client(&self) -> &Client {
        &self.serving.client
    }

    /// Starts again what an attempt has ended, and waits until the API answers.
    pub(crate) async fn restart(&mut self) -> Result<(), Error> {
        if self.vault.host.ended() {
            self.vault.start_host()?;
        }
        if self.vault.enclave.ended() {
            self.vault.start_enclave()?;
        }
        self.vault.answers(&self.serving.client, Instant::now()).await
    }

    /// Ends host and enclave, and puts what the vault's folder holds aside, or back.
    pub(crate) fn exchange(&mut self, from: &Path, to: &Path) -> Result<(), Error> {
        self.vault.enclave.end(Signal::KILL);
        self.vault.host.end(Signal::KILL);
        copy_folder(from, to)
    }

    /// Stops all its processes; the folders stay.
    pub(crate) fn stop(self) {
        self.vault.stop();
        self.pretend.stop();
    }
}

/// Copies a folder's files over another's.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<(), Error> {
    adyton_folder::make(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
