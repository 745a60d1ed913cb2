//! The name that stands in a message, and how long a text is in the alphabet of text messages.

use alloc::string::{String, ToString};
use core::fmt;

/// Longest name.
const LONGEST: usize = 30;
/// Longest name outside the GSM 7-bit alphabet, where a message has room for 70 characters in all.
const LONGEST_UCS2: usize = 15;

/// A name for people. It cannot carry an address or an instruction of its own, or a message that people trust would
/// carry whatever a thief of a key likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName(String);

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It is empty, or longer than 30 characters (15 outside the GSM alphabet).
    Length,
    /// It begins or ends with a blank, or has a control character, a line end or an invisible one.
    Character,
    /// It looks like an address of the web or of e-mail.
    Address,
    /// It holds four digits in a row, which would be taken for a code.
    Digits,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a name has 1 to 30 characters, or 15 outside the alphabet of text messages",
            Self::Character => "a name has no outer blanks, control or invisible characters",
            Self::Address => "a name must not look like an address",
            Self::Digits => "a name must not hold four digits in a row",
        })
    }
}

impl core::error::Error for NameError {}

impl ServiceName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`NameError`], the first rule that is broken.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let longest = if gsm7_septets(text).is_some() { LONGEST } else { LONGEST_UCS2 };
        // UTF-16 is what a message outside the alphabet is counted in.
        if text.is_empty() || text.encode_utf16().count() > longest {
            return Err(NameError::Length);
        }
        let hidden = |char: char| {
            char.is_control()
                || matches!(char, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
        };
        if text.trim() != text || text.chars().any(hidden) {
            return Err(NameError::Character);
        }
        if looks_like_an_address(text) {
            return Err(NameError::Address);
        }
        let digits = |window: &[u8]| window.iter().all(u8::is_ascii_digit);
        if text.as_bytes().windows(4).any(digits) {
            return Err(NameError::Digits);
        }
        Ok(Self(text.to_string()))
    }

    /// The name.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// A dot between two characters that a domain may have, an `@`, a scheme, or `www`.
fn looks_like_an_address(text: &str) -> bool {
    let dotted = |window: &[u8]| {
        let [before, b'.', after] = window else { return false };
        (before.is_ascii_alphanumeric() || !before.is_ascii()) && (after.is_ascii_alphanumeric() || !after.is_ascii())
    };
    text.contains('@')
        || text.contains("://")
        || text.to_ascii_lowercase().starts_with("www.")
        // The ideographic and the full-width dot are dots to a browser.
        || text.contains(['\u{3002}', '\u{FF0E}', '\u{FF61}'])
        || text.as_bytes().windows(3).any(dotted)
}

/// Length in septets of the GSM 7-bit default alphabet (3GPP TS 23.038 §6.2.1), its extension counting two; `None` if a
/// character is in neither.
pub fn gsm7_septets(text: &str) -> Option<usize> {
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    const EXTENSION: &str = "\u{C}^{}\\[~]|€";
    text.chars().try_fold(0usize, |count, char| {
        let septets = if BASIC.contains(char) {
            1
        } else if EXTENSION.contains(char) {
            2
        } else {
            return None;
        };
        Some(count + septets)
    })
}
