//! Why evidence is refused. Everything in a refusal is public, so each says what was expected and what came (`words`).

mod words;

use adyton_ledger::{Hash, ProofError};

use crate::BundleError;
pub(crate) use words::Hex;

/// A member of the document's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// Who made the document: the parent instance and the enclave.
    ModuleId,
    /// The hash of the registers.
    Digest,
    /// When the platform made it.
    Timestamp,
    /// The registers.
    Pcrs,
    /// The certificate of the key that signed it.
    Certificate,
    /// Root first, then down to the leaf's issuer.
    Cabundle,
    /// Of the enclave's choice.
    PublicKey,
    /// Of the enclave's choice: for us the bundle's hash.
    UserData,
    /// Of the enclave's choice: for us the root of the nonces.
    Nonce,
}

impl Claim {
    /// Its name in the payload.
    pub fn name(self) -> &'static str {
        match self {
            Self::ModuleId => "module_id",
            Self::Digest => "digest",
            Self::Timestamp => "timestamp",
            Self::Pcrs => "pcrs",
            Self::Certificate => "certificate",
            Self::Cabundle => "cabundle",
            Self::PublicKey => "public_key",
            Self::UserData => "user_data",
            Self::Nonce => "nonce",
        }
    }
}

/// What is wrong with a certificate of the chain (RFC 5280 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// It is not DER of a certificate of version 3.
    Encoding,
    /// It has ended. Unix seconds.
    Expired {
        /// Its last second.
        not_after: u64,
        /// When it was looked at.
        now: u64,
    },
    /// It has not begun. Unix seconds.
    NotYetValid {
        /// Its first second.
        not_before: u64,
        /// When it was looked at.
        now: u64,
    },
    /// No certificate of the bundle issued it.
    Issuer,
    /// Its issuer's key did not sign it.
    Signature,
    /// It is signed otherwise than by ECDSA with P-384 and SHA-384.
    Algorithm,
    /// It issued another one and is no CA.
    NotACa,
    /// It signs documents and is a CA.
    LeafIsCa,
    /// More CAs stand below one than it allows.
    PathLength,
    /// It has an extension that must be understood and is not.
    CriticalExtension,
    /// It is for something else.
    Usage,
    /// Anything else that a chain may not be.
    Other,
}

/// Why a document, a bundle or both are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The document is longer than any that a platform makes. Bytes.
    DocumentSize {
        /// The most there may be.
        limit: usize,
        /// What came.
        got: usize,
    },
    /// The document is not one CBOR item.
    DocumentCbor,
    /// The document is no COSE_Sign1: an array of four, under tag 18 or none.
    CoseForm,
    /// The protected header is not that of ES384 alone.
    ProtectedHeader,
    /// The unprotected header is not empty.
    UnprotectedHeader,
    /// The signature is not 96 bytes.
    SignatureLength(usize),
    /// The payload is not one CBOR map with names for keys.
    PayloadCbor,
    /// A member that no document has: the beginning of its name, as far as it is plain.
    UnknownClaim(String),
    /// A member stands twice.
    RepeatedClaim(Claim),
    /// A member is missing.
    MissingClaim(Claim),
    /// A member is of another type.
    ClaimType(Claim),
    /// A member, or a part of it, is too short or too long. Bytes, or entries.
    ClaimLength {
        /// Which.
        claim: Claim,
        /// The least there may be.
        least: usize,
        /// The most there may be.
        most: usize,
        /// What came.
        got: usize,
    },
    /// The registers' hash is not SHA-384.
    Digest,
    /// The time is zero.
    Timestamp,
    /// A register that there is not: 0 to 31 are.
    PcrIndex,
    /// A register stands twice.
    RepeatedPcr(u8),
    /// The bundle begins with another root than the one that is trusted. SHA-256 of both.
    Root {
        /// The one that is trusted.
        expected: [u8; 32],
        /// The bundle's.
        got: [u8; 32],
    },
    /// The chain does not hold.
    Certificate(CertificateFault),
    /// The chain does not use the bundle's certificates one after the other.
    ChainOrder,
    /// The leaf's key is not one of P-384.
    LeafKey,
    /// The leaf's key did not sign the document.
    Signature,
    /// The registers of code are zero: the enclave runs in debug mode, and its console and memory are open.
    DebugMode,
    /// The identity bundle cannot be read.
    Bundle(BundleError),
    /// The document's `user_data` is not the bundle's hash.
    BundleHash {
        /// SHA-256 of the bundle that came.
        expected: [u8; 32],
        /// What the document has.
        got: Vec<u8>,
    },
    /// The document's `nonce` is not 32 bytes.
    NonceLength(usize),
    /// The document was not made for the nonce.
    NonceProof(ProofError),
    /// The document is older than demanded. Milliseconds.
    TooOld {
        /// The most there may be.
        limit: u64,
        /// Its age.
        got: u64,
    },
    /// The document is from a time to come, by more than clocks part. Milliseconds.
    FromTheFuture {
        /// The most there may be.
        limit: u64,
        /// By how much.
        got: u64,
    },
    /// It is another vault.
    VaultId {
        /// The one that is wanted.
        expected: [u8; 32],
        /// The bundle's.
        got: [u8; 32],
    },
    /// Another bundle was wanted. SHA-256 of both.
    OtherBundle {
        /// The one that is wanted.
        expected: [u8; 32],
        /// The one that came.
        got: [u8; 32],
    },
    /// Another policy is in force. SHA-256 of both.
    PolicyHash {
        /// The one that is wanted.
        expected: [u8; 32],
        /// The bundle's.
        got: [u8; 32],
    },
    /// A register holds something else: other code, another machine, another policy.
    Measurement {
        /// Which.
        register: u8,
        /// What is wanted.
        expected: Box<[u8; 48]>,
        /// What the document has; `None` if it lacks the register.
        got: Option<Box<[u8; 48]>>,
    },
    /// Registers are demanded, and none is named.
    NoRegister,
    /// No release that is wanted has this code and policy.
    Release {
        /// How many are wanted.
        wanted: usize,
        /// The number that the bundle gives itself.
        got: u64,
    },
    /// Custody of another kind than demanded (`docs/spec/03-heads.md`).
    Profile {
        /// Those that are accepted.
        expected: Vec<u8>,
        /// The bundle's.
        got: u8,
    },
    /// Nobody certifies that the log is the newest.
    Freshness,
    /// An output carries a secret outward, and is not accepted.
    Reveal(String),
    /// The signature does not bind the bundle to this connection.
    ChannelBinding,
}

impl Refusal {
    /// Every word that [`Refusal::code`] gives.
    pub const CODES: &'static [&'static str] = &[
        "document-size",
        "document-cbor",
        "cose-form",
        "protected-header",
        "unprotected-header",
        "signature-length",
        "payload-cbor",
        "unknown-claim",
        "repeated-claim",
        "missing-claim",
        "claim-type",
        "claim-length",
        "digest",
        "timestamp",
        "pcr-index",
        "repeated-pcr",
        "root",
        "certificate-encoding",
        "certificate-expired",
        "certificate-not-yet-valid",
        "certificate-issuer",
        "certificate-signature",
        "certificate-algorithm",
        "certificate-not-a-ca",
        "certificate-leaf-is-ca",
        "certificate-path-length",
        "certificate-critical-extension",
        "certificate-usage",
        "certificate-other",
        "chain-order",
        "leaf-key",
        "signature",
        "debug-mode",
        "bundle",
        "bundle-hash",
        "nonce-length",
        "nonce-proof",
        "too-old",
        "from-the-future",
        "vault-id",
        "other-bundle",
        "policy-hash",
        "measurement",
        "no-register",
        "release",
        "profile",
        "freshness",
        "reveal",
        "channel-binding",
    ];

    /// A word for programs; the vectors name it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DocumentSize { .. } => "document-size",
            Self::DocumentCbor => "document-cbor",
            Self::CoseForm => "cose-form",
            Self::ProtectedHeader => "protected-header",
            Self::UnprotectedHeader => "unprotected-header",
            Self::SignatureLength(_) => "signature-length",
            Self::PayloadCbor => "payload-cbor",
            Self::UnknownClaim(_) => "unknown-claim",
            Self::RepeatedClaim(_) => "repeated-claim",
            Self::MissingClaim(_) => "missing-claim",
            Self::ClaimType(_) => "claim-type",
            Self::ClaimLength { .. } => "claim-length",
            Self::Digest => "digest",
            Self::Timestamp => "timestamp",
            Self::PcrIndex => "pcr-index",
            Self::RepeatedPcr(_) => "repeated-pcr",
            Self::Root { .. } => "root",
            Self::Certificate(fault) => match fault {
                CertificateFault::Encoding => "certificate-encoding",
                CertificateFault::Expired { .. } => "certificate-expired",
                CertificateFault::NotYetValid { .. } => "certificate-not-yet-valid",
                CertificateFault::Issuer => "certificate-issuer",
                CertificateFault::Signature => "certificate-signature",
                CertificateFault::Algorithm => "certificate-algorithm",
                CertificateFault::NotACa => "certificate-not-a-ca",
                CertificateFault::LeafIsCa => "certificate-leaf-is-ca",
                CertificateFault::PathLength => "certificate-path-length",
                CertificateFault::CriticalExtension => "certificate-critical-extension",
                CertificateFault::Usage => "certificate-usage",
                CertificateFault::Other => "certificate-other",
            },
            Self::ChainOrder => "chain-order",
            Self::LeafKey => "leaf-key",
            Self::Signature => "signature",
            Self::DebugMode => "debug-mode",
            Self::Bundle(_) => "bundle",
            Self::BundleHash { .. } => "bundle-hash",
            Self::NonceLength(_) => "nonce-length",
            Self::NonceProof(_) => "nonce-proof",
            Self::TooOld { .. } => "too-old",
            Self::FromTheFuture { .. } => "from-the-future",
            Self::VaultId { .. } => "vault-id",
            Self::OtherBundle { .. } => "other-bundle",
            Self::PolicyHash { .. } => "policy-hash",
            Self::Measurement { .. } => "measurement",
            Self::NoRegister => "no-register",
            Self::Release { .. } => "release",
            Self::Profile { .. } => "profile",
            Self::Freshness => "freshness",
            Self::Reveal(_) => "reveal",
            Self::ChannelBinding => "channel-binding",
        }
    }
}

impl core::error::Error for Refusal {}

impl From<BundleError> for Refusal {
    fn from(error: BundleError) -> Self {
        Self::Bundle(error)
    }
}

impl From<ProofError> for Refusal {
    fn from(error: ProofError) -> Self {
        Self::NonceProof(error)
    }
}

/// SHA-256 as the ledger has it.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let Hash(hash) = adyton_ledger::sha256(bytes);
    hash
}
