//! Keyed hashing and constant-time comparison.

use adyton_wire::length;
use aws_lc_rs::{constant_time, hmac};

use crate::{Opaque, Secret};

/// A key for HMAC-SHA-256, expanded once. The library cleanses it when dropped.
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// Expands a 32-byte key.
    pub fn new(key: &Secret<32>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))
    }

    /// Expands a key of 32 to 64 bytes that another party chose. Up to the hash's block of 64 bytes HMAC pads a key with
    /// zeros (RFC 2104), so this is the same key to everyone.
    ///
    /// # Errors
    /// [`Opaque`] for any other length.
    pub fn from_shared(key: &[u8]) -> Result<Self, Opaque> {
        if !(32..=64).contains(&key.len()) {
            return Err(Opaque);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// HMAC-SHA-256 of the parts as if they were one. There are no length prefixes: the caller's format must tell where
    /// each part ends.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    /// The first 16 bytes of HMAC-SHA-256 over a message of fixed length, which needs no length prefix.
    pub fn tag_16(&self, message: &[u8]) -> [u8; 16] {
        let mut out = [0; 16];
        out.copy_from_slice(&hmac::sign(&self.0, message).as_ref()[..16]);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use alloc::vec;

    use super::*;

    #[test]
    fn a_shared_key_is_padded_with_zeros() {
        let (short, mut padded) = (vec![0xAA; 40], vec![0xAA; 40]);
        padded.resize(64, 0);
        let tag = |key: &[u8]| HmacKey::from_shared(key).unwrap().tag(&[b"Hi", b"", b" There"]);
        assert_eq!(tag(&short), tag(&padded));
        assert_eq!(tag(&short), HmacKey::from_shared(&short).unwrap().tag(&[b"Hi There"]));
        let same_key = Secret::try_from(&[7; 32][..]).unwrap();
        assert_eq!(HmacKey::from_shared(&[7; 32]).unwrap().tag(&[b"x"]), HmacKey::new(&same_key).tag(&[b"x"]));
    }

    #[test]
    fn other_lengths_are_refused() {
        for length in [0, 31, 65, 128] {
            assert_eq!(HmacKey::from_shared(&vec![1; length]).err(), Some(Opaque), "{length}");
        }
    }
}
