//! The carrier takes a message once for each idempotency key.

use serde_json::{Value, json};

use crate::pretend::{Pretend, field};

async fn send(pretend: &Pretend, key: Option<&str>, body: String) -> (u16, Value) {
    pretend.post("carrier.adyton.test", "/webhook/messages", key, body).await
}

fn message(body: &str) -> String {
    json!({ "to": "+15550100", "from": "Adyton", "channel": "sms", "text": body }).to_string()
}

#[tokio::test]
async fn a_repeat_is_one_message() {
    let pretend = Pretend::start().await;
    assert_eq!(send(&pretend, Some("a"), message("one")).await, (201, json!({ "id": "a" })));
    assert_eq!(send(&pretend, Some("a"), message("one")).await, (200, json!({ "id": "a" })));
    assert_eq!(send(&pretend, Some("a"), message("what the key is not for")).await, (200, json!({ "id": "a" })));
    assert_eq!(send(&pretend, Some("b"), message("one")).await, (201, json!({ "id": "b" })));
    let messages = pretend.messages("").await;
    assert_eq!(field(&messages, "body"), ["one", "one"]);
    let whole = json!({
        "to": "+15550100", "from": "Adyton", "channel": "sms", "body": "one", "at": messages[0]["at"],
    });
    assert_eq!(messages[0], whole);
}

#[tokio::test]
async fn without_a_key_nothing_is_a_repeat() {
    let pretend = Pretend::start().await;
    for _ in 0..2 {
        assert_eq!(send(&pretend, None, message("one")).await, (201, json!({ "id": "" })));
    }
    assert_eq!(pretend.messages("").await.len(), 2);
}

#[tokio::test]
async fn what_is_not_a_message_is_refused() {
    let pretend = Pretend::start().await;
    let form = "Failed to parse the request body as JSON";
    let fields = "Failed to deserialize the JSON body into the target type";
    let cases = [
        ("{", 400, format!("{form}: EOF while parsing an object at line 1 column 1")),
        ("", 400, format!("{form}: EOF while parsing a value at line 1 column 0")),
        ("{}", 422, format!("{fields}: missing field `to` at line 1 column 2")),
        (r#"{"to":1}"#, 422, format!("{fields}: to: invalid type: integer `1`, expected a string at line 1 column 7")),
    ];
    for (body, status, reason) in cases {
        assert_eq!(send(&pretend, Some("a"), body.into()).await, (status, json!({ "error": reason })));
    }
    // A refused message does not use its key up.
    assert_eq!(send(&pretend, Some("a"), message("one")).await.0, 201);
}
