//! The message that carries a code: the one output that a code is part of, and it goes to the person.
//!
//! Texts are short, so that one part of a text message holds them ([`sms`]); names are short for it ([`ServiceName`]).
//!
//! People and phones find the code as the first run of 4 to 10 digits that stands alone (`\b\d{4,10}\b`); names cannot hold
//! such a run. App hashes and domains, which may, come last.

mod email;
mod locale;
mod name;
mod sms;
mod text;

use alloc::string::String;

use adyton_seal::Code;

use crate::destination::is_domain;
use crate::{Channel, ServiceSettings};
use sms::LastLine;

pub use locale::Locale;
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
pub struct MessageLook {
    /// A name instead of the service's.
    pub name: Option<ServiceName>,
    /// Language.
    pub locale: Locale,
    /// Eleven characters by which an Android app is handed the message.
    pub app_hash: Option<AppHash>,
}

/// Hash of an Android app (SMS Retriever): eleven characters of base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppHash(String);

impl AppHash {
    /// Parses it; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        (text.len() == 11 && text.bytes().all(base64)).then(|| Self(text.into()))
    }
}

/// Domain that a browser binds a code to (WebOTP), in lower case and short enough for the last line of a text message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOtpDomain(String);

impl WebOtpDomain {
    /// Longest domain beside the longest name, code and warning in every language.
    pub const LONGEST: usize = 46;

    /// Parses it; `None` if it is not a domain name or too long.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() <= Self::LONGEST && is_domain(text)).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The domain.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The message for a code.
pub(crate) fn render(channel: Channel, settings: &ServiceSettings, look: &MessageLook, code: &Code) -> Message {
    let name = look.name.as_ref().map_or(&settings.friendly_name[..], ServiceName::text);
    match channel {
        Channel::Email => email::render(name, look.locale, code, settings.do_not_share),
        Channel::Sms => {
            // A message has one last line. The hash goes before, because the request itself asks for it.
            let last = match (&look.app_hash, &settings.web_otp_domain[..]) {
                (Some(hash), _) => LastLine::AppHash(hash),
                (None, "") => LastLine::Nothing,
                (None, domain) => LastLine::Domain(domain),
            };
            sms::render(name, look.locale, code, settings.do_not_share, last)
        }
    }
}

#[cfg(test)]
mod tests;
