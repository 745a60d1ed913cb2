//! privacyIDEA itself: its configuration, its keys, and gunicorn's processes.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::install::said;
use crate::Error;
use crate::http::Connector;
use crate::peers::{self, certificate, free_port};
use crate::postgres::Cluster;

/// Name and password of its administrator, whose login is not measured.
pub(super) const ADMIN: &str = "bench";
const CONFIG: &str = "PRIVACYIDEA_CONFIGFILE";
const APPLICATION: &str = "privacyidea.app:create_app(config_name='production', silent=True)";

/// How many processes answer, and with how many threads each.
#[derive(Clone, Copy)]
pub(super) struct Workers {
    pub(super) per_core: usize,
    pub(super) threads: usize,
}

impl Workers {
    fn processes(self) -> usize {
        self.per_core * std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
    }
}

impl fmt::Display for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} workers of {} threads", self.processes(), self.threads)
    }
}

/// Writes its configuration and makes its keys, tables and administrator, with its own tool.
pub(super) fn set_up(environment: &Path, folder: &Path, database: &Cluster) -> Result<(), Error> {
    let at = |name: &str| folder.join(name).display().to_string();
    let secret = data_encoding::HEXLOWER.encode(&adyton_seal::random::<32>()?);
    // Signed answers and a signed audit trail cost an RSA signature each: off, in its favour. What it audits and what
    // it logs of an authentication it keeps in its database, as by default; its log file has errors only.
    let config = format!(
        "SQLALCHEMY_DATABASE_URI = 'postgresql+psycopg2://postgres@/privacyidea?host={}'
SQLALCHEMY_ENGINE_OPTIONS = {{'pool_size': 8, 'max_overflow': 8, 'pool_pre_ping': False}}
PI_ENGINE_REGISTRY_CLASS = 'shared'
SECRET_KEY = '{secret}'
PI_PEPPER = '{secret}'
PI_ENCFILE = '{}'
PI_AUDIT_KEY_PRIVATE = '{}'
PI_AUDIT_KEY_PUBLIC = '{}'
PI_AUDIT_NO_SIGN = True
PI_NO_RESPONSE_SIGN = True
PI_UUID_FILE = '{}'
PI_LOGFILE = '{}'
PI_LOGLEVEL = 40
",
        database.sockets().display(),
        at("enckey"),
        at("private.pem"),
        at("public.pem"),
        at("uuid"),
        at("log"),
    );
    let file = folder.join("pi.cfg");
    std::fs::write(&file, config)?;
    for arguments in [
        &["setup", "create_enckey"][..],
        &["setup", "create_audit_keys"],
        &["setup", "create_tables"],
        &["admin", "add", ADMIN, "-p", ADMIN],
    ] {
        let mut manage = Command::new("timeout");
        manage.arg("120").arg(environment.join("bin/pi-manage")).args(arguments).env(CONFIG, &file);
        said(&mut manage)?;
    }
    certificate(folder)
}

/// gunicorn, until it is dropped.
pub(super) struct Server {
    _processes: peers::Server,
    pub(super) connector: Connector,
}

impl Server {
    pub(super) async fn start(environment: &Path, folder: &Path, workers: Workers) -> Result<Self, Error> {
        let port = free_port()?;
        // It ends with this process, however that ends.
        let mut gunicorn = Command::new("setpriv");
        gunicorn.args(["--pdeathsig=INT", "--"]).arg(environment.join("bin/gunicorn"));
        // Only workers with threads keep connections.
        gunicorn.args(["--worker-class", "gthread", "--keep-alive", "600", "--timeout", "120", "--log-level", "error"]);
        gunicorn.args(["--workers", &workers.processes().to_string(), "--threads", &workers.threads.to_string()]);
        gunicorn.args(["--bind", &format!("127.0.0.1:{port}")]);
        gunicorn.arg("--certfile").arg(folder.join("cert.pem")).arg("--keyfile").arg(folder.join("key.pem"));
        gunicorn.arg(APPLICATION).env(CONFIG, folder.join("pi.cfg")).current_dir(folder);
        // The gateway is on loopback: no proxy stands before it.
        for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            gunicorn.env_remove(name);
        }
        let child = gunicorn.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let server = Self {
            _processes: peers::Server(child),
            connector: Connector::new(([127, 0, 0, 1], port).into(), folder.join("cert.pem"))?,
        };
        let began = Instant::now();
        // Until every worker has loaded: one that answers says nothing of the others, so a few are asked in a row.
        let mut answered = 0;
        while answered < 4 * workers.processes() {
            if began.elapsed() > Duration::from_secs(120) {
                return Err("gunicorn does not answer".into());
            }
            let asked = tokio::time::timeout(Duration::from_secs(10), server.ask()).await;
            answered = if matches!(asked, Ok(Ok(200))) { answered + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(server)
    }

    async fn ask(&self) -> Result<u16, Error> {
        let mut connection = self.connector.connect().await?;
        let (status, _) = connection.exchange(b"GET /healthz/livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").await?;
        Ok(status)
    }
}
