//! Identifiers as the Twilio API writes them: two letters and 32 hexadecimal digits.

use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;
use core::marker::PhantomData;

/// The kind of object that an [`Id`] names. A workflow declares an empty enum for each kind.
pub trait IdKind: Copy + Ord + 'static {
    /// The two letters before the digits.
    const LETTERS: &'static str;
}

/// 16 bytes that name an object of kind `K`; public.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id<K>([u8; 16], PhantomData<K>);

/// A text is not an id of the kind that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdError {
    /// The two letters of the expected kind.
    pub expected: &'static str,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} and 32 hexadecimal digits", self.expected)
    }
}

impl core::error::Error for IdError {}

impl<K: Ord> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        #[cfg(feature = "steps")]
        crate::steps::step();
        self.0.cmp(&other.0)
    }
}

impl<K: Ord> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Id<K> {
    /// The lowest id, to begin a range with.
    pub const MIN: Self = Self::from_bytes([0; 16]);
    /// The highest id, to end a range with.
    pub const MAX: Self = Self::from_bytes([0xFF; 16]);

    /// The id of 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes, PhantomData)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl<K: IdKind> Id<K> {
    /// Parses the 34-character form; hexadecimal digits of either case name the same thing.
    ///
    /// # Errors
    /// [`IdError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let refused = IdError { expected: K::LETTERS };
        let digits = text.strip_prefix(K::LETTERS).ok_or(refused)?;
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        if pairs.len() != 16 || !rest.is_empty() {
            return Err(refused);
        }
        let mut bytes = [0; 16];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (nibble(*high).ok_or(refused)? << 4) | nibble(*low).ok_or(refused)?;
        }
        Ok(Self::from_bytes(bytes))
    }

    /// The 34-character form, lower case.
    pub fn text(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(34);
        text.push_str(K::LETTERS);
        for byte in self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }
}

impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
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

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Thing {}

    impl IdKind for Thing {
        const LETTERS: &'static str = "TH";
    }

    #[test]
    fn other_texts_are_refused() {
        let refused = Err(IdError { expected: "TH" });
        for text in ["", "TH", "th00000000000000000000000000000000", "AC00000000000000000000000000000000"] {
            assert_eq!(Id::<Thing>::parse(text), refused, "{text}");
        }
        for digits in ["0".repeat(31), "0".repeat(33), "g".repeat(32), "é".repeat(16)] {
            assert_eq!(Id::<Thing>::parse(&["TH", &digits].concat()), refused, "{digits}");
        }
        assert_eq!(IdError { expected: "TH" }.to_string(), "expected TH and 32 hexadecimal digits");
    }

    proptest! {
        #[test]
        fn text_and_bytes_name_the_same(bytes: [u8; 16]) {
            let id = Id::<Thing>::from_bytes(bytes);
            prop_assert_eq!(Id::parse(&id.text()), Ok(id));
            let upper = ["TH", &id.text()[2..].to_ascii_uppercase()].concat();
            prop_assert_eq!(Id::parse(&upper), Ok(id));
            prop_assert_eq!(format!("{id:?}"), id.text());
        }
    }

    use alloc::string::ToString;
}
