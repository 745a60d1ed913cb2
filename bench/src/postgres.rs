//! The peer of the append rows: the same bytes into a PostgreSQL table, batch by batch, each batch durable.
//!
//! `COPY`, its fastest way in, over a Unix socket, one transaction for each batch, `synchronous_commit` on. It keeps the
//! entries and bodies; it has no tree, no signed head and no proof.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use adyton_enclave::engine::Sealed;
use data_encoding::HEXLOWER;

use crate::peers::{Server, available};
use crate::{Error, Options};

const BIN: &str = "/usr/lib/postgresql/15/bin";

/// `setpriv` becomes the program, so its process id is the program's.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--", program]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Entries a second; `None` if the peer cannot be had.
pub(crate) fn measure(options: Options, folder: &Path, batch: &Sealed) -> Result<Option<f64>, Error> {
    if !available(&format!("{BIN}/postgres"), "postgresql-15") {
        return Ok(None);
    }
    // Its own user must reach it, beside our folder and so on the same disk.
    let beside = folder.parent().ok_or("no folder")?;
    let own = tempfile::Builder::new().prefix("bench-pg-").tempdir_in(beside)?;
    Command::new("chown").arg("postgres:postgres").arg(own.path()).status()?;
    let data = own.path().join("data");
    if !as_postgres(&format!("{BIN}/initdb")).args(["-A", "trust", "-D"]).arg(&data).status()?.success() {
        eprintln!("adyton-bench: initdb failed: the append rows have no peer");
        return Ok(None);
    }
    // A Unix socket's path is short.
    let sockets = tempfile::Builder::new().prefix("adyton-pg-").tempdir()?;
    Command::new("chown").arg("postgres:postgres").arg(sockets.path()).status()?;
    let mut postgres = as_postgres(&format!("{BIN}/postgres"));
    postgres.arg("-D").arg(&data).arg("-k").arg(sockets.path());
    postgres.args(["-c", "listen_addresses=", "-c", "shared_buffers=512MB", "-c", "max_wal_size=8GB"]);
    let _server = Server(postgres.spawn()?);
    let psql = || {
        let mut psql = as_postgres("psql");
        psql.args(["-qX", "-v", "ON_ERROR_STOP=1", "-h"]).arg(sockets.path());
        psql
    };
    let began = Instant::now();
    while !psql().args(["-c", "CREATE TABLE log (at bigint PRIMARY KEY, entry bytea, body bytea)"]).status()?.success()
    {
        if began.elapsed() > Duration::from_secs(20) {
            return Err("PostgreSQL does not answer".into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let batches = options.scale(200);
    let mut script = Vec::new();
    let mut at = 0u64;
    for _ in 0..batches {
        script.extend_from_slice(b"COPY log FROM stdin;\n");
        for record in &batch.records {
            let (entry, body) = (HEXLOWER.encode(record.entry.as_bytes()), HEXLOWER.encode(&record.body));
            writeln!(script, "{at}\t\\\\x{entry}\t\\\\x{body}")?;
            at += 1;
        }
        script.extend_from_slice(b"\\.\n");
    }
    let file = sockets.path().join("script.sql");
    std::fs::write(&file, script)?;
    let began = Instant::now();
    if !psql().arg("-f").arg(&file).status()?.success() {
        return Err("PostgreSQL refused the rows".into());
    }
    Ok(Some(at as f64 / began.elapsed().as_secs_f64()))
}
