//! Who the vault is to its clients: a CA born at genesis, and a fresh TLS key for every boot (DESIGN §7).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use adyton_ledger::sha256;
use adyton_seal::{AeadKey, KeyTree, Label, Nonce, Opaque, Plaintext, put_lp, random};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, PublicKeyData,
    SanType,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;

use adyton_policy::Api;

use crate::acme::CHALLENGE_PROTOCOL;

/// Why an identity could not be made.
#[derive(Debug)]
pub enum IdentityError {
    /// A certificate could not be made or read.
    Certificate,
    /// A key does not open.
    Key,
    /// The TLS library refused.
    Tls,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "a certificate could not be made",
            Self::Key => "the vault CA's key does not open",
            Self::Tls => "the TLS library refused the certificate",
        })
    }
}

impl std::error::Error for IdentityError {}

impl From<rcgen::Error> for IdentityError {
    fn from(_: rcgen::Error) -> Self {
        Self::Certificate
    }
}

impl From<Opaque> for IdentityError {
    fn from(_: Opaque) -> Self {
        Self::Key
    }
}

/// The one TLS library, for both directions.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The vault CA as it stands in the genesis record.
pub struct SealedCa {
    /// DER of its certificate.
    pub certificate: Vec<u8>,
    /// Its private key, sealed (`docs/spec/03-heads.md`).
    pub sealed_key: Vec<u8>,
}

/// The vault CA, opened.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    spki_hash: [u8; 32],
}

/// Makes the vault CA, constrained to the policy's names, and seals its key.
///
/// # Errors
/// [`IdentityError`].
pub fn make_ca(api: &Api, keys: &KeyTree, genesis_nonce: &[u8; 32]) -> Result<SealedCa, IdentityError> {
    let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = ca_params(api)?.self_signed(&key)?.der().to_vec();
    let mut plaintext = Plaintext::with_capacity(512);
    plaintext.put(zeroize::Zeroizing::new(key.serialize_der()).as_slice());
    // The library keeps the key's bytes in memory that it does not clear by itself.
    zeroize::Zeroize::zeroize(&mut key);
    let nonce: [u8; 12] = random()?;
    let mut sealed_key = nonce.to_vec();
    let wrap = AeadKey::new(&keys.derive(Label::CaWrap, &[])?)?;
    wrap.seal(Nonce::random(nonce), &ca_aad(genesis_nonce, &certificate), plaintext, &mut sealed_key)?;
    Ok(SealedCa { certificate, sealed_key })
}

impl Ca {
    /// Opens the vault CA.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn open(api: &Api, keys: &KeyTree, genesis_nonce: &[u8; 32], ca: &SealedCa) -> Result<Self, IdentityError> {
        let (nonce, sealed) = ca.sealed_key.split_first_chunk::<12>().ok_or(IdentityError::Key)?;
        let wrap = AeadKey::new(&keys.derive(Label::CaWrap, &[])?)?;
        let opened = wrap.open(Nonce::random(*nonce), &ca_aad(genesis_nonce, &ca.certificate), sealed)?;
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(opened.as_bytes()));
        let key = KeyPair::from_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)?;
        let spki_hash = sha256(&key.subject_public_key_info()).0;
        Ok(Self { issuer: Issuer::new(ca_params(api)?, key), certificate: ca.certificate.clone().into(), spki_hash })
    }

    /// SHA-256 of its SubjectPublicKeyInfo.
    pub fn spki_hash(&self) -> [u8; 32] {
        self.spki_hash
    }

    /// Makes this boot's TLS key and certificate. Also gives SHA-256 of the key's SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn leaf(&self, api: &Api) -> Result<(Arc<CertifiedKey>, [u8; 32]), IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = names(api)?;
        params.distinguished_name = common_name("Adyton vault");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&key, &self.issuer)?;
        let spki_hash = sha256(&key.subject_public_key_info()).0;
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let certified = CertifiedKey::from_der(chain, private, &provider()).map_err(|_| IdentityError::Tls)?;
        Ok((Arc::new(certified), spki_hash))
    }
}

/// Serves what `certificates` chooses, and answers a CA's challenges if there are any. Tickets are per boot, there is no 0-RTT, and nothing below TLS 1.3.
///
/// # Errors
/// [`IdentityError::Tls`].
pub fn server(certificates: Arc<dyn ResolvesServerCert>, challenges: bool) -> Result<Arc<ServerConfig>, IdentityError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| IdentityError::Tls)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.max_early_data_size = 0;
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(|_| IdentityError::Tls)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if challenges {
        config.alpn_protocols.push(CHALLENGE_PROTOCOL.to_vec());
    }
    Ok(Arc::new(config))
}

fn ca_params(api: &Api) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("Adyton vault CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let dns = api.names.iter().cloned().map(GeneralSubtree::DnsName);
    let addresses = api.addresses.iter().map(|address| GeneralSubtree::IpAddress(only(*address)));
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: dns.chain(addresses).collect(), excluded_subtrees: Vec::new() });
    Ok(params)
}

fn only(address: IpAddr) -> CidrSubnet {
    match address {
        IpAddr::V4(address) => CidrSubnet::V4(address.octets(), [0xFF; 4]),
        IpAddr::V6(address) => CidrSubnet::V6(address.octets(), [0xFF; 16]),
    }
}

fn names(api: &Api) -> Result<Vec<SanType>, IdentityError> {
    let mut names = Vec::new();
    for name in &api.names {
        names.push(SanType::DnsName(name.as_str().try_into()?));
    }
    names.extend(api.addresses.iter().map(|address| SanType::IpAddress(*address)));
    Ok(names)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn ca_aad(genesis_nonce: &[u8; 32], certificate: &[u8]) -> Vec<u8> {
    let mut aad = Vec::new();
    put_lp(&mut aad, b"adyton ca key v1");
    aad.extend_from_slice(genesis_nonce);
    put_lp(&mut aad, certificate);
    aad
}
