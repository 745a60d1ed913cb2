//! 3. The chain, from the root that is trusted to the leaf that signs; and chains that need not be verified twice.
//!
//! `webpki` builds and checks paths (RFC 5280 §6): signatures, validity, CA flags, path lengths, name constraints, critical
//! extensions. Beside it stands here that the bundle begins with the root and that the path uses the rest of it, all of it,
//! in its order.
//!
//! A chain of issuers that held is remembered whole, by a hash over the root and all of the bundle. The same bundle then
//! costs one signature, the leaf's. Nothing is remembered past the validity of any of its certificates, and no chain that
//! constrains names: whether those hold depends on the leaf.

use core::time::Duration;
use std::collections::VecDeque;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use super::root::Root;
use super::validity::Validity;
use crate::refusal::sha256;
use crate::{CertificateFault, Refusal};

/// SubjectPublicKeyInfo of a P-384 key up to its point (RFC 5480 §2.1.1, uncompressed).
const P384: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];
/// id-kp-clientAuth: `webpki` wants a purpose to ask for. The platform's leaves name none, and one that names others is none.
const CLIENT_AUTH: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 2];
/// id-ce-nameConstraints, as an extension begins with it (RFC 5280 §4.2.1.10).
const NAME_CONSTRAINTS: &[u8] = &[0x06, 0x03, 0x55, 0x1D, 0x1E];

/// Chains of issuers that held, newest last.
#[derive(Default)]
pub struct RememberedChains {
    most: usize,
    chains: VecDeque<([u8; 32], Validity)>,
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
        let leaf = CertificateDer::from(leaf);
        let end_entity = EndEntityCert::try_from(&leaf).map_err(|error| refusal(&error))?;
        let name = name(cabundle);
        let known = self
            .chains
            .iter()
            .any(|(known, validity)| *known == name && (validity.from..=validity.until).contains(&now));
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        match (issuers.last(), known) {
            // Its issuer has been verified, so it is as good as a root.
            (Some(issuer), true) => path(&end_entity, issuer, &[], time)?,
            _ => {
                path(&end_entity, root.der(), issuers, time)?;
                self.remember(name, cabundle);
            }
        }
        let spki = end_entity.subject_public_key_info();
        let point = spki.strip_prefix(&P384).filter(|point| point.len() == 97).ok_or(Refusal::LeafKey)?;
        Ok(LeafKey(UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point.to_vec())))
    }

    fn remember(&mut self, name: [u8; 32], cabundle: &[Vec<u8>]) {
        // Found where it is something else, it costs no more than time.
        let constrains = |certificate: &Vec<u8>| {
            certificate.windows(NAME_CONSTRAINTS.len()).any(|window| window == NAME_CONSTRAINTS)
        };
        if cabundle.iter().any(constrains) {
            return;
        }
        let validities = cabundle.iter().map(|certificate| Validity::of(certificate));
        let Some(Some(validity)) = validities.reduce(|all, one| Some(all?.and(one?))) else { return };
        self.chains.retain(|(known, _)| *known != name);
        self.chains.push_back((name, validity));
        if self.chains.len() > self.most {
            self.chains.pop_front();
        }
    }
}

/// SHA-256 over the bundle's certificates, root included, each after its length.
fn name(cabundle: &[Vec<u8>]) -> [u8; 32] {
    let mut all = Vec::with_capacity(4096);
    for certificate in cabundle {
        all.extend_from_slice(&u32::try_from(certificate.len()).unwrap_or(u32::MAX).to_be_bytes());
        all.extend_from_slice(certificate);
    }
    sha256(&all)
}

/// A path from the leaf over all of `issuers` to `anchor`, or why there is none.
fn path(leaf: &EndEntityCert<'_>, anchor: &[u8], issuers: &[Vec<u8>], now: UnixTime) -> Result<(), Refusal> {
    let anchor = CertificateDer::from(anchor);
    let anchors: [TrustAnchor<'_>; 1] = [anchor_from_trusted_cert(&anchor).map_err(|error| refusal(&error))?];
    let intermediates: Vec<_> = issuers.iter().map(|der| CertificateDer::from(&der[..])).collect();
    let algorithms = [webpki::aws_lc_rs::ECDSA_P384_SHA384];
    let usage = KeyUsage::required_if_present(CLIENT_AUTH);
    let path = leaf.verify_for_usage(&algorithms, &anchors, &intermediates, now, usage, None, None);
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
