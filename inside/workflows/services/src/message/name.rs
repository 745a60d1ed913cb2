//! The name that stands in a message, and how long a text is in the alphabet of text messages.

use alloc::string::{String, ToString};
use core::fmt;

use super::AppHash;
use super::fold::{folded, folded_text, has_marked_ascii, is_letter, is_unassigned};

/// Longest name, in septets.
const MAX_SEPTETS: usize = 30;
/// Longest name outside the GSM 7-bit alphabet, in UTF-16 units, of which a message has room for 70
/// in all.
const MAX_UCS2: usize = 15;

/// A name for people. It cannot carry an address or an instruction: otherwise the thief of a key
/// could put either into a message that people trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName(String);

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It is empty, or longer than 30 septets of the GSM alphabet: a character, or half of one of
    /// `^{}\\[~]|€`. Outside the alphabet: longer than 15 UTF-16 units.
    Length,
    /// It begins or ends with a blank, or has a control character, a line end, an invisible character,
    /// one that Unicode 14 does not have, or a mark on an ASCII character.
    Character,
    /// It looks like an address of the web or of e-mail.
    Address,
    /// It holds four digits without a letter between them, which would be taken for a code.
    Digits,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a name has 1 to 30 characters, or 15 outside the alphabet of text messages",
            Self::Character => {
                "a name has no outer blanks, no control or invisible characters, none that Unicode 14 lacks, and no mark on an ASCII letter"
            }
            Self::Address => "a name must not look like an address",
            Self::Digits => "a name must not hold four digits without a letter between them",
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
        let fits = match gsm7_septets(text) {
            Some(septets) => septets <= MAX_SEPTETS,
            None => text.encode_utf16().count() <= MAX_UCS2,
        };
        if text.is_empty() || !fits {
            return Err(NameError::Length);
        }
        let is_refused = |char: char| char.is_control() || is_invisible(char) || is_unassigned(char);
        if text.trim() != text || text.chars().any(is_refused) || has_marked_ascii(text) {
            return Err(NameError::Character);
        }
        // As it is written, and as a carrier may send it.
        let sent = folded_text(text);
        if looks_like_an_address(text) || looks_like_an_address(&sent) {
            return Err(NameError::Address);
        }
        if looks_like_a_code(text) || looks_like_a_code(&sent) {
            return Err(NameError::Digits);
        }
        Ok(Self(text.to_string()))
    }

    /// The name.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Marks that change the character before them, default ignorable characters (Unicode,
/// DerivedCoreProperties), line and paragraph separators, blanks that are not one: with them a name
/// is not what it seems to be.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{A0}' | '\u{AD}' | '\u{300}'..='\u{36F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{2000}'..='\u{200F}' | '\u{2028}'..='\u{202F}' | '\u{20D0}'..='\u{20FF}' | '\u{205F}'..='\u{206F}'
        | '\u{2800}' | '\u{3000}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FE20}'..='\u{FE2F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// An `@`, a scheme, or a dot between a character and a label of two or more that a domain may
/// have. A label of one is no top-level domain, but an abbreviation: `U.S. Bank`.
fn looks_like_an_address(text: &str) -> bool {
    // Browsers take the ideographic, the full-width and the half-width dot for dots, and people a
    // leader dot. Phones differ in what they take for a label, so anything but a blank is one.
    let is_dot = |char| matches!(char, '.' | '\u{2024}' | '\u{3002}' | '\u{FE52}' | '\u{FF0E}' | '\u{FF61}');
    let in_label = |char: &char| !char.is_whitespace() && !is_dot(*char);
    let dotted = text.char_indices().filter(|(_, char)| is_dot(*char)).any(|(at, dot)| {
        let (before, after) = (&text[..at], &text[at + dot.len_utf8()..]);
        before.chars().next_back().is_some_and(|char| in_label(&char)) && after.chars().take_while(in_label).count() > 1
    });
    text.contains(['@', '\u{FF20}']) || text.contains("://") || dotted
}

/// People read `12 34` or `493-817` in a message as a code.
fn looks_like_a_code(text: &str) -> bool {
    let digits = text.chars().scan(0, |digits, char| {
        *digits = if is_letter(char) { 0 } else { *digits + usize::from(char.is_numeric()) };
        Some(*digits)
    });
    digits.max().is_some_and(|most| most > 3)
}

/// Whether a name brings eleven characters in a row that could be an Android app's hash
/// ([`AppHash`]), as a carrier may send them, and that do not stand in `known` as they are written.
///
/// Android hands a message to an app whose hash stands anywhere in it, so a name is as good a place
/// as the line for hashes. Words are no exception: a hash of lower-case letters alone takes about
/// 10,000 tries to find.
pub fn brings_a_hash(name: &str, known: &str) -> bool {
    let in_hash = |char: char| char.is_ascii_alphanumeric() || matches!(char, '+' | '/');
    folded(name).windows(AppHash::LENGTH).filter(|window| window.iter().all(|(char, _)| in_hash(*char))).any(|window| {
        let written = window.first().zip(window.last()).map(|((_, first), (_, last))| &name[first.start..last.end]);
        written.is_none_or(|written| !known.contains(written))
    })
}

/// Length in septets of the GSM 7-bit default alphabet (3GPP TS 23.038 §6.2.1), its extension
/// counting two; `None` if a character is in neither.
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
