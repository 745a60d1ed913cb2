//! What a request or a service may say of a message: `adyton-vault`.

use adyton_vault::{AppHash, Locale, ServiceName, WebOtpDomain, gsm7_septets};

use crate::accepted;

pub(crate) const TAGS: &[&[u8]] = &[b"en", b"de", b"fr", b"es", b"-GB", b"-419", b"_", b"-"];
pub(crate) const NAMES: &[&[u8]] =
    &[b"Acme", b". ", b"://", b"@", b".co", b"12 3", "€".as_bytes(), "Б".as_bytes(), "\u{3002}".as_bytes(), b"\n"];
pub(crate) const BASE64: &[&[u8]] = &[b"He42w354ol9", b"+/", b"=", b"-", b"_", "ä".as_bytes()];

/// A tag names the language that it begins with, and nothing stands behind its region.
pub(crate) fn locale(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Some(locale) = Locale::parse(text) else { return };
    accepted();
    assert_eq!(Locale::parse(locale.tag()), Some(locale));
    assert!(text[..2].eq_ignore_ascii_case(locale.tag()), "{text:?}");
    assert!(text.len() == 2 || (text.as_bytes()[2] == b'-' && (5..=11).contains(&text.len())), "{text:?}");
    assert!(text.bytes().skip(3).all(|byte| byte.is_ascii_alphanumeric()), "{text:?}");
}

/// Eleven characters of base64 and nothing else.
pub(crate) fn app_hash(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let base64 = input.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte));
    assert_eq!(AppHash::parse(text).is_some(), base64 && input.len() == 11, "{text:?}");
    if base64 && input.len() == 11 {
        accepted();
    }
}

/// A name is kept as it is, is one line without an address in it, and cannot be taken for a code.
pub(crate) fn service_name(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(name) = ServiceName::parse(text) else { return };
    accepted();
    assert_eq!(name.text(), text);
    assert!(!text.is_empty() && text.trim() == text && !text.contains(['@', '\r', '\n', '\t', '\0']), "{text:?}");
    match gsm7_septets(text) {
        Some(septets) => assert!(septets <= 30, "{text:?}"),
        None => assert!(text.encode_utf16().count() <= 15, "{text:?}"),
    }
    assert!(!text.as_bytes().windows(4).any(|four| four.iter().all(u8::is_ascii_digit)), "{text:?}");
    // No top-level domain has one letter: `U.S` is an abbreviation.
    let is_domain =
        |word: &str| WebOtpDomain::parse(word).is_some() && !word.as_bytes()[..word.len() - 1].ends_with(b".");
    assert!(!text.split([' ', '/']).any(is_domain), "{text:?}");
}

/// One spelling, without anything that a last line gives a meaning to.
pub(crate) fn web_otp_domain(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Some(domain) = WebOtpDomain::parse(text) else { return };
    accepted();
    assert_eq!(domain.text(), text.to_ascii_lowercase());
    assert_eq!(WebOtpDomain::parse(domain.text()), Some(domain.clone()));
    assert!(gsm7_septets(text) == Some(text.len()) && text.len() <= WebOtpDomain::MAX_LENGTH, "{text:?}");
    assert!(text.contains('.') && !text.contains(['@', '#', ' ', '\n', '/']), "{text:?}");
}
