//! The Messages resource of Twilio, or of a service with the same API.
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

/// What a success may say.
#[derive(Default, Deserialize)]
struct Created {
    status: Option<String>,
    error_code: Option<u32>,
}

#[derive(Deserialize)]
struct Refused {
    code: u32,
}

/// What an answer means.
///
/// 1. A success is a message taken, whatever its body, unless that readably says that the message has failed.
/// 2. A refusal (4xx, 503) has its meaning by its code, if the table has it.
/// 3. A 503 without such a code confirms nothing: a proxy that has lost the server behind it answers so, and there is no
///    idempotency key by which that server could tell a repeat.
/// 4. Everything else has its meaning by its status.
fn classify(answer: &Answer, now: Seconds) -> Result<(), Failure> {
    let wait = retry_after(&answer.headers, now);
    // 1.
    if answer.status.is_success() {
        let said: Created = serde_json::from_slice(&answer.body).unwrap_or_default();
        return match said.status.as_deref() {
            Some("failed" | "undelivered") => {
                let failure = said.error_code.and_then(|code| by_code(code, None));
                // What was made once is not made again here.
                Err(failure.filter(|failure| !matches!(failure, Failure::Busy(_))).unwrap_or(Failure::NotThisRoute))
            }
            _ => Ok(()),
        };
    }
    // 2.
    let unavailable = answer.status == StatusCode::SERVICE_UNAVAILABLE;
    let has_code = unavailable || answer.status.is_client_error();
    let refused = serde_json::from_slice::<Refused>(&answer.body).ok().filter(|_| has_code);
    Err(match refused.and_then(|refused| by_code(refused.code, wait)) {
        Some(failure) => failure,
        // 3.
        None if unavailable => Failure::Unconfirmed,
        // 4.
        None => by_status(answer.status, wait),
    })
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

    use super::*;
    use hyper::header::{HeaderMap, RETRY_AFTER};

    const WAIT: Duration = Duration::from_secs(7);

    fn answer(status: u16, body: &str) -> Result<(), Failure> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
        let status = StatusCode::from_u16(status).unwrap();
        classify(&Answer { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) }, 0)
    }

    fn refused(code: u32) -> String {
        format!(r#"{{"code":{code},"message":"why","more_info":"","status":400}}"#)
    }

    /// The table of the spec page: each code, and the word for its meaning.
    fn table() -> Vec<(u32, Failure)> {
        let page = include_str!("../../../../docs/spec/07-delivery.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
        let meaning = |word: &str| {
            Some(match word {
                "`Recipient`" => Failure::Recipient,
                "`Sender`" => Failure::Sender,
                "`Busy`" => Failure::Busy(Some(WAIT)),
                "`NotThisRoute`" => Failure::NotThisRoute,
                _ => return None,
            })
        };
        let of_row = |(first, rest): (&str, &str)| {
            let (code, failure) = (first.parse().ok()?, meaning(rest.split(" | ").next()?)?);
            Some((code, failure))
        };
        rows.filter_map(of_row).collect()
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
    fn a_refusal_without_a_known_code_has_its_meaning_by_its_status() {
        for (status, body, expected) in [
            (400, refused(12_345), Failure::NotThisRoute),
            (400, String::new(), Failure::NotThisRoute),
            (401, "<html>who are you</html>".into(), Failure::Sender),
            (403, String::new(), Failure::Sender),
            (404, "not found".into(), Failure::NotThisRoute),
            (408, String::new(), Failure::Busy(Some(WAIT))),
            (425, String::new(), Failure::Busy(Some(WAIT))),
            (429, String::new(), Failure::Busy(Some(WAIT))),
            (301, String::new(), Failure::NotThisRoute),
        ] {
            assert_eq!(answer(status, &body), Err(expected), "{status} {body}");
        }
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
