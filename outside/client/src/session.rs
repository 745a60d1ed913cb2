//! One connection: made, appraised, pinned, bound. The numbers are those of the crate's page.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use adyton_api::{ChannelBinding, Evidence};
use adyton_attest::{
    ATTESTED_PROTOCOL, Appraised, CHANNEL_EXPORTER_LABEL, MAX_NONCES, NonceProof, Platform, Received, RememberedChains,
};
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Attestation, IDLE, RECHECK, Request, Response};
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::key::AnyCertificate;

/// Longest wait for a connection, and for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer: a page of services.
const MAX_ANSWER: usize = 4 << 20;

/// A connection over which requests may leave.
pub(crate) struct Session {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    /// `None` if the operator is trusted.
    pub(crate) appraised: Option<Appraised>,
    since: Instant,
    last: Instant,
}

impl Session {
    /// To a vault that shows what it is.
    pub(crate) async fn attested(
        endpoint: &Endpoint,
        attestation: &Attestation,
        chains: &mut RememberedChains,
    ) -> Result<Self, ClientError> {
        // 1.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let mut config = builder
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(ClientError::Tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        // A resumed connection shows no certificate.
        config.resumption = Resumption::disabled();
        // Under a public name the vault would show its public certificate; what is demanded here is the boot's own key.
        config.alpn_protocols = vec![ATTESTED_PROTOCOL.to_vec(), b"http/1.1".to_vec()];
        let stream = connect(endpoint, config).await?;
        let (key, exporter) = (key_of(&stream)?, exporter_of(&stream)?);
        let mut session = Self::over(stream, endpoint).await?;
        // 2.
        let nonce: [u8; 32] = adyton_seal::random().map_err(|_| ClientError::Form("no randomness"))?;
        let path = format!("/.well-known/adyton/evidence?nonce={}", HEXLOWER.encode(&nonce));
        let (document, bundle, proof) = read(&session.evidence(&path).await?)?;
        let now = now_ms();
        let verified = Received::parse(&document)?.verify(&attestation.root, now, chains)?;
        let appraised = verified.appraise(&bundle, &proof, &nonce, now, &attestation.policy)?;
        // 3. Both are public.
        let expected = appraised.bundle().tls_key;
        if key != expected {
            return Err(ClientError::NotTheAttestedKey { expected, got: key });
        }
        // 4.
        let body = session.evidence("/.well-known/adyton/binding").await?;
        let binding: ChannelBinding = serde_json::from_slice(&body).map_err(|_| ClientError::Form("the binding"))?;
        let signature = BASE64.decode(binding.signature.as_bytes()).map_err(|_| ClientError::Form("the binding"))?;
        appraised.check_channel(&exporter, &signature)?;
        // 5.
        session.appraised = Some(appraised);
        Ok(session)
    }

    /// To whoever has a certificate of these roots.
    pub(crate) async fn trusting(endpoint: &Endpoint, roots: &Arc<RootCertStore>) -> Result<Self, ClientError> {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(ClientError::Tls)?
            .with_root_certificates(Arc::clone(roots))
            .with_no_client_auth();
        Self::over(connect(endpoint, config).await?, endpoint).await
    }

    async fn over(stream: TlsStream<TcpStream>, endpoint: &Endpoint) -> Result<Self, ClientError> {
        let now = Instant::now();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: endpoint.authority(), appraised: None, since: now, last: now })
    }

    /// Whether another request may leave on it: the other side listens, it was used a moment ago and appraised not long ago.
    pub(crate) fn is_usable(&self) -> bool {
        !self.sender.is_closed() && self.last.elapsed() < IDLE && self.since.elapsed() < RECHECK
    }

    /// Waits until a request may be written.
    pub(crate) async fn ready(&mut self) -> Result<(), ClientError> {
        Ok(timeout(PATIENCE, self.sender.ready()).await.map_err(|_| ClientError::TimedOut)??)
    }

    /// One request and its whole answer.
    pub(crate) async fn send(&mut self, request: &Request<'_>) -> Result<Response, ClientError> {
        let Request { method, path, headers, body } = request;
        let mut built = hyper::Request::builder().method(*method).uri(*path).header("host", &self.host);
        for (name, value) in *headers {
            built = built.header(*name, *value);
        }
        let built = built.body(Full::new(body.clone())).map_err(|_| ClientError::Request)?;
        let exchange = async {
            self.sender.ready().await?;
            let answer = self.sender.send_request(built).await?;
            let status = answer.status().as_u16();
            let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(error) => ClientError::Http(*error),
                Err(_) => ClientError::TooLarge,
            })?;
            Ok(Response { status, body: body.to_bytes(), retry_after })
        };
        let answer = timeout(PATIENCE, exchange).await.map_err(|_| ClientError::TimedOut)?;
        self.last = Instant::now();
        answer
    }

    async fn evidence(&mut self, path: &str) -> Result<Bytes, ClientError> {
        match self.send(&Request { method: "GET", path, headers: &[], body: Bytes::new() }).await? {
            Response { status: 200, body, .. } => Ok(body),
            Response { status: 429, retry_after, .. } => Err(ClientError::RateLimited { retry_after }),
            Response { status, retry_after, .. } => Err(ClientError::NoEvidence { status, retry_after }),
        }
    }
}

async fn connect(endpoint: &Endpoint, config: ClientConfig) -> Result<TlsStream<TcpStream>, ClientError> {
    let connecting = async {
        let stream = TcpStream::connect((&endpoint.host[..], endpoint.port)).await?;
        stream.set_nodelay(true)?;
        Ok(TlsConnector::from(Arc::new(config)).connect(endpoint.name.clone(), stream).await?)
    };
    timeout(PATIENCE, connecting).await.map_err(|_| ClientError::TimedOut)?
}

/// SHA-256 of the SubjectPublicKeyInfo that the peer has shown to hold.
fn key_of(stream: &TlsStream<TcpStream>) -> Result<[u8; 32], ClientError> {
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate = certificates.first().ok_or(ClientError::Form("no certificate"))?;
    let parsed = webpki::EndEntityCert::try_from(certificate).map_err(|_| ClientError::Form("the certificate"))?;
    Ok(adyton_ledger::sha256(&parsed.subject_public_key_info()).0)
}

fn exporter_of(stream: &TlsStream<TcpStream>) -> Result<[u8; 32], ClientError> {
    let connection = stream.get_ref().1;
    connection.export_keying_material([0; 32], CHANNEL_EXPORTER_LABEL, None).map_err(ClientError::Tls)
}

/// Document, bundle and proof of an answer.
fn read(body: &[u8]) -> Result<(Vec<u8>, Vec<u8>, NonceProof), ClientError> {
    let no_evidence = ClientError::Form("the answer is no JSON of evidence; is a vault of this version there?");
    let evidence: Evidence = serde_json::from_slice(body).map_err(|_| no_evidence)?;
    let Evidence { platform, document, bundle, nonce_proof } = evidence;
    match Platform::from_text(&platform) {
        Some(Platform::AwsNitro) => {}
        _ => return Err(ClientError::Form("its platform is not one that this client knows")),
    }
    let document = BASE64.decode(document.as_bytes()).map_err(|_| ClientError::Form("document"))?;
    let bundle = BASE64.decode(bundle.as_bytes()).map_err(|_| ClientError::Form("bundle"))?;
    let adyton_api::NonceProof { index, count, path } = nonce_proof;
    if count > MAX_NONCES as u64 {
        return Err(ClientError::Form("nonce_proof.count"));
    }
    let hash = |text: &String| HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok();
    let path = path.iter().map(hash).collect::<Option<_>>().ok_or(ClientError::Form("nonce_proof.path"))?;
    Ok((document, bundle, NonceProof { index, count, path }))
}

/// Unix milliseconds of this machine's clock, which the client trusts.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
