//! Codings of a body (RFC 9112 §7, RFC 9110 §8.4): none is undone here.
//!
//! 1. `Transfer-Encoding` is `chunked`, which HTTP itself undoes, or absent. With another coding before it the answer is 501 (RFC
//!    9112 §6.1); `chunked` twice is 400 (§7.1). What does not end in `chunked` HTTP has refused already.
//! 2. `Content-Encoding` is `identity` or absent, where there is a body. Another one answers 415, with `Accept-Encoding: identity` (RFC
//!    9110 §15.5.16).
//!
//! A body that says that it is compressed is not read as if it were not: nothing is decided or sent for it.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, HeaderName, TRANSFER_ENCODING};
use hyper::body::Body as _;

use super::answer::ApiError;

/// Refuses a body in a coding.
pub(super) fn check(headers: &HeaderMap, body: &Body) -> Result<(), ApiError> {
    // 1.
    let transfer: Vec<&[u8]> = codings(headers, TRANSFER_ENCODING).collect();
    let chunked = |coding: &&&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match transfer.iter().filter(chunked).count() {
        count if count == transfer.len() && count > 1 => {
            return Err(ApiError::because("Transfer-Encoding", "expected chunked once (RFC 9112 section 7.1)"));
        }
        count if count < transfer.len() => return Err(ApiError::transfer_coding()),
        _ => {}
    }
    // 2.
    let mut content = codings(headers, CONTENT_ENCODING);
    if !body.is_end_stream() && content.any(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Err(ApiError::content_coding());
    }
    Ok(())
}

/// The members of a list over all lines of a header. Empty ones count for nothing (RFC 9110 §5.6.1.2).
fn codings(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    lines.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use axum::response::IntoResponse;

    use super::*;

    /// Status of the refusal, and what it says is accepted.
    fn refusal(lines: &[(HeaderName, &'static str)], body: &'static str) -> Option<(u16, Option<String>)> {
        let headers = lines.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        let response = check(&map, &Body::from(body)).err()?.into_response();
        let accepted = response.headers().get("accept-encoding").map(|value| value.to_str().unwrap().to_owned());
        Some((response.status().as_u16(), accepted))
    }

    #[test]
    fn a_content_coding_is_refused_where_there_is_a_body() {
        let unsupported = Some((415, Some("identity".to_owned())));
        for coding in ["gzip", "GZIP", "x-gzip", "br", "identity, gzip", "gzip, identity", "utf-8", "gzip;q=1"] {
            assert_eq!(refusal(&[(CONTENT_ENCODING, coding)], "To=1"), unsupported, "{coding}");
            assert_eq!(refusal(&[(CONTENT_ENCODING, coding)], ""), None, "{coding}");
        }
        let twice = [(CONTENT_ENCODING, "identity"), (CONTENT_ENCODING, "gzip")];
        assert_eq!(refusal(&twice, "To=1"), unsupported);
        for coding in ["identity", "Identity", "", ",", "identity , identity"] {
            assert_eq!(refusal(&[(CONTENT_ENCODING, coding)], "To=1"), None, "{coding}");
        }
        assert_eq!(refusal(&[], "To=1"), None);
    }

    #[test]
    fn no_transfer_coding_but_chunked_is_known() {
        for coding in ["gzip, chunked", "identity, chunked", "gzip", "chunked;x=1, chunked", "chunked, gzip, chunked"] {
            assert_eq!(refusal(&[(TRANSFER_ENCODING, coding)], "To=1"), Some((501, None)), "{coding}");
        }
        let lines = [(TRANSFER_ENCODING, "gzip"), (TRANSFER_ENCODING, "chunked")];
        assert_eq!(refusal(&lines, "To=1"), Some((501, None)));
        for lines in [&[(TRANSFER_ENCODING, "chunked, chunked")][..], &[const { (TRANSFER_ENCODING, "chunked") }; 2]] {
            assert_eq!(refusal(lines, "To=1"), Some((400, None)), "{lines:?}");
        }
        for coding in ["chunked", "CHUNKED", " chunked ,", ""] {
            assert_eq!(refusal(&[(TRANSFER_ENCODING, coding)], "To=1"), None, "{coding}");
        }
    }
}
