//! The vault's public certificate: what a public CA signed for a key that is born here (DESIGN §7; `docs/spec/06`, "What the
//! vault seals to itself").
//!
//! 1. a P-256 key is made for every boot; whoever asks is given a request that it signed ([`Request`]), and the key itself,
//!    sealed so that only this vault opens it;
//! 2. the owners have the request signed by a CA, and put chain and sealed key into their settings;
//! 3. the key opens, the chain is for it, within the policy's names, in order and valid ([`PublicKeys::open`]): a boot does
//!    that too, so that a certificate outlives the boot that its key was born in;
//! 4. it is shown to whoever names one of its names ([`Resolver`]).
//!
//! Why the owners keep the key: it must live as long as the certificate, through restarts, and what they sign lives so
//! already. They hold ciphertext; nobody but the vault has the key.
//!
//! Limits: a certificate that expires while it is in use is still shown, so that clients say what is wrong; one that has
//! expired is not taken, and a boot does without it. Only DNS names are looked at, for only they are asked for by name.
//! Nothing asks for revocation.
//!
//! What it is not: evidence. Whoever can answer for a name can get a certificate for it; a client that demands evidence
//! demands the boot's own key and is shown that (`adyton/1`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use adyton_attest::ATTESTED_PROTOCOL;
use adyton_ledger::{base64, sha256};
use adyton_policy::Settings;
use adyton_seal::{AeadKey, KeyTree, Label, Nonce, Opaque, Plaintext, Reader, put_lp, random};
use data_encoding::BASE64;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};
use zeroize::Zeroizing;

use crate::identity::{IdentityError, provider};
use crate::policy::Holder;

/// Version of a sealed key.
const VERSION: u8 = 1;
/// Longest common name (RFC 5280, upper bounds of X.520).
const MAX_COMMON_NAME: usize = 64;

/// Why a public certificate is not taken. All of it is public but whether a key opens, which has no further reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicCertificateError {
    /// The sealed key does not open: it is another vault's, or none.
    Key,
    /// The certificate is for another key than the sealed one.
    OtherKey,
    /// A certificate, by its place, cannot be read.
    Form(usize),
    /// It carries no DNS name.
    NoName,
    /// It carries a name that is not one of the policy's.
    Name(String),
    /// Something of the chain has expired.
    Expired,
    /// Something of the chain is not valid yet.
    NotYetValid,
    /// The certificates do not follow each other, each one's issuer next.
    Order,
    /// The chain does not hold for another reason: a signature's kind, a use, a constraint.
    Chain,
}

impl fmt::Display for PublicCertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("public_certificate")?;
        match self {
            Self::Key => f.write_str(".sealed_key: it does not open: it belongs to another vault, or was changed"),
            Self::OtherKey => f.write_str(".chain: the first certificate is not for the sealed key"),
            Self::Form(place) => write!(f, ".chain: certificate {place} cannot be read"),
            Self::NoName => f.write_str(".chain: the first certificate carries no DNS name"),
            Self::Name(name) => {
                write!(f, ".chain: the first certificate is also for {name}, which is not one of api.public_names")
            }
            Self::Expired => f.write_str(".chain: a certificate has expired"),
            Self::NotYetValid => f.write_str(".chain: a certificate is not valid yet"),
            Self::Order => f.write_str(".chain: expected the vault's certificate, then each one's issuer"),
            Self::Chain => f.write_str(".chain: it does not hold, or is not for servers"),
        }
    }
}

impl std::error::Error for PublicCertificateError {}

impl From<&Error> for PublicCertificateError {
    fn from(error: &Error) -> Self {
        match error {
            Error::CertExpired { .. } => Self::Expired,
            Error::CertNotValidYet { .. } => Self::NotYetValid,
            Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => Self::Order,
            _ => Self::Chain,
        }
    }
}

/// Seals and opens the keys of public certificates.
pub struct PublicKeys {
    wrap: AeadKey,
    vault: [u8; 32],
    names: Vec<String>,
}

/// What a CA is asked to sign, and the key that it is for. No secret is in it.
pub struct Request {
    /// PKCS #10, in PEM.
    pub pem: String,
    /// The key, sealed, in base64.
    pub sealed_key: String,
    /// The names that are asked for.
    pub names: Vec<String>,
}

/// A public certificate with its key, ready to be shown.
pub struct PublicCertificate {
    names: Vec<String>,
    certified: Arc<CertifiedKey>,
}

impl PublicCertificate {
    /// SHA-256 of the certificate, as monitors of certificate logs know it.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.certified.cert.first().map_or([0; 32], |certificate| sha256(certificate).0)
    }
}

impl PublicKeys {
    /// For a vault with these public names.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses.
    pub fn new(keys: &KeyTree, vault: [u8; 32], names: &[String]) -> Result<Self, Opaque> {
        Ok(Self { wrap: AeadKey::new(&keys.derive(Label::PublicKeyWrap, &[])?)?, vault, names: names.to_vec() })
    }

    /// 1. A new key and its request; `None` if the policy has no public names.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn request(&self) -> Result<Option<Request>, IdentityError> {
        let Some(first) = self.names.first() else { return Ok(None) };
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(self.names.clone())?;
        params.distinguished_name = DistinguishedName::new();
        // Some CAs want one; it repeats a name.
        if first.len() <= MAX_COMMON_NAME {
            params.distinguished_name.push(DnType::CommonName, first.as_str());
        }
        let pem = params.serialize_request(&key)?.pem()?;
        Ok(Some(Request { pem, sealed_key: BASE64.encode(&self.seal(&key)?), names: self.names.clone() }))
    }

    fn seal(&self, key: &KeyPair) -> Result<Vec<u8>, Opaque> {
        let spki = key.subject_public_key_info();
        let mut plaintext = Plaintext::with_capacity(512);
        plaintext.put(Zeroizing::new(key.serialize_der()).as_slice());
        let nonce: [u8; 12] = random()?;
        let mut sealed = vec![VERSION];
        put_lp(&mut sealed, &spki);
        sealed.extend_from_slice(&nonce);
        self.wrap.seal(Nonce::random(nonce), &self.aad(&spki), plaintext, &mut sealed)?;
        Ok(sealed)
    }

    fn aad(&self, spki: &[u8]) -> Vec<u8> {
        let mut aad = Vec::new();
        put_lp(&mut aad, b"adyton public key v1");
        aad.extend_from_slice(&self.vault);
        put_lp(&mut aad, spki);
        aad
    }

    /// The key that [`PublicKeys::request`] sealed, and its SubjectPublicKeyInfo.
    fn unseal(&self, sealed: &[u8]) -> Result<(Plaintext, Vec<u8>), Opaque> {
        let mut reader = Reader::new(sealed);
        if reader.u8()? != VERSION {
            return Err(Opaque);
        }
        let spki = reader.lp()?.to_vec();
        let nonce = reader.array()?;
        Ok((self.wrap.open(Nonce::random(nonce), &self.aad(&spki), reader.rest())?, spki))
    }

    /// SubjectPublicKeyInfo of a sealed key that opens.
    ///
    /// # Errors
    /// [`PublicCertificateError::Key`].
    pub fn spki(&self, sealed: &[u8]) -> Result<Vec<u8>, PublicCertificateError> {
        self.unseal(sealed).map(|(_, spki)| spki).map_err(|Opaque| PublicCertificateError::Key)
    }

    /// 3. The certificate of settings, `None` if they have none; `now` is Unix seconds.
    ///
    /// # Errors
    /// [`PublicCertificateError`].
    pub fn open(&self, settings: &Settings, now: u64) -> Result<Option<PublicCertificate>, PublicCertificateError> {
        let Some(given) = &settings.public_certificate else { return Ok(None) };
        let sealed = base64::decode(given.sealed_key.as_bytes()).ok_or(PublicCertificateError::Key)?;
        let (key, spki) = self.unseal(&sealed).map_err(|Opaque| PublicCertificateError::Key)?;
        let chain: Vec<_> = given.chain().into_iter().flatten().map(CertificateDer::from).collect();
        let leaf = chain.first().ok_or(PublicCertificateError::Form(0))?;
        let leaf = EndEntityCert::try_from(leaf).map_err(|_| PublicCertificateError::Form(0))?;
        // Both are public.
        if *leaf.subject_public_key_info() != spki[..] {
            return Err(PublicCertificateError::OtherKey);
        }
        let names: Vec<_> = leaf.valid_dns_names().map(str::to_ascii_lowercase).collect();
        if let Some(other) = names.iter().find(|name| !self.names.contains(name)) {
            return Err(PublicCertificateError::Name(other.clone()));
        }
        if names.is_empty() {
            return Err(PublicCertificateError::NoName);
        }
        path(&leaf, &chain[1..], now)?;
        // The library takes the bytes over.
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()));
        let key = provider().key_provider.load_private_key(key).map_err(|_| PublicCertificateError::Key)?;
        Ok(Some(PublicCertificate { names, certified: Arc::new(CertifiedKey::new(chain, key)) }))
    }
}

/// A path from the leaf over all that stand between to the last, in their order.
fn path(leaf: &EndEntityCert<'_>, issuers: &[CertificateDer<'static>], now: u64) -> Result<(), PublicCertificateError> {
    for (place, issuer) in issuers.iter().enumerate() {
        EndEntityCert::try_from(issuer).map_err(|_| PublicCertificateError::Form(place + 1))?;
    }
    let (last, between) = issuers.split_last().ok_or(PublicCertificateError::Order)?;
    let anchors = [anchor_from_trusted_cert(last).map_err(|_| PublicCertificateError::Form(issuers.len()))?];
    let algorithms = provider().signature_verification_algorithms;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let path = leaf.verify_for_usage(algorithms.all, &anchors, between, now, KeyUsage::server_auth(), None, None);
    let path = path.map_err(|error| PublicCertificateError::from(&error))?;
    // From the leaf upward. One that the path does not need, or needs elsewhere, is in disorder.
    let used = path.intermediate_certificates().map(|certificate| certificate.der());
    if used.eq(between.iter().cloned()) { Ok(()) } else { Err(PublicCertificateError::Order) }
}

/// 4. Which certificate a connection is shown.
pub struct Resolver {
    own: Arc<CertifiedKey>,
    current: Holder,
}

impl Resolver {
    /// `own` is the boot's own; `current` holds the public one, if there is one.
    pub fn new(own: Arc<CertifiedKey>, current: Holder) -> Self {
        Self { own, current }
    }

    fn choose<'a>(&self, name: Option<&str>, mut protocols: impl Iterator<Item = &'a [u8]>) -> Arc<CertifiedKey> {
        let current = self.current.now();
        let public = current.public.as_ref().filter(|public| {
            name.is_some_and(|name| public.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
        });
        match public {
            Some(public) if !protocols.any(|protocol| protocol == ATTESTED_PROTOCOL) => Arc::clone(&public.certified),
            _ => Arc::clone(&self.own),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The library demands it; there is nothing to say of keys.
        f.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.choose(hello.server_name(), hello.alpn().into_iter().flatten()))
    }
}

#[cfg(test)]
mod tests;
