//! The Messages resource of Twilio, or of a service that has the same one at the same path (`docs/spec/07-delivery.md`).
//!
//! The carrier is asked to keep neither the text (`ContentRetention=discard`) nor the number (`AddressRetention=
//! obfuscate`), unless the policy leaves that to the account. An account that cannot do what it is asked refuses the message
//! (30029, 30030): that is the sender's fault, and the route is passed over.
//!
//! It is asked to send the text as it is (`SmartEncoded=false`): with smart encoding, which messaging services have by default,
//! other characters than the vault judged would reach the phone.
//!
//! Nothing makes Twilio take two requests for one message, so no request that may have left is repeated.

use std::sync::Arc;

use adyton_vault::Seconds;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Duration;
use zeroize::Zeroizing;

use super::carrier::{Failure, Letter};
use super::credential::Kind;
use super::link::Answer;
use super::pool::{Pool, by_status, retry_after};
use super::{Credential, Retention, Sender};
use crate::clock::Clock;
use crate::egress::Endpoint;

/// Room for a form, so that it does not grow and leave copies behind.
const FORM_BYTES: usize = 8 * 1024;
/// `ValidityPeriod`, in seconds, is within these.
const VALIDITY: std::ops::RangeInclusive<u64> = 1..=14_400;

pub(super) struct Twilio {
    pool: Pool,
    path: String,
    sender: Sender,
    retention: Retention,
    clock: Arc<Clock>,
}

impl Twilio {
    pub(super) fn new(
        endpoint: Endpoint,
        account: &str,
        sender: Sender,
        retention: Retention,
        clock: Arc<Clock>,
    ) -> Self {
        let path = format!("/2010-04-01/Accounts/{account}/Messages.json");
        Self { pool: Pool::new(endpoint), path, sender, retention, clock }
    }

    pub(super) async fn hand_over(&self, letter: &Letter, credential: &Credential) -> Result<(), Failure> {
        let Kind::Basic(authorization) = &credential.0 else { return Err(Failure::NotThisRoute) };
        let headers = [
            (AUTHORIZATION, authorization.clone()),
            (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        ];
        let form = form(letter, &self.sender, self.retention);
        let answer = self.pool.post(&self.path, &headers, form, &letter.progress).await?;
        classify(&answer, self.clock.now())
    }
}

fn form(letter: &Letter, sender: &Sender, retention: Retention) -> Bytes {
    let validity = letter.seconds_left().clamp(*VALIDITY.start(), *VALIDITY.end()).to_string();
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(FORM_BYTES));
    form.append_pair("To", letter.to.expose());
    match sender {
        Sender::From(from) => form.append_pair("From", from),
        Sender::MessagingService(service) => form.append_pair("MessagingServiceSid", service),
    };
    form.append_pair("Body", letter.text.expose());
    form.append_pair("SmartEncoded", "false");
    if retention.discard_content {
        form.append_pair("ContentRetention", "discard");
    }
    if retention.obfuscate_address {
        form.append_pair("AddressRetention", "obfuscate");
    }
    form.append_pair("ValidityPeriod", &validity);
    Bytes::from_owner(Zeroizing::new(form.finish().into_bytes()))
}

/// What is read of a body. Each member is read by itself: one of a type that is not expected takes nothing from the others.
#[derive(Default, Deserialize)]
struct Said {
    /// Of a message.
    #[serde(default)]
    status: Value,
    #[serde(default)]
    error_code: Value,
    /// Of a refusal.
    #[serde(default)]
    code: Value,
}

impl Said {
    fn of(body: &[u8]) -> Self {
        let object = body.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(body));
        object.and_then(Result::ok).unwrap_or_default()
    }

    fn has_failed(&self) -> bool {
        matches!(self.status.as_str(), Some("failed" | "undelivered"))
    }
}

/// A code: a number, or its digits as a text, as some services write it.
fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

/// What an answer means.
///
/// 1. A success is a message taken, whatever its body, unless that readably says that the message has failed.
/// 2. A refusal (4xx, 503) has its meaning by its code, if the table has it.
/// 3. Everything else has its meaning by its status. A 503 without such a code confirms nothing: a proxy that has lost the server
///    behind it answers so, and there is no idempotency key by which that server could tell a repeat.
fn classify(answer: &Answer, now: Seconds) -> Result<(), Failure> {
    let (wait, said) = (retry_after(&answer.headers, now), Said::of(&answer.body));
    // 1.
    if answer.status.is_success() {
        if !said.has_failed() {
            return Ok(());
        }
        let failure = number(&said.error_code).and_then(|code| by_code(code, None));
        // What was made once is not made again here.
        return Err(failure.filter(|failure| !matches!(failure, Failure::Busy(_))).unwrap_or(Failure::NotThisRoute));
    }
    // 2.
    let has_code = answer.status == StatusCode::SERVICE_UNAVAILABLE || answer.status.is_client_error();
    let code = number(&said.code).filter(|_| has_code);
    // 3.
    Err(code.and_then(|code| by_code(code, wait)).unwrap_or_else(|| by_status(answer.status, wait)))
}

/// The table of error codes of `docs/spec/07-delivery.md`; `None` for a code that it does not have.
fn by_code(code: u32, wait: Option<Duration>) -> Option<Failure> {
    Some(match code {
        21211 | 21214 | 21217 | 21265 | 21610 | 21614 | 21635 | 30005 | 30006 => Failure::Recipient,
        10001 | 20003 | 20005 | 20006 | 20008 | 20404 | 21212 | 21601 | 21603 | 21606 | 21607 | 21608 | 21659
        | 21660 | 21661 | 21701 | 21703 | 21704 | 21705 | 30002 | 30029 | 30030 | 30032 | 30034 | 63038 | 70051
        | 90010 => Failure::Sender,
        14107 | 20429 | 20503 | 21611 | 30001 => Failure::Busy(wait),
        21266 | 21408 | 21612 | 21617 | 30003 | 30004 | 30007 | 30008 => Failure::NotThisRoute,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use hyper::header::{HeaderMap, RETRY_AFTER};

    use super::super::pool;
    use super::super::pool::tests::{Column, kind, rows};
    use super::*;

    const WAIT: Duration = Duration::from_secs(7);

    fn answer(status: u16, body: &str) -> Result<(), Failure> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
        let status = StatusCode::from_u16(status).unwrap();
        classify(&Answer { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) }, 0)
    }

    fn refused(code: u32) -> String {
        format!(r#"{{"code":{code},"message":"why","more_info":"","status":400}}"#)
    }

    /// The table of the spec page: each code, and its meaning.
    fn table() -> Vec<(u32, Failure)> {
        let of_row = |(code, cells): (u32, Vec<&str>)| Some((code, kind(cells.first()?, Some(WAIT))?));
        rows(5).into_iter().filter_map(of_row).collect()
    }

    #[test]
    fn each_code_means_what_the_spec_page_says() {
        let table = table();
        assert_eq!(table.len(), 49);
        for (code, expected) in &table {
            assert_eq!(answer(400, &refused(*code)), Err(*expected), "{code}");
            let failed = format!(r#"{{"sid":"SM01","status":"failed","error_code":{code}}}"#);
            // A message that was made is not made again.
            let failure = if matches!(expected, Failure::Busy(_)) { Failure::NotThisRoute } else { *expected };
            assert_eq!(answer(201, &failed), Err(failure), "{code} of a message that has failed");
        }
        // Nothing stands in the code that does not stand on the page.
        let codes: Vec<u32> = (0..100_000).filter(|code| by_code(*code, None).is_some()).collect();
        let mut listed: Vec<u32> = table.iter().map(|(code, _)| *code).collect();
        listed.sort_unstable();
        assert_eq!(codes, listed);
    }

    #[test]
    fn a_success_is_taken_unless_it_readably_says_that_it_failed() {
        for body in [
            r#"{"sid":"SM0123","status":"queued"}"#,
            r#"{"sid":"SM0123","status":"accepted","error_code":null}"#,
            r#"{"sid":"SM0123"}"#,
            r#"{"sid":"SM0123","status":"whatever"}"#,
            r#"{"sid":"SM0123","status":7}"#,
            r#"{"sid":"SM0123","status":"#,
            r#"["failed",30005,30005]"#,
            r#"{"status":"failed","status":"queued"}"#,
            "<html>thank you</html>",
            "",
        ] {
            for status in [200, 201, 202, 204] {
                assert_eq!(answer(status, body), Ok(()), "{status} {body}");
            }
        }
        for status in ["failed", "undelivered"] {
            let body = format!(r#"{{"sid":"SM0123","status":"{status}","error_code":null}}"#);
            assert_eq!(answer(201, &body), Err(Failure::NotThisRoute), "{status}");
        }
    }

    #[test]
    fn each_member_is_read_by_itself() {
        for (members, expected) in [
            (r#""status":"failed","error_code":30005"#, Err(Failure::Recipient)),
            (r#""status":"failed","error_code":"30005""#, Err(Failure::Recipient)),
            (r#""status":"undelivered","error_code":"30002""#, Err(Failure::Sender)),
            (r#""status":"failed","error_code":"30001""#, Err(Failure::NotThisRoute)),
            (r#""status":"failed","error_code":null"#, Err(Failure::NotThisRoute)),
            (r#""status":"failed","error_code":"""#, Err(Failure::NotThisRoute)),
            (r#""status":"failed","error_code":"+30005""#, Err(Failure::NotThisRoute)),
            (r#""status":"failed","error_code":"30005 no such number""#, Err(Failure::NotThisRoute)),
            (r#""status":"failed","error_code":-30005"#, Err(Failure::NotThisRoute)),
            (r#""status":"failed","error_code":30005.5"#, Err(Failure::NotThisRoute)),
            (r#""status":"failed","error_code":99999999999"#, Err(Failure::NotThisRoute)),
            (r#""status":"failed","error_code":{"code":30005}"#, Err(Failure::NotThisRoute)),
            (r#""status":"failed","error_code":[30005]"#, Err(Failure::NotThisRoute)),
            (r#""status":"failed","code":{"a":[]},"error_code":true"#, Err(Failure::NotThisRoute)),
            (r#""status":"failed""#, Err(Failure::NotThisRoute)),
            (r#""status":null,"error_code":"30005""#, Ok(())),
            (r#""status":{"is":"failed"},"error_code":30005"#, Ok(())),
            (r#""status":"queued","error_code":{}"#, Ok(())),
        ] {
            assert_eq!(answer(201, &format!(r#"{{"sid":"SM01",{members}}}"#)), expected, "{members}");
        }
        for (members, expected) in [
            (r#""code":21211"#, Failure::Recipient),
            (r#""code":"21211""#, Failure::Recipient),
            (r#""code":"20003","status":[401]"#, Failure::Sender),
            (r#""code":null"#, Failure::NotThisRoute),
            (r#""code":{}"#, Failure::NotThisRoute),
            (r#""message":"why""#, Failure::NotThisRoute),
        ] {
            assert_eq!(answer(400, &format!("{{{members}}}")), Err(expected), "{members}");
        }
        assert_eq!(answer(503, r#"{"code":"20503"}"#), Err(Failure::Busy(Some(WAIT))));
    }

    #[test]
    fn only_listed_statuses_are_handed_over_again() {
        let bare = |status| classify(&Answer { status, headers: HeaderMap::new(), body: Bytes::new() }, 0);
        pool::tests::only_listed_statuses_are_handed_over_again(Column::Twilio, bare);
        // A wait marks no refusal.
        for status in [408, 409, 500, 502, 503, 504] {
            assert_eq!(answer(status, ""), Err(Failure::Unconfirmed), "{status}");
        }
        assert_eq!(answer(429, ""), Err(Failure::Busy(Some(WAIT))));
        assert_eq!(answer(400, &refused(12_345)), Err(Failure::NotThisRoute), "a code that the table does not have");
    }

    #[test]
    fn server_error_is_unconfirmed_unless_503_with_known_code() {
        for status in [500, 501, 502, 504, 505, 507, 520, 521, 522, 524, 599] {
            for body in [refused(20_500), refused(20_503), refused(21_211), "<html></html>".into(), String::new()] {
                assert_eq!(answer(status, &body), Err(Failure::Unconfirmed), "{status} {body}");
            }
        }
        for (body, expected) in [
            (refused(20_503), Failure::Busy(Some(WAIT))),
            (refused(20_429), Failure::Busy(Some(WAIT))),
            (refused(20_500), Failure::Unconfirmed),
            // A proxy answers so when it has lost the server that it gave the request to.
            ("upstream connect error or disconnect/reset before headers".into(), Failure::Unconfirmed),
            (String::new(), Failure::Unconfirmed),
        ] {
            assert_eq!(answer(503, &body), Err(expected), "{body}");
        }
    }
}
