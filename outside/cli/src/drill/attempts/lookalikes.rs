//! Whoever looks like the vault: other code, another policy, another vault, old evidence, somebody between.
//!
//! The client here is `adyton-client`, told what a careful one demands: this vault, this code, this policy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use adyton_attest::{AppraisalPolicy, Measurements, NonceProof, Pcr, Received, Refusal, RememberedChains, Root};
use adyton_client::{Attestation, Client, ClientError};
use data_encoding::{BASE64, HEXLOWER};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::Attempt;
use crate::client::expect;
use crate::drill::report::{ClosedBy, Expected, Finding};
use crate::drill::stack::{Stack, Unusual, copy_folder};
use crate::drill::{Drill, Error};
use crate::folders::Folders;
use crate::processes::sibling;

/// The attempts.
pub(super) const ATTEMPTS: [Attempt; 6] = [
    Attempt {
        id: "other-code",
        what: "Runs other code over the vault's own folders and keys",
        expected: Expected::Closed,
        run: |drill| Box::pin(other_code(drill)),
    },
    Attempt {
        id: "other-code-vouched-for",
        what: "Runs other code, and has the platform vouch for the right one",
        expected: Expected::Open { until: "an enclave, whose platform's root key this machine does not hold" },
        run: |drill| Box::pin(other_code_vouched_for(drill)),
    },
    Attempt {
        id: "other-policy",
        what: "Runs the same code with another policy",
        expected: Expected::Closed,
        run: |drill| Box::pin(other_policy(drill)),
    },
    Attempt {
        id: "foreign-vault",
        what: "Shows another vault's evidence",
        expected: Expected::Closed,
        run: |drill| Box::pin(foreign_vault(drill)),
    },
    Attempt {
        id: "replayed-evidence",
        what: "Shows the vault's evidence again, to a client that asks anew",
        expected: Expected::Closed,
        run: |drill| Box::pin(replayed(drill)),
    },
    Attempt {
        id: "somebody-between",
        what: "Ends TLS with a certificate of its own, and passes everything on",
        expected: Expected::Closed,
        run: |drill| Box::pin(between(drill)),
    },
];

/// What a careful client demands of the vault under attack.
struct Demands {
    root: Vec<u8>,
    policy: AppraisalPolicy,
}

impl Demands {
    /// Read off the vault itself, before anybody has touched it.
    async fn of(stack: &Stack) -> Result<Self, Error> {
        let pem = std::fs::read_to_string(stack.ready["root"].as_str().ok_or("adyton-pretend says too little")?)?;
        let root = adyton_policy::certificate(&pem).ok_or("the platform's root is not one certificate")?;
        let mut demands = Self { root, policy: AppraisalPolicy::any_code(stack.serving.vault_id.0) };
        let client = demands.client(stack.api);
        let found = client.appraise(|appraised| {
            let appraised = appraised?;
            let register = |number| Some((number, Pcr::new(*appraised.pcr(number)?)?));
            Some(([register(0)?, register(2)?, register(16)?], appraised.bundle().policy_hash))
        });
        let (registers, policy_hash) = found.await?.ok_or("the vault's registers are missing")?;
        demands.policy.measurements = Measurements::Registers(registers.into());
        demands.policy.policy_hash = Some(policy_hash);
        Ok(demands)
    }

    fn client(&self, address: SocketAddr) -> Client {
        let attestation = Attestation { root: Root::explicit(self.root.clone()), policy: self.policy.clone() };
        Client::attested(address.into(), attestation)
    }

    /// Whether the client takes whoever answers for the vault, and why not.
    async fn judge(&self, address: SocketAddr) -> Result<(), ClientError> {
        self.client(address).appraise(|_| ()).await
    }
}

/// CLOSED if the refusal is the one that belongs to the attempt.
fn refused(judged: Result<(), ClientError>, as_expected: impl Fn(&ClientError) -> bool) -> Result<Finding, Error> {
    match judged {
        Ok(()) => Ok(Finding::leak("the client took it for the vault")),
        Err(error) if as_expected(&error) => Ok(Finding::closed(ClosedBy::Evidence, error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// The enclave's program with a byte more: it does the same, and is another one.
fn another_program(drill: &Drill, name: &str) -> Result<PathBuf, Error> {
    let path = drill.scratch.join(name);
    std::fs::copy(sibling("adyton-enclave")?, &path)?;
    let mut program = std::fs::OpenOptions::new().append(true).open(&path)?;
    std::io::Write::write_all(&mut program, b"\0")?;
    Ok(path)
}

/// A vault over copies of all folders of the one under attack.
async fn over_copies(drill: &Drill, name: &str, unusual: Unusual) -> Result<Stack, Error> {
    let at = drill.scratch.join(name);
    let of = &drill.stack.folders;
    let copied = |folder: &Path, name: &str| -> Result<PathBuf, Error> {
        let to = at.join(name);
        std::fs::create_dir_all(&at)?;
        copy_folder(folder, &to)?;
        Ok(to)
    };
    let (data, client, pretend) =
        (copied(&of.data, "vault")?, copied(&of.client, "vault.client")?, copied(&of.pretend, "vault.pretend")?);
    let folders = Folders::open(Some(&data), Some(&client), Some(&pretend))?;
    Stack::over(folders, &at, &drill.site, unusual).await
}

/// A new vault on the same platform.
async fn beside(drill: &Drill, name: &str, unusual: Unusual) -> Result<Stack, Error> {
    let at = drill.scratch.join(name);
    std::fs::create_dir_all(&at)?;
    copy_folder(&drill.stack.folders.pretend, &at.join("vault.pretend"))?;
    Stack::start(&at, &drill.site, unusual).await
}

/// What a boot says whose image the key's policy does not name.
pub(super) const OTHER_IMAGE: &str = "kms:RecipientAttestation:ImageSha384: expected";

async fn other_code(drill: &mut Drill) -> Result<Finding, Error> {
    let demands = Demands::of(&drill.stack).await?;
    let unusual = Unusual { program: Some(another_program(drill, "other-enclave")?), ..Unusual::default() };
    let stack = match over_copies(drill, "other-code", unusual).await {
        // Under profile kms there is no vault that could be taken for this one.
        Err(error) if drill.site.parts.is_some() && error.to_string().contains(OTHER_IMAGE) => {
            return Ok(Finding::closed(
                ClosedBy::KeyPolicy,
                "the KMS is told to release to another image, and the boot is refused",
            ));
        }
        stack => stack?,
    };
    let judged = demands.judge(stack.api).await;
    stack.stop();
    refused(judged, |error| matches!(error, ClientError::Refused(Refusal::Measurement { register: 0, .. })))
}

async fn other_code_vouched_for(drill: &mut Drill) -> Result<Finding, Error> {
    let demands = Demands::of(&drill.stack).await?;
    let unusual = Unusual {
        program: Some(another_program(drill, "vouched-enclave")?),
        measured: Some(sibling("adyton-enclave")?),
        ..Unusual::default()
    };
    let stack = over_copies(drill, "vouched-for", unusual).await?;
    let judged = demands.judge(stack.api).await;
    stack.stop();
    judged?;
    Ok(Finding::open("the client took it for the vault: whoever starts the platform says what it measures"))
}

async fn other_policy(drill: &mut Drill) -> Result<Finding, Error> {
    let mut demands = Demands::of(&drill.stack).await?;
    let unusual = Unusual { policy: vec!["limits.failed_checks=19".into()], ..Unusual::default() };
    let stack = beside(drill, "other-policy", unusual).await?;
    // Of its own vault id, for the sake of the attempt.
    demands.policy.vault_id = stack.serving.vault_id.0;
    demands.policy.measurements = Measurements::AnyCode;
    let by_hash = demands.judge(stack.api).await;
    let registers = Demands::of(&drill.stack).await?.policy.measurements;
    (demands.policy.measurements, demands.policy.policy_hash) = (registers, None);
    let by_register = demands.judge(stack.api).await;
    stack.stop();
    let by_hash = refused(by_hash, |error| matches!(error, ClientError::Refused(Refusal::PolicyHash { .. })))?;
    let is_register =
        |error: &ClientError| matches!(error, ClientError::Refused(Refusal::Measurement { register: 0 | 16, .. }));
    let by_register = refused(by_register, is_register)?;
    Ok(if by_register.outcome == by_hash.outcome { by_hash } else { by_register })
}

async fn foreign_vault(drill: &mut Drill) -> Result<Finding, Error> {
    let demands = Demands::of(&drill.stack).await?;
    let stack = beside(drill, "foreign", Unusual::default()).await?;
    let judged = demands.judge(stack.api).await;
    stack.stop();
    refused(judged, |error| matches!(error, ClientError::Refused(Refusal::VaultId { .. })))
}

async fn replayed(drill: &mut Drill) -> Result<Finding, Error> {
    let demands = Demands::of(&drill.stack).await?;
    let (old, new): ([u8; 32], [u8; 32]) = (adyton_seal::random()?, adyton_seal::random()?);
    let path = format!("/.well-known/adyton/evidence?nonce={}", HEXLOWER.encode(&old));
    let body = expect(200, drill.stack.client().request("GET", &path, &[], String::new()).await?)?;
    let evidence: adyton_api::Evidence = serde_json::from_slice(&body)?;
    let hash = |text: &String| HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok();
    let proof = NonceProof {
        index: evidence.nonce_proof.index,
        count: evidence.nonce_proof.count,
        path: evidence.nonce_proof.path.iter().map(hash).collect::<Option<_>>().ok_or("no path")?,
    };
    let decode = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| "the evidence is no base64");
    let (document, bundle) = (decode(&evidence.document)?, decode(&evidence.bundle)?);
    let root = Root::explicit(demands.root.clone());
    let judge = |nonce: &[u8; 32]| {
        let received = Received::parse(&document)?;
        let now = crate::drill::now_ms();
        let verified = received.verify(&root, now, &mut RememberedChains::new(0))?;
        verified.appraise(&bundle, &proof, nonce, now, &demands.policy).map(drop)
    };
    judge(&old)?;
    match judge(&new) {
        Err(refusal @ Refusal::NonceProof(_)) => Ok(Finding::closed(ClosedBy::Evidence, refusal.to_string())),
        Err(refusal) => Err(refusal.into()),
        Ok(()) => Ok(Finding::leak("evidence for one nonce was taken for another")),
    }
}

async fn between(drill: &mut Drill) -> Result<Finding, Error> {
    let demands = Demands::of(&drill.stack).await?;
    let (listener, acceptor) = (TcpListener::bind("127.0.0.1:0").await?, own_certificate()?);
    let (address, vault) = (listener.local_addr()?, drill.stack.api);
    let connector = TlsConnector::from(Arc::new(trusting(&drill.stack.serving.genesis.ca_certificate)?));
    let relay = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let pass_on = async {
                let mut near = acceptor.accept(stream).await?;
                let far = TcpStream::connect(vault).await?;
                let name = rustls::pki_types::ServerName::IpAddress(vault.ip().into());
                let mut far = connector.connect(name, far).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            };
            let _ = pass_on.await;
        }
    });
    let judged = demands.judge(address).await;
    relay.abort();
    refused(judged, |error| matches!(error, ClientError::NotTheAttestedKey { .. }))
}

/// TLS with a certificate that nobody vouches for; a client that judges by evidence does not care who does.
fn own_certificate() -> Result<TlsAcceptor, Error> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.self_signed(&key)?.der().clone();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn trusting(ca: &[u8]) -> Result<rustls::ClientConfig, Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.to_vec().into())?;
    Ok(rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
