//! Peers come from Debian and are installed if they are missing; they are started here, on loopback, and stopped here.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::Error;

/// Why a peer has no number: it cannot be had, or does not run here. Its row says so, and there is never an older number.
pub(crate) struct Unavailable(pub(crate) String);

impl<E: Into<Error>> From<E> for Unavailable {
    fn from(error: E) -> Self {
        Self(error.into().to_string())
    }
}

/// Sees to it that `program` is there, by installing `package`.
pub(crate) fn available(program: &str, package: &str) -> Result<(), Unavailable> {
    if Path::new(program).exists() {
        return Ok(());
    }
    eprintln!("adyton-bench: installing {package}, a peer");
    let mut install = Command::new("apt-get");
    // At this runlevel Debian's packages start no service.
    install.args(["install", "-yq", "--no-install-recommends", package]).env("RUNLEVEL", "1");
    let done = install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if done.is_ok_and(|status| status.success()) && Path::new(program).exists() {
        return Ok(());
    }
    Err(Unavailable(format!("{package} cannot be installed")))
}

/// The version that a program says it has: the first word of `--version` with a dot in it.
pub(crate) fn version(program: &str) -> String {
    let said = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let said = said.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let word = said.split_whitespace().find(|word| word.contains('.')).unwrap_or("of unknown version");
    word.trim_start_matches("v=").to_owned()
}

/// A certificate for loopback and its key: `cert.pem`, `key.pem`.
pub(crate) fn certificate(folder: &Path) -> Result<(), Error> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    std::fs::write(folder.join("cert.pem"), cert.pem())?;
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem())?;
    Ok(())
}

/// A server that ends with its owner.
pub(crate) struct Server(pub(crate) Child);

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM first: PostgreSQL's postmaster takes its children along then.
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        for _ in 0..300 {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16, Error> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
