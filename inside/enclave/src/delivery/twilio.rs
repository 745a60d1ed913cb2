//! The Messages resource of Twilio, or of whoever speaks like it.
//!
//! The carrier is told to keep neither the text (`ContentRetention=discard`) nor the number (`AddressRetention=
//! obfuscate`). If it says that the account cannot (30029, 30030), the route is not used: it never sends without them.
//!
//! What its error codes are taken for is in [`classify`]; a carrier that ignores the idempotency token may send a message
//! twice if its answer was lost, which is the same code twice.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::carrier::{Failure, Letter};
use super::credential::Kind;
use super::pool::{Pool, retry_after};
use super::{Credential, Sender};
use crate::egress::http::Answer;
use crate::egress::{EgressError, Endpoint};

const IDEMPOTENCY_TOKEN: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");
/// Room for a form, so that it does not grow and leave copies behind.
const FORM_BYTES: usize = 8 * 1024;
/// `ValidityPeriod`, in seconds, is within these.
const VALIDITY: std::ops::RangeInclusive<u64> = 1..=14_400;

pub(super) struct Twilio {
    pool: Pool,
    path: String,
    sender: Sender,
    route: u8,
}

impl Twilio {
    pub(super) fn new(endpoint: Endpoint, account: &str, sender: Sender, route: u8) -> Self {
        let path = format!("/2010-04-01/Accounts/{account}/Messages.json");
        Self { pool: Pool::new(endpoint), path, sender, route }
    }

    pub(super) async fn hand_over(&self, letter: &Letter, credential: &Credential) -> Result<(), Failure> {
        let Kind::Basic(authorization) = &credential.0 else { return Err(Failure::NotThisRoute) };
        let token = HeaderValue::from_str(&letter.idempotency_key(self.route));
        let headers = [
            (AUTHORIZATION, authorization.clone()),
            (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (IDEMPOTENCY_TOKEN, token.map_err(|_| Failure::NotThisRoute)?),
        ];
        let answer = self.pool.post(&self.path, &headers, form(letter, &self.sender)).await?;
        classify(&answer)
    }
}

fn form(letter: &Letter, sender: &Sender) -> Bytes {
    let validity = letter.seconds_left().clamp(*VALIDITY.start(), *VALIDITY.end()).to_string();
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(FORM_BYTES));
    form.append_pair("To", letter.to.expose());
    match sender {
        Sender::From(from) => form.append_pair("From", from),
        Sender::MessagingService(service) => form.append_pair("MessagingServiceSid", service),
    };
    form.append_pair("Body", letter.text.expose())
        .append_pair("ContentRetention", "discard")
        .append_pair("AddressRetention", "obfuscate")
        .append_pair("ValidityPeriod", &validity);
    Bytes::from_owner(Zeroizing::new(form.finish().into_bytes()))
}

#[derive(Deserialize)]
struct Created {
    sid: String,
    status: String,
}

#[derive(Deserialize)]
struct Refused {
    code: u32,
}

/// What an answer means. Anything that is not of Twilio's form, a success above all, counts as no answer.
fn classify(answer: &Answer) -> Result<(), Failure> {
    let nonsense = Failure::Transport(EgressError::Protocol);
    if answer.status.is_success() {
        let created: Created = serde_json::from_slice(&answer.body).map_err(|_| nonsense)?;
        let is_message = created.sid.starts_with("SM") || created.sid.starts_with("MM");
        return match created.status.as_str() {
            "accepted" | "scheduled" | "queued" | "sending" | "sent" | "delivered" if is_message => Ok(()),
            "failed" | "undelivered" if is_message => Err(Failure::NotThisRoute),
            _ => Err(nonsense),
        };
    }
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            return Err(Failure::Busy(retry_after(&answer.headers)));
        }
        status if status.is_server_error() => return Err(Failure::Busy(retry_after(&answer.headers))),
        status if !status.is_client_error() => return Err(Failure::NotThisRoute),
        _ => {}
    }
    let refused: Refused = serde_json::from_slice(&answer.body).map_err(|_| nonsense)?;
    Err(match refused.code {
        // Invalid number; unreachable; the person has said STOP; not a mobile number; text too long.
        21211 | 21214 | 21217 | 21610 | 21614 | 21617 => Failure::Recipient,
        // Queues that are full.
        14107 | 20429 | 21611 => Failure::Busy(retry_after(&answer.headers)),
        // Credential, account, sender, country, retention flags: all of this route.
        _ => Failure::NotThisRoute,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderMap, RETRY_AFTER};
    use tokio::time::Duration;

    fn answer(status: u16, body: &'static str, retry_after: Option<&'static str>) -> Result<(), Failure> {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let headers = retry_after.map(|value| (RETRY_AFTER, HeaderValue::from_static(value)));
        classify(&Answer { status, headers: HeaderMap::from_iter(headers), body: body.into() })
    }

    #[test]
    fn answers_have_their_class() {
        let nonsense = Err(Failure::Transport(EgressError::Protocol));
        for (status, body, expected) in [
            (201, r#"{"sid":"SM0123","status":"queued"}"#, Ok(())),
            (201, r#"{"sid":"MM0123","status":"accepted"}"#, Ok(())),
            (201, r#"{"sid":"SM0123","status":"failed"}"#, Err(Failure::NotThisRoute)),
            (201, r#"{"sid":"AC0123","status":"queued"}"#, nonsense),
            (201, r#"{"sid":"SM0123","status":"whatever"}"#, nonsense),
            (200, "<html>captive portal</html>", nonsense),
            (204, "", nonsense),
            (301, "", Err(Failure::NotThisRoute)),
            (400, r#"{"code":21211,"message":"…","status":400}"#, Err(Failure::Recipient)),
            (400, r#"{"code":21610,"message":"…","status":400}"#, Err(Failure::Recipient)),
            (400, r#"{"code":21614,"message":"…","status":400}"#, Err(Failure::Recipient)),
            (400, r#"{"code":21408,"message":"…","status":400}"#, Err(Failure::NotThisRoute)),
            (400, r#"{"code":30029,"message":"…","status":400}"#, Err(Failure::NotThisRoute)),
            (401, r#"{"code":20003,"message":"…","status":401}"#, Err(Failure::NotThisRoute)),
            (400, r#"{"code":21611,"message":"…","status":400}"#, Err(Failure::Busy(None))),
            (404, "not found", nonsense),
            (408, "", Err(Failure::Busy(None))),
            (500, "", Err(Failure::Busy(None))),
            (503, "garbage", Err(Failure::Busy(None))),
        ] {
            assert_eq!(answer(status, body, None), expected, "{status} {body}");
        }
    }

    #[test]
    fn retry_after_is_honoured_in_seconds() {
        assert_eq!(answer(429, "", Some("7")), Err(Failure::Busy(Some(Duration::from_secs(7)))));
        assert_eq!(answer(503, "", Some("3")), Err(Failure::Busy(Some(Duration::from_secs(3)))));
        assert_eq!(answer(429, "", Some("Wed, 21 Oct 2026 07:28:00 GMT")), Err(Failure::Busy(None)));
        assert_eq!(answer(429, "", Some("-1")), Err(Failure::Busy(None)));
        // A clock would overflow.
        let most = Err(Failure::Busy(Some(Duration::from_secs(3600))));
        assert_eq!(answer(429, "", Some("18446744073709551615")), most);
    }
}
