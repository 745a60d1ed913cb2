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
const MAX_REQUEST_TIME: Duration = Duration::from_secs(3600);
/// Idle connections that are kept, and for how long. A server that closes one just when a request leaves over it cannot be told
/// from one that took the request, so this is shorter than the five seconds after which some servers close.
const MAX_IDLE: usize = 16;
const MAX_IDLE_TIME: Duration = Duration::from_secs(3);

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
        idle.retain_mut(|link| link.is_usable(MAX_IDLE_TIME));
        idle.pop()
    }

    fn keep(&self, mut link: Link) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE && link.is_usable(MAX_IDLE_TIME) {
            idle.push(link);
        }
    }
}

/// What a status means that is not a success: the table of `docs/spec/07-delivery.md`. It is a closed list of definite refusals.
/// Every other status leaves open whether the server took the message, or whether a server behind it did: a proxy whose time ran
/// out answers 408, 303 may answer a request that was done, and a server error says nothing of what came before it.
pub(super) fn by_status(status: StatusCode, retry_after: Option<Duration>) -> Failure {
    match status.as_u16() {
        401..=403 => Failure::Sender,
        425 | 429 => Failure::Busy(retry_after),
        400 | 404 | 405 | 410 | 411 | 413 | 414 | 415 | 421 | 422 | 426 | 428 | 431 | 451 => Failure::NotThisRoute,
        _ => Failure::Unconfirmed,
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
    Some(Duration::from_secs(seconds).min(MAX_REQUEST_TIME))
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Which column of the spec page's table of statuses is a carrier's.
    #[derive(Clone, Copy)]
    pub(in crate::delivery) enum Column {
        Twilio,
        Webhook,
    }

    /// The kind that a table of the spec page names.
    pub(in crate::delivery) fn kind(word: &str, wait: Option<Duration>) -> Option<Failure> {
        Some(match word {
            "`Recipient`" => Failure::Recipient,
            "`Sender`" => Failure::Sender,
            "`Busy`" => Failure::Busy(wait),
            "`NotThisRoute`" => Failure::NotThisRoute,
            _ => return None,
        })
    }

    /// Rows of the spec page's tables that begin with a number of so many digits: the number, and the other cells.
    pub(in crate::delivery) fn rows(digits: usize) -> Vec<(u32, Vec<&'static str>)> {
        let page = include_str!("../../../../docs/spec/07-delivery.md");
        let cells = |line: &'static str| line.strip_prefix("| ")?.strip_suffix(" |").map(|row| row.split(" | "));
        let row = |mut cells: std::str::Split<'static, &'static str>| {
            let first = cells.next().filter(|first| first.len() == digits)?;
            Some((first.parse().ok()?, cells.collect()))
        };
        page.lines().filter_map(cells).filter_map(row).collect()
    }

    /// Tries every status there can be, with an answer that has nothing else: a request that left is handed over again, or to
    /// another route, only if the status is in the spec page's table.
    pub(in crate::delivery) fn only_listed_statuses_are_handed_over_again(
        column: Column,
        classify: impl Fn(StatusCode) -> Result<(), Failure>,
    ) {
        let mut listed = std::collections::BTreeMap::new();
        for (status, cells) in rows(3) {
            let failure = kind(cells[column as usize], None).unwrap();
            assert_eq!(listed.insert(u16::try_from(status).unwrap(), failure), None, "{status} stands there once");
        }
        assert_eq!(listed.len(), 19);
        for status in 100..=999 {
            let expected = match status {
                200..=299 => Ok(()),
                _ => Err(listed.remove(&status).unwrap_or(Failure::Unconfirmed)),
            };
            assert_eq!(classify(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
        assert!(listed.is_empty());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_within_an_hour() {
        const NOW: Seconds = 784_111_777;
        let hour = Some(MAX_REQUEST_TIME);
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
}
