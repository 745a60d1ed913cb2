//! Admission: what every request must pass before its handler runs.
//!
//! 1. its `Host` is well-formed (`host`; RFC 9112 §3.2), its body in no coding (`coding`);
//! 2. its payer is found: the account, if the token is right (`auth`), or nobody known;
//! 3. bytes for body and answer are taken from the budget (`budget`), before either is read or made;
//! 4. the body is read (`body`), whatever is asked for;
//! 5. the answer keeps its bytes until the client has taken them.
//!
//! A request that is refused before its body was read is read on and thrown away for a while. An answer that comes before the
//! client has finished sending may never arrive: TCP resets a connection that is closed with an upload unread. A client that
//! waits for `100 Continue` sends nothing, so it is answered at once (RFC 9110 §10.1.1).

use std::sync::Arc;

use axum::body::Body as HttpBody;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::EXPECT;
use axum::http::{HeaderValue, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::answer::ApiError;
use super::budget::Charge;
use super::{Api, body, coding, host};

/// Largest answer, but for those below: a service or a verification.
const ANSWER: usize = 4 * 1024;
/// Largest answers of the others; a list of services takes its own (`service_list`).
const LARGER_ANSWERS: [(&str, usize); 3] = [
    // An attestation document in base64, the bundle and a nonce's path.
    ("/.well-known/adyton/evidence", 32 * 1024),
    // A tenant's keys and waiting loosenings.
    ("/adyton/v1/account", 64 * 1024),
    // A certificate request for 100 names.
    ("/adyton/v1/public-certificate-request", 64 * 1024),
];

/// Lets a request through, or refuses it.
pub(crate) async fn admit(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let waits = waits_for_continue(&request);
    let (mut head, body) = request.into_parts();
    // 1.
    match host::HostName::of(&head) {
        Ok(Some(host)) => drop(head.extensions.insert(host)),
        Ok(None) => {}
        Err(error) => return refuse(error, body, waits).await,
    }
    if let Err(error) = coding::check(&head.headers, &body) {
        return refuse(error, body, waits).await;
    }
    // 2.
    let payer = api.payer(&head.headers).await;
    head.extensions.insert(payer);
    // 3. A body without a length may be as long as any; of one that is too long, nothing is kept.
    let announced = body.size_hint().upper().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if waits && announced.is_some_and(|length| length > body::MAX_BODY) {
        return refuse(ApiError::too_large(), body, waits).await;
    }
    let kept = match announced {
        Some(length) if length > body::MAX_BODY => 0,
        Some(length) => length,
        None => body::MAX_BODY,
    };
    let path = head.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let larger = LARGER_ANSWERS.iter().find(|(larger, _)| Some(*larger) == path);
    let answer = api.budget.answer(payer, larger.map_or(ANSWER, |(_, bytes)| *bytes));
    let (Ok(kept), Ok(answer)) = (api.budget.body(payer, kept), answer) else {
        return refuse(ApiError::over_share(), body, waits).await;
    };
    // 4.
    let response = match body::read(body, kept, announced).await {
        Ok(bytes) => next.run(Request::from_parts(head, bytes.into())).await,
        Err(error) => error.into_response(),
    };
    // 5.
    held(response, answer).await
}

/// Whether the client waits for `100 Continue` before it sends its body.
fn waits_for_continue(request: &Request) -> bool {
    let expects = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    request.version() > Version::HTTP_10 && request.headers().get_all(EXPECT).iter().any(expects)
}

/// Refuses a request whose body was not read.
async fn refuse(error: ApiError, body: HttpBody, waits: bool) -> Response {
    let ended = !waits && body::throw_away(body).await;
    let response = error.into_response();
    if ended { response } else { body::closing(response) }
}

/// 5. A handler's answer is one buffer; a list that is made while it is taken has a charge of its own.
async fn held(response: Response, charge: Charge) -> Response {
    let (head, body) = response.into_parts();
    if body.size_hint().exact().is_none_or(|length| length == 0) {
        return Response::from_parts(head, body);
    }
    // A buffer is there at once, and whole.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    Response::from_parts(head, HttpBody::from(charge.hold_answer(bytes)))
}
