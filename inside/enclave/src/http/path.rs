//! What stands in a request's path, percent-decoded once.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::answer::ApiError;

/// The parts of a path that a route names. One that is not UTF-8 names nothing, and is refused in the API's own shape.
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(named) = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::because("path", "expected UTF-8, percent-encoded once"))?;
        Ok(Self(named))
    }
}
