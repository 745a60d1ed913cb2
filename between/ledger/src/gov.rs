//! Records of the public log (`docs/spec/03-heads.md`, "Bodies of gov").

use alloc::vec::Vec;
use core::fmt;

use crate::bytes::{Short, array, lp, put_lp, u64};
use crate::{Hash, LogId, MAX_SIGNATURES};

/// Who can release a vault's root key (DESIGN §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A laptop: protects nothing from its own root.
    Dev,
    /// A cloud KMS; its administrator can open the vault.
    Small,
    /// A KMS and a quorum, both needed.
    Standard,
    /// Custodians' shares only.
    Sovereign,
}

impl Profile {
    /// The number in records and bundles.
    pub fn number(self) -> u8 {
        match self {
            Self::Dev => 1,
            Self::Small => 2,
            Self::Standard => 3,
            Self::Sovereign => 4,
        }
    }

    /// The profile of a number (`docs/spec/03-heads.md`).
    ///
    /// # Errors
    /// [`GovError::Profile`].
    pub fn from_number(number: u8) -> Result<Self, GovError> {
        Ok(match number {
            1 => Self::Dev,
            2 => Self::Small,
            3 => Self::Standard,
            4 => Self::Sovereign,
            got => return Err(GovError::Profile { got }),
        })
    }

    /// The word in the policy.
    pub fn text(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Small => "small",
            Self::Standard => "standard",
            Self::Sovereign => "sovereign",
        }
    }
}

/// The first record of a vault: everything born with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// Custody profile, for ever.
    pub profile: Profile,
    /// Random; makes every genesis another one.
    pub nonce: [u8; 32],
    /// SHA-256 of the attestation root certificate, for ever.
    pub attestation_root: [u8; 32],
    /// SHA-256 of the policy's bytes.
    pub policy_hash: [u8; 32],
    /// Ed25519 key that signs heads.
    pub log_key: [u8; 32],
    /// X25519 key that values are sealed to.
    pub hpke_key: [u8; 32],
    /// DER of the vault CA's certificate.
    pub ca_certificate: Vec<u8>,
    /// The CA's private key, sealed.
    pub sealed_ca_key: Vec<u8>,
    /// The root key, wrapped.
    pub wrapped_root: Vec<u8>,
    /// What the KMS needs to release its secret again.
    pub kms_ciphertext: Vec<u8>,
}

/// An enclave began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootRecord {
    /// Its boot id.
    pub boot_id: [u8; 16],
    /// Its release.
    pub release: u64,
    /// Its policy.
    pub policy_hash: [u8; 32],
    /// SHA-256 of its identity bundle.
    pub bundle_hash: [u8; 32],
    /// When, Unix seconds.
    pub time: u64,
}

/// The hourly head of an operations log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpsRoot {
    /// Which log.
    pub log: LogId,
    /// Its size then.
    pub size: u64,
    /// Its root then.
    pub root: Hash,
}

/// The policy of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Which release.
    pub release: u64,
    /// Its bytes, as they were measured.
    pub policy: Vec<u8>,
}

/// The owners approved another policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRecord {
    /// The release that it makes.
    pub release: u64,
    /// Hash of the policy before.
    pub old: [u8; 32],
    /// Hash of the policy from then on.
    pub new: [u8; 32],
    /// Blobs of the owners' signatures, 1 to 32.
    pub signatures: Vec<Vec<u8>>,
}

/// The owners changed the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsRecord {
    /// Sequence of the owners' request.
    pub sequence: u64,
    /// SHA-256 of the text.
    pub hash: [u8; 32],
    /// Blobs of the owners' signatures, 1 to 32.
    pub signatures: Vec<Vec<u8>>,
}

/// What the vault obtained from a CA under its own account, or that it has an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRecord {
    /// The account's address at the CA.
    pub account: Vec<u8>,
    /// The account's key, sealed (`docs/spec/06-sealed-values.md`).
    pub sealed_account_key: Vec<u8>,
    /// The certificate's key, sealed; empty without a certificate.
    pub sealed_key: Vec<u8>,
    /// DER of the vault's certificate, then of each one's issuer; at most [`MAX_CHAIN`].
    pub chain: Vec<Vec<u8>>,
}

/// An order at a CA that has not ended: a boot resumes it instead of placing another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRecord {
    /// The order's address at the CA.
    pub address: Vec<u8>,
    /// The key that its certificate will be for, sealed (`docs/spec/06-sealed-values.md`).
    pub sealed_key: Vec<u8>,
}

/// Certificates of a chain at the most.
pub const MAX_CHAIN: usize = 8;

/// A record of the public log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GovRecord {
    /// Index 0, and nowhere else.
    Genesis(Genesis),
    /// An enclave began.
    Boot(BootRecord),
    /// The hourly head of an operations log.
    OpsRoot(OpsRoot),
    /// The policy of a release.
    Policy(PolicyRecord),
    /// The owners approved another policy.
    Approval(ApprovalRecord),
    /// The owners changed the settings.
    Settings(SettingsRecord),
    /// A CA certified the vault, or took it as a customer.
    Certificate(CertificateRecord),
    /// The vault placed an order at a CA.
    Order(OrderRecord),
}

/// Why bytes are not a record of the public log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GovError {
    /// The type is unknown.
    Type {
        /// What stands there.
        got: u8,
    },
    /// The genesis is of another version.
    Version {
        /// What stands there.
        got: u8,
    },
    /// The profile is unknown.
    Profile {
        /// What stands there.
        got: u8,
    },
    /// There are no signatures, or more than 32.
    Signatures {
        /// How many.
        got: u8,
    },
    /// There are too many certificates.
    Chain {
        /// How many.
        got: u8,
    },
    /// Bytes are missing, or a field is longer than 64 KiB.
    Truncated,
    /// Bytes are left over.
    TrailingBytes,
}

impl fmt::Display for GovError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { got } => write!(f, "record type: expected 1 to 6, 16 or 17, got {got}"),
            Self::Version { got } => write!(f, "genesis version: expected 1, got {got}"),
            Self::Profile { got } => write!(f, "profile: expected 1 to 4, got {got}"),
            Self::Signatures { got } => write!(f, "signatures: expected 1 to {MAX_SIGNATURES}, got {got}"),
            Self::Chain { got } => write!(f, "certificates: expected {MAX_CHAIN} at the most, got {got}"),
            Self::Truncated => f.write_str("the record ends early"),
            Self::TrailingBytes => f.write_str("bytes follow the record"),
        }
    }
}

impl core::error::Error for GovError {}

impl From<Short> for GovError {
    fn from(_: Short) -> Self {
        Self::Truncated
    }
}

impl GovRecord {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        match self {
            Self::Genesis(genesis) => {
                out.extend_from_slice(&[1, 1, genesis.profile.number()]);
                for field in [
                    &genesis.nonce,
                    &genesis.attestation_root,
                    &genesis.policy_hash,
                    &genesis.log_key,
                    &genesis.hpke_key,
                ] {
                    out.extend_from_slice(field);
                }
                for field in
                    [&genesis.ca_certificate, &genesis.sealed_ca_key, &genesis.wrapped_root, &genesis.kms_ciphertext]
                {
                    put_lp(&mut out, field);
                }
            }
            Self::Boot(boot) => {
                out.push(2);
                out.extend_from_slice(&boot.boot_id);
                out.extend_from_slice(&boot.release.to_be_bytes());
                out.extend_from_slice(&boot.policy_hash);
                out.extend_from_slice(&boot.bundle_hash);
                out.extend_from_slice(&boot.time.to_be_bytes());
            }
            Self::OpsRoot(ops) => {
                out.push(3);
                out.extend_from_slice(&ops.log.number().to_be_bytes());
                out.extend_from_slice(&ops.size.to_be_bytes());
                out.extend_from_slice(&ops.root.0);
            }
            Self::Policy(policy) => {
                out.push(4);
                out.extend_from_slice(&policy.release.to_be_bytes());
                put_lp(&mut out, &policy.policy);
            }
            Self::Approval(approval) => {
                out.push(5);
                out.extend_from_slice(&approval.release.to_be_bytes());
                out.extend_from_slice(&approval.old);
                out.extend_from_slice(&approval.new);
                put_signatures(&mut out, &approval.signatures);
            }
            Self::Settings(settings) => {
                out.push(6);
                out.extend_from_slice(&settings.sequence.to_be_bytes());
                out.extend_from_slice(&settings.hash);
                put_signatures(&mut out, &settings.signatures);
            }
            Self::Certificate(certificate) => {
                out.push(16);
                for field in [&certificate.account, &certificate.sealed_account_key, &certificate.sealed_key] {
                    put_lp(&mut out, field);
                }
                // A chain is never longer than the one who asks for it takes.
                out.push(u8::try_from(certificate.chain.len()).unwrap_or(u8::MAX));
                certificate.chain.iter().for_each(|der| put_lp(&mut out, der));
            }
            Self::Order(order) => {
                out.push(17);
                put_lp(&mut out, &order.address);
                put_lp(&mut out, &order.sealed_key);
            }
        }
        out
    }

    /// Reads a record; the whole input is one.
    ///
    /// # Errors
    /// [`GovError`], the first rule that is broken.
    pub fn decode(bytes: &[u8]) -> Result<Self, GovError> {
        let mut rest = bytes;
        let [kind] = array(&mut rest)?;
        let record = match kind {
            1 => Self::Genesis(decode_genesis(&mut rest)?),
            2 => Self::Boot(BootRecord {
                boot_id: array(&mut rest)?,
                release: u64(&mut rest)?,
                policy_hash: array(&mut rest)?,
                bundle_hash: array(&mut rest)?,
                time: u64(&mut rest)?,
            }),
            3 => Self::OpsRoot(OpsRoot {
                log: LogId::from_number(u16::from_be_bytes(array(&mut rest)?)),
                size: u64(&mut rest)?,
                root: Hash(array(&mut rest)?),
            }),
            4 => Self::Policy(PolicyRecord { release: u64(&mut rest)?, policy: lp(&mut rest)? }),
            5 => Self::Approval(ApprovalRecord {
                release: u64(&mut rest)?,
                old: array(&mut rest)?,
                new: array(&mut rest)?,
                signatures: signatures(&mut rest)?,
            }),
            6 => Self::Settings(SettingsRecord {
                sequence: u64(&mut rest)?,
                hash: array(&mut rest)?,
                signatures: signatures(&mut rest)?,
            }),
            16 => Self::Certificate(CertificateRecord {
                account: lp(&mut rest)?,
                sealed_account_key: lp(&mut rest)?,
                sealed_key: lp(&mut rest)?,
                chain: chain(&mut rest)?,
            }),
            17 => Self::Order(OrderRecord { address: lp(&mut rest)?, sealed_key: lp(&mut rest)? }),
            got => return Err(GovError::Type { got }),
        };
        if rest.is_empty() { Ok(record) } else { Err(GovError::TrailingBytes) }
    }
}

fn put_signatures(out: &mut Vec<u8>, signatures: &[Vec<u8>]) {
    // A list is never longer than `Signers` accepts.
    out.push(u8::try_from(signatures.len()).unwrap_or(u8::MAX));
    signatures.iter().for_each(|blob| put_lp(out, blob));
}

fn signatures(rest: &mut &[u8]) -> Result<Vec<Vec<u8>>, GovError> {
    let [count] = array(rest)?;
    if !(1..=MAX_SIGNATURES).contains(&usize::from(count)) {
        return Err(GovError::Signatures { got: count });
    }
    (0..count).map(|_| lp(rest).map_err(GovError::from)).collect()
}

fn chain(rest: &mut &[u8]) -> Result<Vec<Vec<u8>>, GovError> {
    let [count] = array(rest)?;
    if usize::from(count) > MAX_CHAIN {
        return Err(GovError::Chain { got: count });
    }
    (0..count).map(|_| lp(rest).map_err(GovError::from)).collect()
}

fn decode_genesis(rest: &mut &[u8]) -> Result<Genesis, GovError> {
    let [version, profile] = array(rest)?;
    if version != 1 {
        return Err(GovError::Version { got: version });
    }
    Ok(Genesis {
        profile: Profile::from_number(profile)?,
        nonce: array(rest)?,
        attestation_root: array(rest)?,
        policy_hash: array(rest)?,
        log_key: array(rest)?,
        hpke_key: array(rest)?,
        ca_certificate: lp(rest)?,
        sealed_ca_key: lp(rest)?,
        wrapped_root: lp(rest)?,
        kms_ciphertext: lp(rest)?,
    })
}
