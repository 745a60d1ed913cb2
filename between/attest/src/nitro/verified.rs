//! A document whose signature and chain hold: what a platform vouches for.

use std::collections::BTreeMap;

use super::claims::Claims;
use crate::Platform;
use crate::Root;

/// What the platform vouches for. Made by [`super::Received::verify`] alone.
pub struct Verified {
    root: Root,
    module_id: String,
    timestamp_ms: u64,
    pcrs: BTreeMap<u8, [u8; 48]>,
    public_key: Option<Vec<u8>>,
    user_data: Option<Vec<u8>>,
    nonce: Option<Vec<u8>>,
}

impl Verified {
    pub(super) fn new(claims: Claims, root: Root) -> Self {
        // Destructured so that a new member is not forgotten.
        let Claims { module_id, timestamp_ms, pcrs, certificate: _, cabundle: _, public_key, user_data, nonce } =
            claims;
        Self { root, module_id, timestamp_ms, pcrs, public_key, user_data, nonce }
    }

    /// What kind of platform.
    pub fn platform(&self) -> Platform {
        Platform::AwsNitro
    }

    /// Under whose root.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Parent instance and enclave.
    pub fn module_id(&self) -> &str {
        &self.module_id
    }

    /// When the platform made it, Unix milliseconds.
    pub fn timestamp_ms(&self) -> u64 {
        self.timestamp_ms
    }

    /// A register, if the document has it.
    pub fn pcr(&self, index: u8) -> Option<&[u8; 48]> {
        self.pcrs.get(&index)
    }

    /// Of the enclave's choice.
    pub fn public_key(&self) -> Option<&[u8]> {
        self.public_key.as_deref()
    }

    /// Of the enclave's choice.
    pub fn user_data(&self) -> Option<&[u8]> {
        self.user_data.as_deref()
    }

    /// Of the enclave's choice.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// Whether a register of code is zero or missing: all three are zero in debug mode, and none ever is outside of it.
    pub fn is_debug(&self) -> bool {
        (0..=2).any(|index| self.pcr(index).is_none_or(|pcr| *pcr == [0; 48]))
    }
}
