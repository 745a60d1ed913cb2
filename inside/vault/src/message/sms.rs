//! The text message that carries a code: one part, if that can be (3GPP TS 23.038: 160 septets, or 70 UTF-16 units if a
//! character is outside the GSM 7-bit alphabet).
//!
//! 1. In the alphabet: a sentence. Outside it, where there is room for less: the name, a colon, the code.
//! 2. The warning not to share the code, if the service wants it and it still fits.
//! 3. At most one last line, which a program reads: the app hash if the request names one, or the service's domain.
//!
//! Android hands a message to an app if it begins with `<#>`, ends with the hash and has at most 140 bytes (SMS
//! Retriever). Browsers read `@domain #code` (origin-bound one-time codes).
//!
//! Limit: outside the alphabet a message with a domain may take a second part.

use adyton_seal::Code;

use super::{AppHash, Locale, Message, Part, Text, gsm7_septets};

/// Room of one part.
const SEPTETS: usize = 160;
const UTF16_UNITS: usize = 70;
/// Longest text that is handed to an app, in bytes.
const RETRIEVER_BYTES: usize = 140;

/// What a program reads behind the text.
#[derive(Clone, Copy)]
pub(super) enum LastLine<'a> {
    Nothing,
    AppHash(&'a AppHash),
    Domain(&'a str),
}

pub(super) fn render(name: &str, locale: Locale, code: &Code, do_not_share: bool, last: LastLine<'_>) -> Message {
    let words = locale.words();
    let [before_name, before_code] = match gsm7_septets(name) {
        Some(_) => [words.before_name, words.before_code],
        None => ["", ": "],
    };
    let (mark, tail) = match last {
        LastLine::Nothing => ("", ["", "", ""]),
        LastLine::AppHash(AppHash(hash)) => ("<#> ", ["\n", hash, ""]),
        LastLine::Domain(domain) => ("", ["\n\n@", domain, " #"]),
    };
    let again = if matches!(last, LastLine::Domain(_)) { Part::Code } else { Part::Literal("") };
    let with = |share| {
        let [mark, before_name, name, before_code] = [mark, before_name, name, before_code].map(Part::Literal);
        let [share, line, what, gap] = [share, tail[0], tail[1], tail[2]].map(Part::Literal);
        [mark, before_name, name, before_code, Part::Code, share, line, what, gap, again]
    };
    let warned = with(words.do_not_share);
    let parts = if do_not_share && fits(&warned, code, last) { warned } else { with("") };
    Message { text: Text::new(&parts, code), subject: None, html: None, code: code.duplicate() }
}

/// Whether one part holds a text, and an app may be handed it.
fn fits(parts: &[Part<'_>], code: &Code, last: LastLine<'_>) -> bool {
    let texts = || parts.iter().map(|part| part.text(code));
    let septets = texts().try_fold(0, |sum, text| Some(sum + gsm7_septets(text)?));
    let one_part = match septets {
        Some(septets) => septets <= SEPTETS,
        None => texts().map(|text| text.encode_utf16().count()).sum::<usize>() <= UTF16_UNITS,
    };
    let bytes: usize = texts().map(str::len).sum();
    one_part && (bytes <= RETRIEVER_BYTES || !matches!(last, LastLine::AppHash(_)))
}
