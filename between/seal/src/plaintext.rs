//! The zeroizing buffer that secrets are encoded into, and the reader that takes them out again.
//!
//! Types that hold secrets have no serde. They write themselves into a [`Plaintext`], whose only consumer is the
//! AEAD ([`crate::AeadKey::seal`]).

use alloc::vec::Vec;

use zeroize::{Zeroize, Zeroizing};

use crate::{Opaque, Secret};

/// Bytes on their way into, or out of, a seal. Zeroized on drop and whenever the buffer grows.
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    pub(crate) fn from_zeroizing(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// Appends bytes. A buffer that must grow is copied to a new one and the old one is zeroized.
    pub fn put(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.0.capacity()).max(256));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            *self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    /// Appends a `u8`.
    pub fn put_u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    /// Appends a big-endian `u32`.
    pub fn put_u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// Appends a big-endian `u64`.
    pub fn put_u64(&mut self, value: u64) {
        self.put(&value.to_be_bytes());
    }

    /// Appends `lp(bytes)`.
    pub fn put_lp(&mut self, bytes: &[u8]) {
        self.put(&crate::keyed::length(bytes));
        self.put(bytes);
    }

    /// Appends what `write` writes, preceded by its `u32` length.
    pub fn put_nested(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.put_u32(0);
        write(self);
        let length = crate::keyed::length(&self.0[start + 4..]);
        self.0[start..start + 4].copy_from_slice(&length);
    }

    /// Appends zeros up to `size` bytes in all; does nothing if there are more already.
    pub fn pad_to(&mut self, size: usize) {
        const ZEROS: [u8; 256] = [0; 256];
        while self.0.len() < size {
            let step = (size - self.0.len()).min(ZEROS.len());
            self.put(&ZEROS[..step]);
        }
    }

    /// Number of bytes written.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes, for hashing them into a commitment and for reading them back.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A reader over the bytes.
    pub fn reader(&self) -> Reader<'_> {
        Reader(&self.0)
    }
}

/// Appends `lp(bytes)` to associated data or other public bytes.
pub fn put_lp(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&crate::keyed::length(bytes));
    out.extend_from_slice(bytes);
}

/// Reads what a [`Plaintext`] holds; every method fails with [`Opaque`] when bytes are missing.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from a slice.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Opaque> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Opaque)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Opaque> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Opaque)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// The next `N` bytes as a secret.
    pub fn secret<const N: usize>(&mut self) -> Result<Secret<N>, Opaque> {
        Secret::try_from(self.take(N)?)
    }

    /// The next `u8`.
    pub fn u8(&mut self) -> Result<u8, Opaque> {
        self.array().map(u8::from_be_bytes)
    }

    /// The next `u32`.
    pub fn u32(&mut self) -> Result<u32, Opaque> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next `u64`.
    pub fn u64(&mut self) -> Result<u64, Opaque> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next `lp` bytes.
    pub fn lp(&mut self) -> Result<&'a [u8], Opaque> {
        let length = usize::try_from(self.u32()?).map_err(|_| Opaque)?;
        self.take(length)
    }

    /// The next `lp` bytes as text.
    pub fn text(&mut self) -> Result<&'a str, Opaque> {
        core::str::from_utf8(self.lp()?).map_err(|_| Opaque)
    }

    /// What is left, without taking it.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Ends the reading: trailing bytes are an error.
    pub fn finish(self) -> Result<(), Opaque> {
        if self.0.is_empty() { Ok(()) } else { Err(Opaque) }
    }
}
