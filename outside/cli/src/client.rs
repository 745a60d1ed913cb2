//! A small HTTPS client that trusts one CA: owners' and tenants' commands speak with a vault by it, and `up`, which plays
//! both and trusts this machine.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use adyton_api::ErrorBody;
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

/// What the vault answered in place of what was asked for.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The HTTP status.
    pub(crate) status: u16,
    message: String,
    /// What to do about it.
    hint: Option<String>,
}

impl Refused {
    pub(crate) fn new(status: u16, body: &[u8]) -> Self {
        let message = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(error) => format!("the vault answered {status} ({}): {}", error.code, error.message),
            Err(_) => format!("the vault answered {status}: {}", String::from_utf8_lossy(body)),
        };
        Self { status, message, hint: None }
    }

    /// Whether nothing happened; of a fault on the vault's side that is not known.
    pub(crate) fn is_final(&self) -> bool {
        (400..500).contains(&self.status)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n{hint}"))
    }
}

impl std::error::Error for Refused {}

/// Whether the vault has refused, so that nothing happened.
pub(crate) fn nothing_happened(error: &Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(Refused::is_final)
}

/// Says what to do about a refusal with this status.
pub(crate) fn hinted(error: Error, status: u16, hint: &str) -> Error {
    match error.downcast::<Refused>() {
        Ok(mut refused) if refused.status == status => {
            refused.hint = Some(hint.into());
            refused
        }
        Ok(refused) => refused,
        Err(error) => error,
    }
}

/// The body of an answer with this status.
pub(crate) fn expect(status: u16, (got, body): (u16, Bytes)) -> Result<Bytes, Error> {
    if got == status { Ok(body) } else { Err(Refused::new(got, &body).into()) }
}
