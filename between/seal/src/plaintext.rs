//! The zeroizing buffer that secrets are encoded into, and how a reader takes them out again.
//!
//! Types that hold secrets have no serde. They write themselves into a [`Plaintext`], whose only consumer is the
//! AEAD ([`crate::AeadKey::seal`]).

use alloc::vec::Vec;

use adyton_wire::{Put, Reader, WireError};
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
        Reader::new(&self.0)
    }

    #[cold]
    fn grow(&mut self, needed: usize) {
        let mut larger = Vec::with_capacity(needed.max(2 * self.0.capacity()).max(256));
        larger.extend_from_slice(&self.0);
        self.0.zeroize();
        *self.0 = larger;
    }
}

impl Put for Plaintext {
    /// A buffer that must grow is copied to a new one and the old one is zeroized.
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            self.grow(needed);
        }
        self.0.extend_from_slice(bytes);
    }

    #[inline]
    fn written(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// Takes secrets out of a [`Reader`].
pub trait ReadSecret {
    /// The next `N` bytes as a secret.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    fn secret<const N: usize>(&mut self) -> Result<Secret<N>, WireError>;
}

impl ReadSecret for Reader<'_> {
    fn secret<const N: usize>(&mut self) -> Result<Secret<N>, WireError> {
        let bytes = self.take(N)?;
        Ok(Secret::init_with(|secret| secret.copy_from_slice(bytes)))
    }
}

/// Opened bytes that do not decode get the same answer as bytes that do not open.
impl From<WireError> for Opaque {
    fn from(_: WireError) -> Self {
        Self
    }
}
