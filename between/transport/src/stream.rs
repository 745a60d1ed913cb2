//! One stream type over both kinds of socket.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio_vsock::{VsockAddr, VsockListener, VsockStream};

use crate::{Address, bridge, gate};

/// A connection between host and enclave.
#[derive(Debug)]
pub enum Stream {
    /// Over a Unix socket.
    Unix(UnixStream),
    /// Over vsock.
    Vsock(VsockStream),
}

/// The half of a [`Stream`] that is read.
pub type ReadHalf = tokio::io::ReadHalf<Stream>;
/// The half of a [`Stream`] that is written.
pub type WriteHalf = tokio::io::WriteHalf<Stream>;

impl Stream {
    /// Halves that two tasks can use at the same time.
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        tokio::io::split(self)
    }
}

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

impl Address {
    /// Connects.
    ///
    /// # Errors
    /// The socket's.
    pub async fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
            Self::Vsock { cid, port } => gate::connect(VsockAddr::new(*cid, *port)).await.map(Stream::Vsock),
            Self::Bridge { path, port } => bridge::connect(path, *port).await.map(Stream::Unix),
        }
    }
}

/// Accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// On a Unix socket.
    Unix(UnixListener),
    /// On a vsock port.
    Vsock(VsockListener),
}

impl Listener {
    /// Binds. A Unix socket that a dead process left is replaced (nothing but a socket is); only the owner may connect.
    /// Behind a bridge, a guest's connections to a port arrive at a Unix socket of its own.
    ///
    /// # Errors
    /// The socket's; [`io::ErrorKind::AddrInUse`] if another process listens there.
    pub fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Unix(path) => bind_unix(path).map(Self::Unix),
            Address::Vsock { cid, port } => gate::bind(VsockAddr::new(*cid, *port)).map(Self::Vsock),
            Address::Bridge { path, port } => bind_unix(&bridge::guests_socket(path, *port)).map(Self::Unix),
        }
    }

    /// Takes the next connection.
    ///
    /// # Errors
    /// The socket's.
    pub async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Stream::Unix(stream)),
            Self::Vsock(listener) => listener.accept().await.map(|(stream, _)| Stream::Vsock(stream)),
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            // It lives, or it is not ours to judge: binding says that the address is in use.
            _ => {}
        }
    }
    let socket = UnixSocket::new_stream()?;
    // Linux gives the mode of the descriptor to the name, so there is no moment in which others could connect.
    File::from(socket.as_fd().try_clone_to_owned()?).set_permissions(Permissions::from_mode(0o600))?;
    socket.bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Vsock(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Vsock(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Vsock(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Vsock(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Vsock(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Vsock(stream) => stream.is_write_vectored(),
        }
    }
}
