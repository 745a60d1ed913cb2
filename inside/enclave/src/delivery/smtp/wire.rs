//! Our TLS stream in the shape that lettre takes.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use adyton_transport::Stream;
use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

/// After STARTTLS a server does not greet again (RFC 3207 §4.2), but lettre waits for a greeting.
const GREETING: &[u8] = b"220 TLS\r\n";

/// A stream inside TLS.
pub(super) struct Wire {
    stream: TlsStream<Stream>,
    /// Read before anything of the stream.
    before: &'static [u8],
}

impl Wire {
    /// A stream on which the server greets.
    pub(super) fn new(stream: TlsStream<Stream>) -> Self {
        Self { stream, before: b"" }
    }

    /// A stream on which it has greeted.
    pub(super) fn after_starttls(stream: TlsStream<Stream>) -> Self {
        Self { stream, before: GREETING }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl AsyncTokioStream for Wire {
    /// Nothing inside knows addresses.
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.before.is_empty() {
            return Pin::new(&mut wire.stream).poll_read(cx, buf);
        }
        let (now, later) = wire.before.split_at(wire.before.len().min(buf.remaining()));
        buf.put_slice(now);
        wire.before = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
