//! Records of the public log (`docs/spec/03-heads.md`, "Bodies of gov").

use alloc::vec::Vec;
use core::fmt;

use adyton_wire::{Put, Reader, WireError};

use crate::{Hash, LogId, MAX_SIGNATURES};

/// Who can release a vault's root key (DESIGN §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A laptop: protects nothing from its own root.
    Dev,
    /// A cloud KMS; its administrator can open the vault.
    Kms,
    /// A KMS and a quorum, both needed.
    KmsQuorum,
    /// Custodians' shares only.
    Quorum,
}

impl Profile {
    /// The number in records and bundles.
    pub fn number(self) -> u8 {
        match self {
            Self::Dev => 1,
            Self::Kms => 2,
            Self::KmsQuorum => 3,
            Self::Quorum => 4,
        }
    }

    /// The profile of a number (`docs/spec/03-heads.md`).
    ///
    /// # Errors
    /// [`GovError::Profile`].
    pub fn from_number(number: u8) -> Result<Self, GovError> {
        Ok(match number {
            1 => Self::Dev,
            2 => Self::Kms,
            3 => Self::KmsQuorum,
            4 => Self::Quorum,
            got => return Err(GovError::Profile { got }),
        })
    }

    /// The word in the policy.
    pub fn text(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Kms => "kms",
            Self::KmsQuorum => "kms+quorum",
            Self::Quorum => "quorum",
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
    /// Data that the KMS needs to release its secret again.
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

/// A certificate that the vault obtained from a CA under its own account, or that account.
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
/// Longest `lp` field of a record, in bytes.
const MAX_FIELD: usize = 65_536;

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
        /// The value found.
        got: u8,
    },
    /// The genesis is of another version.
    Version {
        /// The value found.
        got: u8,
    },
    /// The profile is unknown.
    Profile {
        /// The value found.
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

impl From<WireError> for GovError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Truncated | WireError::TooLong | WireError::Utf8 => Self::Truncated,
            WireError::TrailingBytes => Self::TrailingBytes,
        }
    }
}

impl GovRecord {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        match self {
            Self::Genesis(genesis) => {
                out.put(&[1, 1, genesis.profile.number()]);
                for field in [
                    &genesis.nonce,
                    &genesis.attestation_root,
                    &genesis.policy_hash,
                    &genesis.log_key,
                    &genesis.hpke_key,
                ] {
                    out.put(field);
                }
                for field in
                    [&genesis.ca_certificate, &genesis.sealed_ca_key, &genesis.wrapped_root, &genesis.kms_ciphertext]
                {
                    out.put_lp(field);
                }
            }
            Self::Boot(boot) => {
                out.put_u8(2);
                out.put(&boot.boot_id);
                out.put_u64(boot.release);
                out.put(&boot.policy_hash);
                out.put(&boot.bundle_hash);
                out.put_u64(boot.time);
            }
            Self::OpsRoot(ops) => {
                out.put_u8(3);
                out.put_u16(ops.log.number());
                out.put_u64(ops.size);
                out.put(&ops.root.0);
            }
            Self::Policy(policy) => {
                out.put_u8(4);
                out.put_u64(policy.release);
                out.put_lp(&policy.policy);
            }
            Self::Approval(approval) => {
                out.put_u8(5);
                out.put_u64(approval.release);
                out.put(&approval.old);
                out.put(&approval.new);
                put_signatures(&mut out, &approval.signatures);
            }
            Self::Settings(settings) => {
                out.put_u8(6);
                out.put_u64(settings.sequence);
                out.put(&settings.hash);
                put_signatures(&mut out, &settings.signatures);
            }
            Self::Certificate(certificate) => {
                out.put_u8(16);
                for field in [&certificate.account, &certificate.sealed_account_key, &certificate.sealed_key] {
                    out.put_lp(field);
                }
                // A chain is never longer than the one who asks for it takes.
                out.put_u8(u8::try_from(certificate.chain.len()).unwrap_or(u8::MAX));
                certificate.chain.iter().for_each(|der| out.put_lp(der));
            }
            Self::Order(order) => {
                out.put_u8(17);
                out.put_lp(&order.address);
                out.put_lp(&order.sealed_key);
            }
        }
        out
    }

    /// Reads a record; the whole input is one.
    ///
    /// # Errors
    /// [`GovError`], the first rule that is broken.
    pub fn decode(bytes: &[u8]) -> Result<Self, GovError> {
        let mut reader = Reader::bounded(bytes, MAX_FIELD);
        let record = match reader.u8()? {
            1 => Self::Genesis(decode_genesis(&mut reader)?),
            2 => Self::Boot(BootRecord {
                boot_id: reader.array()?,
                release: reader.u64()?,
                policy_hash: reader.array()?,
                bundle_hash: reader.array()?,
                time: reader.u64()?,
            }),
            3 => Self::OpsRoot(OpsRoot {
                log: LogId::from_number(reader.u16()?),
                size: reader.u64()?,
                root: Hash(reader.array()?),
            }),
            4 => Self::Policy(PolicyRecord { release: reader.u64()?, policy: reader.lp()?.to_vec() }),
            5 => Self::Approval(ApprovalRecord {
                release: reader.u64()?,
                old: reader.array()?,
                new: reader.array()?,
                signatures: signatures(&mut reader)?,
            }),
            6 => Self::Settings(SettingsRecord {
                sequence: reader.u64()?,
                hash: reader.array()?,
                signatures: signatures(&mut reader)?,
            }),
            16 => Self::Certificate(CertificateRecord {
                account: reader.lp()?.to_vec(),
                sealed_account_key: reader.lp()?.to_vec(),
                sealed_key: reader.lp()?.to_vec(),
                chain: chain(&mut reader)?,
            }),
            17 => Self::Order(OrderRecord { address: reader.lp()?.to_vec(), sealed_key: reader.lp()?.to_vec() }),
            got => return Err(GovError::Type { got }),
        };
        reader.finish()?;
        Ok(record)
    }
}

fn put_signatures(out: &mut Vec<u8>, signatures: &[Vec<u8>]) {
    // A list is never longer than `Signers` accepts.
    out.put_u8(u8::try_from(signatures.len()).unwrap_or(u8::MAX));
    signatures.iter().for_each(|blob| out.put_lp(blob));
}

fn signatures(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, GovError> {
    let count = reader.u8()?;
    if !(1..=MAX_SIGNATURES).contains(&usize::from(count)) {
        return Err(GovError::Signatures { got: count });
    }
    (0..count).map(|_| Ok(reader.lp()?.to_vec())).collect()
}

fn chain(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, GovError> {
    let count = reader.u8()?;
    if usize::from(count) > MAX_CHAIN {
        return Err(GovError::Chain { got: count });
    }
    (0..count).map(|_| Ok(reader.lp()?.to_vec())).collect()
}

fn decode_genesis(reader: &mut Reader<'_>) -> Result<Genesis, GovError> {
    let [version, profile] = reader.array()?;
    if version != 1 {
        return Err(GovError::Version { got: version });
    }
    Ok(Genesis {
        profile: Profile::from_number(profile)?,
        nonce: reader.array()?,
        attestation_root: reader.array()?,
        policy_hash: reader.array()?,
        log_key: reader.array()?,
        hpke_key: reader.array()?,
        ca_certificate: reader.lp()?.to_vec(),
        sealed_ca_key: reader.lp()?.to_vec(),
        wrapped_root: reader.lp()?.to_vec(),
        kms_ciphertext: reader.lp()?.to_vec(),
    })
}
