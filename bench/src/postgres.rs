//! PostgreSQL: the peer of the append rows, and the database of another peer.
//!
//! The append rows' peer puts the same bytes into a PostgreSQL table, batch by batch, each batch durable.
//!
//! `COPY`, its fastest way in, over a Unix socket, one transaction for each batch, `synchronous_commit` on. It keeps the
//! entries and bodies; it has no tree, no signed head and no proof.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use adyton_engine::Sealed;
use data_encoding::HEXLOWER;
use tempfile::TempDir;

use crate::peers::{Server, Unavailable, available, version};
use crate::{Error, Options};

const BIN: &str = "/usr/lib/postgresql/15/bin";

/// `setpriv` becomes the program, so its process id is the program's.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    // Should this process be killed, the server stops at once, its clients' sessions with it.
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=INT", "--", program]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A PostgreSQL of our own, in folders of its own, reached by a Unix socket only; it stops when it is dropped.
pub(crate) struct Cluster {
    // Dropped in this order: the server before its folders.
    _server: Server,
    sockets: TempDir,
    _data: TempDir,
}

impl Cluster {
    /// Starts one on the disk that `folder` is on.
    ///
    /// # Errors
    /// [`Unavailable`] if it cannot be had or does not start.
    pub(crate) fn start(folder: &Path) -> Result<Self, Unavailable> {
        available(&format!("{BIN}/postgres"), "postgresql-15")?;
        // Its own user must reach it, beside our folder and so on the same disk.
        let beside = folder.parent().ok_or("no folder")?;
        let own = tempfile::Builder::new().prefix("bench-pg-").tempdir_in(beside)?;
        Command::new("chown").arg("postgres:postgres").arg(own.path()).status()?;
        let data = own.path().join("data");
        if !as_postgres(&format!("{BIN}/initdb")).args(["-A", "trust", "-D"]).arg(&data).status()?.success() {
            return Err("initdb failed".into());
        }
        // A Unix socket's path is short.
        let sockets = tempfile::Builder::new().prefix("adyton-pg-").tempdir()?;
        Command::new("chown").arg("postgres:postgres").arg(sockets.path()).status()?;
        let mut postgres = as_postgres(&format!("{BIN}/postgres"));
        postgres.arg("-D").arg(&data).arg("-k").arg(sockets.path());
        postgres.args(["-c", "listen_addresses=", "-c", "shared_buffers=512MB", "-c", "max_wal_size=8GB"]);
        let cluster = Self { _server: Server(postgres.spawn()?), sockets, _data: own };
        let began = Instant::now();
        while cluster.run("SELECT 1").is_err() {
            if began.elapsed() > Duration::from_secs(20) {
                return Err("PostgreSQL does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(cluster)
    }

    /// The folder of its socket.
    pub(crate) fn sockets(&self) -> &Path {
        self.sockets.path()
    }

    /// `PostgreSQL` and its version.
    pub(crate) fn name() -> String {
        format!("PostgreSQL {}", version(&format!("{BIN}/postgres")))
    }

    /// Runs one statement.
    pub(crate) fn run(&self, statement: &str) -> Result<(), Error> {
        self.psql(&["-c", statement])
    }

    fn psql(&self, arguments: &[&str]) -> Result<(), Error> {
        let mut psql = as_postgres("psql");
        psql.args(["-qX", "-v", "ON_ERROR_STOP=1", "-h"]).arg(self.sockets()).args(arguments);
        if psql.status()?.success() { Ok(()) } else { Err("PostgreSQL refused a statement".into()) }
    }
}

/// Batches a second.
///
/// # Errors
/// [`Unavailable`] if the peer cannot be had.
pub(crate) fn measure(options: Options, folder: &Path, batch: &Sealed) -> Result<f64, Unavailable> {
    let cluster = Cluster::start(folder)?;
    cluster.run("CREATE TABLE log (at bigint PRIMARY KEY, entry bytea, hot bytea)")?;
    let batches = options.scale(200);
    let mut script = Vec::new();
    let entry = HEXLOWER.encode(batch.record.entry.as_bytes());
    let hot = HEXLOWER.encode(batch.record.hot.as_deref().unwrap_or_default());
    for at in 0..batches {
        writeln!(script, "COPY log FROM stdin;\n{at}\t\\\\x{entry}\t\\\\x{hot}\n\\.")?;
    }
    let file = cluster.sockets().join("script.sql");
    std::fs::write(&file, script)?;
    let began = Instant::now();
    cluster.psql(&["-f", &file.to_string_lossy()])?;
    Ok(batches as f64 / began.elapsed().as_secs_f64())
}
