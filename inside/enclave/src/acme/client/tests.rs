#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use hyper::header::HeaderValue;

use super::*;
use crate::acme::Wire;
use crate::egress::{AnswerBudget, EgressError, Endpoint};

#[tokio::test]
async fn a_ca_that_does_not_end_its_answer_is_cut_off() {
    use crate::egress::played::{Begins, Flood, HTTP, NAME};
    for (first, again) in HTTP {
        let flood = Flood::start(Begins::AskedInTls, first, again);
        let endpoint = Endpoint::new(NAME, 443, &flood.trust, flood.service.clone(), AnswerBudget::CA).unwrap();
        let place = Place { origins: Vec::new(), directory: "/directory".into() };
        let key = EcdsaKey::generate().unwrap();
        let (mut wire, clock) = (Wire::new(endpoint), Clock::new());
        let refused = Conversation::begin(&place, (&key, None), (&mut wire, &clock)).await.err();
        assert_eq!(refused, Some(AcmeError::Egress(EgressError::TooLong)), "{}", first.escape_ascii());
        flood.assert_bounded(AnswerBudget::CA);
    }
}

#[test]
fn a_cas_addresses_are_at_its_host() {
    let origins = vec!["https://acme.example".into(), "https://acme.example:443".into()];
    let place = Place { origins, directory: "/directory".into() };
    assert_eq!(place.path("https://acme.example/acct/1"), Ok("/acct/1"));
    assert_eq!(place.path("https://acme.example:443/a?b=c"), Ok("/a?b=c"));
    for address in [
        "https://acme.example",
        "https://acme.example.evil.net/a",
        "https://acme.example@evil.net/a",
        "https://acme.example:8443/a",
        "https://evil.net/acme.example/a",
        "http://acme.example/a",
        "https://acme.example/a b",
        "https://acme.example/a\r\nHost: evil",
        "/a",
        "",
    ] {
        assert_eq!(place.path(address), Err(AcmeError::Address), "{address}");
    }
}

/// It goes into the public log for ever, which reads no field beyond its limit, and into a record of the DNS.
#[test]
fn an_accounts_address_is_short_and_plain() {
    let place = Place {
        origins: vec!["https://acme.example:443".into(), "https://acme.example".into()],
        directory: "/directory".into(),
    };
    let located = |location: &str| {
        let headers = [(LOCATION, HeaderValue::from_str(location).unwrap())].into_iter().collect();
        place.located(&Answer { status: hyper::StatusCode::OK, headers, body: Bytes::new() })
    };
    let plain = "https://acme.example/acme/acct/1?x=%20~";
    assert_eq!(located(plain), Ok(plain.to_owned()));
    for refused in ["https://acme.example/a\"b", "https://acme.example/a;b", "https://acme.example/a b"] {
        assert_eq!(located(refused), Err(AcmeError::Form("location")), "{refused}");
    }
    let long = |length: usize| format!("https://acme.example/{}", "a".repeat(length - 21));
    assert!(located(&long(MAX_ADDRESS)).is_ok());
    assert_eq!(located(&long(MAX_ADDRESS + 1)), Err(AcmeError::Form("location")));
    // RFC 9110 §10.2.2: a path alone is at the same host, `//` begins another one.
    assert_eq!(located("/acme/acct/1"), Ok("https://acme.example/acme/acct/1".to_owned()));
    for elsewhere in ["//evil.net/a", "acct/1", "https://evil.net/a", ""] {
        assert_eq!(located(elsewhere), Err(AcmeError::Address), "{elsewhere}");
    }
}

#[test]
fn only_a_problem_document_is_a_reason() {
    let problem = |body: &str| {
        problem(&Answer {
            status: hyper::StatusCode::FORBIDDEN,
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_owned()),
        })
    };
    assert_eq!(problem(r#"{"type":"urn:ietf:params:acme:error:caa","detail":"x"}"#).as_deref(), Some("caa"));
    for other in ["<html>403</html>", "", "{}", r#"{"type":"about:blank"}"#, r#"{"type":7}"#, r#"["urn:x"]"#] {
        assert_eq!(problem(other), None, "{other}");
    }
}

#[test]
fn a_reason_is_a_word() {
    assert_eq!(word("urn:ietf:params:acme:error:caa"), "caa");
    assert_eq!(word("403"), "403");
    assert_eq!(word("<script>\n\"x\""), "scriptx");
    assert_eq!(word(&"x".repeat(100)).len(), 40);
}
