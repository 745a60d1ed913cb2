//! The gateway behind a webhook takes a signed message once for each id, and nothing that is not signed.

use std::time::{SystemTime, UNIX_EPOCH};

use adyton_pretend::credentials;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::pretend::{Pretend, field};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn send_at(pretend: &Pretend, time: u64, body: &str) -> (u16, Value) {
    let time = time.to_string();
    let tag = credentials::webhook_key().unwrap().tag(&[time.as_bytes(), b".", body.as_bytes()]);
    let signature = format!("v1={}", HEXLOWER.encode(&tag));
    let headers = [("adyton-timestamp", &time[..]), ("adyton-signature", &signature)];
    pretend.post("carrier.adyton.test", "/webhook/messages", &headers, body.into()).await
}

async fn send(pretend: &Pretend, body: &str) -> (u16, Value) {
    send_at(pretend, now(), body).await
}

fn message(id: &str, text: &str) -> String {
    let until = now() + 600;
    json!({ "id": id, "to": "+15550100", "channel": "sms", "from": "Adyton", "text": text, "valid_until": until })
        .to_string()
}

#[tokio::test]
async fn a_repeat_is_one_message() {
    let pretend = Pretend::start().await;
    assert_eq!(send(&pretend, &message("a", "one")).await, (201, json!({ "id": "a" })));
    assert_eq!(send(&pretend, &message("a", "one")).await, (200, json!({ "id": "a" })));
    assert_eq!(send(&pretend, &message("a", "what the id is not for")).await, (200, json!({ "id": "a" })));
    assert_eq!(send(&pretend, &message("b", "one")).await, (201, json!({ "id": "b" })));
    let messages = pretend.messages("").await;
    assert_eq!(field(&messages, "body"), ["one", "one"]);
    let whole = json!({
        "to": "+15550100", "from": "Adyton", "channel": "sms", "body": "one", "at": messages[0]["at"],
    });
    assert_eq!(messages[0], whole);
}

#[tokio::test]
async fn what_is_not_signed_now_is_refused() {
    let pretend = Pretend::start().await;
    let body = message("a", "one");
    let refused = |why: &str| (401, json!({ "error": why }));
    assert_eq!(send_at(&pretend, now() - 400, &body).await, refused("timestamp"));
    assert_eq!(send_at(&pretend, now() + 400, &body).await, refused("timestamp"));
    let time = now().to_string();
    for headers in [&[("adyton-timestamp", &time[..])][..], &[("adyton-timestamp", &time), ("adyton-signature", "v1=")]]
    {
        let answer = pretend.post("carrier.adyton.test", "/webhook/messages", headers, body.clone()).await;
        assert_eq!(answer, refused("signature"));
    }
    assert_eq!(pretend.messages("").await.len(), 0);
}

#[tokio::test]
async fn what_is_not_a_message_is_refused() {
    let pretend = Pretend::start().await;
    for body in ["{", "", "{}", r#"{"to":1}"#] {
        assert_eq!(send(&pretend, body).await, (400, json!({ "error": "body" })), "{body}");
    }
    let late = json!({ "id": "a", "to": "+15550100", "channel": "sms", "text": "one", "valid_until": 1 }).to_string();
    assert_eq!(send(&pretend, &late).await, (400, json!({ "error": "the message is of no use any more" })));
    // A refused message does not use its id up.
    assert_eq!(send(&pretend, &message("a", "one")).await.0, 201);
}
