//! Length of the answers about verifications: the host sees it, so it must not tell what a secret decided.
//!
//! 1. admission marks every answer of these paths, refusals included ([`mark`]);
//! 2. the connection completes its head, and this module, last of all, adds the header [`PADDING`] that fills head and body up to the
//!    next multiple of [`CLASS`] ([`pad`]).
//!
//! HTTP passes head and body of such an answer to TLS at once, so they are one record.
//!
//! Limits: an answer longer than one class tells how many classes it fills. Only public facts can make it so long: attempts, address
//! and host name. Paths that do not exist, and heads that HTTP cannot parse, are answered without padding.

use axum::http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use hyper::body::Body as _;

use super::parameters::{CHECK, FETCH_VERIFICATION, START};
use super::support;

/// Answers are filled up to a multiple of so many bytes.
pub(super) const CLASS: usize = 2048;
/// The header that fills them.
pub(super) const PADDING: HeaderName = HeaderName::from_static("adyton-padding");

/// Marks an answer that is padded.
#[derive(Clone, Copy)]
pub(super) struct Padded;

/// 1. Marks an answer of the route `path` if it is about verifications.
pub(super) fn mark(path: Option<&str>, response: &mut Response) {
    if path.is_some_and(|path| [START.path, FETCH_VERIFICATION.path, CHECK.path, support::PATH].contains(&path)) {
        response.extensions_mut().insert(Padded);
    }
}

/// 2. Fills a marked answer up, whose head is complete but for what HTTP adds; `kept` says whether the client wants to send
///    further requests on its connection.
pub(super) fn pad(response: &mut Response, kept: bool) {
    if response.extensions_mut().remove::<Padded>().is_none() {
        return;
    }
    let Some(body) = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok()) else {
        return;
    };
    let bare = response.status() == StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    // What HTTP would add is added here, so that it counts.
    if !kept {
        headers.entry(CONNECTION).or_insert(HeaderValue::from_static("close"));
    }
    if bare {
        headers.remove(CONTENT_LENGTH);
    } else {
        headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from(body));
    }
    // Its value has one length, whatever the time.
    let date = if headers.contains_key(DATE) { 0 } else { line(DATE.as_str(), "Thu, 01 Jan 1970 00:00:00 GMT".len()) };
    let lines: usize = headers.iter().map(|(name, value)| line(name.as_str(), value.len())).sum();
    let reason = response.status().canonical_reason().unwrap_or("<none>").len();
    let status_line = "HTTP/1.1 200 ".len() + reason + "\r\n".len();
    let length = status_line + lines + date + line(PADDING.as_str(), 0) + "\r\n".len() + body;
    let missing = length.next_multiple_of(CLASS) - length;
    if let Ok(value) = HeaderValue::try_from("0".repeat(missing)) {
        response.headers_mut().insert(PADDING, value);
    }
}

/// Bytes of one header's line.
fn line(name: &str, value: usize) -> usize {
    name.len() + ": ".len() + value + "\r\n".len()
}

#[cfg(test)]
#[path = "padding/tests.rs"]
mod tests;
