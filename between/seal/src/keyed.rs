//! Keyed hashing and constant-time comparison.

use aws_lc_rs::{constant_time, hmac};

use crate::Secret;

/// A key for HMAC-SHA-256, expanded once. The library cleanses it when dropped.
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// Expands a 32-byte key.
    pub fn new(key: &Secret<32>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    /// The first 16 bytes of HMAC-SHA-256 over a message of fixed length, which needs no length prefix.
    pub fn tag_16(&self, message: &[u8]) -> [u8; 16] {
        let mut out = [0; 16];
        out.copy_from_slice(&hmac::sign(&self.0, message).as_ref()[..16]);
        out
    }

    /// HMAC-SHA-256 over a message whose form its own page fixes.
    pub fn tag(&self, message: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&self.0, message).as_ref());
        out
    }

    pub(crate) fn raw(&self) -> &hmac::Key {
        &self.0
    }
}

/// `HMAC-SHA-256(key, lp(part) || …)` (`docs/spec/00-conventions.md`, keyed hashes).
pub fn keyed_hash(key: &HmacKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&key.0);
    for part in parts {
        context.update(&length(part));
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// [`keyed_hash`] cut to its first 16 bytes.
pub fn keyed_hash_16(key: &HmacKey, parts: &[&[u8]]) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&keyed_hash(key, parts)[..16]);
    out
}

/// Whether two byte strings are the same, in time that depends on their lengths only.
///
/// Use it wherever one side is a secret or a keyed hash of one; compare public values with `==`.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// The `u32` length prefix of `lp`. Nothing that is hashed comes near 4 GiB; a longer part saturates, which can only
/// make a hash that nobody else computes.
pub(crate) fn length(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes()
}
