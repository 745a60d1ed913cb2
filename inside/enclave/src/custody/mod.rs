//! Custody: a KMS keeps a secret under which the root key, born inside, is wrapped (`docs/spec/03-heads.md`).
//!
//! 1. the policy's profile says which KMS: the pretend one of a laptop (`dev`), or AWS's, which releases to attested code
//!    alone ([`kms`]);
//! 2. at genesis it makes a secret, and at every later boot it gives that secret again, sealed to this enclave;
//! 3. the root key is wrapped or unwrapped under it, bound to this genesis and its policy.
//!
//! Limits: who administers the KMS can have the secret, and with the host's files the root key: evidence names the profile, and
//! a verifier says what it leaves open.

mod dev;
pub mod kms;

use std::fmt;

use adyton_policy::{Policy, ProfileName, Trust};
use adyton_seal::{Opaque, WrapKey};
use adyton_transport::Address;
use adyton_wire::Put;

use crate::clock::Clock;
use crate::egress::{AnswerBudget, EgressError, Endpoint, EndpointError};
use crate::platform::{Nsm, PlatformError};
pub use kms::{CredentialsError, KeyError, Kms};

/// Why the KMS's secret could not be had.
#[derive(Debug)]
pub enum CustodyError {
    /// The platform did not attest.
    Platform(PlatformError),
    /// The platform's registers of code are zero: the enclave runs in debug mode, whose console shows everything.
    DebugMode,
    /// The platform attests no register 16, by which a key policy names this policy.
    NoPolicyRegister,
    /// There are no credentials for the KMS.
    Credentials(CredentialsError),
    /// The KMS could not be reached.
    Egress(EgressError),
    /// The KMS refused.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What AWS calls it; empty if it has no name that is known here.
        kind: &'static str,
    },
    /// The KMS would release to others, too.
    Key(KeyError),
    /// The answer holds the secret in the clear: this KMS does not seal to attested code.
    InTheClear,
    /// The answer does not have the expected form, or does not open.
    Answer,
}

impl fmt::Display for CustodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform(error) => error.fmt(f),
            Self::DebugMode => f.write_str(
                "the enclave runs in debug mode, which shows its console to the host: start it without --debug-mode",
            ),
            Self::NoPolicyRegister => {
                f.write_str("the platform attests no register 16, by which the KMS would know this policy")
            }
            Self::Credentials(error) => error.fmt(f),
            Self::Egress(error) => write!(f, "the KMS: {error}"),
            Self::Refused { status, kind: "" } => write!(f, "the KMS refused with status {status}"),
            Self::Refused { status, kind } => write!(f, "the KMS refused with status {status} ({kind})"),
            Self::Key(error) => error.fmt(f),
            Self::InTheClear => f.write_str("the KMS's answer holds the secret in the clear"),
            Self::Answer => f.write_str("the KMS's answer does not open"),
        }
    }
}

impl std::error::Error for CustodyError {}

impl From<Opaque> for CustodyError {
    fn from(_: Opaque) -> Self {
        Self::Answer
    }
}

impl From<PlatformError> for CustodyError {
    fn from(error: PlatformError) -> Self {
        Self::Platform(error)
    }
}

impl From<EgressError> for CustodyError {
    fn from(error: EgressError) -> Self {
        Self::Egress(error)
    }
}

/// A wrapping key that was born now, and what the KMS needs to give it again.
pub struct Released {
    /// Wraps the root key.
    pub wrap: WrapKey,
    /// The KMS's own ciphertext.
    pub ciphertext: Vec<u8>,
}

/// 1. Who keeps the secret, by the policy's profile.
pub enum Custodian {
    /// A laptop's.
    Dev(Endpoint),
    /// AWS's.
    Kms(Box<Kms>),
}

impl Custodian {
    /// Prepares it; `service` is the host's address.
    ///
    /// # Errors
    /// [`EndpointError`] if the policy's host or trust cannot be used, which those of a parsed policy can.
    pub fn new(policy: &Policy, service: &Address) -> Result<Self, EndpointError> {
        let custody = &policy.custody;
        let trust = Trust::parse(&custody.trust).ok_or(EndpointError::Certificate)?;
        let endpoint = Endpoint::new(&custody.host, custody.port, &trust, service.clone(), AnswerBudget::KMS)?;
        match policy.profile {
            ProfileName::Dev => Ok(Self::Dev(endpoint)),
            ProfileName::Kms => {
                let key = custody.key().ok_or(EndpointError::Name)?;
                Ok(Self::Kms(Box::new(Kms::new(endpoint, service.clone(), key))))
            }
        }
    }

    /// 2. Asks for a new secret, bound to a genesis.
    ///
    /// # Errors
    /// [`CustodyError`].
    pub async fn generate(
        &self,
        nsm: &mut Nsm,
        clock: &Clock,
        genesis_nonce: &[u8; 32],
    ) -> Result<Released, CustodyError> {
        match self {
            Self::Dev(kms) => dev::generate(kms, nsm).await,
            Self::Kms(kms) => kms.generate(nsm, clock, genesis_nonce).await,
        }
    }

    /// 2. Asks for the secret of a ciphertext again.
    ///
    /// # Errors
    /// [`CustodyError`].
    pub async fn decrypt(
        &self,
        nsm: &mut Nsm,
        clock: &Clock,
        genesis_nonce: &[u8; 32],
        ciphertext: &[u8],
    ) -> Result<WrapKey, CustodyError> {
        match self {
            Self::Dev(kms) => dev::decrypt(kms, nsm, ciphertext).await,
            Self::Kms(kms) => kms.decrypt(nsm, clock, genesis_nonce, ciphertext).await,
        }
    }
}

/// 3. What a wrapped root key is bound to: this genesis, under this policy (`docs/spec/03-heads.md`).
pub fn wrap_aad(genesis_nonce: &[u8; 32], policy_hash: &[u8; 32]) -> Vec<u8> {
    let mut aad = Vec::new();
    aad.put_lp(b"adyton root wrap v1");
    aad.put(genesis_nonce);
    aad.put(policy_hash);
    aad
}
