//! A request's body: at most 64 KiB, within ten seconds, charged as it arrives (`budget`).
//!
//! One that has to make room for another is answered at once, and its connection ends: what would follow is the rest of it.
//!
//! A longer one is read on and thrown away for a while before it is refused. An answer that comes before the client has
//! finished sending may never arrive: TCP resets a connection that is closed with an upload unread.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::time::{Duration, timeout};

use super::answer::ApiError;
use super::budget::{Upload, UploadError};

/// Largest body.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// What is read and thrown away of a larger one before its connection is given up.
const MAX_THROWN_AWAY: usize = 32 * 1024 * 1024;
/// Longest wait for the whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

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
    timeout(BODY_TIMEOUT, read).await.unwrap_or(false)
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
    /// Its payer's share is used up; whether it was read to its end.
    OverShare(bool),
    /// It was not complete when another one needed the room.
    MadeRoom,
    /// It is not a body of HTTP/1.1.
    Malformed,
    /// It did not arrive in time.
    TooSlow,
}

impl From<UploadError> for BodyError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::OverShare => Self::OverShare(false),
            UploadError::MadeRoom => Self::MadeRoom,
        }
    }
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        let (error, ended) = match self {
            Self::TooLarge(ended) => (ApiError::too_large(), ended),
            Self::OverShare(ended) => (ApiError::over_share(), ended),
            Self::MadeRoom => (ApiError::made_room(), false),
            Self::Malformed => (ApiError::malformed_body(), false),
            Self::TooSlow => (ApiError::too_slow(), false),
        };
        let response = error.into_response();
        if ended { response } else { closing(response) }
    }
}

/// Reads a body into `upload`; `announced` is its length, if it has one.
pub(super) async fn read(body: axum::body::Body, upload: Upload, announced: Option<usize>) -> Result<Bytes, BodyError> {
    match announced {
        Some(0) => Ok(Bytes::new()),
        _ => timeout(BODY_TIMEOUT, read_on(body, upload, announced)).await.map_err(|_| BodyError::TooSlow)?,
    }
}

async fn read_on(mut body: axum::body::Body, upload: Upload, announced: Option<usize>) -> Result<Bytes, BodyError> {
    let (mut length, mut over_share) = (0usize, false);
    // Of a body that is refused nothing is kept.
    let mut kept = Some(upload).filter(|_| announced.is_none_or(|length| length <= MAX_BODY));
    while let Some(frame) = next_frame(&mut body, kept.as_ref()).await? {
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length > MAX_BODY {
            kept = None;
        }
        let pushed = kept.as_mut().map_or(Ok(()), |upload| upload.push(&data, announced));
        match pushed {
            Ok(()) => {}
            Err(UploadError::OverShare) => (kept, over_share) = (None, true),
            Err(UploadError::MadeRoom) => return Err(BodyError::MadeRoom),
        }
        if length > MAX_THROWN_AWAY {
            return Err(if over_share { BodyError::OverShare(false) } else { BodyError::TooLarge(false) });
        }
    }
    match kept {
        Some(upload) => Ok(upload.complete()?),
        None if over_share => Err(BodyError::OverShare(true)),
        None => Err(BodyError::TooLarge(true)),
    }
}

/// What comes next of a body that is wanted, unless it has to make room.
async fn next_frame(body: &mut axum::body::Body, kept: Option<&Upload>) -> Result<Option<Frame<Bytes>>, BodyError> {
    let frame = match kept {
        None => body.frame().await,
        Some(upload) => tokio::select! {
            biased;
            () = upload.ended() => return Err(BodyError::MadeRoom),
            frame = body.frame() => frame,
        },
    };
    frame.transpose().map_err(|_| BodyError::Malformed)
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
