//! What a CA says about when to come back: `Retry-After` (RFC 9110 §10.2.3), as seconds or as an HTTP date.

use std::time::UNIX_EPOCH;

use hyper::StatusCode;
use hyper::header::{HeaderMap, RETRY_AFTER};

/// Longest time that a CA is believed, in seconds: a week, the longest period of a rate limit of the large CAs.
pub(super) const MAX_RETRY_AFTER: u64 = 7 * 86_400;

/// Seconds from now, Unix seconds; `None` if the header is missing or is neither form. A date that has passed is 0 seconds.
pub(super) fn retry_after(headers: &HeaderMap, now: u64) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number beyond every bound is beyond this one.
        text.parse().unwrap_or(u64::MAX)
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        date.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).saturating_sub(now)
    };
    Some(seconds.min(MAX_RETRY_AFTER))
}

/// Whether an answer says that the same request may succeed later. `problem` is the kind of its problem document. Every 5xx does:
/// a network before the CA has statuses of its own.
pub(super) fn is_temporary(status: StatusCode, problem: Option<&str>) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500..=599) || matches!(problem, Some("rateLimited" | "serverInternal"))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_within_a_week() {
        const NOW: u64 = 784_111_777;
        let read = |text| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]), NOW);
        for (text, expected) in [
            ("0", Some(0)),
            ("150", Some(150)),
            (" 150 ", Some(150)),
            ("604801", Some(604_800)),
            ("99999999999999999999999999", Some(604_800)),
            // RFC 9110 §5.6.7: the three forms of one moment.
            ("Sun, 06 Nov 1994 08:52:07 GMT", Some(150)),
            ("Sunday, 06-Nov-94 08:52:07 GMT", Some(150)),
            ("Sun Nov  6 08:52:07 1994", Some(150)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(604_800)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }
}
