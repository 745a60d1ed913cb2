//! Pooled HTTP connections of one route, and what an answer means that is the same for every carrier.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use adyton_vault::Seconds;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use tokio::time::Duration;

use super::carrier::Failure;
use super::link::{Answer, Link};
use super::progress::Progress;
use crate::egress::{EgressError, Endpoint};

/// The longest `Retry-After` that is heeded; no code lives that long.
const LONGEST_REQUEST: Duration = Duration::from_secs(3600);
/// Idle connections that are kept, and for how long. A server that closes one just when a request leaves over it cannot be told
/// from one that took the request, so this is shorter than the five seconds after which some servers close.
const MOST_IDLE: usize = 16;
const LONGEST_IDLE: Duration = Duration::from_secs(3);

pub(super) struct Pool {
    endpoint: Endpoint,
    idle: Mutex<Vec<Link>>,
}

impl Pool {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, idle: Mutex::default() }
    }

    /// `POST path`. A kept connection that broke before the request left says nothing about the carrier: the request goes
    /// over another one.
    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        progress: &Arc<Progress>,
    ) -> Result<Answer, Failure> {
        while let Some(mut link) = self.take() {
            match link.post(path, headers.iter().cloned(), body.clone(), progress).await {
                Err(Failure::Transport(EgressError::Protocol)) => {}
                done => return done.inspect(|_| self.keep(link)),
            }
        }
        let mut link = Link::open(&self.endpoint).await?;
        let done = link.post(path, headers.iter().cloned(), body, progress).await;
        done.inspect(|_| self.keep(link))
    }

    fn take(&self) -> Option<Link> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|link| link.is_usable(LONGEST_IDLE));
        idle.pop()
    }

    fn keep(&self, mut link: Link) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE && link.is_usable(LONGEST_IDLE) {
            idle.push(link);
        }
    }
}

/// What a status means that is not a success. A server error leaves open whether the server took the message before it failed,
/// or whether a server behind it did; only 503 is a definite refusal (RFC 9110 §15.6.4).
pub(super) fn by_status(status: StatusCode, retry_after: Option<Duration>) -> Failure {
    match status.as_u16() {
        401..=403 => Failure::Sender,
        408 | 425 | 429 | 503 => Failure::Busy(retry_after),
        500..=599 => Failure::Unconfirmed,
        _ => Failure::NotThisRoute,
    }
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date, which is held against the enclave's clock. Whatever a carrier asks
/// for, it is a time that can be waited.
pub(super) fn retry_after(headers: &HeaderMap, now: Seconds) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()?
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        date.duration_since(UNIX_EPOCH).ok()?.as_secs().saturating_sub(now)
    };
    Some(Duration::from_secs(seconds).min(LONGEST_REQUEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_within_an_hour() {
        const NOW: Seconds = 784_111_777;
        let hour = Some(LONGEST_REQUEST);
        for (text, expected) in [
            ("7", Some(Duration::from_secs(7))),
            ("0", Some(Duration::ZERO)),
            ("3601", hour),
            ("18446744073709551615", hour),
            ("18446744073709551616", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
            // RFC 9110 §5.6.7: the three forms of one moment.
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(Duration::from_secs(10))),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(Duration::from_secs(10))),
            ("Sun Nov  6 08:49:47 1994", Some(Duration::from_secs(10))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(Duration::ZERO)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(Duration::ZERO)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", hour),
            ("Sun, 06 Nov 1994 08:49:47 +0100", None),
            ("Sun, 32 Nov 1994 08:49:47 GMT", None),
        ] {
            let value = HeaderValue::from_static(text);
            assert_eq!(retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]), NOW), expected, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }

    #[test]
    fn status_without_definite_refusal_is_unconfirmed() {
        let wait = Some(Duration::from_secs(9));
        for (statuses, expected) in [
            (&[301, 302, 307, 400, 404, 405, 410, 418, 422, 451][..], Failure::NotThisRoute),
            (&[401, 402, 403], Failure::Sender),
            (&[408, 425, 429, 503], Failure::Busy(wait)),
            (&[500, 501, 502, 504, 505, 507, 520, 522, 524, 599], Failure::Unconfirmed),
        ] {
            for status in statuses {
                let status = StatusCode::from_u16(*status).unwrap_or_default();
                assert_eq!(by_status(status, wait), expected, "{status}");
            }
        }
    }
}
