//! Ed25519 signatures (RFC 8032) over log heads.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use crate::{Opaque, Secret};

/// The log signing key. The library cleanses it when dropped.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Expands a 32-byte seed.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses the seed, which it does not for 32 bytes.
    pub fn from_seed(seed: &Secret<32>) -> Result<Self, Opaque> {
        Ed25519KeyPair::from_seed_unchecked(seed.expose()).map(Self).map_err(|_| Opaque)
    }

    /// The public key.
    pub fn public_key(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.public_key().as_ref());
        out
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        out.copy_from_slice(self.0.sign(message).as_ref());
        out
    }
}
