//! Why a boot is refused, in words and as a number.

use std::fmt;

use adyton_seal::Opaque;

use super::release::ApprovalError;
use crate::custody::CustodyError;
use crate::engine::gov;
use crate::engine::replay::ReadError;
use crate::identity::IdentityError;
use crate::platform::PlatformError;
use crate::store::StoreError;
use adyton_policy::{PolicyError, SettingsError, SuccessionError};

/// Why a boot was refused.
#[derive(Debug)]
pub enum BootError {
    /// The policy is of profile `dev`, and this is an image.
    DevInImage,
    /// The policy is wrong.
    Policy(PolicyError),
    /// The platform is not there.
    Platform(PlatformError),
    /// The host's store is not there.
    Store(StoreError),
    /// The root key cannot be had.
    Custody(CustodyError),
    /// The library refused, or a key does not open.
    Crypto,
    /// The public log does not begin with a genesis, or does not hold together.
    Gov,
    /// Another policy is in force, and there is no approval of this one.
    OtherPolicy {
        /// The release that this policy would be.
        release: u64,
    },
    /// There is an approval, but not one that holds.
    Approval(ApprovalError),
    /// The policy changes what the genesis fixed.
    FixedAtGenesis(SuccessionError),
    /// The operations log does not replay.
    Replay(ReadError),
    /// The identity cannot be made.
    Identity(IdentityError),
    /// The guest's clock and the platform's part by more than two seconds.
    ClockParts,
    /// The platform's attestation root is not the policy's.
    AttestationRoot,
    /// Another enclave writes this vault's log.
    Fenced,
    /// The ingress address cannot be bound.
    Ingress(std::io::Error),
    /// A peer of the policy cannot be spoken with: its name, trust or kind.
    Route(String),
    /// The policy does not allow the settings that were signed under an earlier one.
    Settings(SettingsError),
}

impl BootError {
    /// The number of the reason in the `BootRefused` event.
    pub fn reason(&self) -> u8 {
        match self {
            Self::DevInImage => 1,
            Self::Policy(_) => 2,
            Self::Platform(_) => 3,
            Self::Store(_) => 4,
            Self::Custody(CustodyError::DebugMode) => 19,
            Self::Custody(CustodyError::Key(_)) => 20,
            Self::Custody(_) => 5,
            Self::Crypto => 6,
            Self::Gov => 7,
            Self::OtherPolicy { .. } => 8,
            Self::Replay(_) => 9,
            Self::Identity(_) => 10,
            Self::ClockParts => 11,
            Self::AttestationRoot => 12,
            Self::Fenced => 13,
            Self::Ingress(_) => 14,
            Self::Route(_) => 15,
            Self::Settings(_) => 16,
            Self::Approval(_) => 17,
            Self::FixedAtGenesis(_) => 18,
        }
    }
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DevInImage => f.write_str("profile dev is for laptops, and this is an image: choose another profile"),
            Self::Policy(error) => error.fmt(f),
            Self::Platform(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Custody(error) => error.fmt(f),
            Self::Crypto => f.write_str("a key of the vault does not open: is this its own KMS?"),
            Self::Gov => f.write_str(
                "the public log does not hold together; `adyton log check --data DIR` names the first fault",
            ),
            Self::OtherPolicy { release } => write!(
                f,
                "another policy is in force, and this one is not approved: owners approve it as release {release} with \
                 `adyton policy approve --data DIR --key OWNER-KEY`"
            ),
            Self::Approval(error) => error.fmt(f),
            Self::FixedAtGenesis(error) => write!(f, "the policy: {error}"),
            Self::Replay(error) => error.fmt(f),
            Self::Identity(error) => error.fmt(f),
            Self::ClockParts => f.write_str("this machine's clock and the platform's part by more than two seconds"),
            Self::AttestationRoot => f.write_str("the platform's attestation root is not the policy's"),
            Self::Fenced => f.write_str("another enclave writes this vault's log"),
            Self::Ingress(error) => write!(f, "the ingress address cannot be bound: {error}"),
            Self::Route(name) => write!(f, "the policy: {name}: its name, trust or kind is not usable"),
            Self::Settings(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BootError {}

impl From<Opaque> for BootError {
    fn from(_: Opaque) -> Self {
        Self::Crypto
    }
}

impl From<PolicyError> for BootError {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error)
    }
}

impl From<SuccessionError> for BootError {
    fn from(error: SuccessionError) -> Self {
        Self::FixedAtGenesis(error)
    }
}

impl From<PlatformError> for BootError {
    fn from(error: PlatformError) -> Self {
        Self::Platform(error)
    }
}

impl From<StoreError> for BootError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CustodyError> for BootError {
    fn from(error: CustodyError) -> Self {
        Self::Custody(error)
    }
}

impl From<gov::GovReplayError> for BootError {
    fn from(error: gov::GovReplayError) -> Self {
        match error {
            gov::GovReplayError::Store(error) => Self::Store(error),
            gov::GovReplayError::Faulty => Self::Gov,
        }
    }
}

impl From<IdentityError> for BootError {
    fn from(error: IdentityError) -> Self {
        Self::Identity(error)
    }
}
