//! A guest's vsock behind Unix sockets, seen from outside.
//!
//! To the guest: connect to the bridge's socket, write `CONNECT PORT\n`, read a line that begins with `OK`; then the stream
//! is the guest's. From the guest: its connection to PORT arrives at the socket `PATH_PORT`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Longest wait for the bridge's answer: a port that nobody listens on gives none at all.
const BRIDGE_TIMEOUT: Duration = Duration::from_secs(3);
/// `OK ` and a port, with room to spare.
const MAX_ANSWER: usize = 32;

/// Where the guest's connections to a port arrive.
pub(crate) fn guests_socket(bridge: &Path, port: u32) -> PathBuf {
    let mut path = bridge.as_os_str().to_owned();
    path.push(format!("_{port}"));
    path.into()
}

/// Connects to a port of the guest.
pub(crate) async fn connect(bridge: &Path, port: u32) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(bridge).await?;
    stream.write_all(format!("CONNECT {port}\n").as_bytes()).await?;
    timeout(BRIDGE_TIMEOUT, answer(&mut stream)).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(stream)
}

/// One byte at a time: what follows the line is the guest's.
async fn answer(stream: &mut UnixStream) -> io::Result<()> {
    let mut line = Vec::with_capacity(MAX_ANSWER);
    loop {
        match stream.read_u8().await? {
            b'\n' if line.starts_with(b"OK") => return Ok(()),
            byte if byte != b'\n' && line.len() < MAX_ANSWER => line.push(byte),
            _ => return Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
        }
    }
}
