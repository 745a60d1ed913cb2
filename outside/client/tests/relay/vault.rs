//! A vault made up for these tests: real TLS, real documents of the pretend NSM, and faults on demand.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use adyton_attest::{ATTESTED_PROTOCOL, Bundle, CHANNEL_EXPORTER_LABEL, NonceTree, NotarySet, channel_message};
use adyton_pretend::certificates::Ca;
use adyton_pretend::folder::Folder;
use adyton_pretend::nsm::{Nsm, Pcrs};
use adyton_seal::{Secret, SigningKey};
use bytes::Bytes;
use ciborium::Value;
use data_encoding::{BASE64, HEXLOWER};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

pub(crate) const VAULT_ID: [u8; 32] = [7; 32];

/// The CA that "the system trusts".
pub(crate) struct SystemCa {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: Vec<u8>,
}

/// A TLS key with a certificate.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) spki_hash: [u8; 32],
    certified: Arc<CertifiedKey>,
}

#[derive(Debug)]
struct Beside([Arc<CertifiedKey>; 2]);

impl ResolvesServerCert for Beside {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let attested = hello.alpn().into_iter().flatten().any(|protocol| protocol == ATTESTED_PROTOCOL);
        Some(Arc::clone(&self.0[usize::from(!attested)]))
    }
}

impl SystemCa {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Shows `public` under the name that is asked for, and the first identity to who offers the protocol for it.
    pub(crate) fn beside(own: &Identity, public: &Identity) -> Identity {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Beside([own, public].map(|identity| Arc::clone(&identity.certified)))));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Identity { config: Arc::new(config), ..own.clone() }
    }

    pub(crate) fn identity(&self) -> Identity {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf: CertificateDer<'static> = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let spki_hash = adyton_ledger::sha256(&rcgen::PublicKeyData::subject_public_key_info(&key)).0;
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.clone()], private.clone_key())
            .unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified = Arc::new(CertifiedKey::from_der(vec![leaf], private, &provider).unwrap());
        Identity { config: Arc::new(config), spki_hash, certified }
    }
}

/// The pretend platform.
pub(crate) struct Platform {
    pub(crate) nsm: Nsm,
    pub(crate) root: Vec<u8>,
}

impl Platform {
    pub(crate) fn new(folder: &Path) -> Self {
        let ca = Ca::attestation_root(&Folder::open(folder).unwrap()).unwrap();
        Self { nsm: Nsm::new(&ca).unwrap(), root: ca.certificate.clone() }
    }
}

/// What the made-up vault does wrong.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    Nothing,
    /// Answers every nonce with evidence of the first.
    Replays,
    /// Signs the exporter of its first connection for every one, as one who relays the binding would.
    BindsAnotherChannel,
    /// Ends a connection after each request.
    Ends,
    /// Has no evidence.
    NoVault,
    /// Answers 429 with `Retry-After: 7`.
    RateLimits,
}

pub(crate) struct Vault {
    platform: Arc<Platform>,
    pub(crate) bundle: Bundle,
    log_key: SigningKey,
    fault: Fault,
    first_evidence: Mutex<Option<Vec<u8>>>,
    first_exporter: Mutex<Option<[u8; 32]>>,
    /// Who answers on further connections, in its place.
    pub(crate) replaced: Mutex<Option<Arc<Vault>>>,
    /// Paths of requests that are neither for evidence nor for a binding.
    pub(crate) told: Mutex<Vec<String>>,
    /// One permit lets one answer to `/slow` go.
    pub(crate) slow: Semaphore,
}

impl Vault {
    pub(crate) fn new(platform: &Arc<Platform>, tls_key: [u8; 32], vault_id: [u8; 32], fault: Fault) -> Arc<Self> {
        let log_key = SigningKey::from_seed(&Secret::init_with(|seed| seed.fill(9))).unwrap();
        let bundle = Bundle {
            vault_id,
            release: 1,
            policy_hash: [2; 32],
            boot_id: [3; 16],
            profile: 1,
            tls_key,
            hpke_key: [4; 32],
            log_key: log_key.public_key(),
            ca_key: [5; 32],
            notaries: NotarySet::default(),
            reveals: Vec::new(),
        };
        Arc::new(Self {
            platform: Arc::clone(platform),
            bundle,
            log_key,
            fault,
            first_evidence: Mutex::default(),
            first_exporter: Mutex::default(),
            replaced: Mutex::default(),
            told: Mutex::default(),
            slow: Semaphore::new(0),
        })
    }

    fn evidence(&self, query: &str) -> Vec<u8> {
        let nonce: [u8; 32] =
            HEXLOWER.decode(query.strip_prefix("nonce=").unwrap().as_bytes()).unwrap().try_into().unwrap();
        let tree = NonceTree::new(&[[1; 32], nonce]).unwrap();
        let claims = vec![
            ("public_key", Value::Null),
            ("user_data", Value::Bytes(self.bundle.hash().unwrap().to_vec())),
            ("nonce", Value::Bytes(tree.root().to_vec())),
        ];
        let proof = tree.proof(1).unwrap();
        let evidence = adyton_api::Evidence {
            platform: "aws-nitro".into(),
            document: BASE64.encode(&self.platform.nsm.document(&Pcrs::made_up(), claims).unwrap()),
            bundle: BASE64.encode(&self.bundle.encode().unwrap()),
            nonce_proof: adyton_api::NonceProof {
                index: proof.index,
                count: proof.count,
                path: proof.path.iter().map(|hash| HEXLOWER.encode(hash)).collect(),
            },
        };
        let made = serde_json::to_vec(&evidence).unwrap();
        let mut first = self.first_evidence.lock().unwrap();
        let first = first.get_or_insert_with(|| made.clone());
        if self.fault == Fault::Replays { first.clone() } else { made }
    }

    fn binding(&self, exporter: [u8; 32]) -> Vec<u8> {
        let first = *self.first_exporter.lock().unwrap().get_or_insert(exporter);
        let signed = if self.fault == Fault::BindsAnotherChannel { first } else { exporter };
        let signature = self.log_key.sign(&channel_message(&signed, &self.bundle.hash().unwrap()));
        serde_json::to_vec(&adyton_api::ChannelBinding { signature: BASE64.encode(&signature) }).unwrap()
    }

    fn answer(&self, request: &Request<Incoming>, exporter: [u8; 32]) -> Response<Full<Bytes>> {
        let body = match request.uri().path() {
            _ if matches!(self.fault, Fault::NoVault | Fault::RateLimits) => None,
            "/.well-known/adyton/evidence" => Some(self.evidence(request.uri().query().unwrap_or_default())),
            "/.well-known/adyton/binding" => Some(self.binding(exporter)),
            other => {
                self.told.lock().unwrap().push(other.to_owned());
                Some(other.as_bytes().to_vec())
            }
        };
        let status = match (&body, self.fault) {
            (Some(_), _) => 200,
            (None, Fault::RateLimits) => 429,
            (None, _) => 404,
        };
        let mut response = Response::builder().status(status);
        if status == 429 {
            response = response.header("retry-after", "7");
        }
        if self.fault == Fault::Ends && !request.uri().path().starts_with("/.well-known/") {
            response = response.header("connection", "close");
        }
        response.body(Full::new(Bytes::from(body.unwrap_or_default()))).unwrap()
    }
}

/// Serves a vault over TLS. `/slow` is answered once [`Vault::slow`] has a permit.
pub(crate) async fn serve(identity: &Identity, vault: Arc<Vault>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::clone(&identity.config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let replaced = vault.replaced.lock().unwrap().clone();
            let (acceptor, vault) = (acceptor.clone(), replaced.unwrap_or_else(|| Arc::clone(&vault)));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let exporter =
                    stream.get_ref().1.export_keying_material([0; 32], CHANNEL_EXPORTER_LABEL, None).unwrap();
                let service = service_fn(move |request| {
                    let (answer, slow) = (vault.answer(&request, exporter), request.uri().path() == "/slow");
                    let vault = Arc::clone(&vault);
                    async move {
                        if slow {
                            vault.slow.acquire().await.unwrap().forget();
                        }
                        Ok::<_, std::convert::Infallible>(answer)
                    }
                });
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// Somebody between: ends TLS with a certificate of his own, and passes on whatever comes to the vault and back.
pub(crate) async fn middlebox(identity: &Identity, vault: SocketAddr, roots: &SystemCa) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::clone(&identity.config));
    let mut store = rustls::RootCertStore::empty();
    store.add(roots.certificate.clone().into()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, connector) = (acceptor.clone(), connector.clone());
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(stream).await else { return };
                let upstream = tokio::net::TcpStream::connect(vault).await.unwrap();
                let mut upstream = connector.connect("localhost".try_into().unwrap(), upstream).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
            });
        }
    });
    address
}
