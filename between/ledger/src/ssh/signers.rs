//! Who may sign, and how many of them must.

use alloc::collections::BTreeSet;
use core::fmt;

use super::{SshPublicKey, SshSignature, SshSignatureError};

/// The namespace of everything that is signed for a vault.
const NAMESPACE: &str = "adyton";

/// Signatures on one request at the most.
pub const MAX_SIGNATURES: usize = 32;

/// Keys of which a number must sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signers {
    keys: BTreeSet<SshPublicKey>,
    threshold: usize,
}

/// Why signatures are not those of enough signers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignersError {
    /// There are none, or more than 32.
    Count,
    /// One does not verify.
    Signature(SshSignatureError),
    /// One is of a key that is not among the signers.
    Stranger,
    /// Two are of one key.
    Twice,
    /// Too few different keys have signed.
    Threshold {
        /// How many must.
        expected: usize,
        /// How many did.
        got: usize,
    },
}

impl fmt::Display for SignersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count => write!(f, "expected 1 to {MAX_SIGNATURES} signatures"),
            Self::Signature(error) => error.fmt(f),
            Self::Stranger => f.write_str("a signature is of a key that is not one of the signers'"),
            Self::Twice => f.write_str("two signatures are of one key: give one of each"),
            Self::Threshold { expected, got } => {
                write!(f, "expected signatures of {expected} different keys, got {got}")
            }
        }
    }
}

impl core::error::Error for SignersError {}

impl Signers {
    /// `threshold` of these keys. `None` if that is zero, or more than there are different ones.
    pub fn new(keys: impl IntoIterator<Item = SshPublicKey>, threshold: usize) -> Option<Self> {
        let keys: BTreeSet<_> = keys.into_iter().collect();
        (1..=keys.len()).contains(&threshold).then_some(Self { keys, threshold })
    }

    /// Nobody: whatever verifies is a stranger's. It stands for a signer that does not exist, so that its requests are refused
    /// as those of one that did not sign.
    pub fn nobody() -> Self {
        Self { keys: BTreeSet::new(), threshold: 1 }
    }

    /// What can be refused without verifying a signature: each must be of another signer's key. So there are never more to verify
    /// than there are signers.
    ///
    /// # Errors
    /// [`SignersError::Count`], [`SignersError::Stranger`] or [`SignersError::Twice`].
    pub fn admit(&self, signatures: &[SshSignature]) -> Result<(), SignersError> {
        if !(1..=MAX_SIGNATURES).contains(&signatures.len()) {
            return Err(SignersError::Count);
        }
        if signatures.iter().any(|signature| !self.keys.contains(&signature.key)) {
            return Err(SignersError::Stranger);
        }
        if signatures.iter().map(|signature| &signature.key).collect::<BTreeSet<_>>().len() < signatures.len() {
            return Err(SignersError::Twice);
        }
        Ok(())
    }

    /// Every signature must be another signer's, and there must be enough.
    ///
    /// # Errors
    /// [`SignersError`], the first rule that is broken.
    pub fn verify(&self, message: &[u8], signatures: &[SshSignature]) -> Result<(), SignersError> {
        self.admit(signatures)?;
        for signature in signatures {
            signature.verify(NAMESPACE, message).map_err(SignersError::Signature)?;
        }
        let got = signatures.len();
        if got < self.threshold {
            return Err(SignersError::Threshold { expected: self.threshold, got });
        }
        Ok(())
    }
}
