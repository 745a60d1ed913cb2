//! The vault's e-mail parser against the crate `email_address` (RFC 5321, 5322). The vault takes less, on purpose; what it
//! takes is an address to the crate too, and what it refuses beyond the crate is one of the named differences.
#![allow(clippy::unwrap_used, reason = "tests")]

use adyton_vault::Destination;
use email_address::{EmailAddress, Options};
use proptest::prelude::*;

fn theirs(text: &str) -> bool {
    let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
    EmailAddress::parse_with_options(text, options).is_ok()
}

/// Why the vault refuses what the crate takes.
fn is_deliberate(text: &str) -> bool {
    let (local, domain) = text.rsplit_once('@').unwrap();
    let last = domain.rsplit('.').next().unwrap();
    let host = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    !text.is_ascii()                                             // international addresses; their domains come as xn--
        || local.starts_with('"')                                // a second spelling
        || !domain.bytes().all(host)                             // RFC 5321's domain has no atoms of RFC 5322
        || text.len() > 254                                      // RFC 5321 §4.5.3.1.3
        || !last.starts_with(|first: char| first.is_ascii_alphabetic()) // the beginning of an IPv4 address
}

fn check(text: &str) -> Result<(), TestCaseError> {
    match (Destination::email(text).is_ok(), theirs(text)) {
        (true, false) => Err(TestCaseError::fail(format!("only the vault takes {text:?}"))),
        (false, true) => {
            prop_assert!(is_deliberate(text), "only the crate takes {:?}", text);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn part(chars: &str) -> impl Strategy<Value = String> {
    let chars = prop::sample::select(chars.chars().collect::<Vec<char>>());
    prop::collection::vec(chars, 0..12).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn addresses(local in part("aZ09.!#$%&'*+-/=?^_`{|}~\"\\ ()<>,:;[]@ä"), domain in part("aZ09.-_[]:@ ä")) {
        check(&[&local, "@", &domain].concat())?;
    }

    #[test]
    fn nearly_plain_addresses(local in part("aZ9.+-_"), domain in part("aZ9-."), last in part("aZ9-")) {
        check(&[&local, "@", &domain, ".", &last].concat())?;
    }

    #[test]
    fn any_text(text in any::<String>()) {
        check(&text)?;
    }
}

#[test]
fn both_take_plain_addresses() {
    for text in ["jo@example.com", "Jo.Doe+x@mail.example.co.uk", "a'b@example.com", "x@xn--exmple-cua.com"] {
        assert!(theirs(text) && Destination::email(text).is_ok(), "{text}");
    }
    let longest = ["a".repeat(64), "@".into(), ["b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".")].concat();
    assert!(theirs(&longest) && Destination::email(&longest).is_ok());
}
