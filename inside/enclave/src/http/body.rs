//! A request's body: at most 64 KiB, within ten seconds. It is read before anything is looked at, so that this holds for
//! whatever is asked for.
//!
//! A longer one is read on and thrown away for a while before it is refused. An answer that comes before the client has
//! finished sending may never arrive: TCP resets a connection that is closed with an upload unread.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tokio::time::{Duration, timeout};

use super::answer::ApiError;

/// Largest body.
const MAX_BODY: usize = 64 * 1024;
/// What is read and thrown away of a larger one before its connection is given up.
const MAX_THROWN_AWAY: usize = 32 * 1024 * 1024;
/// Longest wait for the whole body.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads the body of every request, or refuses the request.
pub(crate) async fn read(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match within_limits(body).await {
        Ok(bytes) => next.run(Request::from_parts(head, bytes.into())).await,
        Err(error) => error.into_response(),
    }
}

async fn within_limits(mut body: axum::body::Body) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    let mut length = 0usize;
    let read = async {
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| ())?.into_data() else { continue };
            length += data.len();
            if length <= MAX_BODY {
                bytes.extend_from_slice(&data);
            } else if length > MAX_THROWN_AWAY {
                break;
            }
        }
        Ok::<(), ()>(())
    };
    match timeout(PATIENCE, read).await {
        Err(_) => Err(ApiError::too_slow()),
        Ok(Err(())) => Err(ApiError::parameter("body")),
        Ok(Ok(())) if length > MAX_BODY => Err(ApiError::too_large()),
        Ok(Ok(())) => Ok(bytes.into()),
    }
}

/// A body that [`read`] has read.
pub(crate) struct Body(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = request.into_body().collect().await.map_err(|_| ApiError::parameter("body"))?;
        Ok(Self(body.to_bytes()))
    }
}
