//! Bodies and signatures of `docs/spec/07-delivery.md`; `vectors/webhook.json` was made by an independent script.
#![allow(clippy::unwrap_used, reason = "tests")]

use adyton_seal::{Code, RecipientKey, Secret, SecretText};
use adyton_vault::Channel;
use data_encoding::HEXLOWER;
use hyper::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::*;

const ID: &str = "VL0123456789abcdef0123456789abcdef-0";

fn letter(text: &str) -> Letter {
    Letter {
        attempt: "VL0123456789abcdef0123456789abcdef".into(),
        to: SecretText::join(&["+15550100123"]),
        channel: Channel::Sms,
        subject: None,
        text: SecretText::join(&[text]),
        html: None,
        code: Code::parse("123456").unwrap(),
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
    let plain = body(ID, &letter("Your Example verification code is: 123456"), None, None).unwrap();
    assert_eq!(std::str::from_utf8(&plain).unwrap(), expected("text"));
    let text = "Code: 123456 \"quoted\" é\n@example.com #123456";
    let named = body(&ID.replace("-0", "-3"), &letter(text), Some("Example"), None).unwrap();
    assert_eq!(std::str::from_utf8(&named).unwrap(), expected("text_from_quoted"));
    let mail = Letter {
        to: SecretText::join(&["jo@example.com"]),
        channel: Channel::Email,
        subject: Some("Your Example verification".into()),
        html: Some(SecretText::join(&["<p>Ihr Code für Example: <b>123456</b></p>"])),
        ..letter("Your Example verification code is: 123456")
    };
    assert_eq!(std::str::from_utf8(&body(ID, &mail, None, None).unwrap()).unwrap(), expected("mail"));
}

#[test]
fn a_sealed_code_leaves_no_digits() {
    let gateway = RecipientKey::new(&Secret::init_with(|bytes| bytes.fill(7))).unwrap();
    let mut letter = letter("975310 is your code\n@example.com #975310");
    letter.code = Code::parse("975310").unwrap();
    letter.html = Some(SecretText::join(&["<b>975310</b>"]));
    let sealed = body(ID, &letter, None, Some(&gateway.public_key())).unwrap();
    let text = std::str::from_utf8(&sealed).unwrap();
    assert!(!text.contains("975310"), "{text}");
    let sealed: Value = serde_json::from_str(text).unwrap();
    assert_eq!(sealed["text"], Value::Null);
    assert_eq!(sealed["text_template"], "{code} is your code\n@example.com #{code}");
    assert_eq!((&sealed["html"], &sealed["html_template"]), (&Value::Null, &"<b>{code}</b>".into()));
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

#[test]
fn answers_have_their_class() {
    let classify = |status: u16, retry_after: Option<&'static str>| {
        let headers = retry_after.map(|value| (RETRY_AFTER, HeaderValue::from_static(value)));
        let status = StatusCode::from_u16(status).unwrap();
        classify(&Answer { status, headers: HeaderMap::from_iter(headers), body: "garbage".into() })
    };
    for status in [200, 201, 202, 204] {
        assert_eq!(classify(status, None), Ok(()));
    }
    for status in [203, 301, 302, 307, 400, 401, 403, 404, 410] {
        assert_eq!(classify(status, None), Err(Failure::NotThisRoute), "{status}");
    }
    assert_eq!(classify(422, None), Err(Failure::Recipient));
    for status in [408, 425, 429, 500, 503] {
        assert_eq!(classify(status, Some("9")), Err(Failure::Busy(Some(Duration::from_secs(9)))), "{status}");
    }
    assert_eq!(classify(500, None), Err(Failure::Busy(None)));
}
