//! A refusal in words for people.

use core::fmt;

use super::{CertificateFault, Refusal};
use crate::Root;

/// Bytes in hexadecimal.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => f.write_str("a certificate of the chain is no certificate"),
            Self::Expired { not_after, now } => write!(f, "a certificate ended at {not_after}, and it is {now}"),
            Self::NotYetValid { not_before, now } => write!(f, "a certificate begins at {not_before}, and it is {now}"),
            Self::Issuer => f.write_str("a certificate's issuer is not in the bundle"),
            Self::Signature => f.write_str("a certificate is not signed by its issuer"),
            Self::Algorithm => f.write_str("a certificate is not signed by ECDSA with P-384 and SHA-384"),
            Self::NotACa => f.write_str("a certificate issued another one and is no CA"),
            Self::LeafIsCa => f.write_str("the certificate that signs the document is a CA"),
            Self::PathLength => f.write_str("more CAs stand below one than it allows"),
            Self::CriticalExtension => f.write_str("a certificate has a critical extension that is not understood"),
            Self::Usage => f.write_str("a certificate is for something else"),
            Self::Other => f.write_str("the chain of certificates does not hold"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DocumentSize { limit, got } => {
                write!(f, "the document has {got} bytes, at most {limit} are expected")
            }
            Self::DocumentCbor => f.write_str("the document is not one CBOR item"),
            Self::CoseForm => f.write_str("the document is no COSE_Sign1"),
            Self::ProtectedHeader => f.write_str("the protected header is not {alg: ES384}"),
            Self::UnprotectedHeader => f.write_str("the unprotected header is not empty"),
            Self::SignatureLength(got) => write!(f, "the signature has {got} bytes, 96 are expected"),
            Self::PayloadCbor => f.write_str("the payload is not one CBOR map with names for keys"),
            Self::UnknownClaim(name) => write!(f, "the payload has a member that no document has: {name:?}"),
            Self::RepeatedClaim(claim) => write!(f, "the payload has {} twice", claim.name()),
            Self::MissingClaim(claim) => write!(f, "the payload has no {}", claim.name()),
            Self::ClaimType(claim) => write!(f, "the payload's {} is of another type", claim.name()),
            Self::ClaimLength { claim, least, most, got } => {
                write!(f, "the payload's {} has a length of {got}, {least} to {most} are expected", claim.name())
            }
            Self::Digest => f.write_str("the registers' hash is not SHA384"),
            Self::Timestamp => f.write_str("the document's time is zero"),
            Self::PcrIndex => f.write_str("the document has a register other than 0 to 31"),
            Self::RepeatedPcr(index) => write!(f, "the document has register {index} twice"),
            Self::Root { expected, got } => {
                let whose = if *expected == Root::aws().fingerprint() { "AWS's, " } else { "" };
                write!(f, "the document is signed under root {}, the trusted one is {whose}{}", Hex(got), Hex(expected))
            }
            Self::Certificate(fault) => fault.fmt(f),
            Self::ChainOrder => f.write_str("the bundle's certificates do not follow one another to the leaf"),
            Self::LeafKey => f.write_str("the key that signs the document is not of P-384"),
            Self::Signature => f.write_str("the document is not signed by its certificate's key"),
            Self::DebugMode => f.write_str("the enclave runs in debug mode: whoever started it sees inside"),
            Self::Bundle(error) => error.fmt(f),
            Self::BundleHash { expected, got } => {
                write!(f, "the document is for another bundle: it has {}, this one is {}", Hex(got), Hex(expected))
            }
            Self::NonceLength(got) => write!(f, "the document's nonce has {got} bytes, 32 are expected"),
            Self::NonceProof(error) => write!(f, "the document was not made for this nonce: {error}"),
            Self::TooOld { limit, got } => write!(f, "the document is {got} ms old, at most {limit} are accepted"),
            Self::FromTheFuture { limit, got } => {
                write!(f, "the document is {got} ms ahead of this clock, at most {limit} are accepted")
            }
            Self::VaultId { expected, got } => write!(f, "it is vault {}, not {}", Hex(got), Hex(expected)),
            Self::OtherBundle { expected, got } => write!(f, "its bundle is {}, not {}", Hex(got), Hex(expected)),
            Self::PolicyHash { expected, got } => write!(f, "its policy is {}, not {}", Hex(got), Hex(expected)),
            Self::Measurement { register, expected, got: Some(got) } => {
                write!(f, "register {register} is {}, not {}", Hex(&got[..]), Hex(&expected[..]))
            }
            Self::Measurement { register, expected, got: None } => {
                write!(f, "register {register} is missing, not {}", Hex(&expected[..]))
            }
            Self::NoRegister => f.write_str("registers are demanded, and none is named"),
            Self::Release { wanted, got } => {
                write!(f, "it calls itself release {got}, and its code and policy are those of none of {wanted} wanted")
            }
            Self::Profile { expected, got } => write!(f, "its custody profile is {got}, accepted are {expected:?}"),
            Self::Freshness => f.write_str("nobody certifies that its log is the newest (freshness: none)"),
            Self::Reveal(name) => write!(f, "its output {name} carries a secret outward, which is not accepted"),
            Self::ChannelBinding => f.write_str("this connection is not the one that the vault vouches for"),
        }
    }
}
