//! Outbound connections: only to names of the policy, TLS from inside, each pinned to one certificate.
//!
//! 1. open a *dial* channel to the host;
//! 2. ask for the name by SOCKS5 (nothing inside resolves names);
//! 3. TLS 1.3 with the policy's one root, and HTTP/1.1 in it.

use std::fmt;
use std::sync::Arc;

use adyton_frame::{Channel, DeliveryFailure};
use adyton_transport::{Address, open_channel};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsConnector;
use tokio_socks::tcp::Socks5Stream;

use crate::policy::{Peer, PolicyError, certificate};

/// Longest wait for a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// Why nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EgressError {
    /// No connection.
    Connect,
    /// The peer's certificate is not the one that the policy trusts.
    Tls,
    /// The connection broke, or the answer is not HTTP.
    Http,
    /// Nothing came in time.
    Timeout,
}

impl fmt::Display for EgressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection",
            Self::Tls => "the certificate is not the one that the policy trusts",
            Self::Http => "the connection broke",
            Self::Timeout => "no answer in time",
        })
    }
}

impl std::error::Error for EgressError {}

impl EgressError {
    /// The class that an operational event names.
    pub fn class(self) -> DeliveryFailure {
        match self {
            Self::Connect => DeliveryFailure::Connect,
            Self::Tls => DeliveryFailure::Tls,
            Self::Http | Self::Timeout => DeliveryFailure::Timeout,
        }
    }
}

/// A peer of the policy, ready to be spoken with.
#[derive(Clone)]
pub struct Route {
    service: Address,
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Route {
    /// Prepares a peer.
    ///
    /// # Errors
    /// [`PolicyError`] if its name or its trust is not usable.
    pub fn new(peer: &Peer, service: Address) -> Result<Self, PolicyError> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&peer.trust, "trust")?).map_err(|_| PolicyError::Certificate("trust"))?;
        let config = ClientConfig::builder_with_provider(crate::identity::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|_| PolicyError::Certificate("trust"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(peer.host.clone()).map_err(|_| PolicyError::Address("host"))?;
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Self { service, host: peer.host.clone(), port: peer.port, name, tls })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn connect(&self) -> Result<Connection, EgressError> {
        let connect = async {
            let stream = open_channel(&self.service, Channel::Dial).await.map_err(|_| EgressError::Connect)?;
            let target = (self.host.as_str(), self.port);
            let dialed = Socks5Stream::connect_with_socket(stream, target).await;
            let stream = dialed.map_err(|_| EgressError::Connect)?.into_inner();
            let stream = self.tls.connect(self.name.clone(), stream).await.map_err(|_| EgressError::Tls)?;
            let (sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| EgressError::Http)?;
            tokio::spawn(connection);
            Ok(Connection { sender, host: self.host.clone() })
        };
        timeout(PATIENCE, connect).await.unwrap_or(Err(EgressError::Timeout))
    }
}

/// An HTTP/1.1 connection to a peer, used again until it breaks.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    /// `POST path` with a JSON body; the status and the body that came back.
    ///
    /// # Errors
    /// [`EgressError`]; the connection is then of no more use.
    pub async fn post(
        &mut self,
        path: &str,
        idempotency_key: Option<&str>,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), EgressError> {
        let mut request = Request::post(path).header("host", &self.host).header("content-type", "application/json");
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(body)).map_err(|_| EgressError::Http)?;
        let exchange = async {
            self.sender.ready().await.map_err(|_| EgressError::Http)?;
            let answer = self.sender.send_request(request).await.map_err(|_| EgressError::Http)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(|_| EgressError::Http)?;
            Ok((status, body.to_bytes()))
        };
        timeout(PATIENCE, exchange).await.unwrap_or(Err(EgressError::Timeout))
    }
}
