//! Outbound connections: only to names of the policy, TLS from inside, each pinned as the policy says.
//!
//! 1. open a *dial* channel to the host;
//! 2. ask for the name by SOCKS5 (nothing inside resolves names, and there are no proxy variables to heed);
//! 3. TLS 1.3 with the endpoint's [`Trust`];
//! 4. HTTP/1.1 in it ([`http`]), or what a caller speaks itself.
//!
//! Whatever comes back is bounded: by bytes and time for each of these steps, and then for each answer ([`AnswerBudget`]).
//!
//! One place is called without TLS and without the policy: the metadata service of a cloud ([`metadata`]), whose answers the
//! host could make up, and which are worth nothing without attestation.
//!
//! TLS 1.3 only: a carrier that still needs 1.2 is refused and needs a relay in front of it. The older protocol would
//! be more trusted code, and would show the host the carrier's certificate.

mod budget;
pub mod http;
#[cfg(test)]
pub(crate) mod played;
mod trust;

use std::fmt;
use std::sync::Arc;

use adyton_frame::{Channel, DeliveryFailure};
use adyton_transport::{Address, Stream, open_channel};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Duration, Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_socks::tcp::Socks5Stream;

pub use budget::{AnswerBudget, Meter, Metered, Wire};
pub use trust::{Trust, TrustRefusal};

/// Longest wait for a connection, and once more for its TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answers to the requests of SOCKS5: a method, and an address that is a name of 255 bytes.
const SOCKS_BYTES: usize = 512;
/// Longest TLS handshake of a server: ten certificates and what goes with them.
const HANDSHAKE_BYTES: usize = 64 * 1024;

/// Why nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EgressError {
    /// No connection.
    Connect,
    /// The server is not the one that the policy trusts.
    Tls(TrustRefusal),
    /// The connection broke, or the answer is not what the protocol allows.
    Protocol,
    /// The answer did not come, or did not end, in time.
    Timeout,
    /// The answer is longer than an answer of its kind may be.
    TooLong,
}

impl fmt::Display for EgressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("no connection"),
            Self::Tls(refusal) => refusal.fmt(f),
            Self::Protocol => f.write_str("the connection broke, or the answer is not what the protocol allows"),
            Self::Timeout => f.write_str("no whole answer in time"),
            Self::TooLong => f.write_str("the answer is longer than an answer of its kind may be"),
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
            Self::Protocol | Self::Timeout | Self::TooLong => DeliveryFailure::Timeout,
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
    answers: AnswerBudget,
}

impl Endpoint {
    /// Prepares an endpoint; `service` is the host's address, `answers` what each answer of it may cost.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn new(
        host: &str,
        port: u16,
        trust: &Trust,
        service: Address,
        answers: AnswerBudget,
    ) -> Result<Self, EndpointError> {
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
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Self { service, host: host.to_owned(), port, name, tls, answers })
    }

    /// The name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Connects, without TLS yet: for protocols that begin in the clear. The budget of the first answer has begun.
    ///
    /// # Errors
    /// [`EgressError::Connect`], [`EgressError::Timeout`], [`EgressError::TooLong`].
    pub async fn dial(&self) -> Result<Metered<Stream>, EgressError> {
        open(&self.service, (&self.host, self.port), self.answers).await
    }

    /// 3. TLS over a stream that [`Endpoint::dial`] gave. The budget of the first answer has begun.
    ///
    /// # Errors
    /// [`EgressError::Tls`], [`EgressError::Protocol`], [`EgressError::Timeout`], [`EgressError::TooLong`].
    pub async fn secure<S>(&self, stream: Metered<S>) -> Result<TlsStream<Metered<S>>, EgressError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let meter = stream.meter().clone();
        meter.allow(HANDSHAKE_BYTES, Instant::now() + CONNECT_TIMEOUT);
        let secured = self.tls.connect(self.name.clone(), stream).await;
        let secured = secured.map_err(|error| {
            // What the library says comes wrapped; anything else is the connection's end.
            let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            let refused = refused.map(|error| EgressError::Tls(TrustRefusal::from(error)));
            meter.exceeded().or(refused).unwrap_or(EgressError::Protocol)
        })?;
        meter.begin();
        Ok(secured)
    }
}

/// The metadata service's address, the same in every AWS instance, and its port.
const METADATA: (&str, u16) = ("169.254.169.254", 80);

/// Connects to the metadata service of the instance, in the clear. The host dials this address as it stands.
///
/// # Errors
/// [`EgressError::Connect`], [`EgressError::Protocol`], [`EgressError::Timeout`], [`EgressError::TooLong`].
pub async fn metadata(service: &Address) -> Result<http::Connection, EgressError> {
    http::Connection::over(open(service, METADATA, AnswerBudget::METADATA).await?, METADATA.0).await
}

/// 1. and 2.
async fn open(service: &Address, target: (&str, u16), answers: AnswerBudget) -> Result<Metered<Stream>, EgressError> {
    let until = Instant::now() + CONNECT_TIMEOUT;
    // 1. What the host says here is frames, which have their own bound.
    let stream = timeout_at(until, open_channel(service, Channel::Dial)).await.map_err(|_| EgressError::Timeout)?;
    let stream = stream.map_err(|_| EgressError::Connect)?;
    // 2.
    socks(Metered::new(stream, answers, SOCKS_BYTES, until), target).await
}

/// 2. What is read is as long as the host says, and bounded like everything else.
async fn socks<S>(stream: Metered<S>, target: (&str, u16)) -> Result<Metered<S>, EgressError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let meter = stream.meter().clone();
    let dialed = Socks5Stream::connect_with_socket(stream, target).await;
    let dialed = dialed.map_err(|_| meter.exceeded().unwrap_or(EgressError::Connect))?;
    meter.begin();
    Ok(dialed.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_dialled() {
        let endpoint = |host: &str| {
            let service = Address::Unix("host.sock".into());
            Endpoint::new(host, 443, &Trust::PublicRoots, service, AnswerBudget::CARRIER).map(|_| ())
        };
        assert_eq!(endpoint("carrier.adyton.test"), Ok(()));
        for host in
            ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "::1", "[::1]", "a.test.", "", "a b.test", "-.test"]
        {
            assert_eq!(endpoint(host), Err(EndpointError::Name), "{host}");
        }
        let nonsense = Trust::Ca(vec![1, 2, 3]);
        let service = Address::Unix("host.sock".into());
        let refused = Endpoint::new("carrier.adyton.test", 443, &nonsense, service, AnswerBudget::CARRIER).err();
        assert_eq!(refused, Some(EndpointError::Certificate));
    }
}
