//! BER (X.690), as much of it as a KMS's answer has.
//!
//! 1. a tag of one byte, never zero, which is what ends a content of unknown length;
//! 2. a length: short, long with one or two bytes (in any spelling that BER allows), or indefinite, which only a
//!    constructed element may have and whose content ends at its own end-of-contents;
//! 3. an OCTET STRING may come in pieces, which are one string together.
//!
//! Why our own: what AWS sends is not DER, so a DER reader refuses it, and a whole ASN.1 library would be more trusted code
//! than these lines. Nesting is bounded and nothing is copied but pieces of strings.
//!
//! What it is not: an ASN.1 reader. It knows no type but bytes, and who asks knows the order of what comes.

use alloc::vec::Vec;

/// `OBJECT IDENTIFIER`.
pub(crate) const OID: u8 = 0x06;
/// `INTEGER`.
pub(crate) const INTEGER: u8 = 0x02;
/// `OCTET STRING`.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// `NULL`.
pub(crate) const NULL: u8 = 0x05;
/// `SEQUENCE`.
pub(crate) const SEQUENCE: u8 = 0x30;
/// `SET`.
pub(crate) const SET: u8 = 0x31;
/// The bit that says that an element is made of elements.
pub(crate) const CONSTRUCTED: u8 = 0x20;

/// Elements within elements.
const MAX_DEPTH: u8 = 8;

/// What is left to read of a content.
#[derive(Clone, Copy)]
pub(crate) struct Ber<'a>(&'a [u8]);

impl<'a> Ber<'a> {
    /// Reads from a slice.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The content of the next element, if that has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content, rest) = split(self.0, MAX_DEPTH)?;
        (found == tag).then(|| self.0 = rest)?;
        Some(content)
    }

    /// The same, to be read on.
    pub(crate) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self)
    }

    /// 3. The next element, a string with this primitive tag, whole or in pieces.
    pub(crate) fn octets(&mut self, tag: u8) -> Option<Vec<u8>> {
        if let Some(whole) = self.take(tag) {
            return Some(whole.to_vec());
        }
        let (mut pieces, mut out) = (self.enter(tag | CONSTRUCTED)?, Vec::new());
        while !pieces.0.is_empty() {
            out.extend_from_slice(pieces.take(OCTET_STRING)?);
        }
        Some(out)
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// Tag and content of the first element, and what stands behind it.
fn split(bytes: &[u8], depth: u8) -> Option<(u8, &[u8], &[u8])> {
    // 1.
    let (tag, after) = bytes.split_first()?;
    if *tag == 0 || tag & 0x1F == 0x1F {
        return None;
    }
    // 2.
    let (length, after) = match *after {
        [length @ 0..=0x7F, ref after @ ..] => (usize::from(length), after),
        [0x81, length, ref after @ ..] => (usize::from(length), after),
        [0x82, high, low, ref after @ ..] => (usize::from(u16::from_be_bytes([high, low])), after),
        [0x80, ref after @ ..] if tag & CONSTRUCTED != 0 => return indefinite(*tag, after, depth),
        _ => return None,
    };
    let (content, rest) = after.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn indefinite(tag: u8, content: &[u8], depth: u8) -> Option<(u8, &[u8], &[u8])> {
    let depth = depth.checked_sub(1)?;
    let mut rest = content;
    loop {
        if let Some(behind) = rest.strip_prefix(&[0, 0]) {
            return Some((tag, &content[..content.len() - rest.len()], behind));
        }
        rest = split(rest, depth)?.2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_may_have_any_spelling() {
        for bytes in [&[4, 2, 7, 8][..], &[4, 0x81, 2, 7, 8], &[4, 0x82, 0, 2, 7, 8]] {
            let mut ber = Ber::new(bytes);
            assert_eq!(ber.take(OCTET_STRING), Some(&[7, 8][..]));
            assert!(ber.is_empty());
        }
        for bytes in [
            &[][..],
            &[4],
            &[4, 2, 7],
            &[4, 0x80, 0, 0],
            &[4, 0x83, 0, 0, 1, 7],
            &[4, 0xFF],
            &[0, 0],
            &[0x1F, 4, 0],
            &[0x30, 0x80, 0],
            &[0x30, 0x80, 0, 1, 0],
        ] {
            assert!(split(bytes, MAX_DEPTH).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn strings_may_come_in_pieces() {
        for bytes in
            [&[4, 3, 1, 2, 3][..], &[0x24, 7, 4, 1, 1, 4, 2, 2, 3], &[0x24, 0x80, 4, 1, 1, 4, 0, 4, 2, 2, 3, 0, 0]]
        {
            assert_eq!(Ber::new(bytes).octets(OCTET_STRING).as_deref(), Some(&[1, 2, 3][..]), "{bytes:?}");
        }
        for bytes in [&[0x24, 3, 2, 1, 1][..], &[0x24, 2, 4, 1], &[0x24, 0x80, 0x24, 0x80, 4, 1, 1, 0, 0, 0, 0]] {
            assert_eq!(Ber::new(bytes).octets(OCTET_STRING), None, "{bytes:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| [[0x30, 0x80].repeat(depth), [0, 0].repeat(depth)].concat();
        assert!(split(&nested(8), MAX_DEPTH).is_some());
        assert!(split(&nested(9), MAX_DEPTH).is_none());
    }
}
