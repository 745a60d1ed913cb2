//! Until when a certificate is valid, read from one that is verified already.
//!
//! Why: `webpki` checks validity and does not tell it, and a chain must not be remembered past it. This is no parser of
//! certificates: it steps over what `webpki` has accepted. What it cannot read is not remembered, and nothing else follows
//! from that.

/// Unix seconds, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: u64,
    pub(super) until: u64,
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// Of a certificate (RFC 5280 §4.1): its `tbsCertificate` has version, serial, algorithm, issuer, then validity.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = value(certificate, SEQUENCE)?;
        let (mut tbs, _) = value(certificate, SEQUENCE)?;
        if tbs.first() == Some(&VERSION) {
            tbs = value(tbs, VERSION)?.1;
        }
        for _ in ["serial", "algorithm", "issuer"] {
            tbs = value(tbs, *tbs.first()?)?.1;
        }
        let (validity, _) = value(tbs, SEQUENCE)?;
        let (from, rest) = time(validity)?;
        let (until, rest) = time(rest)?;
        rest.is_empty().then_some(Self { from, until })
    }

    /// Where both hold.
    pub(super) fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }
}

/// The value of the element with this tag, and what follows it. Lengths of at most two bytes (DER).
fn value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(&[tag])?;
    let (length, rest) = match rest {
        [short @ 0..=0x7F, rest @ ..] => (usize::from(*short), rest),
        [0x81, one, rest @ ..] => (usize::from(*one), rest),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// `YYMMDDHHMMSSZ` (years from 1950) or `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5).
fn time(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let tag = *bytes.first()?;
    let (text, rest) = value(bytes, tag)?;
    let digits = text.strip_suffix(b"Z")?;
    let number = |from: usize, count: usize| {
        let digits = digits.get(from..from + count)?;
        let plain = digits.iter().all(u8::is_ascii_digit);
        plain.then(|| digits.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0')))
    };
    let (year, at) = match (tag, digits.len()) {
        (UTC_TIME, 12) => (number(0, 2).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, 2),
        (GENERALIZED_TIME, 14) => (number(0, 4)?, 4),
        _ => return None,
    };
    let mut fields = (0..5).map(|field| number(at + 2 * field, 2));
    let mut next = || fields.next().flatten();
    let (month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?);
    let in_range = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days of the proleptic Gregorian calendar, March first (Hinnant, "chrono-compatible low-level date algorithms").
    let shifted = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era_year, of_era) = (shifted.0 / 400, shifted.0 % 400);
    let of_year = (153 * shifted.1 + 2) / 5 + day - 1;
    let days = (era_year * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(719_468)?;
    Some((days * 86_400 + hour * 3600 + minute * 60 + second, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn times_are_read() {
        for (bytes, expected) in [
            (&b"\x17\x0d700101000000Z"[..], Some(0)),
            (b"\x17\x0d191028132805Z", Some(1_572_269_285)),
            (b"\x17\x0d491028142805Z", Some(2_519_044_085)),
            (b"\x18\x0f20240229235959Z", Some(1_709_251_199)),
            (b"\x18\x0f20500101000000Z", Some(2_524_608_000)),
            (b"\x17\x0d690101000000Z", None),
            (b"\x17\x0d191328132805Z", None),
            (b"\x17\x0c191028132805", None),
            (b"\x18\x0d191028132805Z", None),
            (b"\x17\x0d19102813280xZ", None),
            (b"\x04\x0d191028132805Z", None),
        ] {
            assert_eq!(time(bytes).map(|(seconds, _)| seconds), expected, "{bytes:?}");
        }
    }

    #[test]
    fn aws_root_is_valid_for_thirty_years() {
        let validity = Validity::of(crate::Root::aws().der()).unwrap();
        assert_eq!(validity, Validity { from: 1_572_269_285, until: 2_519_044_085 });
    }
}
