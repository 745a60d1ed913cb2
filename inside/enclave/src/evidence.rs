//! Evidence for clients' nonces (`docs/spec/09-evidence.md`).
//!
//! 1. nonces wait in a queue with a place for every connection, so that no nonce is refused;
//! 2. what waits when the platform is free goes under one document, 4096 nonces at most: the root
//!    of the nonces' tree is its `nonce`, the bundle's hash its `user_data`;
//! 3. each client gets the document and the path from its own nonce.
//!
//! A platform that gives no document is reported by an operational event, once, and once more when
//! it is back.
//!
//! Limits: a document takes the platform about a millisecond, and there are at most
//! [`DOCUMENTS_PER_SECOND`], so that asking for evidence never keeps the platform from anything
//! else.
//!
//! What it is not: it judges nothing. The evidence is for others; what the enclave believes of its
//! own platform is in [`crate::boot`].

use std::sync::{Arc, OnceLock};

use adyton_attest::{CHANNEL_EXPORTER_LABEL, MAX_NONCES, NonceProof, NonceTree, channel_message};
use adyton_frame::Event;
use adyton_seal::SigningKey;
use data_encoding::BASE64;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, sleep, timeout};
use tokio_rustls::server::TlsStream;

use crate::events::Events;
use crate::http::MAX_CONNECTIONS;
use crate::platform::{Claims, Nsm, NsmAddress, PlatformError};

/// Most documents that the platform is asked for in a second.
pub const DOCUMENTS_PER_SECOND: u64 = 100;
/// Longest wait for a document.
const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceError {
    /// More nonces wait than there are connections.
    Busy,
    /// The platform gave no document.
    Platform,
}

/// A document that is fresh for a nonce.
pub struct Fresh {
    /// Base64 of the attestation document.
    pub document: Arc<str>,
    /// That the nonce is under it.
    pub proof: NonceProof,
}

struct Asked {
    nonce: [u8; 32],
    answer: oneshot::Sender<Fresh>,
}

/// The evidence of this boot, and the platform that signs it.
pub struct Evidence {
    asked: mpsc::Sender<Asked>,
    bundle: String,
    bundle_hash: [u8; 32],
    log_key: SigningKey,
}

/// 32 bytes that only the two ends of one TLS connection compute (RFC 9266); they are no secret. Copies share the signature that binds
/// the connection, which is made once.
#[derive(Clone)]
pub struct Channel {
    exported: [u8; 32],
    signature: Arc<OnceLock<[u8; 64]>>,
}

impl Channel {
    /// Of a connection whose handshake is complete; `None` if it exports nothing.
    pub fn of<T>(stream: &TlsStream<T>) -> Option<Self> {
        let (_, connection) = stream.get_ref();
        connection.export_keying_material([0; 32], CHANNEL_EXPORTER_LABEL, None).ok().map(Self::new)
    }

    /// Of a connection without TLS.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self::new([0; 32])
    }

    fn new(exported: [u8; 32]) -> Self {
        Self { exported, signature: Arc::default() }
    }
}

impl Evidence {
    /// Starts asking the platform, which is at `address`. `bundle` are the identity bundle's bytes and `bundle_hash` their SHA-256.
    pub fn start(
        (nsm, address): (Nsm, NsmAddress),
        bundle: &[u8],
        bundle_hash: [u8; 32],
        log_key: SigningKey,
        events: Events,
    ) -> Self {
        let (asked, waiting) = mpsc::channel(MAX_CONNECTIONS);
        tokio::spawn(serve(Platform { nsm: Some(nsm), address }, waiting, bundle_hash, events));
        Self { asked, bundle: BASE64.encode(bundle), bundle_hash, log_key }
    }

    /// Base64 of the identity bundle.
    pub fn bundle(&self) -> &str {
        &self.bundle
    }

    /// A document made after the nonce came.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub async fn fresh(&self, nonce: [u8; 32]) -> Result<Fresh, EvidenceError> {
        let (answer, answered) = oneshot::channel();
        // 1.
        self.asked.try_send(Asked { nonce, answer }).map_err(|error| match error {
            TrySendError::Full(_) => EvidenceError::Busy,
            TrySendError::Closed(_) => EvidenceError::Platform,
        })?;
        answered.await.map_err(|_| EvidenceError::Platform)
    }

    /// The log key's signature that binds a connection to the bundle. It is made at most once for each connection, on the thread that
    /// serves it: that costs less than the connection's TLS handshake did there, and waits for nobody.
    pub fn bind(&self, channel: &Channel) -> [u8; 64] {
        *channel.signature.get_or_init(|| self.log_key.sign(&channel_message(&channel.exported, &self.bundle_hash)))
    }
}

/// The connection to the NSM, made anew after a fault.
struct Platform {
    nsm: Option<Nsm>,
    address: NsmAddress,
}

impl Platform {
    async fn document(&mut self, claims: Claims<'_>) -> Result<Vec<u8>, PlatformError> {
        let mut nsm = match self.nsm.take() {
            Some(nsm) => nsm,
            None => Nsm::connect(&self.address).await?,
        };
        let document = nsm.attest(claims).await?;
        self.nsm = Some(nsm);
        Ok(document)
    }
}

async fn serve(mut platform: Platform, mut waiting: mpsc::Receiver<Asked>, bundle_hash: [u8; 32], events: Events) {
    let (mut batch, mut lost) = (Vec::with_capacity(MAX_NONCES), false);
    // 2.
    while waiting.recv_many(&mut batch, MAX_NONCES).await > 0 {
        let nonces: Vec<[u8; 32]> = batch.iter().map(|asked| asked.nonce).collect();
        let Some(tree) = NonceTree::new(&nonces) else { break };
        let root = tree.root();
        let claims = Claims { user_data: Some(&bundle_hash), nonce: Some(&root), public_key: None };
        match timeout(DOCUMENT_TIMEOUT, platform.document(claims)).await {
            Ok(Ok(document)) => {
                if std::mem::take(&mut lost) {
                    events.emit(Event::PlatformBack);
                }
                let document: Arc<str> = BASE64.encode(&document).into();
                // 3.
                for (index, asked) in batch.drain(..).enumerate() {
                    let Some(proof) = tree.proof(index) else { continue };
                    // Who no longer waits needs none.
                    let _ = asked.answer.send(Fresh { document: Arc::clone(&document), proof });
                }
            }
            _ => {
                if !std::mem::replace(&mut lost, true) {
                    events.emit(Event::PlatformLost);
                }
                // Dropping the senders ends every wait.
                batch.clear();
            }
        }
        sleep(Duration::from_millis(1000 / DOCUMENTS_PER_SECOND)).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use adyton_seal::Secret;
    use adyton_transport::Address;
    use tokio::net::UnixListener;

    use super::*;

    fn signer() -> SigningKey {
        SigningKey::from_seed(&Secret::init_with(|seed| seed.fill(1))).unwrap()
    }

    /// A platform that takes questions and never answers.
    #[tokio::test(start_paused = true)]
    async fn one_nonce_too_many_is_refused_at_once_and_those_that_wait_hear_of_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nsm");
        let events = Events::start(Address::Unix(folder.path().join("nobody")));
        let listener = UnixListener::bind(&path).unwrap();
        let address = NsmAddress::Socket(path);
        let nsm = Nsm::connect(&address).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let evidence = Arc::new(Evidence::start((nsm, address), b"bundle", [7; 32], signer(), events));
        let ask = |number: usize| {
            let evidence = Arc::clone(&evidence);
            let mut nonce = [0; 32];
            nonce[..8].copy_from_slice(&number.to_be_bytes());
            tokio::spawn(async move { evidence.fresh(nonce).await.err() })
        };
        // One is with the platform; then as many as there are connections wait for the next ones.
        let first = ask(0);
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let waiting: Vec<_> = (1..=MAX_CONNECTIONS).map(ask).collect();
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(ask(MAX_CONNECTIONS + 1).await.unwrap(), Some(EvidenceError::Busy));
        // The platform goes: all documents fail, and nobody waits for ever.
        drop((stream, listener));
        assert_eq!(first.await.unwrap(), Some(EvidenceError::Platform));
        for asked in waiting {
            assert_eq!(asked.await.unwrap(), Some(EvidenceError::Platform));
        }
    }

    #[tokio::test]
    async fn a_binding_is_of_one_connection_and_one_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nsm");
        let events = Events::start(Address::Unix(folder.path().join("nobody")));
        let _listener = UnixListener::bind(&path).unwrap();
        let address = NsmAddress::Socket(path);
        let nsm = Nsm::connect(&address).await.unwrap();
        let evidence = Evidence::start((nsm, address), b"bundle", [7; 32], signer(), events);
        let bound = evidence.bind(&Channel::new([1; 32]));
        assert_eq!(bound, signer().sign(&channel_message(&[1; 32], &[7; 32])));
        assert_ne!(bound, evidence.bind(&Channel::new([2; 32])));
    }
}
