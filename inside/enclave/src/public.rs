//! The vault's public certificate: what a public CA signed for a key that is born here (DESIGN §7;
//! `docs/spec/06`, "What the vault seals to itself").
//!
//! 1. a P-256 key is made for every boot; the caller gets a request that it signed ([`Request`]),
//!    and the key itself, sealed so that only this vault opens it;
//! 2. the owners have the request signed by a CA, and put chain and sealed key into their settings;
//! 3. the key opens, the chain is for it, within the policy's names, in order and valid
//!    ([`PublicKeys::open`]): a boot does that too, so that a certificate outlives the boot that
//!    its key was born in;
//! 4. it is shown to clients that ask for one of its names ([`Resolver`]). Where the policy names a
//!    CA that speaks ACME, the vault does
//!    2. itself ([`crate::acme`]).
//!
//! Why the owners keep the key: it must live as long as the certificate, through restarts, and what
//! they sign lives so already. They hold ciphertext; nobody but the vault has the key.
//!
//! Limits: a certificate that expires while it is in use is still shown, so that clients say what
//! is wrong; one that has expired is not taken, and a boot does without it. Only DNS names are
//! looked at, for only they are asked for by name. Nothing asks for revocation.
//!
//! What it is not: evidence. Anyone who can answer for a name can get a certificate for it; a
//! client that demands evidence demands the boot's own key and is shown that (`adyton/1`).

mod error;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use adyton_attest::ATTESTED_PROTOCOL;
use adyton_ledger::{base64, sha256};
use adyton_policy::Settings;
use adyton_seal::{AeadKey, KeyTree, Label, Nonce, Opaque, Plaintext, random};
use adyton_wire::{Put, Reader};
use data_encoding::BASE64;
use rcgen::{
    CertificateParams, CertificateSigningRequest, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256,
    PublicKeyData,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use zeroize::{Zeroize, Zeroizing};

use crate::acme::{AcmeStatus, CHALLENGE_PROTOCOL};
use crate::identity::{IdentityError, OwnCertificate, provider};
use crate::policy::Watch;

pub use error::PublicCertificateError;

/// Version of a sealed key.
const VERSION: u8 = 1;
/// Longest common name (RFC 5280, upper bounds of X.520).
const MAX_COMMON_NAME: usize = 64;

/// What a sealed key is for: the key of a certificate.
const CERTIFICATE_KEY: &[u8] = b"adyton public key v1";
/// The key of an account at a CA.
pub(crate) const ACCOUNT_KEY: &[u8] = b"adyton acme account v1";

/// Seals and opens the keys of public certificates, and of accounts at the CAs that sign them.
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

/// A request that nobody has seen yet.
pub(crate) struct Asked {
    /// PKCS #10.
    pub(crate) request: CertificateSigningRequest,
    /// The key, sealed.
    pub(crate) sealed_key: Vec<u8>,
}

/// A public certificate with its key, ready to be shown.
pub struct PublicCertificate {
    names: Vec<String>,
    certified: Arc<CertifiedKey>,
}

impl PublicCertificate {
    /// Whether it is for a name, which is in lower case.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// What is shown.
    pub(crate) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// First and last second of its validity; `None` if it says neither.
    pub(crate) fn validity(&self) -> Option<(u64, u64)> {
        adyton_attest::validity(self.certified.cert.first()?)
    }

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
        let Some(Asked { request, sealed_key }) = self.asked()? else { return Ok(None) };
        Ok(Some(Request { pem: request.pem()?, sealed_key: BASE64.encode(&sealed_key), names: self.names.clone() }))
    }

    /// The same, for one who sends it on himself.
    pub(crate) fn asked(&self) -> Result<Option<Asked>, IdentityError> {
        if self.names.is_empty() {
            return Ok(None);
        }
        let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut pkcs8 = Plaintext::with_capacity(512);
        pkcs8.put(Zeroizing::new(key.serialize_der()).as_slice());
        let sealed_key = self.seal(CERTIFICATE_KEY, &key.subject_public_key_info(), pkcs8)?;
        let request = self.params()?.serialize_request(&key)?;
        // The library keeps the key's bytes in memory that it does not clear by itself.
        key.zeroize();
        Ok(Some(Asked { request, sealed_key }))
    }

    /// A request for a key that [`PublicKeys::asked`] sealed.
    pub(crate) fn request_for(&self, sealed: &[u8]) -> Result<CertificateSigningRequest, IdentityError> {
        let (pkcs8, _) = self.unseal(CERTIFICATE_KEY, sealed)?;
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8.as_bytes()));
        let mut key = KeyPair::from_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)?;
        let request = self.params()?.serialize_request(&key)?;
        // The library keeps the key's bytes in memory that it does not clear by itself.
        key.zeroize();
        Ok(request)
    }

    /// What every request has.
    fn params(&self) -> Result<CertificateParams, IdentityError> {
        let mut params = CertificateParams::new(self.names.clone())?;
        params.distinguished_name = DistinguishedName::new();
        // Some CAs want one; it repeats a name.
        if let Some(first) = self.names.first().filter(|first| first.len() <= MAX_COMMON_NAME) {
            params.distinguished_name.push(DnType::CommonName, first.as_str());
        }
        Ok(params)
    }

    /// The vault's public names.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Seals a key, so that only this vault opens it and for this use only.
    pub(crate) fn seal(&self, used: &[u8], spki: &[u8], pkcs8: Plaintext) -> Result<Vec<u8>, Opaque> {
        let nonce: [u8; 12] = random()?;
        let mut sealed = vec![VERSION];
        sealed.put_lp(spki);
        sealed.put(&nonce);
        self.wrap.seal(Nonce::random(nonce), &self.aad(used, spki), pkcs8, &mut sealed)?;
        Ok(sealed)
    }

    fn aad(&self, used: &[u8], spki: &[u8]) -> Vec<u8> {
        let mut aad = Vec::new();
        aad.put_lp(used);
        aad.put(&self.vault);
        aad.put_lp(spki);
        aad
    }

    /// The key that [`PublicKeys::seal`] sealed, and its SubjectPublicKeyInfo.
    pub(crate) fn unseal(&self, used: &[u8], sealed: &[u8]) -> Result<(Plaintext, Vec<u8>), Opaque> {
        let mut reader = Reader::new(sealed);
        if reader.u8()? != VERSION {
            return Err(Opaque);
        }
        let spki = reader.lp()?.to_vec();
        let nonce = reader.array()?;
        Ok((self.wrap.open(Nonce::random(nonce), &self.aad(used, &spki), reader.rest())?, spki))
    }

    /// SubjectPublicKeyInfo of a sealed key that opens.
    ///
    /// # Errors
    /// [`PublicCertificateError::Key`].
    pub fn spki(&self, sealed: &[u8]) -> Result<Vec<u8>, PublicCertificateError> {
        self.unseal(CERTIFICATE_KEY, sealed).map(|(_, spki)| spki).map_err(|Opaque| PublicCertificateError::Key)
    }

    /// 3. The certificate of settings, `None` if they have none; `now` is Unix seconds.
    ///
    /// # Errors
    /// [`PublicCertificateError`].
    pub fn open(&self, settings: &Settings, now: u64) -> Result<Option<PublicCertificate>, PublicCertificateError> {
        let Some(given) = &settings.public_certificate else { return Ok(None) };
        let sealed = base64::decode(given.sealed_key.as_bytes()).ok_or(PublicCertificateError::Key)?;
        self.certify(&sealed, given.chain().unwrap_or_default(), now).map(Some)
    }

    /// A chain for a sealed key; `now` is Unix seconds.
    pub(crate) fn certify(
        &self,
        sealed: &[u8],
        chain: Vec<Vec<u8>>,
        now: u64,
    ) -> Result<PublicCertificate, PublicCertificateError> {
        let (key, spki) = self.unseal(CERTIFICATE_KEY, sealed).map_err(|Opaque| PublicCertificateError::Key)?;
        let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
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
        Ok(PublicCertificate { names, certified: Arc::new(CertifiedKey::new(chain, key)) })
    }
}

/// A path from the leaf over all that stand between to the last, in their order. A CA may also give the leaf alone, if clients
/// know its issuer; settings have an issuer at least.
fn path(leaf: &EndEntityCert<'_>, issuers: &[CertificateDer<'static>], now: u64) -> Result<(), PublicCertificateError> {
    for (place, issuer) in issuers.iter().enumerate() {
        EndEntityCert::try_from(issuer).map_err(|_| PublicCertificateError::Form(place + 1))?;
    }
    let Some((last, between)) = issuers.split_last() else { return valid_now(leaf, now) };
    let anchors = [anchor_from_trusted_cert(last).map_err(|_| PublicCertificateError::Form(issuers.len()))?];
    let algorithms = provider().signature_verification_algorithms;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let path = leaf.verify_for_usage(algorithms.all, &anchors, between, now, KeyUsage::server_auth(), None, None);
    let path = path.map_err(|error| PublicCertificateError::from(&error))?;
    // From the leaf upward. One that the path does not need, or needs elsewhere, is in disorder.
    let used = path.intermediate_certificates().map(|certificate| certificate.der());
    if used.eq(between.iter().cloned()) { Ok(()) } else { Err(PublicCertificateError::Order) }
}

/// A leaf without issuers: its dates. Who signed it cannot be seen; for whom, key and names say.
fn valid_now(leaf: &EndEntityCert<'_>, now: u64) -> Result<(), PublicCertificateError> {
    match adyton_attest::validity(&leaf.der()) {
        None => Err(PublicCertificateError::Form(0)),
        Some((from, _)) if now < from => Err(PublicCertificateError::NotYetValid),
        Some((_, until)) if now > until => Err(PublicCertificateError::Expired),
        Some(_) => Ok(()),
    }
}

/// 4. Which certificate a connection is shown.
pub struct Resolver {
    own: Arc<OwnCertificate>,
    effective: Watch,
    acme: Option<Arc<AcmeStatus>>,
}

impl Resolver {
    /// `own` is the boot's own; `effective` holds the one that the owners imported, `acme` the one that the vault obtained, if
    /// there is one. The owners' goes first.
    pub fn new(own: Arc<OwnCertificate>, effective: Watch, acme: Option<Arc<AcmeStatus>>) -> Self {
        Self { own, effective, acme }
    }

    /// `None` if a CA asks for what nobody has asked it.
    fn choose<'a>(&self, name: Option<&str>, protocols: impl Iterator<Item = &'a [u8]>) -> Option<Arc<CertifiedKey>> {
        let name = name.map(str::to_ascii_lowercase);
        let protocols: Vec<&[u8]> = protocols.collect();
        if protocols.contains(&ATTESTED_PROTOCOL) {
            return Some(self.own.certified());
        }
        // Nothing is served over such a connection (RFC 8737 §3: the offer is that protocol alone).
        if protocols == [CHALLENGE_PROTOCOL] {
            return self.acme.as_ref()?.challenge(&name?);
        }
        let own = || self.own.certified();
        let Some(name) = name else { return Some(own()) };
        let effective = self.effective.now();
        let imported = effective.public.as_ref().filter(|public| public.names(&name));
        let shown = imported.map(|public| Arc::clone(public.certified()));
        Some(shown.or_else(|| self.acme.as_ref()?.certified(&name)).unwrap_or_else(own))
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
        self.choose(hello.server_name(), hello.alpn().into_iter().flatten())
    }
}

#[cfg(test)]
pub(crate) mod tests;
