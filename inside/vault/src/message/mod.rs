//! The message that carries a code: the one output that a code is part of, and it goes to the person.
//!
//! Texts are short and within the GSM 7-bit alphabet, so that one part of a text message holds them: 160 septets with
//! the longest name in that alphabet (3GPP TS 23.038). A name outside it makes the message UCS-2, which has room for 70
//! characters; such names are therefore shorter ([`ServiceName`]).
//!
//! The code is the only run of four or more digits in a text, so that phones offer it for filling in; with WebOTP it is
//! repeated in the last line, bound to a domain.

mod email;
mod locale;
mod name;

use alloc::string::String;

use adyton_seal::{Code, SecretText};

use crate::{Channel, ServiceSettings};

pub use locale::Locale;
pub use name::{NameError, ServiceName, gsm7_septets};

/// A message, ready to be handed to a carrier. It holds a code: zeroized on drop, never printed.
pub struct Message {
    /// The text; of an e-mail, its plain part.
    pub text: SecretText,
    /// Subject of an e-mail; it never holds the code.
    pub subject: Option<String>,
    /// HTML part of an e-mail.
    pub html: Option<SecretText>,
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

/// The message for a code.
pub(crate) fn render(channel: Channel, settings: &ServiceSettings, look: &MessageLook, code: &Code) -> Message {
    let name = look.name.as_ref().map_or(&settings.friendly_name[..], ServiceName::text);
    let words = look.locale.words();
    match channel {
        Channel::Email => email::render(name, look.locale, code, settings.do_not_share),
        Channel::Sms => {
            let share = if settings.do_not_share { words.do_not_share } else { "" };
            // An app that is handed the message wants its hash last, a browser wants the domain's line last; a message
            // has one last line, and the hash is asked for by the request itself.
            let (before, line, hash) = match (&look.app_hash, &settings.web_otp_domain[..]) {
                (Some(AppHash(hash)), _) => ("<#> ", "\n", &hash[..]),
                (None, "") => ("", "", ""),
                (None, domain) => {
                    let parts =
                        [words.before_name, name, words.before_code, code.expose(), share, "\n\n@", domain, " #"];
                    let [a, b, c, d, e, f, g, h] = parts;
                    return Message {
                        text: SecretText::join(&[a, b, c, d, e, f, g, h, code.expose()]),
                        subject: None,
                        html: None,
                        code: code.duplicate(),
                    };
                }
            };
            let text = SecretText::join(&[
                before,
                words.before_name,
                name,
                words.before_code,
                code.expose(),
                share,
                line,
                hash,
            ]);
            Message { text, subject: None, html: None, code: code.duplicate() }
        }
    }
}

#[cfg(test)]
mod tests;
