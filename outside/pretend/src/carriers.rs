//! The carriers that speak HTTP: the Messages resource of Twilio, and a gateway behind a signed webhook.
//!
//! Each checks what a real one would: credential, signature, clock. The first takes each request for a message of its own, as
//! Twilio does; the gateway takes a repeat under one id for one message.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use adyton_seal::{HmacKey, RecipientKey, SealedPurpose, same};
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::credentials;
use crate::faults::{Fault, Faults, after};
use crate::inbox::{Inbox, Message};
use crate::phone;

/// Seconds by which a webhook's timestamp and the gateway's clock may part.
const WINDOW: u64 = 300;

/// What the carriers share.
pub struct Carriers {
    /// Where messages go.
    pub inbox: Arc<Inbox>,
    /// What is to go wrong.
    pub faults: Arc<Faults>,
    /// Checks the webhook's signatures.
    pub webhook_key: HmacKey,
    /// Opens sealed codes.
    pub gateway: RecipientKey,
}

/// Their endpoints.
pub fn router(carriers: Arc<Carriers>) -> Router {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages.json", post(messages))
        .route("/webhook/messages", post(webhook))
        .with_state(carriers)
}

/// A form of the Messages resource.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MessageForm {
    to: String,
    from: Option<String>,
    messaging_service_sid: Option<String>,
    body: String,
    smart_encoded: Option<bool>,
    content_retention: Option<String>,
    address_retention: Option<String>,
    validity_period: u32,
}

fn twilio_error(status: StatusCode, code: u32, message: &str) -> Response {
    let body = json!({ "code": code, "message": message, "more_info": "", "status": status.as_u16() });
    (status, Json(body)).into_response()
}

/// `POST /2010-04-01/Accounts/{AC}/Messages.json`.
async fn messages(
    State(carriers): State<Arc<Carriers>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    form: Result<Form<MessageForm>, axum::extract::rejection::FormRejection>,
) -> Response {
    let basic = format!("Basic {}", BASE64.encode(credentials::MESSAGES.as_bytes()));
    let shown = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    if !same(shown, basic.as_bytes()) || account != credentials::ACCOUNT {
        return twilio_error(StatusCode::UNAUTHORIZED, 20003, "Authenticate");
    }
    let Ok(Form(form)) = form else {
        return twilio_error(StatusCode::BAD_REQUEST, 21604, "a parameter is missing, or too many are there");
    };
    if form.content_retention.as_deref().is_some_and(|retention| retention != "discard") {
        return twilio_error(StatusCode::BAD_REQUEST, 30029, "Invalid ContentRetention");
    }
    if form.address_retention.as_deref().is_some_and(|retention| retention != "obfuscate") {
        return twilio_error(StatusCode::BAD_REQUEST, 30030, "Invalid AddressRetention");
    }
    if !(1..=14_400).contains(&form.validity_period) {
        return twilio_error(StatusCode::BAD_REQUEST, 21623, "ValidityPeriod is out of range");
    }
    let Some(from) = form.from.or(form.messaging_service_sid) else {
        return twilio_error(StatusCode::BAD_REQUEST, 21603, "From is missing");
    };
    let fault = carriers.faults.of(&form.to).await;
    if fault == Some(Fault::Refuse) {
        return twilio_error(StatusCode::BAD_REQUEST, 21211, "Invalid 'To' Phone Number");
    }
    if fault == Some(Fault::NoRedaction) && form.content_retention.is_some() {
        return twilio_error(StatusCode::BAD_REQUEST, 30029, "Invalid ContentRetention");
    }
    if fault == Some(Fault::Suspended) {
        return twilio_error(StatusCode::UNAUTHORIZED, 20003, "Authenticate");
    }
    if let Some(answer) = fault.and_then(failing) {
        return answer;
    }
    let Ok(sid) = adyton_seal::random::<16>().map(|digits| format!("SM{}", HEXLOWER.encode(&digits))) else {
        return twilio_error(StatusCode::INTERNAL_SERVER_ERROR, 20500, "no randomness");
    };
    let body = if form.smart_encoded == Some(false) { form.body } else { smart_encoded(&form.body) };
    let message = Message { to: form.to, from, channel: "sms".into(), subject: None, body, at: phone::now() };
    carriers.inbox.put(&sid, message);
    after(fault).await;
    if fault == Some(Fault::Cut) {
        return cut(StatusCode::CREATED);
    }
    if fault == Some(Fault::TakenThenError) {
        return twilio_error(StatusCode::INTERNAL_SERVER_ERROR, 20500, "Internal Server Error");
    }
    (StatusCode::CREATED, Json(json!({ "sid": sid, "status": "queued", "account_sid": account }))).into_response()
}

/// What smart encoding, which messaging services have by default, makes of a text, as far as it is played here: full-width
/// characters (U+FF01 to U+FF5E) become those of ASCII.
fn smart_encoded(text: &str) -> String {
    let narrow = |char| match char {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(char) - 0xFEE0).unwrap_or(char),
        char => char,
    };
    text.chars().map(narrow).collect()
}

/// The body of a webhook (`docs/spec/07-delivery.md`).
#[derive(Deserialize)]
struct Posted {
    id: String,
    to: String,
    channel: String,
    from: Option<String>,
    text: Option<String>,
    text_parts: Option<Vec<String>>,
    code_sealed: Option<String>,
    valid_until: u64,
}

/// `POST /webhook/messages`.
async fn webhook(State(carriers): State<Arc<Carriers>>, headers: HeaderMap, body: Bytes) -> Response {
    let refuse = |status: StatusCode, why: &str| (status, Json(json!({ "error": why }))).into_response();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (timestamp, signature) = (text("adyton-timestamp"), text("adyton-signature"));
    if let Err(why) = verify(&carriers.webhook_key, timestamp, signature, &body, now) {
        return refuse(StatusCode::UNAUTHORIZED, why);
    }
    let Ok(posted) = serde_json::from_slice::<Posted>(&body) else {
        return refuse(StatusCode::BAD_REQUEST, "body");
    };
    if posted.valid_until <= now {
        return refuse(StatusCode::BAD_REQUEST, "the message is of no use any more");
    }
    let fault = carriers.faults.of(&posted.to).await;
    if fault == Some(Fault::Refuse) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "the destination does not exist");
    }
    if fault == Some(Fault::Suspended) {
        return refuse(StatusCode::FORBIDDEN, "the account is suspended");
    }
    if let Some(answer) = fault.and_then(failing) {
        return answer;
    }
    let body = match (posted.text, posted.text_parts, posted.code_sealed) {
        (Some(text), None, None) => text,
        (None, Some(parts), Some(sealed)) => match open(&carriers.gateway, &posted.id, &sealed) {
            Some(code) => parts.join(&code),
            None => return refuse(StatusCode::BAD_REQUEST, "the code does not open"),
        },
        _ => return refuse(StatusCode::BAD_REQUEST, "expected text, or text_parts and code_sealed"),
    };
    let from = posted.from.unwrap_or_else(|| "Adyton".into());
    let message = Message { to: posted.to, from, channel: posted.channel, subject: None, body, at: phone::now() };
    let new = carriers.inbox.put(&posted.id, message);
    after(fault).await;
    if fault == Some(Fault::Cut) {
        return cut(StatusCode::OK);
    }
    if fault == Some(Fault::TakenThenError) {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "it failed within");
    }
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(json!({ "id": posted.id }))).into_response()
}

/// Steps 1 and 2 of the spec page.
fn verify(key: &HmacKey, timestamp: &str, signature: &str, body: &[u8], now: u64) -> Result<(), &'static str> {
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = timestamp.parse::<u64>().ok().filter(|_| digits).ok_or("timestamp")?;
    if seconds.abs_diff(now) > WINDOW {
        return Err("timestamp");
    }
    let expected = format!("v1={}", HEXLOWER.encode(&key.tag(&[timestamp.as_bytes(), b".", body])));
    if same(expected.as_bytes(), signature.as_bytes()) { Ok(()) } else { Err("signature") }
}

fn open(gateway: &RecipientKey, id: &str, sealed: &str) -> Option<String> {
    let sealed = BASE64.decode(sealed.as_bytes()).ok()?;
    let code = gateway.open(&SealedPurpose::gateway_code(id), &sealed).ok()?;
    String::from_utf8(code.as_bytes().to_vec()).ok()
}

/// The answer of a fault that keeps the message from being taken.
fn failing(fault: Fault) -> Option<Response> {
    let no_body = Json(Value::Null);
    match fault {
        Fault::Slow
        | Fault::Late
        | Fault::Cut
        | Fault::TakenThenError
        | Fault::Refuse
        | Fault::Suspended
        | Fault::NoRedaction => None,
        Fault::Failure => Some(twilio_error(StatusCode::SERVICE_UNAVAILABLE, 20503, "Service unavailable")),
        Fault::Busy => Some((StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")], no_body).into_response()),
        Fault::Garbage => Some((StatusCode::IM_A_TEAPOT, "<html>who are you</html>").into_response()),
        Fault::Redirect => {
            let elsewhere = [(header::LOCATION, "https://elsewhere.adyton.test/messages")];
            Some((StatusCode::TEMPORARY_REDIRECT, elsewhere, no_body).into_response())
        }
        Fault::Close => Some(Response::new(axum::body::Body::new(BreaksOff))),
    }
}

/// An answer whose body is longer than what comes of it.
fn cut(status: StatusCode) -> Response {
    (status, [(header::CONTENT_LENGTH, "1000")], axum::body::Body::new(Half(Some("half")))).into_response()
}

/// A body that never comes.
struct BreaksOff;

impl hyper::body::Body for BreaksOff {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())))
    }
}

/// A body that breaks off once its first bytes, and the head before them, are out.
struct Half(Option<&'static str>);

impl hyper::body::Body for Half {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        match self.0.take() {
            Some("half") => {
                self.0 = Some("");
                Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(b"half")))))
            }
            // The server writes what it has before it asks again.
            Some(_) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        key: String,
        timestamp: String,
        body: String,
        signature: String,
        now: Option<u64>,
        refusal: Option<String>,
    }

    #[test]
    fn the_vectors_of_the_webhook() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../../vectors/webhook.json")).unwrap();
        assert_eq!(vectors.len(), 12);
        for Vector { name, key, timestamp, body, signature, now, refusal } in vectors {
            let key = HmacKey::from_shared(&HEXLOWER.decode(key.as_bytes()).unwrap()).unwrap();
            let now = now.unwrap_or_else(|| timestamp.parse().unwrap());
            let verified = verify(&key, &timestamp, &signature, body.as_bytes(), now);
            assert_eq!(verified.err(), refusal.as_deref(), "{name}");
            assert_eq!(refusal.is_some(), name.starts_with("fail_"), "{name}");
        }
    }
}
