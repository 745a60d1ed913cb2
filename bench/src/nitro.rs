//! Rows of the image: its size, how long an emulated machine takes to its first answer, what passes through vsock there.
//!
//! The emulator translates every instruction and shares the cores with host and load generator, so its rates say nothing about
//! hardware; they stand beside those of the same requests to a process, from the same run. Only on request (`--only nitro`): the
//! first time it builds what it needs.

use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use crate::load::{Measured, run as load};
use crate::vault::Vault;
use crate::{Error, Options, Row};

/// Connections at once: an emulated machine is no place for a crowd.
const CONNECTIONS: usize = 8;
const MIB: f64 = 1024.0 * 1024.0;

pub(crate) async fn run(options: Options, folder: &Path, print: &mut impl FnMut(Row)) -> Result<(), Error> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = source.to_str().ok_or("the source tree's path is no text")?;
    let arguments = ["--enclave", "nitro-qemu", "--source", source];
    let at = folder.join("nitro");
    // A first start may build things; it is not measured.
    Vault::start_with(&at, &arguments)?.stop()?;
    print(Row::new("image", "MiB", std::fs::metadata(at.join("vault/adyton.eif"))?.len() as f64 / MIB));
    let vault = Rc::new(Vault::start_with(&at, &arguments)?);
    let heartbeat = vault.heartbeat_ms().ok_or("the machine had no heartbeat")? as f64;
    print(Row::new("machine to heartbeat", "ms", heartbeat));
    print(Row::new("up to first answer", "ms", vault.started_in.as_secs_f64() * 1000.0));
    print(Row::new("memory of the emulator", "MiB", memory(&vault)? / MIB));
    let process = Rc::new(Vault::start(&folder.join("process"))?);
    let mut beside = health(options, &process, 40_000).await?;
    let mut ours = health(options, &vault, 4_000).await?;
    let (rate, p99_ms) = (ours.rate(), Some(ours.percentile_ms(99)));
    print(Row { p99_ms, ..Row::new("health, emulated image", "requests/s", rate) });
    let (rate, p99_ms) = (beside.rate(), Some(beside.percentile_ms(99)));
    print(Row { p99_ms, ..Row::new("health, process beside it", "requests/s", rate) });
    for vault in [vault, process] {
        Rc::try_unwrap(vault).map_err(|_| "a task still holds the vault")?.stop()?;
    }
    Ok(())
}

async fn health(options: Options, vault: &Rc<Vault>, full: usize) -> Result<Measured, Error> {
    let (host, each) = (vault.authority().to_owned(), options.scale(full) / CONNECTIONS);
    load(&vault.connector()?, CONNECTIONS, move |_, mut connection| {
        let request = format!("GET /health HTTP/1.1\r\nhost: {host}\r\n\r\n");
        async move {
            let mut measured = Measured::default();
            for _ in 0..each {
                let began = Instant::now();
                let (status, _) = connection.exchange(request.as_bytes()).await?;
                if status != 200 {
                    return Err(format!("health: the vault answered {status}").into());
                }
                measured.note(began);
                measured.done += 1;
            }
            Ok(measured)
        }
    })
    .await
}

/// Bytes of memory that the process holds.
fn memory(vault: &Vault) -> Result<f64, Error> {
    let pid = vault.enclave_pid().ok_or("adyton up does not say its enclave")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|line| line.trim().strip_suffix("kB")).ok_or("no VmRSS")?.trim().parse()?;
    Ok(kib * 1024.0)
}
