//! Answers that may be large: measured first, then charged, then made (`budget`).

use std::io;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::answer::{ApiError, json};
use super::budget::{Budget, Payer, SMALL_ANSWER};

/// What a JSON answer says of itself.
pub(super) const JSON_HEAD: [(HeaderName, &str); 2] = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];

/// Marks an answer whose bytes are charged already, or exist whether somebody asks or not.
#[derive(Clone, Copy)]
pub(super) struct Paid;

/// An answer with a body whose bytes need no further charge.
pub(super) fn paid(status: StatusCode, body: Body) -> Response {
    let mut response = (status, JSON_HEAD, body).into_response();
    response.extensions_mut().insert(Paid);
    response
}

/// A JSON answer of any size, for which `payer` pays if it is not small.
pub(super) fn measured(
    budget: &Budget,
    payer: Payer,
    status: StatusCode,
    answer: &impl Serialize,
) -> Result<Response, ApiError> {
    let length = length(answer);
    if length <= SMALL_ANSWER {
        return Ok(json(status, answer));
    }
    let charge = budget.take(payer, length)?;
    let mut body = Vec::with_capacity(length);
    if serde_json::to_writer(&mut body, answer).is_err() {
        return Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response());
    }
    Ok(paid(status, Body::from(charge.hold_answer(body))))
}

/// An answer that was made already: charged if it is not small, and dropped if its payer may hold no more.
pub(super) fn charged(budget: &Budget, payer: Payer, body: Bytes) -> Result<Bytes, ApiError> {
    if body.len() <= SMALL_ANSWER {
        return Ok(body);
    }
    Ok(budget.take(payer, body.len())?.hold_answer(Vec::from(body)))
}

/// Length of an answer's JSON.
fn length(answer: &impl Serialize) -> usize {
    let mut counted = Counted(0);
    // What cannot be written fails again where it is made.
    let _ = serde_json::to_writer(&mut counted, answer);
    counted.0
}

struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use http_body_util::BodyExt;

    use super::*;

    /// What is only looked at while it is measured, and counts how often it was.
    struct Watched<'a>(&'a str, &'a std::cell::Cell<usize>);

    impl Serialize for Watched<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.1.set(self.1.get() + 1);
            serializer.serialize_str(self.0)
        }
    }

    #[tokio::test]
    async fn large_answer_is_measured_and_charged_before_it_is_made() {
        // Each line end is two bytes of JSON.
        let (text, made) = ("\n".repeat(10_000), std::cell::Cell::new(0));
        let budget = Budget::new(6 * 20_001);
        let refused = measured(&budget, Payer::Signer, StatusCode::OK, &Watched(&text, &made));
        assert!(refused.is_err() && made.get() == 1 && budget.free() == 6 * 20_001);
        let budget = Budget::new(6 * 20_002);
        let answer = measured(&budget, Payer::Signer, StatusCode::OK, &Watched(&text, &made)).ok().unwrap();
        assert!(answer.extensions().get::<Paid>().is_some() && budget.free() == 5 * 20_002);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(serde_json::from_slice::<String>(&body).unwrap(), text);
        drop(body);
        assert_eq!(budget.free(), 6 * 20_002);
    }

    #[tokio::test]
    async fn small_answer_costs_nothing() {
        let (text, made) = ("a".repeat(SMALL_ANSWER - 2), std::cell::Cell::new(0));
        let budget = Budget::new(0);
        let answer = measured(&budget, Payer::Stranger, StatusCode::OK, &Watched(&text, &made)).ok().unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), SMALL_ANSWER);
        assert!(charged(&budget, Payer::Stranger, Bytes::from(vec![0; SMALL_ANSWER])).is_ok());
        assert!(charged(&budget, Payer::Stranger, Bytes::from(vec![0; SMALL_ANSWER + 1])).is_err());
    }
}
