//! Where a code is sent: a phone number or an e-mail address, as a secret.
//!
//! Only one spelling of each is accepted, and whatever is counted or compared is counted under that one, so that no
//! spelling changes the outcome of an attempt.

mod calling_codes;
mod email;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::Channel;
use calling_codes::calling_code;
pub use email::is_domain;

/// Longest phone number: `+` and fifteen digits (ITU-T E.164 §6).
const LONGEST_NUMBER: usize = 16;
/// Shortest one that any numbering plan has, `+` included.
const SHORTEST_NUMBER: usize = 8;
/// Digits of a number that its prefix leaves out.
const SUBSCRIBER: usize = 4;

/// An address. It identifies a person, so it is a secret: zeroized on drop, never printed, and not written to the log
/// (the log knows it by its keyed hash).
pub struct Destination {
    text: Zeroizing<Vec<u8>>,
    /// The calling code of a phone number.
    calling_code: Option<u16>,
}

/// Where a phone number belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    /// Digits after the `+` that name the country, or the group of countries that share them (ITU-T E.164, annex).
    pub calling_code: u16,
}

/// Why a text is not an address; names no digit of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationError {
    /// Not `+`, a non-zero digit and 6 to 14 more ASCII digits.
    Number,
    /// No country has this calling code.
    CallingCode,
    /// Not one plain address `local@domain` of ASCII characters.
    Email,
}

impl fmt::Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "expected a phone number in E.164 form: +, country code, subscriber number, digits only",
            Self::CallingCode => "no country has this calling code",
            Self::Email => "expected one plain e-mail address, ASCII only (international domains as xn--)",
        })
    }
}

impl core::error::Error for DestinationError {}

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
    /// [`DestinationError`].
    pub fn phone(text: &str) -> Result<Self, DestinationError> {
        let digits = text.strip_prefix('+').ok_or(DestinationError::Number)?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        if !plain || !(SHORTEST_NUMBER..=LONGEST_NUMBER).contains(&text.len()) {
            return Err(DestinationError::Number);
        }
        let calling_code = Some(calling_code(digits).ok_or(DestinationError::CallingCode)?);
        Ok(Self { text: Zeroizing::new(text.as_bytes().to_vec()), calling_code })
    }

    /// Parses an e-mail address. The domain is lower-cased.
    ///
    /// # Errors
    /// [`DestinationError::Email`].
    pub fn email(text: &str) -> Result<Self, DestinationError> {
        let text = email::normal(text).ok_or(DestinationError::Email)?;
        Ok(Self { text, calling_code: None })
    }

    /// The address. Every caller of this is a place to review: the tenant that gave it, and the message's address.
    pub fn expose(&self) -> &str {
        core::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// What is counted for it: the address itself, an e-mail's local part in lower case, since no provider tells two
    /// people apart by it.
    pub fn counted(&self) -> Zeroizing<String> {
        Zeroizing::new(self.expose().to_ascii_lowercase())
    }

    /// Where a phone number belongs; `None` for an e-mail address.
    pub fn country(&self) -> Option<Country> {
        self.calling_code.map(|calling_code| Country { calling_code })
    }

    /// What many addresses share: a number without its last four digits, an e-mail's domain.
    pub fn prefix(&self) -> &str {
        let text = self.expose();
        match text.rsplit_once('@') {
            Some((_, domain)) => domain,
            None => &text[..text.len() - SUBSCRIBER],
        }
    }

    /// A second copy, for a message or an answer. Greppable, because `Clone` is not implemented.
    pub fn duplicate(&self) -> Self {
        Self { text: self.text.clone(), calling_code: self.calling_code }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn one_spelling_of_a_number() {
        let number = Destination::phone("+12025550123").unwrap();
        assert_eq!((number.expose(), number.prefix()), ("+12025550123", "+1202555"));
        assert_eq!(number.country(), Some(Country { calling_code: 1 }));
        for text in [
            "12025550123",
            "+1 2025550123",
            "+0155501001",
            "+155501",
            "+1202555012345678",
            "+12O25550123",
            "+１２０２５５５",
            "+1202555012\u{0663}",
            " +12025550123",
            "+12025550123\n",
            "tel:+12025550123",
            "",
            "+",
        ] {
            assert_eq!(Destination::phone(text).err(), Some(DestinationError::Number), "{text}");
        }
        for text in ["+2101234567", "+9991234567", "+8591234567"] {
            assert_eq!(Destination::phone(text).err(), Some(DestinationError::CallingCode), "{text}");
        }
    }

    #[test]
    fn calling_codes_are_told_apart() {
        for (text, code) in [("+442079460123", 44), ("+35312345678", 353), ("+77012345678", 7), ("+8612345678901", 86)]
        {
            assert_eq!(Destination::phone(text).unwrap().country().map(|country| country.calling_code), Some(code));
        }
    }

    #[test]
    fn one_spelling_of_an_e_mail_address() {
        let address = Destination::email("Jo.Doe+x@Example.COM").unwrap();
        assert_eq!((address.expose(), address.prefix()), ("Jo.Doe+x@example.com", "example.com"));
        assert_eq!(*address.counted(), "jo.doe+x@example.com");
        assert_eq!(address.country(), None);
        for text in [
            "a@b",
            "a@@example.com",
            "@example.com",
            "a@",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "a b@example.com",
            "\"a\"@example.com",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@-example.com",
            "a@example-.com",
            "a@exa_mple.com",
            "a@example.com.",
            "ä@example.com",
            "a@exämple.com",
            "Jo <a@example.com>",
            "a@example.com,b@example.com",
            "a@example.com\r\nBcc: b@example.com",
            "",
        ] {
            assert_eq!(Destination::email(text).err(), Some(DestinationError::Email), "{text}");
        }
        let long = ["a".repeat(64), "b".repeat(65)];
        assert!(Destination::email(&[&long[0], "@example.com"].concat()).is_ok());
        assert!(Destination::email(&[&long[1], "@example.com"].concat()).is_err());
    }
}
