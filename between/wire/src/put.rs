//! Writing.

use alloc::vec::Vec;

/// A buffer that fields are appended to.
pub trait Put {
    /// Appends bytes as they are.
    fn put(&mut self, bytes: &[u8]);

    /// All bytes so far. [`Put::put_nested`] writes a length into them that it learns late.
    fn written(&mut self) -> &mut [u8];

    /// Appends a `u8`.
    #[inline]
    fn put_u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    /// Appends a `u16`.
    #[inline]
    fn put_u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    /// Appends a `u32`.
    #[inline]
    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// Appends a `u64`.
    #[inline]
    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_be_bytes());
    }

    /// Appends `lp(bytes)`.
    #[inline]
    fn put_lp(&mut self, bytes: &[u8]) {
        self.put(&length(bytes));
        self.put(bytes);
    }

    /// Appends `lp` of what `write` appends.
    #[inline]
    fn put_nested(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.written().len();
        self.put_u32(0);
        write(self);
        let (prefix, content) = self.written()[start..].split_at_mut(PREFIX);
        prefix.copy_from_slice(&length(content));
    }
}

/// Bytes of a length.
const PREFIX: usize = 4;

impl Put for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[inline]
    fn written(&mut self) -> &mut [u8] {
        self
    }
}

/// The `u32` before the content of an `lp`, for content that is hashed instead of written.
///
/// No format comes near 4 GiB. A longer content gets the largest length: no reader takes that, and no one
/// else computes its hash.
#[inline]
pub fn length(content: &[u8]) -> [u8; PREFIX] {
    length_of(content.len())
}

/// The same for a content of so many bytes, which follows in pieces.
#[inline]
pub fn length_of(bytes: usize) -> [u8; PREFIX] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}
