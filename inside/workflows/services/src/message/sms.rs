//! The text message that carries a code (3GPP TS 23.038: a part holds 160 septets, or 70 UTF-16
//! units if a character is outside the GSM 7-bit alphabet).
//!
//! 1. A sentence with the name. Where it does not fit, and outside the alphabet: the name, a colon,
//!    the code.
//! 2. The warning not to share the code, if the service wants it.
//! 3. Last lines, which programs read: the app hash if the request names one, then the service's
//!    domain.
//!
//! Android hands a message to an app if it contains the hash and has at most 140 bytes in one part
//! (SMS Retriever; older versions look for `<#>` at the beginning). Browsers read the last line,
//! `@domain #code` (origin-bound one-time codes).
//!
//! A message has one part. Exception: outside the alphabet a message with a domain and without an
//! app hash may have two. What does not fit is refused; nothing of 2. and 3. is left out.

use adyton_seal::Code;

use super::{AppHash, Locale, Message, Part, Text, TooLong, gsm7_septets};

/// Room of one part.
const SEPTETS: usize = 160;
const UTF16_UNITS: usize = 70;
/// Room of two parts, each of which begins with a header of 6 bytes.
const UTF16_UNITS_OF_TWO: usize = 134;
/// Longest text that is handed to an app, in bytes.
const RETRIEVER_BYTES: usize = 140;

/// What programs read behind the text.
#[derive(Clone, Copy)]
pub(super) struct LastLines<'a> {
    pub(super) app_hash: Option<&'a AppHash>,
    /// Empty for none.
    pub(super) domain: &'a str,
}

pub(super) fn render(
    name: &str,
    locale: Locale,
    code: &Code,
    do_not_share: bool,
    last: LastLines<'_>,
) -> Result<Message, TooLong> {
    let words = locale.words();
    let share = if do_not_share { words.do_not_share } else { "" };
    let (mark, [hash_line, hash]) = match last.app_hash {
        None => ("", ["", ""]),
        Some(AppHash(hash)) => ("<#> ", ["\n", hash]),
    };
    let ([domain_line, domain, before_digits], digits_again) = match (last.domain, last.app_hash) {
        ("", _) => ([""; 3], Part::Literal("")),
        (domain, None) => (["\n\n@", domain, " #"], Part::Code),
        (domain, Some(_)) => (["\n@", domain, " #"], Part::Code),
    };
    let layout = |[before_name, before_code]: [&'static str; 2]| {
        let [mark, before_name, name, before_code, share] =
            [mark, before_name, name, before_code, share].map(Part::Literal);
        let [hash_line, hash, domain_line, domain, before_digits] =
            [hash_line, hash, domain_line, domain, before_digits].map(Part::Literal);
        let text = [mark, before_name, name, before_code, Part::Code, share];
        [&text[..], &[hash_line, hash, domain_line, domain, before_digits, digits_again]].concat()
    };
    let sentence = layout([words.before_name, words.before_code]);
    let parts = match gsm7_septets(name) {
        Some(_) if excess(&sentence, code, last) == 0 => sentence,
        _ => layout(["", ": "]),
    };
    match excess(&parts, code, last) {
        0 => Ok(Message { text: Text::new(&parts, code), subject: None, html: None, code: code.duplicate() }),
        excess => Err(TooLong { excess }),
    }
}

/// By how much a text is over its limits.
fn excess(parts: &[Part<'_>], code: &Code, last: LastLines<'_>) -> usize {
    let texts = || parts.iter().map(|part| part.text(code));
    let bytes: usize = texts().map(str::len).sum();
    let units: usize = texts().map(|text| text.encode_utf16().count()).sum();
    let septets = texts().try_fold(0, |sum, text| Some(sum + gsm7_septets(text)?));
    let over = match (septets, last.app_hash) {
        (Some(septets), _) => septets.saturating_sub(SEPTETS),
        (None, None) if !last.domain.is_empty() => units.saturating_sub(UTF16_UNITS_OF_TWO),
        (None, _) => units.saturating_sub(UTF16_UNITS),
    };
    match last.app_hash {
        Some(_) => over.max(bytes.saturating_sub(RETRIEVER_BYTES)),
        None => over,
    }
}
