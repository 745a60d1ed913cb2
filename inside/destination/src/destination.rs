//! Where a code is sent: a phone number or an e-mail address, as a secret.
//!
//! Only one spelling of each is accepted. Limits and comparisons use that spelling, so another one
//! evades none of them.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use zeroize::Zeroizing;

use crate::phone::{self, Country, Numbering, WrittenInstead};
use crate::{Channel, DestinationError, email};

/// Last digits of a number that its block leaves out: a block has 10,000 numbers, in every plan.
///
/// Pumping fraud uses runs of consecutive numbers, which plans allot to operators by the thousand,
/// ten thousand or more. With fewer digits left out such a run would have more blocks, each with a
/// ceiling of its own. With more, all people of a town would share one: an area code of the North
/// American plan has 8,000,000 numbers, a mobile prefix such as +49 1512 has 10,000,000. Where
/// numbers are so short that a block is a whole network (+683, +290), the country has fewer people
/// than a block has numbers, and much of such fraud.
const BLOCK_DIGITS: usize = 4;

/// An address. It identifies a person, so it is a secret: zeroized on drop, never printed, and not
/// written to the log (the log knows it by its keyed hash).
///
/// Behind a pointer, so that moving it leaves no copy behind, and one copy in memory however often
/// it is duplicated. There are as many as live verifications, so it holds nothing besides: what a
/// number's digits say is read from them.
pub struct Destination(Arc<Text>);

/// The bytes. A number has at most 16 of them, which stand in the same allocation.
enum Text {
    Short(Zeroizing<[u8; SHORT]>, u8),
    Long(Zeroizing<Box<[u8]>>),
}

const SHORT: usize = 16;

impl Text {
    fn of(bytes: Zeroizing<Box<[u8]>>) -> Self {
        let mut short = Zeroizing::new([0; SHORT]);
        match (short.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(&bytes);
                Self::Short(short, length)
            }
            _ => Self::Long(bytes),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(bytes, length) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }
}

impl Destination {
    /// Parses what a channel can reach.
    ///
    /// # Errors
    /// [`DestinationError`].
    pub fn parse(channel: Channel, text: &str) -> Result<Self, DestinationError> {
        match channel {
            Channel::Sms => Self::phone(text),
            Channel::Email => Self::email(text),
        }
    }

    /// Parses a phone number: no blanks, brackets or other scripts' digits.
    ///
    /// # Errors
    /// [`DestinationError::NotE164`], [`DestinationError::CallingCode`],
    /// [`DestinationError::NationalLength`] or [`DestinationError::NationalBeginning`].
    pub fn phone(text: &str) -> Result<Self, DestinationError> {
        phone::parse(text)?;
        Ok(Self::of(Zeroizing::new(text.as_bytes().into())))
    }

    /// How a phone number that [`Destination::phone`] refuses is written instead, if a rule knows.
    /// It names prefixes, and no other digit of the number.
    pub fn written_instead(text: &str) -> Option<WrittenInstead> {
        phone::written_instead(text)
    }

    /// Parses an e-mail address. The domain is lower-cased.
    ///
    /// # Errors
    /// The other [`DestinationError`]s.
    pub fn email(text: &str) -> Result<Self, DestinationError> {
        Ok(Self::of(email::normal(text)?))
    }

    fn of(bytes: Zeroizing<Box<[u8]>>) -> Self {
        Self(Arc::new(Text::of(bytes)))
    }

    /// The address. Every caller of this is a place to review: the tenant that gave it, and the
    /// message's address.
    pub fn expose(&self) -> &str {
        core::str::from_utf8(self.0.bytes()).unwrap_or_default()
    }

    /// What is counted for it: the address itself, an e-mail's local part in lower case, since no
    /// provider tells two people apart by it.
    pub fn counted(&self) -> Zeroizing<String> {
        Zeroizing::new(self.expose().to_ascii_lowercase())
    }

    /// Of a phone number; no e-mail address reads as one, since it has an `@`.
    fn numbering(&self) -> Option<Numbering> {
        phone::parse(self.expose()).ok()
    }

    /// Where a phone number belongs; `None` for an e-mail address.
    pub fn country(&self) -> Option<Country> {
        self.numbering().map(|numbering| numbering.country)
    }

    /// Whether the sender of a message to it pays a third party for it, as far as the number's beginning
    /// tells: premium-rate and shared-cost numbers, which are what fraud with text messages is
    /// after.
    pub fn is_premium_rate(&self) -> bool {
        self.numbering().is_some_and(|numbering| numbering.premium_rate)
    }

    /// What many addresses share: of a number its block, which is the number without its last four
    /// digits; of an e-mail address the domain.
    pub fn prefix(&self) -> &str {
        let text = self.expose();
        match text.rsplit_once('@') {
            Some((_, domain)) => domain,
            None => &text[..text.len() - BLOCK_DIGITS],
        }
    }

    /// Another owner of the same copy, for a message or an answer. Greppable, because `Clone` is not
    /// implemented.
    pub fn duplicate(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_number() {
        for channel in [Channel::Sms, Channel::Email] {
            assert_eq!(Destination::parse(channel, "+12025550123").is_ok(), channel == Channel::Sms);
        }
        let number = Destination::phone("+12025550123").unwrap().duplicate();
        assert_eq!((number.expose(), number.prefix()), ("+12025550123", "+1202555"));
        assert_eq!(*number.counted(), "+12025550123");
        assert_eq!(number.country(), Some(Country { calling_code: 1, region: "US" }));
        assert!(!number.is_premium_rate() && Destination::phone("+19005550123").unwrap().is_premium_rate());
    }

    #[test]
    fn one_spelling_of_an_e_mail_address() {
        let address = Destination::email("Jo.Doe+x@Example.COM").unwrap();
        assert_eq!((address.expose(), address.prefix()), ("Jo.Doe+x@example.com", "example.com"));
        assert_eq!(*address.counted(), "jo.doe+x@example.com");
        assert_eq!((address.country(), address.is_premium_rate()), (None, false));
        let like_a_number = Destination::email("+19005550123@example.com").unwrap();
        assert_eq!((like_a_number.country(), like_a_number.is_premium_rate()), (None, false));
        for (text, error) in [
            ("", DestinationError::EmailForm),
            ("example.com", DestinationError::EmailForm),
            ("+12025550123", DestinationError::EmailForm),
            ("@example.com", DestinationError::LocalPart),
            (".a@example.com", DestinationError::LocalPart),
            ("a.@example.com", DestinationError::LocalPart),
            ("a..b@example.com", DestinationError::LocalPart),
            ("a b@example.com", DestinationError::LocalPart),
            (" a@example.com", DestinationError::LocalPart),
            ("\"a\"@example.com", DestinationError::LocalPart),
            ("(c)a@example.com", DestinationError::LocalPart),
            ("ä@example.com", DestinationError::LocalPart),
            ("Jo <a@example.com>", DestinationError::LocalPart),
            ("mailto:a@example.com", DestinationError::LocalPart),
            ("a@", DestinationError::Domain),
            ("a@b", DestinationError::Domain),
            ("a@@example.com", DestinationError::Domain),
            ("a@[127.0.0.1]", DestinationError::Domain),
            ("a@127.0.0.1", DestinationError::Domain),
            ("a@-example.com", DestinationError::Domain),
            ("a@example-.com", DestinationError::Domain),
            ("a@exa_mple.com", DestinationError::Domain),
            ("a@example.com.", DestinationError::Domain),
            ("a@exämple.com", DestinationError::Domain),
            ("a@example.com ", DestinationError::Domain),
            ("a@example.com,b@example.com", DestinationError::Domain),
            ("a@example.com\r\nBcc: b@example.com", DestinationError::Domain),
        ] {
            assert_eq!(Destination::email(text).err(), Some(error), "{text}");
        }
        assert_eq!(Destination::email("a@xn--exmple-cua.com").unwrap().prefix(), "xn--exmple-cua.com");
    }

    #[test]
    fn an_address_of_any_length_is_kept_whole() {
        for local in 1..=64 {
            let address = [&"a".repeat(local), "@example.com"].concat();
            assert_eq!(Destination::email(&address).unwrap().duplicate().expose(), address);
        }
        let longest = "+491701234567890";
        assert_eq!(longest.len(), SHORT);
        assert_eq!(Destination(Arc::new(Text::of(Zeroizing::new(longest.as_bytes().into())))).expose(), longest);
    }

    #[test]
    fn lengths_of_an_e_mail_address() {
        let of = |local: usize, labels: &[usize]| {
            let labels: Vec<String> = labels.iter().map(|length| "b".repeat(*length)).collect();
            Destination::email(&["a".repeat(local), "@".into(), labels.join(".")].concat()).err()
        };
        assert_eq!(of(64, &[7, 3]), None);
        assert_eq!(of(65, &[7, 3]), Some(DestinationError::LocalPart));
        assert_eq!(of(1, &[63, 3]), None);
        assert_eq!(of(1, &[64, 3]), Some(DestinationError::Domain));
        // 64 + 1 + 189 = 254.
        assert_eq!(of(64, &[63, 63, 61]), None);
        assert_eq!(of(64, &[63, 63, 62]), Some(DestinationError::EmailLength));
    }
}
