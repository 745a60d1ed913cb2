//! Each test shows a chain to a real handshake and asserts the exact refusal.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::identity::provider;

const NAME: &str = "carrier.adyton.test";

/// A certificate with its key; signs others.
struct Made {
    der: CertificateDer<'static>,
    key: KeyPair,
    params: CertificateParams,
}

fn params(name: &str, ca: bool) -> CertificateParams {
    let mut params = CertificateParams::new(if ca { Vec::new() } else { vec![name.to_owned()] }).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    if ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    } else {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    }
    params
}

impl Made {
    fn itself(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { der, key, params }
    }

    fn root(name: &str) -> Self {
        Self::itself(params(name, true))
    }

    fn issue(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let der = params.signed_by(&key, &issuer).unwrap().der().clone();
        Self { der, key, params }
    }

    fn leaf(&self) -> Self {
        self.issue(params(NAME, false))
    }

    fn ca(&self) -> Trust {
        Trust::Ca(self.der.to_vec())
    }

    fn ca_hash(&self) -> Trust {
        Trust::CaSha256(sha256(&self.der).0)
    }

    fn spki(&self) -> Trust {
        use rcgen::PublicKeyData;
        Trust::SpkiSha256(sha256(&self.key.subject_public_key_info()).0)
    }
}

/// A handshake with a server that presents `leaf` and `others`.
async fn handshake(trust: &Trust, leaf: &Made, others: &[&Made]) -> Result<(), TrustRefusal> {
    let chain = std::iter::once(leaf).chain(others.iter().copied()).map(|made| made.der.clone()).collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf.key.serialize_der()));
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let verifier = Verifier::new(trust, provider().signature_verification_algorithms).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let acceptor = TlsAcceptor::from(Arc::new(server));
    tokio::spawn(async move { drop(acceptor.accept(far).await) });
    let name = ServerName::try_from(NAME).unwrap();
    match TlsConnector::from(Arc::new(client)).connect(name, near).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).unwrap();
            Err(TrustRefusal::from(error))
        }
    }
}

#[tokio::test]
async fn a_ca_leads_to_its_leaves() {
    let root = Made::root("root");
    let between = root.issue(params("between", true));
    assert_eq!(handshake(&root.ca(), &root.leaf(), &[]).await, Ok(()));
    assert_eq!(handshake(&root.ca(), &between.leaf(), &[&between]).await, Ok(()));
    assert_eq!(handshake(&root.ca(), &between.leaf(), &[]).await, Err(TrustRefusal::Issuer), "intermediate absent");
    assert_eq!(handshake(&Made::root("other").ca(), &root.leaf(), &[]).await, Err(TrustRefusal::Issuer));
    // The same name, another key.
    assert_eq!(handshake(&Made::root("root").ca(), &root.leaf(), &[]).await, Err(TrustRefusal::Issuer));
}

#[tokio::test]
async fn public_roots_do_not_include_ours() {
    let root = Made::root("root");
    assert_eq!(handshake(&Trust::PublicRoots, &root.leaf(), &[&root]).await, Err(TrustRefusal::Issuer));
}

#[tokio::test]
async fn a_ca_by_hash_must_be_presented() {
    let root = Made::root("root");
    let between = root.issue(params("between", true));
    let leaf = between.leaf();
    assert_eq!(handshake(&between.ca_hash(), &leaf, &[&between]).await, Ok(()));
    assert_eq!(handshake(&root.ca_hash(), &leaf, &[&between, &root]).await, Ok(()));
    assert_eq!(handshake(&root.ca_hash(), &leaf, &[&between]).await, Err(TrustRefusal::Pin), "root absent");
    assert_eq!(handshake(&leaf.ca_hash(), &leaf, &[&between]).await, Err(TrustRefusal::Pin), "a leaf is no CA");
    // Presented and pinned, but nothing leads to it.
    let other = Made::root("other");
    assert_eq!(handshake(&other.ca_hash(), &leaf, &[&between, &other]).await, Err(TrustRefusal::Issuer));
    // It bears the right name, so only its key tells it from the issuer.
    let twin = Made::itself(params("between", true));
    assert_eq!(handshake(&twin.ca_hash(), &leaf, &[&twin]).await, Err(TrustRefusal::Issuer));
}

#[tokio::test]
async fn a_key_is_the_leafs_or_a_presented_issuers() {
    let root = Made::root("root");
    let between = root.issue(params("between", true));
    let leaf = between.leaf();
    assert_eq!(handshake(&leaf.spki(), &leaf, &[]).await, Ok(()));
    assert_eq!(handshake(&between.spki(), &leaf, &[&between]).await, Ok(()));
    assert_eq!(handshake(&root.spki(), &leaf, &[&between, &root]).await, Ok(()));
    assert_eq!(handshake(&root.spki(), &leaf, &[&between]).await, Err(TrustRefusal::Pin), "issuer absent");
    assert_eq!(handshake(&between.leaf().spki(), &leaf, &[&between]).await, Err(TrustRefusal::Pin), "another key");
    // An attacker who copies the pinned certificate into a chain of his own has no signature by it.
    let forged = Made::root("between").leaf();
    assert_eq!(handshake(&between.spki(), &forged, &[&between]).await, Err(TrustRefusal::Issuer));
}

#[tokio::test]
async fn a_self_signed_leaf_needs_its_pin() {
    let alone = Made::itself(params(NAME, false));
    assert_eq!(handshake(&alone.spki(), &alone, &[]).await, Ok(()));
    let renewed = Made::itself(params(NAME, false));
    assert_eq!(handshake(&alone.spki(), &renewed, &[]).await, Err(TrustRefusal::Pin));
    // It says it is a CA, as `openssl req -x509` has it say.
    let authority = Made::itself({
        let mut params = params(NAME, false);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    });
    assert_eq!(handshake(&authority.spki(), &authority, &[]).await, Err(TrustRefusal::Handshake));
}

/// Every kind of trust, over the chain that a server with these leaf parameters presents.
async fn under_every_trust(leaf: CertificateParams, refusal: TrustRefusal) {
    let root = Made::root("root");
    let leaf = root.issue(leaf);
    for trust in [root.ca(), root.ca_hash(), root.spki(), leaf.spki()] {
        assert_eq!(handshake(&trust, &leaf, &[&root]).await, Err(refusal), "{trust:?}");
    }
    let alone = Made::itself(leaf.params);
    assert_eq!(handshake(&alone.spki(), &alone, &[]).await, Err(refusal));
}

#[tokio::test]
async fn other_names_are_refused() {
    under_every_trust(params("other.adyton.test", false), TrustRefusal::Name).await;
}

#[tokio::test]
async fn expired_certificates_are_refused() {
    let mut params = params(NAME, false);
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    under_every_trust(params, TrustRefusal::Expired).await;
}

#[tokio::test]
async fn certificates_of_the_future_are_refused() {
    let mut params = params(NAME, false);
    (params.not_before, params.not_after) = (date_time_ymd(4000, 1, 1), date_time_ymd(4001, 1, 1));
    under_every_trust(params, TrustRefusal::NotYetValid).await;
}

#[tokio::test]
async fn certificates_for_clients_are_refused() {
    let mut params = params(NAME, false);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    under_every_trust(params, TrustRefusal::Handshake).await;
}

#[tokio::test]
async fn an_expired_intermediate_is_refused() {
    let root = Made::root("root");
    let mut old = params("between", true);
    (old.not_before, old.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let between = root.issue(old);
    let leaf = between.leaf();
    for trust in [root.ca(), root.ca_hash(), root.spki()] {
        assert_eq!(handshake(&trust, &leaf, &[&between, &root]).await, Err(TrustRefusal::Expired), "{trust:?}");
    }
}

#[tokio::test]
async fn a_chain_of_many_certificates_is_refused() {
    let root = Made::root("root");
    let many = vec![&root; MAX_CHAIN + 1];
    assert_eq!(handshake(&root.ca_hash(), &root.leaf(), &many[..MAX_CHAIN]).await, Ok(()));
    assert_eq!(handshake(&root.ca_hash(), &root.leaf(), &many).await, Err(TrustRefusal::Handshake));
}
