//! Bodies and signatures of `docs/spec/07-delivery.md`; `vectors/webhook.json` was made by an independent script.
#![allow(clippy::unwrap_used, reason = "tests")]

use adyton_seal::{Code, RecipientKey, Secret, SecretText};
use adyton_vault::{Channel, Part, Text};
use data_encoding::HEXLOWER;
use hyper::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::super::pool::{self, tests::Column};
use super::*;

const ID: &str = "VL0123456789abcdef0123456789abcdef-0";

/// A text in which the code stands wherever `§` does.
fn text(text: &str, code: &Code) -> Text {
    let literals = text.split('§').map(Part::Literal);
    let parts: Vec<Part<'_>> = literals.flat_map(|literal| [Part::Code, literal]).skip(1).collect();
    Text::new(&parts, code)
}

fn letter(around: &str) -> Letter {
    let code = Code::parse("123456").unwrap();
    Letter {
        attempt: "VL0123456789abcdef0123456789abcdef".into(),
        progress: Arc::default(),
        to: SecretText::join(&["+15550100123"]),
        channel: Channel::Sms,
        subject: None,
        text: text(around, &code),
        html: None,
        code,
        until: 1_790_000_600,
        deadline: Instant::now(),
    }
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    key: String,
    timestamp: String,
    body: String,
    signature: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../../../../vectors/webhook.json")).unwrap()
}

#[test]
fn signatures() {
    let mut seen = 0;
    for Vector { name, key, timestamp, body, signature: expected } in vectors() {
        let key = HmacKey::from_shared(&HEXLOWER.decode(key.as_bytes()).unwrap()).unwrap();
        if !name.starts_with("fail_") {
            assert_eq!(signature(&key, &timestamp, body.as_bytes()), expected, "{name}");
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
}

#[test]
fn bodies() {
    let vectors = vectors();
    let expected = |name: &str| vectors.iter().find(|vector| vector.name == name).unwrap().body.clone();
    let plain = body(ID, &letter("Your Example verification code is: §"), None, None).unwrap();
    assert_eq!(std::str::from_utf8(&plain).unwrap(), expected("text"));
    let bound = letter("Code: § \"quoted\" é\n@example.com #§");
    let named = body(&ID.replace("-0", "-3"), &bound, Some("Example"), None).unwrap();
    assert_eq!(std::str::from_utf8(&named).unwrap(), expected("text_from_quoted"));
    let mail = Letter {
        to: SecretText::join(&["jo@example.com"]),
        channel: Channel::Email,
        subject: Some("Your Example verification".into()),
        html: Some(text("<p>Ihr Code für Example: <b>§</b></p>", &Code::parse("123456").unwrap())),
        ..letter("Your Example verification code is: §")
    };
    assert_eq!(std::str::from_utf8(&body(ID, &mail, None, None).unwrap()).unwrap(), expected("mail"));
}

#[test]
fn a_sealed_code_leaves_what_is_around_it() {
    let gateway = RecipientKey::new(&Secret::init_with(|bytes| bytes.fill(7))).unwrap();
    // Digits that equal the code, as those of an app hash may, stay: whether they do, tells nothing.
    let mut letter = letter("");
    letter.code = Code::parse("975310").unwrap();
    letter.text = text("§ is your code\n@example.com #§", &letter.code);
    letter.html = Some(text("<b>§</b>", &letter.code));
    let sealed = body(ID, &letter, None, Some(&gateway.public_key())).unwrap();
    let said = std::str::from_utf8(&sealed).unwrap();
    assert!(!said.contains("975310"), "{said}");
    let sealed: Value = serde_json::from_str(said).unwrap();
    assert_eq!((&sealed["text"], &sealed["html"]), (&Value::Null, &Value::Null));
    assert_eq!(sealed["text_parts"], json!(["", " is your code\n@example.com #", ""]));
    assert_eq!(sealed["html_parts"], json!(["<b>", "</b>"]));
    let code = BASE64.decode(sealed["code_sealed"].as_str().unwrap().as_bytes()).unwrap();
    let opened = gateway.open(&SealedPurpose::gateway_code(ID), &code).unwrap();
    assert_eq!(opened.as_bytes(), b"975310");
    // Moved to another message it does not open.
    let elsewhere = gateway.open(&SealedPurpose::gateway_code(&ID.replace("-0", "-1")), &code);
    assert_eq!(elsewhere.err(), Some(adyton_seal::Opaque));
}

#[test]
fn a_key_that_is_no_point_is_not_sealed_to() {
    assert_eq!(body(ID, &letter("123456"), None, Some(&RecipientPublicKey([0; 32]))).err(), Some(Suite1Error));
}

/// Whatever its text: of two codes, one stands in the app hash.
#[test]
fn what_is_around_a_sealed_code_is_the_same_for_every_code() {
    let gateway = RecipientKey::new(&Secret::init_with(|bytes| bytes.fill(7))).unwrap();
    let parts = |code: &str| {
        let mut letter = letter("");
        letter.code = Code::parse(code).unwrap();
        letter.text = text("<#> Your 1234 code is: §\n12345678901", &letter.code);
        let sealed = body(ID, &letter, None, Some(&gateway.public_key())).unwrap();
        serde_json::from_slice::<Value>(&sealed).unwrap()["text_parts"].clone()
    };
    assert_eq!(parts("123456"), json!(["<#> Your 1234 code is: ", "\n12345678901"]));
    assert_eq!(parts("123456"), parts("999999"));
}

fn answered(status: StatusCode, after: Option<&'static str>) -> Result<(), Failure> {
    let headers = after.map(|after| (RETRY_AFTER, HeaderValue::from_static(after)));
    classify(&Answer { status, headers: HeaderMap::from_iter(headers), body: "garbage".into() }, 0)
}

#[test]
fn only_listed_statuses_are_handed_over_again() {
    pool::tests::only_listed_statuses_are_handed_over_again(Column::Webhook, |status| answered(status, None));
}

#[test]
fn only_503_with_retry_after_and_429_are_asked_again() {
    let nine = Some(Duration::from_secs(9));
    for (after, expected) in [
        (Some("9"), Failure::Busy(nine)),
        (Some("Thu, 01 Jan 1970 00:00:09 GMT"), Failure::Busy(nine)),
        (Some("soon"), Failure::Unconfirmed),
        (None, Failure::Unconfirmed),
    ] {
        assert_eq!(answered(StatusCode::SERVICE_UNAVAILABLE, after), Err(expected), "{after:?}");
    }
    assert_eq!(answered(StatusCode::TOO_MANY_REQUESTS, Some("9")), Err(Failure::Busy(nine)));
    // It marks no other status.
    assert_eq!(answered(StatusCode::REQUEST_TIMEOUT, Some("9")), Err(Failure::Unconfirmed));
    assert_eq!(answered(StatusCode::BAD_GATEWAY, Some("9")), Err(Failure::Unconfirmed));
}
