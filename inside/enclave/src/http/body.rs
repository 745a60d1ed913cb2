//! A request's body: at most 64 KiB, within ten seconds.
//!
//! A longer one is read on and thrown away for a while before it is refused. An answer that comes before the client has
//! finished sending may never arrive: TCP resets a connection that is closed with an upload unread.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tokio::time::{Duration, timeout};
use zeroize::Zeroizing;

use super::answer::ApiError;
use super::budget::Charge;

/// Largest body.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// What is read and thrown away of a larger one before its connection is given up.
const MAX_THROWN_AWAY: usize = 32 * 1024 * 1024;
/// Longest wait for the whole body.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a body of a request that was refused, and keeps nothing of it; whether it came to its end.
pub(super) async fn throw_away(mut body: axum::body::Body) -> bool {
    let read = async {
        let mut length = 0usize;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            length = length.saturating_add(frame.data_ref().map_or(0, Bytes::len));
            if length > MAX_THROWN_AWAY {
                return false;
            }
        }
        true
    };
    timeout(PATIENCE, read).await.unwrap_or(false)
}

/// The connection cannot be used any more: what follows on it may be the rest of a body.
pub(super) fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Why a body was not read.
pub(super) enum BodyError {
    /// It is larger than allowed; whether it was read to its end.
    TooLarge(bool),
    /// It is not a body of HTTP/1.1.
    Malformed,
    /// It did not arrive in time.
    TooSlow,
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        match self {
            Self::TooLarge(true) => ApiError::too_large().into_response(),
            Self::TooLarge(false) => closing(ApiError::too_large().into_response()),
            Self::Malformed => closing(ApiError::malformed_body().into_response()),
            Self::TooSlow => closing(ApiError::too_slow().into_response()),
        }
    }
}

/// Reads a body for which `charge` was taken; `announced` is its length, if it has one.
pub(super) async fn read(
    mut body: axum::body::Body,
    charge: Charge,
    announced: Option<usize>,
) -> Result<Bytes, BodyError> {
    if announced == Some(0) {
        return Ok(Bytes::new());
    }
    let read = async {
        let too_large = announced.is_some_and(|length| length > MAX_BODY);
        // As large as what was taken for it, so that it never grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(if too_large { 0 } else { announced.unwrap_or(MAX_BODY) }));
        let mut length = 0usize;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Malformed)?.into_data() else { continue };
            length = length.saturating_add(data.len());
            if length > MAX_THROWN_AWAY {
                return Err(BodyError::TooLarge(false));
            }
            if length <= MAX_BODY && !too_large {
                bytes.extend_from_slice(&data);
            }
        }
        if length > MAX_BODY { Err(BodyError::TooLarge(true)) } else { Ok(bytes) }
    };
    let mut bytes = timeout(PATIENCE, read).await.map_err(|_| BodyError::TooSlow)??;
    if announced.is_none() {
        bytes.shrink_to_fit();
    }
    Ok(charge.hold(bytes))
}

/// A body that [`super::admission`] has read.
pub(crate) struct Body(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = request.into_body().collect().await.map_err(|_| ApiError::malformed_body())?;
        Ok(Self(body.to_bytes()))
    }
}
