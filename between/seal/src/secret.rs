//! Fixed-size secrets that vanish when dropped and cannot be printed, copied or serialised.

use alloc::boxed::Box;
use alloc::vec::Vec;

use zeroize::{Zeroize, Zeroizing};

/// `N` secret bytes on the heap (so that moving the owner leaves no copy), zeroized on drop.
///
/// No `Debug`, `Clone`, `Display`, `PartialEq` or `Serialize`; the bytes are reached by the greppable
/// [`Secret::expose`]. Compare with [`crate::same`].
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// Builds the secret in place, so that no other copy is made on the way.
    pub fn init_with(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut bytes = Box::new([0; N]);
        fill(&mut bytes);
        Self(bytes)
    }

    /// Takes the bytes over and zeroizes the source.
    pub fn take(source: &mut [u8; N]) -> Self {
        let secret = Self::init_with(|bytes| bytes.copy_from_slice(source));
        source.zeroize();
        secret
    }

    /// The bytes. Every caller of this is a place to review.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> TryFrom<&[u8]> for Secret<N> {
    type Error = crate::Opaque;

    /// Copies a slice of exactly `N` bytes; the caller zeroizes its source.
    fn try_from(source: &[u8]) -> Result<Self, Self::Error> {
        if source.len() != N {
            return Err(crate::Opaque);
        }
        Ok(Self::init_with(|bytes| bytes.copy_from_slice(source)))
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Secret text of bounded length, such as a message on its way to a carrier. Zeroized on drop, never printed.
///
/// Its buffer is allocated once at its final capacity, so growing never leaves a copy behind.
pub struct SecretText(Zeroizing<Vec<u8>>);

impl SecretText {
    /// Joins the parts in one allocation.
    pub fn join(parts: &[&str]) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
        for part in parts {
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(bytes)
    }

    /// The text. Every caller of this is a place to review.
    pub fn expose(&self) -> &str {
        // The bytes come from `&str`s only, so this cannot fail.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}
