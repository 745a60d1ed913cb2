//! A small client over TLS, so that the load generator costs as little as possible: it shares the machine's cores with
//! what it measures. It speaks HTTP/1.1 with our own vault and a little Redis with the peer, and is no general client.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Error;

/// Opens connections to one server, trusting its CA and nothing else.
#[derive(Clone)]
pub(crate) struct Connector {
    address: SocketAddr,
    tls: TlsConnector,
}

impl Connector {
    pub(crate) fn new(address: SocketAddr, ca_file: impl AsRef<Path>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca_file)?)?;
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { address, tls: TlsConnector::from(Arc::new(config)) })
    }

    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(ServerName::IpAddress(self.address.ip().into()), stream).await?;
        Ok(Connection { stream, buffer: Vec::with_capacity(8192) })
    }
}

/// One connection; one request at a time.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Sends a request that is written out already and reads the answer: its status and its body.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<(u16, &[u8])> {
        self.send(request).await?;
        let (mut head, mut length) = (0, 0);
        loop {
            self.receive().await?;
            if head == 0
                && let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n")
            {
                head = at + 4;
                length = content_length(&self.buffer[..head]).ok_or(io::ErrorKind::InvalidData)?;
            }
            if head > 0 && self.buffer.len() >= head + length {
                break;
            }
        }
        let status = self.buffer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, &self.buffer[head..head + length]))
    }

    /// Sends one command of the Redis protocol and reads an answer of one line.
    pub(crate) async fn command(&mut self, command: &[u8]) -> io::Result<&[u8]> {
        self.send(command).await?;
        while !self.buffer.ends_with(b"\r\n") {
            self.receive().await?;
        }
        Ok(&self.buffer)
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.clear();
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn receive(&mut self) -> io::Result<()> {
        let count = self.stream.read_buf(&mut self.buffer).await?;
        if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

fn content_length(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).ok()?;
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    })?;
    line.trim().parse().ok()
}
