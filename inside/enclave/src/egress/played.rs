//! For tests: a host, and behind it a peer that does not end its answer.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adyton_transport::{Address, Listener, Stream, accept_channel};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::{AnswerBudget, Trust};

/// The peer's name.
pub(crate) const NAME: &str = "peer.adyton.test";
/// Where it gives up, for a client without a bound.
const MOST: usize = 64 * 1024 * 1024;
/// What sockets and TLS on both sides may hold of what nobody has read.
const HELD: usize = 1024 * 1024;

/// What an endless answer by HTTP begins with, and what it repeats.
pub(crate) const HTTP: [(&[u8], &[u8]); 4] = [
    (b"HTTP/1.1 200 ", b"a"),
    (b"HTTP/1.1 200 OK\r\nx: ", b"a"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n", b"a"),
    (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
];

/// When the peer begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    /// Once it was asked by HTTP, in the clear.
    Asked,
    /// The same inside TLS.
    AskedInTls,
    /// At once, inside TLS.
    InTls,
    /// At once, in the clear.
    Clear,
}

/// The host and the peer.
pub(crate) struct Flood {
    pub(crate) service: Address,
    pub(crate) trust: Trust,
    said: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
}

impl Flood {
    pub(crate) fn start(begins: Begins, first: &'static [u8], again: &'static [u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = Address::Unix(folder.path().join("host.sock"));
        let listener = Listener::bind(&service).unwrap();
        let (acceptor, trust) = identity();
        let said = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok(stream) = listener.accept().await {
                let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let stream = host(stream).await?;
                    match begins {
                        Begins::Asked | Begins::Clear => flood(stream, begins, (first, again), &count).await,
                        Begins::AskedInTls | Begins::InTls => {
                            flood(acceptor.accept(stream).await?, begins, (first, again), &count).await
                        }
                    }
                });
            }
        });
        Self { service, trust, said, _folder: folder }
    }

    /// Fails if more was read off the wire than such an answer may have.
    pub(crate) fn assert_bounded(&self, answers: AnswerBudget) {
        let said = self.said.load(Ordering::Relaxed);
        assert!(said <= answers.bytes + HELD, "{said}");
    }
}

/// The host's part: a dial channel, and SOCKS5 that connects to whatever is asked for.
async fn host(mut stream: Stream) -> io::Result<Stream> {
    accept_channel(&mut stream).await.map_err(io::Error::other)?;
    let mut greeting = [0; 3];
    stream.read_exact(&mut greeting).await?;
    stream.write_all(&[5, 0]).await?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let length = if request[3] == 1 { 4 } else { usize::from(stream.read_u8().await?) };
    stream.read_exact(&mut vec![0; length + 2]).await?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    Ok(stream)
}

async fn flood(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    begins: Begins,
    (first, again): (&[u8], &[u8]),
    said: &AtomicUsize,
) -> io::Result<()> {
    if matches!(begins, Begins::Asked | Begins::AskedInTls) {
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await?);
        }
    }
    stream.write_all(first).await?;
    let again = again.repeat(16 * 1024 / again.len());
    while said.fetch_add(again.len(), Ordering::Relaxed) < MOST {
        stream.write_all(&again).await?;
        stream.flush().await?;
    }
    Ok(())
}

fn identity() -> (TlsAcceptor, Trust) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca: CertificateDer<'static> = params.self_signed(&ca_key).unwrap().der().clone();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(params, ca_key)).unwrap().der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(crate::identity::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), Trust::Ca(ca.to_vec()))
}
