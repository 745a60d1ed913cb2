//! What leaves: JSON in Twilio's shapes, and its legacy error shape.

use adyton_api::ErrorBody;
use adyton_vault::Refusal;
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::form::FieldError;
use crate::engine::Failure;

/// A refusal as a client sees it.
pub(crate) struct ApiError {
    status: StatusCode,
    code: u32,
    message: String,
    retry_after: Option<u32>,
}

impl ApiError {
    fn new(status: StatusCode, code: u32, message: &str) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    pub(crate) fn parameter(name: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 60200, &format!("Invalid parameter: {name}"))
    }

    pub(crate) fn neither_to_nor_sid() -> Self {
        let message = "Either To or VerificationSid is needed";
        Self::new(StatusCode::BAD_REQUEST, 60221, message)
    }

    pub(crate) fn custom_code() -> Self {
        let message = "A code supplied by the caller would be known outside the vault: the policy does not allow it";
        Self::new(StatusCode::FORBIDDEN, 60204, message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 20003, "Authenticate")
    }

    pub(crate) fn sealed() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 60200, "sealed_token does not open")
    }

    /// `resource` is the path that was asked for, which holds public names only.
    pub(crate) fn failure(failure: Failure, resource: &str) -> Self {
        let refusal = match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Unavailable => {
                let mut error =
                    Self::new(StatusCode::SERVICE_UNAVAILABLE, 20503, "The vault's store is away: try again");
                error.retry_after = Some(1);
                return error;
            }
        };
        match refusal {
            Refusal::Unauthorized => Self::unauthorized(),
            Refusal::NotFound => {
                let message = format!("The requested resource {resource} was not found");
                Self::new(StatusCode::NOT_FOUND, 20404, &message)
            }
            Refusal::TooManySends => Self::new(StatusCode::TOO_MANY_REQUESTS, 60203, "Max send attempts reached"),
            Refusal::TooManyChecks => Self::new(StatusCode::TOO_MANY_REQUESTS, 60202, "Max check attempts reached"),
            Refusal::AccountTaken => Self::new(StatusCode::CONFLICT, 20409, "This account SID is taken"),
            Refusal::TenantsClosed => Self::new(StatusCode::FORBIDDEN, 20403, "This vault admits no further tenant"),
            Refusal::CodeLength => Self::parameter("CodeLength"),
            Refusal::Full => {
                let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, 20429, "Too many requests");
                error.retry_after = Some(60);
                error
            }
        }
    }
}

impl From<FieldError> for ApiError {
    fn from(FieldError(name): FieldError) -> Self {
        // Only names that the API knows are repeated.
        let known = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Self::parameter(if known { &name } else { "body" })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, code, message, retry_after } = self;
        let more_info = format!("https://www.twilio.com/docs/errors/{code}");
        let mut response = json(status, &ErrorBody { code, message, more_info, status: status.as_u16() });
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Basic realm=\"Adyton\""));
        }
        response
    }
}

/// A JSON answer that no cache keeps.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => (status, [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(crate) async fn not_found() -> Response {
    ApiError::new(StatusCode::NOT_FOUND, 20404, "The requested resource was not found").into_response()
}

pub(crate) async fn method_not_allowed() -> Response {
    let mut response = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, 20004, "Method not allowed").into_response();
    response.headers_mut().remove(ALLOW);
    response
}
