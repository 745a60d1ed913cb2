//! Outbound connections: only to names of the policy, TLS from inside, each pinned as the policy says (`trust`).
//!
//! 1. open a *dial* channel to the host;
//! 2. ask for the name by SOCKS5 (nothing inside resolves names);
//! 3. TLS 1.3 with a certificate that the policy trusts, and HTTP/1.1 in it.

mod trust;

use std::fmt;
use std::sync::Arc;

use adyton_frame::{Channel, DeliveryFailure};
use adyton_policy::Trust;
use adyton_transport::{Address, open_channel};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_socks::tcp::Socks5Stream;

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
pub struct Peer {
    service: Address,
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConnector,
}

/// TLS with a peer, from inside.
pub type PeerStream = TlsStream<adyton_transport::Stream>;

impl Peer {
    /// Prepares a peer; `None` if its name or its trust is not usable.
    pub fn new(host: &str, port: u16, trust: &Trust, service: Address) -> Option<Self> {
        let name = ServerName::try_from(host.to_owned()).ok()?;
        let tls = TlsConnector::from(Arc::new(trust::client(trust)?));
        Some(Self { service, host: host.into(), port, name, tls })
    }

    /// Its name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Opens a stream by name, without TLS yet.
    pub(crate) async fn dial(&self) -> Result<adyton_transport::Stream, EgressError> {
        let stream = open_channel(&self.service, Channel::Dial).await.map_err(|_| EgressError::Connect)?;
        let dialed = Socks5Stream::connect_with_socket(stream, (self.host.as_str(), self.port)).await;
        Ok(dialed.map_err(|_| EgressError::Connect)?.into_inner())
    }

    /// Begins TLS on a stream.
    pub(crate) async fn secure(&self, stream: adyton_transport::Stream) -> Result<PeerStream, EgressError> {
        self.tls.connect(self.name.clone(), stream).await.map_err(|_| EgressError::Tls)
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn connect(&self) -> Result<Connection, EgressError> {
        let connect = async {
            let stream = self.secure(self.dial().await?).await?;
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
    /// `POST path`; the status, the seconds of `Retry-After` if there are some, and the body that came back. Redirects are
    /// answers like others: nothing follows them.
    ///
    /// # Errors
    /// [`EgressError`]; the connection is then of no more use.
    pub async fn post(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<(StatusCode, Option<u64>, Bytes), EgressError> {
        let mut request = Request::post(path).header("host", &self.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(|_| EgressError::Http)?;
        let exchange = async {
            self.sender.ready().await.map_err(|_| EgressError::Http)?;
            let answer = self.sender.send_request(request).await.map_err(|_| EgressError::Http)?;
            let status = answer.status();
            let after = answer.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok());
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(|_| EgressError::Http)?;
            Ok((status, after, body.to_bytes()))
        };
        timeout(PATIENCE, exchange).await.unwrap_or(Err(EgressError::Timeout))
    }
}
