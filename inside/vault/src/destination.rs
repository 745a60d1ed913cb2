//! Where a code is sent: a phone number, as a secret.

use alloc::boxed::Box;
use core::fmt;

use zeroize::Zeroize;

/// `+` and at most 15 digits (ITU-T E.164 §6).
const CAPACITY: usize = 16;

/// A phone number in E.164 form. It identifies a person, so it is a secret: zeroized on drop, never printed, and not
/// written to the log (the log knows it by its keyed hash).
pub struct Destination {
    bytes: Box<[u8; CAPACITY]>,
    len: u8,
}

/// The text is not `+`, a non-zero digit and 6 to 14 more ASCII digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestinationError;

impl fmt::Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a phone number in E.164 form: +, country code, subscriber number, digits only")
    }
}

impl core::error::Error for DestinationError {}

impl Destination {
    /// Parses the only form that is accepted: no blanks, brackets or other scripts' digits, so that no spelling
    /// changes what an attempt counts for.
    ///
    /// # Errors
    /// [`DestinationError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, DestinationError> {
        let digits = text.strip_prefix('+').ok_or(DestinationError)?.as_bytes();
        let well_formed =
            (7..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) && digits.first() != Some(&b'0');
        let len = u8::try_from(text.len()).map_err(|_| DestinationError)?;
        if !well_formed {
            return Err(DestinationError);
        }
        let mut bytes = Box::new([0; CAPACITY]);
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { bytes, len })
    }

    /// The number. Every caller of this is a place to review: the tenant that gave it, and the message's address.
    pub fn expose(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }

    /// Temporary.
    pub fn country(&self) -> Option<Country> {
        Some(Country { calling_code: 1 })
    }

    /// A second copy, for a message or an answer. Greppable, because `Clone` is not implemented.
    pub fn duplicate(&self) -> Self {
        Self { bytes: self.bytes.clone(), len: self.len }
    }
}

/// Temporary.
pub struct Country {
    /// Temporary.
    pub calling_code: u16,
}

impl Drop for Destination {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}
