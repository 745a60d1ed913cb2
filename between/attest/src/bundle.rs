//! The identity bundle (`docs/spec/05-identity-bundle.md`).

use adyton_wire::{Put, Reader, WireError};
use aws_lc_rs::digest::{SHA256, digest};

const MAGIC: &[u8; 17] = b"adyton bundle v1\n";
/// Most reveals that a bundle may list.
const MAX_REVEALS: usize = 32;
/// Longest name of a reveal, in bytes.
const MAX_REVEAL_LEN: usize = 64;

/// What an enclave says of itself. All fields are public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// SHA-256 of the genesis entry.
    pub vault_id: [u8; 32],
    /// Number of the approved release.
    pub release: u64,
    /// SHA-256 of the policy's bytes.
    pub policy_hash: [u8; 32],
    /// This boot.
    pub boot_id: [u8; 16],
    /// Custody profile, 1 … 4 (`docs/spec/03-heads.md`).
    pub profile: u8,
    /// SHA-256 of the TLS leaf's SubjectPublicKeyInfo.
    pub tls_key: [u8; 32],
    /// X25519 key that values are sealed to.
    pub hpke_key: [u8; 32],
    /// Ed25519 key that signs heads.
    pub log_key: [u8; 32],
    /// SHA-256 of the vault CA's SubjectPublicKeyInfo.
    pub ca_key: [u8; 32],
    /// Who certifies heads.
    pub notaries: NotarySet,
    /// Outputs that carry a secret outward once, ascending, without repeats.
    pub reveals: Vec<String>,
}

/// Notaries and how many of them must sign. The empty set means `freshness: none`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotarySet {
    /// Ed25519 keys, ascending, without repeats.
    pub keys: Vec<[u8; 32]>,
    /// How many must sign; 0 only for the empty set.
    pub quorum: u8,
}

/// Why bytes are not a bundle, or a bundle has no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// Bytes are missing.
    Truncated,
    /// Bytes are left over.
    TrailingBytes,
    /// It does not begin with `adyton bundle v1`.
    Magic,
    /// The profile is not 1 … 4.
    Profile,
    /// Notary keys are not ascending, or q is not 1 … n (0 for no notaries).
    Notaries,
    /// Reveals are too many, not ascending, or hold characters that are not allowed.
    Reveals,
}

impl core::fmt::Display for BundleError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the identity bundle ends early",
            Self::TrailingBytes => "bytes follow the identity bundle",
            Self::Magic => "not an identity bundle of version 1",
            Self::Profile => "the profile is not 1 to 4",
            Self::Notaries => "notary keys must ascend, and q must be 1 to n, or 0 without notaries",
            Self::Reveals => "reveals must be at most 32 ascending names of 1 to 64 characters a-z 0-9 . -",
        })
    }
}

impl std::error::Error for BundleError {}

impl From<WireError> for BundleError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Truncated | WireError::TooLong => Self::Truncated,
            WireError::TrailingBytes => Self::TrailingBytes,
            // The reveals are the only text.
            WireError::Utf8 => Self::Reveals,
        }
    }
}

impl Bundle {
    /// The bytes.
    ///
    /// # Errors
    /// [`BundleError`] if a field breaks the page's rules.
    pub fn encode(&self) -> Result<Vec<u8>, BundleError> {
        // Destructured so that a new field cannot be forgotten here.
        let Self {
            vault_id,
            release,
            policy_hash,
            boot_id,
            profile,
            tls_key,
            hpke_key,
            log_key,
            ca_key,
            notaries,
            reveals,
        } = self;
        self.check()?;
        let mut out = Vec::with_capacity(320);
        out.put(MAGIC);
        out.put(vault_id);
        out.put_u64(*release);
        out.put(policy_hash);
        out.put(boot_id);
        out.put_u8(*profile);
        for key in [tls_key, hpke_key, log_key, ca_key] {
            out.put(key);
        }
        out.put_u8(u8::try_from(notaries.keys.len()).map_err(|_| BundleError::Notaries)?);
        notaries.keys.iter().for_each(|key| out.put(key));
        out.put_u8(notaries.quorum);
        out.put_u8(u8::try_from(reveals.len()).map_err(|_| BundleError::Reveals)?);
        reveals.iter().for_each(|reveal| out.put_lp(reveal.as_bytes()));
        Ok(out)
    }

    /// Reads a bundle; the whole input is one.
    ///
    /// # Errors
    /// [`BundleError`], the first rule that is broken.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != *MAGIC {
            return Err(BundleError::Magic);
        }
        let bundle = Self {
            vault_id: reader.array()?,
            release: reader.u64()?,
            policy_hash: reader.array()?,
            boot_id: reader.array()?,
            profile: reader.u8()?,
            tls_key: reader.array()?,
            hpke_key: reader.array()?,
            log_key: reader.array()?,
            ca_key: reader.array()?,
            notaries: NotarySet {
                keys: (0..reader.u8()?).map(|_| reader.array()).collect::<Result<_, _>>()?,
                quorum: reader.u8()?,
            },
            reveals: (0..reader.u8()?).map(|_| reader.text().map(str::to_owned)).collect::<Result<_, _>>()?,
        };
        reader.finish()?;
        bundle.check()?;
        Ok(bundle)
    }

    /// SHA-256 of the bytes: what an attestation document's `user_data` holds.
    ///
    /// # Errors
    /// As [`Bundle::encode`].
    pub fn hash(&self) -> Result<[u8; 32], BundleError> {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, &self.encode()?).as_ref());
        Ok(out)
    }

    fn check(&self) -> Result<(), BundleError> {
        if !(1..=4).contains(&self.profile) {
            return Err(BundleError::Profile);
        }
        let NotarySet { keys, quorum } = &self.notaries;
        let quorum_fits = usize::from(*quorum) <= keys.len() && (*quorum == 0) == keys.is_empty();
        if !quorum_fits || !keys.is_sorted_by(|a, b| a < b) {
            return Err(BundleError::Notaries);
        }
        let named = |name: &String| {
            (1..=MAX_REVEAL_LEN).contains(&name.len())
                && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
        };
        if self.reveals.len() > MAX_REVEALS
            || !self.reveals.iter().all(named)
            || !self.reveals.is_sorted_by(|a, b| a < b)
        {
            return Err(BundleError::Reveals);
        }
        Ok(())
    }
}
