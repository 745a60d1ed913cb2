//! 3. The chain, from the root that is trusted to the leaf that signs; and chains that need not be verified twice.
//!
//! `webpki` builds and checks paths (RFC 5280 §6): signatures, validity, CA flags, path lengths, name constraints, critical
//! extensions. Beside it stands here that the bundle begins with the root, that the root is valid, that the path uses the
//! rest of the bundle, all of it, in its order, and that keys are used as their certificates allow.
//!
//! A chain of issuers that held is remembered whole, by a hash over the root and all of the bundle. The same bundle then
//! costs one signature, the leaf's. Nothing is remembered past the validity of any of its certificates, and no chain with name
//! constraints: those of an upper issuer are seen only on the whole path.

use core::time::Duration;
use std::collections::VecDeque;

use adyton_wire::Put;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert};

use super::facts::{DIGITAL_SIGNATURE, Facts, KEY_CERT_SIGN};
use crate::Root;
use crate::refusal::sha256;
use crate::{CertificateFault, Refusal};

/// SubjectPublicKeyInfo of a P-384 key up to its point (RFC 5480 §2.1.1, uncompressed).
const P384: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];
/// Chains of issuers that held, newest last.
#[derive(Default)]
pub struct RememberedChains {
    most: usize,
    /// With the first and the last second of their validity.
    chains: VecDeque<([u8; 32], (u64, u64))>,
}

/// The leaf's key.
pub(super) struct LeafKey(UnparsedPublicKey<Vec<u8>>);

impl LeafKey {
    /// 4. Whether it signed; r and s of 48 bytes each (RFC 9053 §2.1).
    pub(super) fn verify(&self, message: &[u8], signature: &[u8; 96]) -> Result<(), Refusal> {
        self.0.verify(message, signature).map_err(|_| Refusal::Signature)
    }
}

impl RememberedChains {
    /// Remembers at most so many; none for 0.
    pub fn new(most: usize) -> Self {
        Self { most, chains: VecDeque::new() }
    }

    /// The key of a leaf whose chain holds at `now`, Unix seconds.
    pub(super) fn leaf_key(
        &mut self,
        root: &Root,
        cabundle: &[Vec<u8>],
        leaf: &[u8],
        now: u64,
    ) -> Result<LeafKey, Refusal> {
        let Some((first, issuers)) = cabundle.split_first() else { return Err(Refusal::ChainOrder) };
        // Both are public certificates.
        if first != root.der() {
            return Err(Refusal::Root { expected: root.fingerprint(), got: sha256(first) });
        }
        let facts = Facts::read(first).ok_or(Refusal::Certificate(CertificateFault::Encoding))?;
        valid(&facts, now)?;
        let leaf = CertificateDer::from(leaf);
        let end_entity = EndEntityCert::try_from(&leaf).map_err(|error| refusal(&error))?;
        let name = name(cabundle);
        let known = self.chains.iter().any(|(known, (from, until))| *known == name && (from..=until).contains(&&now));
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        match (issuers.last(), known) {
            // Its issuer has been verified, so it is as good as a root.
            (Some(issuer), true) => path(&end_entity, issuer, &[], time)?,
            _ => {
                path(&end_entity, root.der(), issuers, time)?;
                self.remember(name, issue(cabundle)?);
            }
        }
        may_sign(&leaf)?;
        let spki = end_entity.subject_public_key_info();
        let point = spki.strip_prefix(&P384).filter(|point| point.len() == 97).ok_or(Refusal::LeafKey)?;
        Ok(LeafKey(UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point.to_vec())))
    }

    fn remember(&mut self, name: [u8; 32], validity: Option<(u64, u64)>) {
        let Some(validity) = validity else { return };
        self.chains.retain(|(known, _)| *known != name);
        self.chains.push_back((name, validity));
        if self.chains.len() > self.most {
            self.chains.pop_front();
        }
    }
}

/// The root, which `webpki` takes as it is.
fn valid(root: &Facts, now: u64) -> Result<(), Refusal> {
    let Facts { not_before, not_after, .. } = *root;
    Err(Refusal::Certificate(match now {
        _ if now < not_before => CertificateFault::NotYetValid { not_before, now },
        _ if now > not_after => CertificateFault::Expired { not_after, now },
        _ => return Ok(()),
    }))
}

/// All of a verified bundle may sign certificates. When all of it is valid; `None` if it must not be remembered.
fn issue(cabundle: &[Vec<u8>]) -> Result<Option<(u64, u64)>, Refusal> {
    let (mut from, mut until, mut constrains_names) = (0, u64::MAX, false);
    for certificate in cabundle {
        let facts = Facts::read(certificate).ok_or(Refusal::Certificate(CertificateFault::Encoding))?;
        if facts.key_usage.is_none_or(|usage| usage & KEY_CERT_SIGN == 0) {
            return Err(Refusal::Certificate(CertificateFault::Usage));
        }
        from = from.max(facts.not_before);
        until = until.min(facts.not_after);
        constrains_names |= facts.constrains_names;
    }
    Ok((!constrains_names).then_some((from, until)))
}

/// A leaf that says what its key is for may sign.
fn may_sign(leaf: &[u8]) -> Result<(), Refusal> {
    let facts = Facts::read(leaf).ok_or(Refusal::Certificate(CertificateFault::Encoding))?;
    match facts.key_usage {
        Some(usage) if usage & DIGITAL_SIGNATURE == 0 => Err(Refusal::Certificate(CertificateFault::Usage)),
        _ => Ok(()),
    }
}

/// The platform's certificates name no extended key usage; one that does is for something else.
struct NoExtendedKeyUsage;

impl ExtendedKeyUsageValidator for NoExtendedKeyUsage {
    fn validate(&self, mut purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        if purposes.next().is_none() { Ok(()) } else { Err(Error::EmptyEkuExtension) }
    }
}

/// SHA-256 over the bundle's certificates, root included, each after its length.
fn name(cabundle: &[Vec<u8>]) -> [u8; 32] {
    let mut all = Vec::with_capacity(4096);
    for certificate in cabundle {
        all.put_lp(certificate);
    }
    sha256(&all)
}

/// A path from the leaf over all of `issuers` to `anchor`, or why there is none.
fn path(leaf: &EndEntityCert<'_>, anchor: &[u8], issuers: &[Vec<u8>], now: UnixTime) -> Result<(), Refusal> {
    let anchor = CertificateDer::from(anchor);
    let anchors: [TrustAnchor<'_>; 1] = [anchor_from_trusted_cert(&anchor).map_err(|error| refusal(&error))?];
    let intermediates: Vec<_> = issuers.iter().map(|der| CertificateDer::from(&der[..])).collect();
    let algorithms = [webpki::aws_lc_rs::ECDSA_P384_SHA384];
    let path = leaf.verify_for_usage(&algorithms, &anchors, &intermediates, now, NoExtendedKeyUsage, None, None);
    let path = path.map_err(|error| refusal(&error))?;
    // From the leaf upward.
    let used = path.intermediate_certificates().map(|certificate| certificate.der().to_vec());
    if used.eq(issuers.iter().rev().cloned()) { Ok(()) } else { Err(Refusal::ChainOrder) }
}

/// Variant by variant, so that a new one of the library's says no more than that the chain does not hold.
fn refusal(error: &Error) -> Refusal {
    Refusal::Certificate(match error {
        Error::BadDer
        | Error::BadDerTime
        | Error::TrailingData(_)
        | Error::MalformedExtensions
        | Error::ExtensionValueInvalid
        | Error::InvalidSerialNumber
        | Error::InvalidCertValidity
        | Error::UnsupportedCertVersion => CertificateFault::Encoding,
        Error::CertExpired { time, not_after } => {
            CertificateFault::Expired { not_after: not_after.as_secs(), now: time.as_secs() }
        }
        Error::CertNotValidYet { time, not_before } => {
            CertificateFault::NotYetValid { not_before: not_before.as_secs(), now: time.as_secs() }
        }
        Error::UnknownIssuer => CertificateFault::Issuer,
        Error::InvalidSignatureForPublicKey => CertificateFault::Signature,
        Error::SignatureAlgorithmMismatch
        | Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => CertificateFault::Algorithm,
        Error::EndEntityUsedAsCa => CertificateFault::NotACa,
        Error::CaUsedAsEndEntity => CertificateFault::LeafIsCa,
        Error::PathLenConstraintViolated => CertificateFault::PathLength,
        Error::UnsupportedCriticalExtension => CertificateFault::CriticalExtension,
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => CertificateFault::Usage,
        _ => CertificateFault::Other,
    })
}
