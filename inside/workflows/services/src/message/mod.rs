//! The message that carries a code: the one output that a code is part of, and it goes to the
//! person.
//!
//! Texts and names are short ([`ServiceName`]), so that one part of a text message holds them
//! ([`sms`]). A text that does not fit is refused ([`TooLong`]): no request makes a message leave
//! out the service's warning or domain.
//!
//! People and phones find the code as the first run of 4 to 10 digits that stands alone
//! (`\b\d{4,10}\b`); names cannot hold such a run. App hashes and domains, which may, come last.

mod email;
mod fold;
mod locale;
mod name;
mod sms;
mod text;

use alloc::string::String;

use alloc::vec::Vec;
use core::fmt;

use adyton_destination::{Channel, is_domain};
use adyton_seal::Code;

use crate::ServiceSettings;
use sms::LastLines;

pub use locale::Locale;
pub use name::brings_a_hash;
pub use name::{NameError, ServiceName, gsm7_septets};
pub use text::{Part, Text};

/// A message, ready to be handed to a carrier. It holds a code: zeroized on drop, never printed.
pub struct Message {
    /// The text; of an e-mail, its plain part.
    pub text: Text,
    /// Subject of an e-mail; it never holds the code.
    pub subject: Option<String>,
    /// HTML part of an e-mail.
    pub html: Option<Text>,
    /// The code alone, for a route that seals it to its gateway.
    pub code: Code,
}

/// How a request wants its message to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageOptions {
    /// A name instead of the service's.
    pub name: Option<ServiceName>,
    /// Language.
    pub locale: Locale,
    /// The Android app that is handed the message; one of the service's
    /// ([`ServiceSettings::app_hashes`]).
    pub app_hash: Option<AppHash>,
}

/// A text that does not fit into one text message with what the service demands of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// Characters (septets, UTF-16 units or bytes, whichever the limit counts) over the limit.
    pub excess: usize,
}

/// Hash of an Android app (SMS Retriever): eleven characters of base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppHash(String);

impl AppHash {
    /// Characters of a hash.
    pub const LENGTH: usize = 11;
    /// Hashes of one service: an app has one for each key that signs it.
    pub const MAX_COUNT: usize = 8;

    /// Parses it; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        (text.len() == Self::LENGTH && text.bytes().all(base64)).then(|| Self(text.into()))
    }

    /// Parses a list of distinct hashes, separated by commas. An empty text is the empty list.
    ///
    /// # Errors
    /// [`AppHashesError`].
    pub fn parse_list(text: &str) -> Result<Vec<Self>, AppHashesError> {
        let mut hashes: Vec<Self> = Vec::new();
        for item in text.split(',').filter(|_| !text.is_empty()) {
            let hash = Self::parse(item).ok_or(AppHashesError::Form)?;
            if hashes.contains(&hash) {
                return Err(AppHashesError::Repeated);
            }
            if hashes.len() == Self::MAX_COUNT {
                return Err(AppHashesError::TooMany);
            }
            hashes.push(hash);
        }
        Ok(hashes)
    }

    /// The eleven characters.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a list of app hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppHashesError {
    /// An item is not eleven characters of base64.
    Form,
    /// A hash stands twice.
    Repeated,
    /// There are more than [`AppHash::MAX_COUNT`].
    TooMany,
}

impl fmt::Display for AppHashesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "expected app hashes of 11 characters (A-Z, a-z, 0-9, + and /), separated by commas",
            Self::Repeated => "an app hash stands twice",
            Self::TooMany => "at most 8 app hashes",
        })
    }
}

impl core::error::Error for AppHashesError {}

/// Domain that a browser binds a code to (WebOTP), in lower case and short enough for the last line
/// of a text message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOtpDomain(String);

impl WebOtpDomain {
    /// Longest domain beside the longest name, code and warning in every language.
    pub const MAX_LENGTH: usize = 46;

    /// Parses it; `None` if it is not a domain name or too long.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() <= Self::MAX_LENGTH && is_domain(text)).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The domain.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The message for a code.
///
/// # Errors
/// [`TooLong`] if a text message with everything that the service demands does not fit.
pub fn render(
    channel: Channel,
    settings: &ServiceSettings,
    look: &MessageOptions,
    code: &Code,
) -> Result<Message, TooLong> {
    let name = look.name.as_ref().map_or(&settings.friendly_name[..], ServiceName::text);
    match channel {
        Channel::Email => Ok(email::render(name, look.locale, code, settings.do_not_share)),
        Channel::Sms => {
            let last = LastLines { app_hash: look.app_hash.as_ref(), domain: &settings.web_otp_domain };
            sms::render(name, look.locale, code, settings.do_not_share, last)
        }
    }
}

/// Whether every message of a service fits that names no other name: in each language, with and
/// without an app hash, and with codes of `code_length` digits.
///
/// # Errors
/// [`TooLong`], the first that does not.
pub(crate) fn check_service(settings: &ServiceSettings, code_length: usize) -> Result<(), TooLong> {
    // Only its length matters. The length is in the range of a code.
    let Some(code) = Code::parse(&"0".repeat(code_length)) else { return Ok(()) };
    for locale in Locale::ALL {
        for app_hash in [None, settings.app_hashes.first().cloned()] {
            render(Channel::Sms, settings, &MessageOptions { name: None, locale, app_hash }, &code)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
