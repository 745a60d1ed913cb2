//! AES-256-GCM under keys that each have their own nonce sequence.

use alloc::vec::Vec;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce as RawNonce, UnboundKey};

use crate::{Opaque, Plaintext, Secret};

/// Length of the authentication tag that follows the ciphertext.
pub const TAG_LEN: usize = 16;

/// Which nonce to use under one key. The caller must never seal twice with the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce([u8; NONCE_LEN]);

impl Nonce {
    /// `4 zero bytes || u64 counter`: a number of a chunk, under a key that belongs to it alone.
    pub fn counter(counter: u64) -> Self {
        Self::numbered(0, counter)
    }

    /// `u32 part || u64 counter`: one of several things at an index of a log, under a key that belongs to that log alone.
    pub fn numbered(part: u32, counter: u64) -> Self {
        let mut nonce = [0; NONCE_LEN];
        nonce[..4].copy_from_slice(&part.to_be_bytes());
        nonce[4..].copy_from_slice(&counter.to_be_bytes());
        Self(nonce)
    }

    /// 12 random bytes, for the few values that are sealed once in a vault's life.
    pub fn random(bytes: [u8; NONCE_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes as they are stored before a ciphertext.
    pub fn as_bytes(&self) -> &[u8; NONCE_LEN] {
        &self.0
    }
}

/// A key for AES-256-GCM. The library cleanses it when dropped.
pub struct AeadKey(LessSafeKey);

impl AeadKey {
    /// Expands a 32-byte key.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses the key, which it does not for 32 bytes.
    pub fn new(key: &Secret<32>) -> Result<Self, Opaque> {
        let key = UnboundKey::new(&AES_256_GCM, key.expose()).map_err(|_| Opaque)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Appends `ciphertext || tag` to `out` and consumes the plaintext, which is zeroized.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses, and then `out` is as before.
    pub fn seal(&self, nonce: Nonce, aad: &[u8], plaintext: Plaintext, out: &mut Vec<u8>) -> Result<(), Opaque> {
        self.seal_bytes(nonce, aad, plaintext.as_bytes(), out)
    }

    /// [`AeadKey::seal`] for bytes whose owner zeroizes them.
    pub(crate) fn seal_bytes(&self, nonce: Nonce, aad: &[u8], bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Opaque> {
        let start = out.len();
        out.resize(start + bytes.len() + TAG_LEN, 0);
        let (ciphertext, tag) = out[start..].split_at_mut(bytes.len());
        ciphertext.copy_from_slice(bytes);
        let nonce = RawNonce::assume_unique_for_key(nonce.0);
        match self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), ciphertext) {
            Ok(computed) => {
                tag.copy_from_slice(computed.as_ref());
                Ok(())
            }
            Err(_) => {
                ciphertext.fill(0);
                out.truncate(start);
                Err(Opaque)
            }
        }
    }

    /// Opens `ciphertext || tag` into zeroizing plaintext.
    ///
    /// # Errors
    /// [`Opaque`], whatever is wrong.
    pub fn open(&self, nonce: Nonce, aad: &[u8], sealed: &[u8]) -> Result<Plaintext, Opaque> {
        let mut bytes = zeroize::Zeroizing::new(sealed.to_vec());
        let nonce = RawNonce::assume_unique_for_key(nonce.0);
        let opened = self.0.open_in_place(nonce, Aad::from(aad), &mut bytes).map_err(|_| Opaque)?.len();
        bytes.truncate(opened);
        Ok(Plaintext::from_zeroizing(bytes))
    }
}
