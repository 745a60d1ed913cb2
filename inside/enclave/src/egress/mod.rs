//! Outbound connections: only to names of the policy, TLS from inside, each pinned as the policy says.
//!
//! 1. open a *dial* channel to the host;
//! 2. ask for the name by SOCKS5 (nothing inside resolves names, and there are no proxy variables to heed);
//! 3. TLS 1.3 with the endpoint's [`Trust`];
//! 4. HTTP/1.1 in it ([`http`]), or what a caller speaks itself.
//!
//! One place is called without TLS and without the policy: the metadata service of a cloud ([`metadata`]), whose answers the
//! host could make up, and which are worth nothing without attestation.
//!
//! TLS 1.3 only: a carrier that still needs 1.2 is refused and needs a relay in front of it. The older protocol would
//! be more trusted code, and would show the host the carrier's certificate.

pub mod http;
mod trust;

use std::fmt;
use std::sync::Arc;

use adyton_frame::{Channel, DeliveryFailure};
use adyton_transport::{Address, Stream, open_channel};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_socks::tcp::Socks5Stream;

pub use trust::{Trust, TrustRefusal};

/// Longest wait for a connection, TLS included.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Why nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EgressError {
    /// No connection.
    Connect,
    /// The server is not the one that the policy trusts.
    Tls(TrustRefusal),
    /// The connection broke, or the answer is not what the protocol allows.
    Protocol,
    /// Nothing came in time.
    Timeout,
}

impl fmt::Display for EgressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("no connection"),
            Self::Tls(refusal) => refusal.fmt(f),
            Self::Protocol => f.write_str("the connection broke, or the answer is not what the protocol allows"),
            Self::Timeout => f.write_str("no answer in time"),
        }
    }
}

impl std::error::Error for EgressError {}

impl EgressError {
    /// The class that an operational event names.
    pub fn class(self) -> DeliveryFailure {
        match self {
            Self::Connect => DeliveryFailure::Connect,
            Self::Tls(_) => DeliveryFailure::Tls,
            Self::Protocol | Self::Timeout => DeliveryFailure::Timeout,
        }
    }
}

/// Why an endpoint of the policy cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointError {
    /// The host is not a DNS name: an address, or not a name at all.
    Name,
    /// The trusted certificate is not one.
    Certificate,
    /// The sender is not a mailbox.
    Sender,
    /// The path does not begin with `/`, or the account is not a SID.
    Path,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "expected a DNS name, not an address",
            Self::Certificate => "the trusted certificate cannot be read",
            Self::Sender => "expected a mailbox, such as `Example <codes@example.com>`, as sender",
            Self::Path => "expected a path that begins with `/`, and an account of `AC` and 32 digits",
        })
    }
}

impl std::error::Error for EndpointError {}

/// A name and port that the enclave may speak TLS with, and whom it trusts there.
#[derive(Clone)]
pub struct Endpoint {
    service: Address,
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Endpoint {
    /// Prepares an endpoint; `service` is the host's address.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn new(host: &str, port: u16, trust: &Trust, service: Address) -> Result<Self, EndpointError> {
        let name = adyton_policy::is_peer(host).then(|| ServerName::try_from(host.to_owned()).ok()).flatten();
        let name = name.ok_or(EndpointError::Name)?;
        let provider = crate::identity::provider();
        let verifier = trust::Verifier::new(trust, provider.signature_verification_algorithms);
        let verifier = verifier.ok_or(EndpointError::Certificate)?;
        // "dangerous" is the library's word for any verifier that is not its own.
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|_| EndpointError::Certificate)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        // A resumed session would skip the look at the certificate.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self { service, host: host.to_owned(), port, name, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// The name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Connects, without TLS yet: for protocols that begin in the clear.
    ///
    /// # Errors
    /// [`EgressError::Connect`], [`EgressError::Timeout`].
    pub async fn dial(&self) -> Result<Stream, EgressError> {
        open(&self.service, (&self.host, self.port)).await
    }

    /// 3. TLS over a stream that [`Endpoint::dial`] gave.
    ///
    /// # Errors
    /// [`EgressError::Tls`], [`EgressError::Protocol`], [`EgressError::Timeout`].
    pub async fn secure(&self, stream: Stream) -> Result<TlsStream<Stream>, EgressError> {
        match timeout(CONNECT_PATIENCE, self.tls.connect(self.name.clone(), stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            // What the library says comes wrapped; anything else is the connection's end.
            Ok(Err(error)) => Err(match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(error) => EgressError::Tls(TrustRefusal::from(error)),
                None => EgressError::Protocol,
            }),
            Err(_) => Err(EgressError::Timeout),
        }
    }
}

/// The metadata service's address, the same in every AWS instance, and its port.
const METADATA: (&str, u16) = ("169.254.169.254", 80);

/// Connects to the metadata service of the instance, in the clear. The host dials this address as it stands.
///
/// # Errors
/// [`EgressError::Connect`], [`EgressError::Protocol`], [`EgressError::Timeout`].
pub async fn metadata(service: &Address) -> Result<http::Connection, EgressError> {
    http::Connection::over(open(service, METADATA).await?, METADATA.0).await
}

/// 1. and 2.
async fn open(service: &Address, (host, port): (&str, u16)) -> Result<Stream, EgressError> {
    let dial = async {
        // 1.
        let stream = open_channel(service, Channel::Dial).await.map_err(|_| EgressError::Connect)?;
        // 2.
        let dialed = Socks5Stream::connect_with_socket(stream, (host, port)).await;
        Ok(dialed.map_err(|_| EgressError::Connect)?.into_inner())
    };
    timeout(CONNECT_PATIENCE, dial).await.unwrap_or(Err(EgressError::Timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_dialled() {
        let endpoint = |host: &str| {
            let service = Address::Unix("host.sock".into());
            Endpoint::new(host, 443, &Trust::PublicRoots, service).map(|_| ())
        };
        assert_eq!(endpoint("carrier.adyton.test"), Ok(()));
        for host in
            ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "::1", "[::1]", "a.test.", "", "a b.test", "-.test"]
        {
            assert_eq!(endpoint(host), Err(EndpointError::Name), "{host}");
        }
        let nonsense = Trust::Ca(vec![1, 2, 3]);
        let service = Address::Unix("host.sock".into());
        let refused = Endpoint::new("carrier.adyton.test", 443, &nonsense, service).err();
        assert_eq!(refused, Some(EndpointError::Certificate));
    }
}
