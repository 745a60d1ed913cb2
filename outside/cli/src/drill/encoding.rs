//! The encodings in which a secret is looked for, as patterns of bytes.
//!
//! A leak is seldom the plain text: a log line escapes it, a dump has it in hexadecimal, a modem packs seven bits into
//! eight. [`Encoding::patterns`] gives every run of bytes that the value leaves in a larger text of that encoding,
//! whatever stands around it; where the neighbours reach into a byte, that byte is left out.
//!
//! Scope: one layer. A secret in base64 of hexadecimal is not found; one in gzip is, in any of the others, because what
//! gzip holds is searched like everything else (`detector`).

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

/// An encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Encoding {
    /// As it is.
    Raw,
    /// Hexadecimal, of either case.
    Hex,
    /// Base64 of a text in which it stands so many bytes (modulo 3) from the beginning.
    Base64(u8),
    /// Percent-encoding, of every byte or only of what a URL cannot hold.
    Percent,
    /// Quoted-printable, of every byte or only of `=`.
    QuotedPrintable,
    /// UTF-16, little end first.
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
    /// Septets of the GSM alphabet, packed (3GPP TS 23.038, 6.1.2.1.1), at any of the eight alignments.
    Gsm7,
    /// Digits as semi-octets with swapped nibbles, as in the address of a short message (3GPP TS 23.040, 9.1.2.3), or not
    /// swapped.
    SemiOctets,
    /// Back to front.
    Reversed,
    /// In a gzip member, in any of the others.
    Gzip,
}

impl Encoding {
    /// All of them.
    pub(crate) const ALL: [Self; 13] = [
        Self::Raw,
        Self::Hex,
        Self::Base64(0),
        Self::Base64(1),
        Self::Base64(2),
        Self::Percent,
        Self::QuotedPrintable,
        Self::Utf16Le,
        Self::Utf16Be,
        Self::Gsm7,
        Self::SemiOctets,
        Self::Reversed,
        Self::Gzip,
    ];

    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Hex => "hex",
            Self::Base64(0) => "base64+0",
            Self::Base64(1) => "base64+1",
            Self::Base64(_) => "base64+2",
            Self::Percent => "percent",
            Self::QuotedPrintable => "quoted-printable",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Gsm7 => "gsm-7",
            Self::SemiOctets => "semi-octets",
            Self::Reversed => "reversed",
            Self::Gzip => "gzip",
        }
    }

    /// What to look for. Nothing if this value has no such form, and for [`Encoding::Gzip`], which is opened instead.
    pub(crate) fn patterns(self, value: &str) -> Vec<Vec<u8>> {
        let bytes = value.as_bytes();
        let mut found = match self {
            Self::Raw => vec![bytes.to_vec()],
            Self::Hex => vec![HEXLOWER.encode(bytes).into(), HEXUPPER.encode(bytes).into()],
            Self::Base64(before) => base64(bytes, usize::from(before)),
            Self::Percent => percent(bytes),
            Self::QuotedPrintable => quoted_printable(bytes),
            Self::Utf16Le => vec![value.encode_utf16().flat_map(u16::to_le_bytes).collect()],
            Self::Utf16Be => vec![value.encode_utf16().flat_map(u16::to_be_bytes).collect()],
            Self::Gsm7 => {
                septets(value).map(|septets| (0..8).map(|at| packed(&septets, at)).collect()).unwrap_or_default()
            }
            Self::SemiOctets => semi_octets(bytes),
            Self::Reversed => vec![bytes.iter().rev().copied().collect()],
            Self::Gzip => vec![],
        };
        found.sort();
        found.dedup();
        found
    }
}

/// The characters that the value alone decides, with so many bytes before it.
fn base64(value: &[u8], before: usize) -> Vec<Vec<u8>> {
    let padded: Vec<u8> = std::iter::repeat_n(0, before).chain(value.iter().copied()).collect();
    // Six bits a character: the first that holds no bit of what is before, the last that holds none of what is after.
    let (first, last) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
    let cut = |encoded: String| encoded.as_bytes()[first..last].to_vec();
    vec![cut(BASE64.encode(&padded)), cut(BASE64URL.encode(&padded))]
}

fn escaped(value: &[u8], mark: char, plain: impl Fn(u8) -> bool, upper: bool) -> Vec<u8> {
    let hex = if upper { &HEXUPPER } else { &HEXLOWER };
    let escape = |byte: &u8| match plain(*byte) {
        true => char::from(*byte).to_string(),
        false => format!("{mark}{}", hex.encode(&[*byte])),
    };
    value.iter().map(escape).collect::<String>().into()
}

fn percent(value: &[u8]) -> Vec<Vec<u8>> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    // Where nothing needs an escape, the second form is the raw one, which has its own row.
    let some = |upper| Some(escaped(value, '%', unreserved, upper)).filter(|form| form != value);
    let all = |upper| Some(escaped(value, '%', |_| false, upper));
    [all(true), all(false), some(true), some(false)].into_iter().flatten().collect()
}

fn quoted_printable(value: &[u8]) -> Vec<Vec<u8>> {
    let printable = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    let some = |upper| Some(escaped(value, '=', printable, upper)).filter(|form| form != value);
    let all = |upper| Some(escaped(value, '=', |_| false, upper));
    [all(true), all(false), some(true), some(false)].into_iter().flatten().collect()
}

/// A text in the default alphabet of 3GPP TS 23.038, as far as it agrees with ASCII, and the characters of an address.
pub(crate) fn septets(text: &str) -> Option<Vec<u8>> {
    let septet = |char: char| match char {
        'A'..='Z' | 'a'..='z' | '0'..='9' | ' '..='#' | '%'..='?' => u8::try_from(char).ok(),
        '@' => Some(0x00),
        '$' => Some(0x02),
        '_' => Some(0x11),
        _ => None,
    };
    text.chars().map(septet).collect()
}

/// Septets that begin `offset` bits into a byte: the bytes that are theirs alone.
fn packed(septets: &[u8], offset: usize) -> Vec<u8> {
    let end = offset + septets.len() * 7;
    let mut bytes = vec![0u8; end.div_ceil(8)];
    for (number, septet) in septets.iter().enumerate() {
        let bit = offset + number * 7;
        let shifted = u16::from(*septet) << (bit % 8);
        let [low, high] = shifted.to_le_bytes();
        bytes[bit / 8] |= low;
        if high != 0 {
            bytes[bit / 8 + 1] |= high;
        }
    }
    bytes[offset.div_ceil(8)..end / 8].to_vec()
}

fn semi_octets(value: &[u8]) -> Vec<Vec<u8>> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return vec![];
    }
    let mut nibbles: Vec<u8> = value.iter().map(|digit| digit - b'0').collect();
    if nibbles.len() % 2 == 1 {
        nibbles.push(0xF);
    }
    let joined = |swapped: bool| {
        let join = |pair: &[u8]| if swapped { pair[1] << 4 | pair[0] } else { pair[0] << 4 | pair[1] };
        nibbles.chunks_exact(2).map(join).collect()
    };
    vec![joined(true), joined(false)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn text(encoding: Encoding, value: &str) -> Vec<String> {
        encoding.patterns(value).into_iter().map(|pattern| String::from_utf8(pattern).unwrap()).collect()
    }

    fn hex(patterns: Vec<Vec<u8>>) -> Vec<String> {
        patterns.iter().map(|pattern| HEXUPPER.encode(pattern)).collect()
    }

    #[test]
    fn known_answers() {
        assert_eq!(text(Encoding::Raw, "0123456789"), ["0123456789"]);
        assert_eq!(
            text(Encoding::Hex, "J0"),
            ["4a30", "4A30"].map(str::to_owned).into_iter().rev().collect::<Vec<_>>()
        );
        assert_eq!(text(Encoding::Percent, "a+1"), ["%61%2B%31", "%61%2b%31", "a%2B1", "a%2b1"]);
        assert_eq!(text(Encoding::Percent, "12"), ["%31%32"]);
        assert_eq!(text(Encoding::QuotedPrintable, "a=1"), ["=61=3D=31", "=61=3d=31", "a=3D1", "a=3d1"]);
        assert_eq!(hex(Encoding::Utf16Le.patterns("12")), ["31003200"]);
        assert_eq!(hex(Encoding::Utf16Be.patterns("12")), ["00310032"]);
        assert_eq!(text(Encoding::Reversed, "0123"), ["3210"]);
        assert_eq!(Encoding::Gzip.patterns("0123"), Vec::<Vec<u8>>::new());
    }

    /// The example of every text book, and one of an own: `hellohello` is `E8329BFD4697D9EC37`.
    #[test]
    fn known_answers_of_the_gsm_alphabet() {
        let whole = |text: &str| {
            let septets = septets(text).unwrap();
            let mut filled = septets.clone();
            filled.extend([0; 8]);
            HEXUPPER.encode(&packed(&filled, 0)[..(septets.len() * 7).div_ceil(8)])
        };
        assert_eq!(whole("hellohello"), "E8329BFD4697D9EC37");
        assert_eq!(whole("1234567890"), "31D98C56B3DD7039".to_owned() + "18");
        // `@` is the septet 0.
        assert_eq!(septets("a@b_"), Some(vec![0x61, 0x00, 0x62, 0x11]));
        assert_eq!(septets("ç"), None);
        // Nine bytes and six bits: the last byte has room for a neighbour.
        assert_eq!(hex(vec![packed(&septets("hellohello").unwrap(), 0)]), ["E8329BFD4697D9EC"]);
        assert_eq!(Encoding::Gsm7.patterns("hellohello").len(), 8);
    }

    #[test]
    fn a_packed_text_holds_the_pattern_at_every_alignment() {
        for before in 0..8 {
            let septets = septets(&format!("{}0123456789 and on", &"abcdefgh"[..before])).unwrap();
            let text = packed(&septets, 0);
            let patterns = Encoding::Gsm7.patterns("0123456789");
            let found = patterns.iter().filter(|pattern| text.windows(pattern.len()).any(|window| window == *pattern));
            assert_eq!(found.count(), 1, "after {before} letters");
        }
    }

    /// 3GPP TS 23.040: an odd number of digits is filled with `F`.
    #[test]
    fn known_answers_of_semi_octets() {
        assert_eq!(hex(Encoding::SemiOctets.patterns("12025550123")), ["12025550123F", "2120550521F3"]);
        assert_eq!(hex(Encoding::SemiOctets.patterns("0123456789")), ["0123456789", "1032547698"]);
        assert_eq!(Encoding::SemiOctets.patterns("12a4"), Vec::<Vec<u8>>::new());
    }

    /// RFC 4648, and every alignment between any neighbours.
    #[test]
    fn known_answers_of_base64() {
        assert_eq!(text(Encoding::Base64(0), "foobar"), ["Zm9vYmFy"]);
        for before in 0..9 {
            for after in 0..4 {
                let around = [vec![0xA5; before], b"0123456789".to_vec(), vec![0x5A; after]].concat();
                let text = BASE64.encode(&around);
                let patterns = Encoding::Base64(u8::try_from(before % 3).unwrap()).patterns("0123456789");
                let found = patterns.iter().any(|pattern| text.contains(std::str::from_utf8(pattern).unwrap()));
                assert!(found, "{before} before, {after} after");
            }
        }
        let [plain, url] = &text(Encoding::Base64(0), "??>")[..] else { unreachable!() };
        assert_eq!([plain, url], ["Pz8+", "Pz8-"]);
    }

    #[test]
    fn no_pattern_is_so_short_that_chance_finds_it() {
        for value in ["0123456789", "12025550123"] {
            for encoding in Encoding::ALL {
                for pattern in encoding.patterns(value) {
                    assert!(pattern.len() >= 5, "{encoding:?}");
                }
            }
        }
    }
}
