//! Admission: what every request must pass before its handler runs.
//!
//! 1. its `Host` is well-formed (`host`; RFC 9112 §3.2);
//! 2. health, readiness, evidence and binding take no body, ask nobody and are charged to nobody: they are answered whatever
//!    others do ([`OPEN`]);
//! 3. its body is in no coding (`coding`), and its payer is found: the account's token or key, if it is right (`auth`); signed requests and nobody known have their own
//!    shares;
//! 4. the body is read, whatever is asked for, and charged as it arrives (`body`, `budget`);
//! 5. a large answer keeps its bytes until the client has taken them. Its handler has measured and charged it (`large`);
//! 6. an answer about verifications, refusals included, is marked to be padded (`padding`).
//!
//! A request that is refused before its body was read is read on and thrown away for a while. An answer that comes before the
//! client has finished sending may never arrive: TCP resets a connection that is closed with an upload unread. A client that
//! waits for `100 Continue` sends nothing, so it is answered at once (RFC 9110 §10.1.1). So is one that sends a body where none is
//! taken, or whose body must make room; its connection is closed.

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
use super::budget::{Payer, STEP, Upload};
use super::large::{Paid, charged};
use super::{Api, body, coding, host, padding};

/// Paths that clients ask for before they authenticate, and that monitors ask for.
pub(super) const OPEN: [&str; 4] = ["/health", "/ready", "/.well-known/adyton/evidence", "/.well-known/adyton/binding"];
/// Where signed requests go. Their credentials are the signatures.
pub(super) const SIGNED: &str = "/adyton/v1/requests";

/// Lets a request through, or refuses it.
pub(crate) async fn admit(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map(MatchedPath::as_str);
    let mut response = passed(&api, path, request, next).await;
    // 6.
    padding::mark(path, &mut response);
    response
}

async fn passed(api: &Api, path: Option<&str>, request: Request, next: Next) -> Response {
    let waits = waits_for_continue(&request);
    let (mut head, body) = request.into_parts();
    let open = path.is_some_and(|path| OPEN.contains(&path));
    // 1.
    match host::HostName::of(&head) {
        Ok(Some(host)) => drop(head.extensions.insert(host)),
        Ok(None) => {}
        Err(error) => return refuse(error, body, waits).await,
    }
    // 2.
    if open && !body.is_end_stream() {
        return body::closing(ApiError::no_body().into_response());
    }
    if open {
        return next.run(Request::from_parts(head, HttpBody::empty())).await;
    }
    // 3.
    if let Err(error) = coding::check(&head.headers, &body) {
        return refuse(error, body, waits).await;
    }
    let payer = if path == Some(SIGNED) { Payer::Signer } else { api.payer(&head.headers) };
    head.extensions.insert(payer);
    // 4.
    let announced = body.size_hint().upper().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if waits && announced.is_some_and(|length| length > body::MAX_BODY) {
        return refuse(ApiError::too_large(), body, waits).await;
    }
    if waits && !api.budget.has_room(payer, announced.map_or(STEP, |length| length.min(STEP))) {
        return refuse(ApiError::over_share(), body, waits).await;
    }
    let response = match body::read(body, Upload::new(&api.budget, payer), announced).await {
        Ok(bytes) => next.run(Request::from_parts(head, bytes.into())).await,
        Err(error) => error.into_response(),
    };
    // 5.
    held(api, payer, response).await
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

/// 5. Charges what no handler has charged. Such an answer is one buffer, and small.
async fn held(api: &Api, payer: Payer, mut response: Response) -> Response {
    if response.extensions_mut().remove::<Paid>().is_some() {
        return response;
    }
    let (head, body) = response.into_parts();
    if body.size_hint().exact().is_none_or(|length| length == 0) {
        return Response::from_parts(head, body);
    }
    // A buffer is there at once, and whole.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    match charged(&api.budget, payer, bytes) {
        Ok(bytes) => Response::from_parts(head, HttpBody::from(bytes)),
        Err(error) => error.into_response(),
    }
}
