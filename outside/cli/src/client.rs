//! A small HTTPS client that trusts one CA. `up` plays the tenant with it, and trusts this machine.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsConnector;

type Error = Box<dyn std::error::Error>;

/// Speaks with one vault.
pub(crate) struct Client {
    address: SocketAddr,
    tls: TlsConnector,
}

impl Client {
    /// Trusts `ca` (DER) and nothing else.
    pub(crate) fn new(address: SocketAddr, ca: &[u8]) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.to_vec()))?;
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { address, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// One request on a connection of its own: status and body.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<(u16, Bytes), Error> {
        let exchange = async {
            let stream = TcpStream::connect(self.address).await?;
            let stream = self.tls.connect(ServerName::IpAddress(self.address.ip().into()), stream).await?;
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            let mut request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
            let status = answer.status().as_u16();
            Ok((status, answer.into_body().collect().await?.to_bytes()))
        };
        timeout(Duration::from_secs(10), exchange).await?
    }
}

/// The body of an answer with this status.
pub(crate) fn expect(status: u16, (got, body): (u16, Bytes)) -> Result<Bytes, Error> {
    if got == status {
        return Ok(body);
    }
    Err(format!("the vault answered {got}: {}", String::from_utf8_lossy(&body)).into())
}
