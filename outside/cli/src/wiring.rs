//! Where the processes of a vault on this machine find each other.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use adyton_transport::Address;
use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::machine::Plan;
use crate::processes::Surroundings;

type Error = Box<dyn std::error::Error>;

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

/// Longest path of a [`RuntimeDir`], in bytes: that of a socket has at most 107, and this much is left for its name.
const LONGEST_RUNTIME_DIR: usize = 107 - 40;

/// A folder for sockets that goes with this process.
pub(crate) struct RuntimeDir(pub(crate) PathBuf);

impl RuntimeDir {
    /// Makes one, closed to others. A Unix socket's path is short, a folder's may be long.
    pub(crate) fn new() -> Result<Self, Error> {
        use std::os::unix::fs::DirBuilderExt;
        let name = format!("adyton-{}", HEXLOWER.encode(&adyton_seal::random::<8>()?));
        let path = std::env::temp_dir().join(name);
        if path.as_os_str().len() > LONGEST_RUNTIME_DIR {
            let folder = std::env::temp_dir();
            return Err(format!(
                "{}: too long for the paths of sockets (of at most {LONGEST_RUNTIME_DIR} bytes, {} more here): set TMPDIR to a shorter folder",
                folder.display(),
                path.as_os_str().len() - LONGEST_RUNTIME_DIR
            )
            .into());
        }
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
