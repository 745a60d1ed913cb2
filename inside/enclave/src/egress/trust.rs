//! Whose certificate an endpoint may show: what the policy pins, on top of what every certificate
//! must be.
//!
//! 1. Whatever is pinned, the leaf must be within its validity, be meant for servers and carry the
//!    endpoint's name.
//! 2. [`Trust::Ca`] and [`Trust::PublicRoots`]: a path must lead from the leaf to one of those
//!    roots.
//! 3. [`Trust::CaSha256`]: the server must present that very certificate, and a path must end in
//!    it.
//! 4. [`Trust::SpkiSha256`]: the key is the leaf's own, or that of a presented certificate in which
//!    a path ends. A leaf whose own key is pinned needs no issuer, so a self-signed one will do.
//!
//! Building and checking paths is webpki's work; this file only chooses the anchors. The
//! handshake's signature is checked by rustls, so the peer that shows a leaf has its key.
//!
//! Limits: an anchor's own validity is not looked at, as always with anchors: the one who pins it
//! has judged it. A certificate that says it is a CA is no leaf, not even one whose key is pinned.
//! Nothing asks for revocation; a pin is withdrawn by a change of policy.

use std::fmt;
use std::sync::Arc;

use adyton_ledger::sha256;
pub use adyton_policy::Trust;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

/// Presented certificates that are looked at; a path has fewer.
const MAX_CHAIN: usize = 10;

/// Why a server was not trusted. All of it is public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustRefusal {
    /// The certificate is for other names.
    Name,
    /// The certificate, or one on its path, has expired.
    Expired,
    /// The certificate, or one on its path, is not valid yet.
    NotYetValid,
    /// No path leads to what the policy trusts.
    Issuer,
    /// Nothing that the server presented is what the policy pins.
    Pin,
    /// The server did not offer TLS on a connection that begins in the clear.
    NotOffered,
    /// The certificate is malformed, of a wrong kind, or the handshake failed otherwise.
    Handshake,
}

impl fmt::Display for TrustRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the certificate is for other names",
            Self::Expired => "a certificate has expired",
            Self::NotYetValid => "a certificate is not valid yet",
            Self::Issuer => "the certificate's issuer is not the one that the policy trusts",
            Self::Pin => "the server presented nothing that the policy pins",
            Self::NotOffered => "the server does not offer TLS",
            Self::Handshake => "the TLS handshake failed",
        })
    }
}

impl std::error::Error for TrustRefusal {}

impl From<&Error> for TrustRefusal {
    fn from(error: &Error) -> Self {
        let Error::InvalidCertificate(reason) = error else { return Self::Handshake };
        match reason {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::Name,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Issuer,
            CertificateError::Other(other) if other.0.is::<PinMissing>() => Self::Pin,
            _ => Self::Handshake,
        }
    }
}

/// Carries [`TrustRefusal::Pin`] through the TLS library.
#[derive(Debug)]
struct PinMissing;

impl fmt::Display for PinMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TrustRefusal::Pin.fmt(f)
    }
}

impl std::error::Error for PinMissing {}

fn pin_missing() -> Error {
    CertificateError::Other(OtherError(Arc::new(PinMissing))).into()
}

/// Checks servers against a [`Trust`].
#[derive(Debug)]
pub(super) struct Verifier {
    anchors: Anchors,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Anchors {
    Known(RootCertStore),
    Spki([u8; 32]),
    Ca([u8; 32]),
}

impl Verifier {
    /// Prepares the checks; `None` if a CA certificate is not one.
    pub(super) fn new(trust: &Trust, algorithms: WebPkiSupportedAlgorithms) -> Option<Self> {
        let anchors = match trust {
            Trust::Ca(certificate) => Anchors::Known(store(&CertificateDer::from(certificate.as_slice()))?),
            Trust::PublicRoots => Anchors::Known(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }),
            Trust::SpkiSha256(pin) => Anchors::Spki(*pin),
            Trust::CaSha256(pin) => Anchors::Ca(*pin),
        };
        Some(Self { anchors, algorithms })
    }

    /// A path from the leaf to one of `roots`, everything on it valid.
    fn path(
        &self,
        leaf: &ParsedCertificate<'_>,
        roots: &RootCertStore,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        verify_server_cert_signed_by_trust_anchor(leaf, roots, intermediates, now, self.algorithms.all)
    }

    /// Requirements for a leaf of any issuer: within its validity, for servers, not a CA. webpki
    /// looks at that before it looks for an issuer, so with no anchor at all the missing issuer is
    /// all that may be left to say.
    fn stands_alone(&self, leaf: &ParsedCertificate<'_>, now: UnixTime) -> Result<(), Error> {
        match self.path(leaf, &RootCertStore::empty(), &[], now) {
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    /// A path that ends in a presented certificate which `pinned` recognises. Several may be: the
    /// first that leads there is enough, and the first refusal is the one reported.
    fn path_to_presented(
        &self,
        leaf: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        pinned: impl Fn(&CertificateDer<'_>) -> bool,
    ) -> Result<(), Error> {
        let mut refusal = None;
        for issuer in intermediates.iter().filter(|presented| pinned(presented)) {
            let path = store(issuer)
                .ok_or_else(|| Error::from(CertificateError::BadEncoding))
                .and_then(|roots| self.path(leaf, &roots, intermediates, now));
            match path {
                Ok(()) => return Ok(()),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        Err(refusal.unwrap_or_else(pin_missing))
    }
}

fn store(certificate: &CertificateDer<'_>) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).ok()?;
    Some(roots)
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo.
fn spki_sha256(certificate: &ParsedCertificate<'_>) -> [u8; 32] {
    sha256(&certificate.subject_public_key_info()).0
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if intermediates.len() > MAX_CHAIN {
            return Err(CertificateError::BadEncoding.into());
        }
        let leaf = ParsedCertificate::try_from(end_entity)?;
        // All that is compared here is public.
        match &self.anchors {
            // 2.
            Anchors::Known(roots) => self.path(&leaf, roots, intermediates, now)?,
            // 3.
            Anchors::Ca(pin) => {
                self.path_to_presented(&leaf, intermediates, now, |presented| sha256(presented).0 == *pin)?;
            }
            // 4.
            Anchors::Spki(pin) if spki_sha256(&leaf) == *pin => self.stands_alone(&leaf, now)?,
            Anchors::Spki(pin) => self.path_to_presented(&leaf, intermediates, now, |presented| {
                ParsedCertificate::try_from(presented).is_ok_and(|presented| spki_sha256(&presented) == *pin)
            })?,
        }
        // 1. The rest of it; a path includes the leaf's validity and usage.
        verify_server_name(&leaf, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
