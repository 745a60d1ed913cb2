//! Peers come from Debian and are installed if they are missing; they are started here, on loopback, and stopped here.

use std::process::{Child, Command, Stdio};

use crate::Error;

/// Whether `program` is there, after an attempt to install `package`. Says so if it is not.
pub(crate) fn available(program: &str, package: &str) -> bool {
    if std::path::Path::new(program).exists() {
        return true;
    }
    eprintln!("adyton-bench: installing {package}, a peer");
    let mut install = Command::new("apt-get");
    // At this runlevel Debian's packages start no service.
    install.args(["install", "-yq", "--no-install-recommends", package]).env("RUNLEVEL", "1");
    let done = install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = done.is_ok_and(|status| status.success()) && std::path::Path::new(program).exists();
    if !found {
        eprintln!("adyton-bench: {package} cannot be installed: its rows have no peer");
    }
    found
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
