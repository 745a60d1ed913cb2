//! Identifiers as the Twilio API writes them: two letters and 32 hexadecimal digits.

use alloc::string::String;
use core::fmt;

/// What a SID names; its two letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidKind {
    /// `AC`: a tenant.
    Account,
    /// `VA`: a verification service.
    Service,
    /// `VE`: one verification.
    Verification,
    /// `VL`: one attempt to send.
    Attempt,
    /// `SK`: an API key.
    Key,
}

impl SidKind {
    /// The two letters.
    pub fn letters(self) -> &'static str {
        match self {
            Self::Account => "AC",
            Self::Service => "VA",
            Self::Verification => "VE",
            Self::Attempt => "VL",
            Self::Key => "SK",
        }
    }
}

/// 16 bytes that name something; public. The kind is known from where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid(pub [u8; 16]);

/// A text is not a SID of the kind that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SidError {
    /// The kind that was expected.
    pub expected: SidKind,
}

impl fmt::Display for SidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} and 32 hexadecimal digits", self.expected.letters())
    }
}

impl core::error::Error for SidError {}

impl Sid {
    /// Parses the 34-character form; hexadecimal digits of either case name the same thing.
    ///
    /// # Errors
    /// [`SidError`] for anything else.
    pub fn parse(kind: SidKind, text: &str) -> Result<Self, SidError> {
        let refused = SidError { expected: kind };
        let digits = text.strip_prefix(kind.letters()).ok_or(refused)?;
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        if pairs.len() != 16 || !rest.is_empty() {
            return Err(refused);
        }
        let mut bytes = [0; 16];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (nibble(*high).ok_or(refused)? << 4) | nibble(*low).ok_or(refused)?;
        }
        Ok(Self(bytes))
    }

    /// The 34-character form, lower case.
    pub fn text(self, kind: SidKind) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(34);
        text.push_str(kind.letters());
        for byte in self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
