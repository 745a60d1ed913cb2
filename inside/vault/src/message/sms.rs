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

use adyton_seal::{Code, SecretText};

use super::{AppHash, Locale, Message, gsm7_septets};

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
    let digits = code.expose();
    let [before_name, before_code] = match gsm7_septets(name) {
        Some(_) => [words.before_name, words.before_code],
        None => ["", ": "],
    };
    let (mark, tail) = match last {
        LastLine::Nothing => ("", [""; 4]),
        LastLine::AppHash(AppHash(hash)) => ("<#> ", ["\n", hash, "", ""]),
        LastLine::Domain(domain) => ("", ["\n\n@", domain, " #", digits]),
    };
    let with = |share| {
        let [line, what, gap, again] = tail;
        [mark, before_name, name, before_code, digits, share, line, what, gap, again]
    };
    let warned = with(words.do_not_share);
    let parts = if do_not_share && fits(&warned, last) { warned } else { with("") };
    Message { text: SecretText::join(&parts), subject: None, html: None, code: code.duplicate() }
}

/// Whether one part holds a text, and an app may be handed it.
fn fits(parts: &[&str], last: LastLine<'_>) -> bool {
    let septets = parts.iter().try_fold(0, |sum, part| Some(sum + gsm7_septets(part)?));
    let one_part = match septets {
        Some(septets) => septets <= SEPTETS,
        None => parts.iter().map(|part| part.encode_utf16().count()).sum::<usize>() <= UTF16_UNITS,
    };
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    one_part && (bytes <= RETRIEVER_BYTES || !matches!(last, LastLine::AppHash(_)))
}
