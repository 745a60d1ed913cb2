//! Reading.

use alloc::vec::Vec;

use crate::WireError;

/// Takes fields off the front of a slice. A failed call may have taken a part of its field, so the first
/// error ends the reading.
///
/// No `Debug`: the bytes may be secret.
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Most bytes of an `lp` field.
    bound: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; an `lp` field may be as long as they are.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::bounded(bytes, usize::MAX)
    }

    /// Reads `bytes`; no `lp` field may be longer than `bound`.
    #[inline]
    pub fn bounded(bytes: &'a [u8], bound: usize) -> Self {
        Self { rest: bytes, bound }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next `u8`.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u8(&mut self) -> Result<u8, WireError> {
        self.array().map(u8::from_be_bytes)
    }

    /// The next `u16`.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next `u32`.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next `u64`.
    ///
    /// # Errors
    /// [`WireError::Truncated`].
    #[inline]
    pub fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_be_bytes)
    }

    /// The content of the next `lp` field.
    ///
    /// # Errors
    /// [`WireError::TooLong`] over the reader's bound, else [`WireError::Truncated`].
    #[inline]
    pub fn lp(&mut self) -> Result<&'a [u8], WireError> {
        self.lp_within(self.bound)
    }

    /// [`Reader::lp`] with this field's own bound instead of the reader's.
    ///
    /// # Errors
    /// [`WireError::TooLong`] over `bound`, else [`WireError::Truncated`].
    #[inline]
    pub fn lp_within(&mut self, bound: usize) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(self.u32()?).map_err(|_| WireError::TooLong)?;
        if length > bound {
            return Err(WireError::TooLong);
        }
        self.take(length)
    }

    /// The next `lp` field as text.
    ///
    /// # Errors
    /// As [`Reader::lp`], then [`WireError::Utf8`].
    #[inline]
    pub fn text(&mut self) -> Result<&'a str, WireError> {
        core::str::from_utf8(self.lp()?).map_err(|_| WireError::Utf8)
    }

    /// A reader of the next `lp` field's content, with the same bound for the fields in it.
    ///
    /// # Errors
    /// As [`Reader::lp`].
    #[inline]
    pub fn nested(&mut self) -> Result<Self, WireError> {
        Ok(Self { rest: self.lp()?, bound: self.bound })
    }

    /// `count` items of at least `smallest` bytes each. A count that the bytes cannot hold is refused before
    /// anything is read or allocated for it; for that, `smallest` is at least 1.
    ///
    /// # Errors
    /// [`WireError::Truncated`] for such a count, else the first error of `item`.
    pub fn list<T, E: From<WireError>>(
        &mut self,
        count: u32,
        smallest: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        let least = usize::try_from(count).ok().and_then(|count| count.checked_mul(smallest));
        if least.is_none_or(|least| least > self.rest.len()) {
            return Err(WireError::Truncated.into());
        }
        (0..count).map(|_| item(self)).collect()
    }

    /// What is left, without taking it.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`WireError::TrailingBytes`].
    #[inline]
    pub fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::TrailingBytes) }
    }
}
