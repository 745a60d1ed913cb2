//! The vault's identity to its clients: a CA born at genesis, and a fresh TLS key for every boot (DESIGN §7).
//!
//! 1. the CA lives as long as the vault (`CA_YEARS`) and signs for the policy's names only;
//! 2. a boot has one TLS key, which evidence names and clients pin;
//! 3. the certificate for that key lives a day (`LEAF_LIFE`). It is issued anew, for the same key, at the first connection after
//!    `LEAF_RENEWAL`, so a vault that runs for months needs no restart and never shows a certificate that has expired.
//!
//! Limits: nothing revokes the CA. A client that trusts it does so until it is told otherwise.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use adyton_ledger::sha256;
use adyton_seal::{AeadKey, KeyTree, Label, Nonce, Opaque, Plaintext, random};
use adyton_wire::Put;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, PublicKeyData,
    SanType, SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SigningKey};

use adyton_policy::Api;

use crate::acme::CHALLENGE_PROTOCOL;
use crate::clock::Clock;

/// Years between which the CA's certificate is valid: as long as a vault may live.
const CA_YEARS: (i32, i32) = (1975, 4096);
/// Seconds that a certificate of the boot's key is valid from its issue on.
const LEAF_LIFE: u64 = 24 * 3600;
/// Seconds before its issue from which it is valid, for clients whose clocks are behind.
const LEAF_SKEW: u64 = 3600;
/// Age in seconds at which it is issued anew. A client's clock may be ahead by the rest of its life.
const LEAF_RENEWAL: u64 = 8 * 3600;
/// Seconds until the next try, should the library refuse to sign. The certificate that there is stays.
const LEAF_RETRY: u64 = 60;

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

    /// 2. Makes this boot's TLS key, and the first certificate for it.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn boot_key(self, api: &Api, clock: Arc<Clock>) -> Result<OwnCertificate, IdentityError> {
        let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let (point, spki_hash) = (key.der_bytes().to_vec(), sha256(&key.subject_public_key_info()).0);
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        // The library keeps the key's bytes in memory that it does not clear by itself.
        zeroize::Zeroize::zeroize(&mut key);
        let key = provider().key_provider.load_private_key(private).map_err(|_| IdentityError::Tls)?;
        let (ca, names, point) = (self, names(api)?, BootKey(point));
        let (certified, issued) = (Arc::new(ca.leaf(&names, &point, &key, clock.now())?), clock.now());
        let held = RwLock::new(CachedCertificate { certified, renew_at: issued + LEAF_RENEWAL });
        Ok(OwnCertificate { ca, names, point, key, spki_hash, clock, held })
    }

    /// 3. A certificate for the boot's key.
    fn leaf(
        &self,
        names: &[SanType],
        point: &BootKey,
        key: &Arc<dyn SigningKey>,
        now: u64,
    ) -> Result<CertifiedKey, IdentityError> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        params.distinguished_name = common_name("Adyton vault");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        // By itself the library derives it from the key, and two certificates of an issuer must not share one (RFC 5280 §4.1.2.2).
        let mut serial: [u8; 16] = random()?;
        serial[0] = serial[0] & 0x7F | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        short_lived(&mut params, now);
        let leaf = params.signed_by(point, &self.issuer)?;
        Ok(CertifiedKey::new(vec![leaf.der().clone(), self.certificate.clone()], Arc::clone(key)))
    }
}

/// Makes a certificate valid for a day; `now` is Unix seconds.
pub(crate) fn short_lived(params: &mut CertificateParams, now: u64) {
    let at = |seconds: u64| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    params.not_before = at(now.saturating_sub(LEAF_SKEW));
    params.not_after = at(now + LEAF_LIFE);
}

/// The public key of a boot.
struct BootKey(Vec<u8>);

impl PublicKeyData for BootKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

struct CachedCertificate {
    certified: Arc<CertifiedKey>,
    renew_at: u64,
}

/// This boot's TLS key and its certificate, which is renewed as it ages.
pub struct OwnCertificate {
    ca: Ca,
    names: Vec<SanType>,
    point: BootKey,
    key: Arc<dyn SigningKey>,
    spki_hash: [u8; 32],
    clock: Arc<Clock>,
    held: RwLock<CachedCertificate>,
}

impl OwnCertificate {
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub fn spki_hash(&self) -> [u8; 32] {
        self.spki_hash
    }

    /// 3. The certificate to show now.
    pub fn certified(&self) -> Arc<CertifiedKey> {
        let now = self.clock.now();
        {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            if now < held.renew_at {
                return Arc::clone(&held.certified);
            }
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if now >= held.renew_at {
            match self.ca.leaf(&self.names, &self.point, &self.key, now) {
                Ok(certified) => {
                    *held = CachedCertificate { certified: Arc::new(certified), renew_at: now + LEAF_RENEWAL }
                }
                Err(_) => held.renew_at = now + LEAF_RETRY,
            }
        }
        Arc::clone(&held.certified)
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
    (params.not_before, params.not_after) = (date_time_ymd(CA_YEARS.0, 1, 1), date_time_ymd(CA_YEARS.1, 1, 1));
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
    aad.put_lp(b"adyton ca key v1");
    aad.put(genesis_nonce);
    aad.put_lp(certificate);
    aad
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use adyton_attest::validity;
    use adyton_seal::{RootKey, Secret};
    use rustls::pki_types::{ServerName, UnixTime};
    use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

    use super::*;

    const HOUR: u64 = 3600;

    fn api() -> Api {
        Api { names: vec!["vault.test".into()], addresses: vec!["127.0.0.1".parse().unwrap()], public_names: vec![] }
    }

    /// A CA, opened, and a boot's certificate under it.
    pub(crate) fn own(clock: &Arc<Clock>) -> (Vec<u8>, OwnCertificate) {
        let keys = KeyTree::new(&RootKey::new(Secret::init_with(|bytes| bytes.fill(7))), 1);
        let sealed = make_ca(&api(), &keys, &[1; 32]).unwrap();
        let ca = Ca::open(&api(), &keys, &[1; 32], &sealed).unwrap();
        (sealed.certificate.clone(), ca.boot_key(&api(), Arc::clone(clock)).unwrap())
    }

    fn holds(ca: &[u8], certified: &CertifiedKey, at: u64) -> bool {
        let ca = CertificateDer::from(ca.to_vec());
        let leaf = EndEntityCert::try_from(&certified.cert[0]).unwrap();
        let (anchors, at) =
            ([anchor_from_trusted_cert(&ca).unwrap()], UnixTime::since_unix_epoch(Duration::from_secs(at)));
        let algorithms = provider().signature_verification_algorithms;
        let path = leaf.verify_for_usage(algorithms.all, &anchors, &[], at, KeyUsage::server_auth(), None, None);
        path.is_ok() && leaf.verify_is_valid_for_subject_name(&ServerName::try_from("vault.test").unwrap()).is_ok()
    }

    #[test]
    fn the_boots_certificate_lives_a_day_and_is_renewed_for_the_same_key() {
        let clock = Arc::new(Clock::new());
        let began = clock.now() + HOUR;
        // The clock never falls below this, so it stands still for an hour.
        clock.at_least(began);
        let (ca, own) = own(&clock);
        let first = own.certified();
        assert_eq!(validity(&first.cert[0]), Some((began - HOUR, began + 24 * HOUR)));
        assert!(Arc::ptr_eq(&own.certified(), &first));
        clock.at_least(began + 8 * HOUR - 1);
        assert!(Arc::ptr_eq(&own.certified(), &first));
        clock.at_least(began + 8 * HOUR);
        let second = own.certified();
        assert_eq!(validity(&second.cert[0]), Some((began + 7 * HOUR, began + 32 * HOUR)));
        // The key that evidence names and clients pin is the same; the certificate is another one.
        let spki = |certified: &CertifiedKey| {
            EndEntityCert::try_from(&certified.cert[0]).unwrap().subject_public_key_info().to_vec()
        };
        assert_eq!(sha256(&spki(&first)).0, own.spki_hash());
        assert_eq!(spki(&first), spki(&second));
        assert_ne!(first.cert[0], second.cert[0]);
        // A laptop that slept for a month shows a valid one at its first connection.
        let later = began + 30 * 24 * HOUR;
        clock.at_least(later);
        assert!(holds(&ca, &own.certified(), later));
        assert!(!holds(&ca, &second, later));
    }

    #[test]
    fn clients_whose_clocks_are_off_by_minutes_are_served_at_any_age() {
        let clock = Arc::new(Clock::new());
        let began = clock.now() + HOUR;
        clock.at_least(began);
        let (ca, own) = own(&clock);
        for age in [0, 8 * HOUR - 1, 8 * HOUR, 20 * HOUR] {
            clock.at_least(began + age);
            let shown = own.certified();
            for minutes in [0, 1, 15, 55] {
                assert!(holds(&ca, &shown, began + age - minutes * 60), "{minutes} minutes behind at {age}");
                assert!(holds(&ca, &shown, began + age + minutes * 60), "{minutes} minutes ahead at {age}");
            }
        }
        assert!(!holds(&ca, &own.certified(), began + 20 * HOUR - HOUR - 1), "an hour behind is too much");
    }

    #[test]
    fn serial_numbers_differ() {
        let clock = Arc::new(Clock::new());
        let (_, own) = own(&clock);
        let serial = |certified: &CertifiedKey| EndEntityCert::try_from(&certified.cert[0]).unwrap().serial().to_vec();
        let first = serial(&own.certified());
        clock.at_least(clock.now() + 9 * HOUR);
        assert_ne!(first, serial(&own.certified()));
        assert_eq!(first.len(), 16);
    }

    #[test]
    fn the_ca_lives_as_long_as_the_vault() {
        let (ca, _) = own(&Arc::new(Clock::new()));
        // 1975-01-01 and 4096-01-01.
        assert_eq!(validity(&ca), Some((157_766_400, 67_090_118_400)));
    }
}
