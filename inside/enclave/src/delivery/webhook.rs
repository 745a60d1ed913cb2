//! Any gateway, by signed JSON: `docs/spec/07-delivery.md`.
//!
//! A gateway that has given its key gets the code sealed, and beside it what the message is made of without the code: what
//! stands before the gateway (a proxy, a queue, a log) learns no digit.

use std::sync::Arc;

use adyton_seal::{HmacKey, RecipientPublicKey, SealedPurpose, Suite1Error};
use adyton_vault::{Seconds, Text};
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;
use zeroize::Zeroizing;

use super::Credential;
use super::carrier::{Failure, Letter};
use super::credential::Kind;
use super::link::Answer;
use super::pool::{Pool, by_status, retry_after};
use crate::clock::Clock;
use crate::egress::Endpoint;

const TIMESTAMP: HeaderName = HeaderName::from_static("adyton-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("adyton-signature");
/// Room for a body, so that it does not grow and leave copies behind.
const BODY_BYTES: usize = 8 * 1024;

pub(super) struct Webhook {
    pool: Pool,
    path: String,
    from: Option<String>,
    seal_code_to: Option<RecipientPublicKey>,
    route: u8,
    clock: Arc<Clock>,
}

impl Webhook {
    pub(super) fn new(
        endpoint: Endpoint,
        path: String,
        from: Option<String>,
        seal_code_to: Option<[u8; 32]>,
        route: u8,
        clock: Arc<Clock>,
    ) -> Self {
        let seal_code_to = seal_code_to.map(RecipientPublicKey);
        Self { pool: Pool::new(endpoint), path, from, seal_code_to, route, clock }
    }

    pub(super) async fn hand_over(&self, letter: &Letter, credential: &Credential) -> Result<(), Failure> {
        let Kind::Signing(key) = &credential.0 else { return Err(Failure::NotThisRoute) };
        let id = letter.idempotency_key(self.route);
        let body = body(&id, letter, self.from.as_deref(), self.seal_code_to.as_ref());
        let body = body.map_err(|_| Failure::NotThisRoute)?;
        let timestamp = self.clock.now().to_string();
        let signature = HeaderValue::from_str(&signature(key, &timestamp, &body));
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (TIMESTAMP, HeaderValue::from_str(&timestamp).map_err(|_| Failure::NotThisRoute)?),
            (SIGNATURE, signature.map_err(|_| Failure::NotThisRoute)?),
        ];
        let answer = self.pool.post(&self.path, &headers, Bytes::from_owner(body), &letter.progress).await?;
        classify(&answer, self.clock.now())
    }
}

/// The body's members, in this order.
#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    to: &'a str,
    channel: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_parts: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html_parts: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_sealed: Option<String>,
    valid_until: u64,
}

fn body(
    id: &str,
    letter: &Letter,
    from: Option<&str>,
    seal_code_to: Option<&RecipientPublicKey>,
) -> Result<Zeroizing<Vec<u8>>, Suite1Error> {
    let (to, channel, valid_until) = (letter.to.expose(), letter.channel.text(), letter.until);
    let mut body = Body {
        id,
        to,
        channel,
        from,
        subject: letter.subject.as_deref(),
        text: None,
        html: None,
        text_parts: None,
        html_parts: None,
        code_sealed: None,
        valid_until,
    };
    match seal_code_to {
        None => (body.text, body.html) = (Some(letter.text.expose()), letter.html.as_ref().map(Text::expose)),
        Some(gateway) => {
            let sealed = gateway.seal(&SealedPurpose::gateway_code(id), letter.code.expose().as_bytes())?;
            body.text_parts = Some(letter.text.around_code());
            body.html_parts = letter.html.as_ref().map(Text::around_code);
            body.code_sealed = Some(BASE64.encode(&sealed));
        }
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(BODY_BYTES));
    serde_json::to_writer(&mut *bytes, &body).map_err(|_| Suite1Error)?;
    Ok(bytes)
}

/// `v1=` and HMAC-SHA-256 of `timestamp || "." || body`. The timestamp is digits, so the first point ends it.
fn signature(key: &HmacKey, timestamp: &str, body: &[u8]) -> String {
    format!("v1={}", HEXLOWER.encode(&key.tag(&[timestamp.as_bytes(), b".", body])))
}

/// What an answer means; its body is not looked at. A gateway marks a 503 of its own by `Retry-After`: without that it may be
/// the answer of a proxy that lost the gateway after it had passed the message on.
fn classify(answer: &Answer, now: Seconds) -> Result<(), Failure> {
    let wait = retry_after(&answer.headers, now);
    match answer.status {
        status if status.is_success() => Ok(()),
        StatusCode::UNPROCESSABLE_ENTITY => Err(Failure::Recipient),
        StatusCode::SERVICE_UNAVAILABLE if wait.is_some() => Err(Failure::Busy(wait)),
        status => Err(by_status(status, wait)),
    }
}

#[cfg(test)]
mod tests;
