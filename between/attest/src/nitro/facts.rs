//! Reads what `webpki` checks or skips but does not tell: validity, key usage, whether there are name constraints.
//!
//! It reads certificates of which `webpki` has verified form and signature; what it cannot read it does not guess.

/// Facts of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// First second, Unix seconds.
    pub(super) not_before: u64,
    /// Last second, Unix seconds.
    pub(super) not_after: u64,
    /// Key usage bits, `digitalSignature` first; `None` without the extension.
    pub(super) key_usage: Option<u8>,
    /// Whether it limits the names of those below it.
    pub(super) constrains_names: bool,
}

/// `digitalSignature` (RFC 5280 §4.2.1.3).
pub(super) const DIGITAL_SIGNATURE: u8 = 0x80;
/// `keyCertSign`.
pub(super) const KEY_CERT_SIGN: u8 = 0x04;

const BIT_STRING: u8 = 0x03;
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const EXTENSIONS: u8 = 0xA3;
const KEY_USAGE: [u8; 3] = [0x55, 0x1D, 0x0F];
const NAME_CONSTRAINTS: [u8; 3] = [0x55, 0x1D, 0x1E];

/// First and last second of a certificate's validity, Unix seconds; `None` if it is not one of version 3 in DER. Nothing of it
/// is verified here.
pub fn validity(certificate: &[u8]) -> Option<(u64, u64)> {
    Facts::read(certificate).map(|facts| (facts.not_before, facts.not_after))
}

impl Facts {
    /// Facts of a version 3 certificate; `None` if it has another form.
    pub(super) fn read(certificate: &[u8]) -> Option<Self> {
        let mut rest = certificate;
        let mut signed = item(&mut rest, SEQUENCE)?;
        let mut tbs = item(&mut signed, SEQUENCE)?;
        item(&mut tbs, VERSION)?;
        item(&mut tbs, INTEGER)?;
        // Algorithm, then issuer.
        item(&mut tbs, SEQUENCE)?;
        item(&mut tbs, SEQUENCE)?;
        let mut validity = item(&mut tbs, SEQUENCE)?;
        // Subject, then its key.
        item(&mut tbs, SEQUENCE)?;
        item(&mut tbs, SEQUENCE)?;
        let mut facts = Self {
            not_before: time(&mut validity)?,
            not_after: time(&mut validity)?,
            key_usage: None,
            constrains_names: false,
        };
        if tbs.first() == Some(&EXTENSIONS) {
            let mut wrapped = item(&mut tbs, EXTENSIONS)?;
            let mut extensions = item(&mut wrapped, SEQUENCE)?;
            while !extensions.is_empty() {
                facts.extension(item(&mut extensions, SEQUENCE)?)?;
            }
        }
        (tbs.is_empty() && validity.is_empty() && rest.is_empty()).then_some(facts)
    }

    fn extension(&mut self, mut extension: &[u8]) -> Option<()> {
        let id = item(&mut extension, OID)?;
        if extension.first() == Some(&BOOLEAN) {
            item(&mut extension, BOOLEAN)?;
        }
        let mut value = item(&mut extension, OCTET_STRING)?;
        if id == KEY_USAGE {
            // Unused bits, then the first eight: those that matter here.
            let [_unused, bits @ ..] = item(&mut value, BIT_STRING)? else { return None };
            self.key_usage = Some(bits.first().copied().unwrap_or(0));
        }
        self.constrains_names |= id == NAME_CONSTRAINTS;
        extension.is_empty().then_some(())
    }
}

/// An item's content. Lengths are definite and in their shortest form, up to 65 535.
fn item<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (length, content) = match **rest {
        [found, _, ..] if found != tag => return None,
        [_, length @ 0..=0x7F, ref content @ ..] => (usize::from(length), content),
        [_, 0x81, length @ 0x80..=0xFF, ref content @ ..] => (usize::from(length), content),
        [_, 0x82, high @ 1..=0xFF, low, ref content @ ..] => (usize::from(u16::from_be_bytes([high, low])), content),
        _ => return None,
    };
    let (content, left) = content.split_at_checked(length)?;
    *rest = left;
    Some(content)
}

/// `UTCTime` or `GeneralizedTime`, to the second, in UTC (RFC 5280 §4.1.2.5): Unix seconds.
fn time(rest: &mut &[u8]) -> Option<u64> {
    let tag = *rest.first()?;
    let mut digits = match tag {
        UTC_TIME | GENERALIZED_TIME => item(rest, tag)?.strip_suffix(b"Z")?,
        _ => return None,
    };
    let year = match two(&mut digits)? {
        century if tag == GENERALIZED_TIME => century * 100 + two(&mut digits)?,
        year @ 0..=49 => 2000 + year,
        year => 1900 + year,
    };
    let (month, day) = (two(&mut digits)?, two(&mut digits)?);
    let (hour, minute, second) = (two(&mut digits)?, two(&mut digits)?, two(&mut digits)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let in_month = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !digits.is_empty() || !(1..=in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days from the civil date, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

fn two(digits: &mut &[u8]) -> Option<u64> {
    let (pair, left) = digits.split_first_chunk::<2>()?;
    *digits = left;
    let [tens, ones] = pair.map(|digit| digit.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u64::from(tens) * 10 + u64::from(ones))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(tag: u8, text: &str) -> Option<u64> {
        let der = [&[tag, u8::try_from(text.len()).unwrap_or(0)], text.as_bytes()].concat();
        time(&mut &der[..])
    }

    #[test]
    fn times_are_unix_seconds() {
        for (text, expected) in [
            ("700101000000Z", 0),
            ("000229235959Z", 951_868_799),
            ("191028132805Z", 1_572_269_285),
            ("491028142805Z", 2_519_044_085),
            ("991231235959Z", 946_684_799),
        ] {
            assert_eq!(seconds(UTC_TIME, text), Some(expected), "{text}");
        }
        for (text, expected) in [("20500101000000Z", 2_524_608_000), ("99991231235959Z", 253_402_300_799)] {
            assert_eq!(seconds(GENERALIZED_TIME, text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_guessed() {
        let wrong = [
            "500101000000Z",
            "260229000000Z",
            "261301000000Z",
            "260001000000Z",
            "260100000000Z",
            "260132000000Z",
            "260101240000Z",
            "260101006000Z",
            "260101000060Z",
            "2601010000Z",
            "260101000000",
            "260101000000+0100",
            "2601010000 0Z",
            "26010100000:Z",
            "",
        ];
        for text in wrong {
            assert_eq!(seconds(UTC_TIME, text), None, "{text}");
        }
        assert_eq!(seconds(GENERALIZED_TIME, "20500101000000.5Z"), None);
        assert_eq!(seconds(GENERALIZED_TIME, "19000229000000Z"), None);
    }

    #[test]
    fn lengths_are_in_their_shortest_form() {
        let read = |bytes: &[u8]| item(&mut &bytes[..], OCTET_STRING).map(<[u8]>::len);
        assert_eq!(read(&[4, 1, 9]), Some(1));
        assert_eq!(read(&[&[4, 0x81, 0x80][..], &[0; 128]].concat()), Some(128));
        assert_eq!(read(&[&[4, 0x82, 1, 0][..], &[0; 256]].concat()), Some(256));
        for wrong in [&[][..], &[4], &[5, 0], &[4, 1], &[4, 0x80, 0, 0], &[4, 0x81, 1, 9], &[4, 0x82, 0, 1, 9]] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn no_prefix_of_a_certificate_is_one() {
        let root = crate::Root::aws();
        let facts = Facts {
            not_before: 1_572_269_285,
            not_after: 2_519_044_085,
            key_usage: Some(0x86),
            constrains_names: false,
        };
        assert_eq!(Facts::read(root.der()), Some(facts));
        for length in 0..root.der().len() {
            assert_eq!(Facts::read(&root.der()[..length]), None, "{length}");
        }
        assert_eq!(Facts::read(&[root.der(), &[0]].concat()), None);
    }
}
