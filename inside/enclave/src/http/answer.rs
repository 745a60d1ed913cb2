//! What leaves: JSON in Twilio's shapes, and its legacy error shape.

use std::collections::BTreeMap;

use adyton_api::ErrorBody;
use adyton_ledger::SignersError;
use adyton_policy::SettingsError;
use adyton_vault::{MAX_CODE_LENGTH, Outcome, Reason};
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::budget::OverShare;
use super::form::FieldError;
use super::json::MemberError;
use super::parameters::shown;
use super::refusals::Refused;
use super::workers::Overloaded;
use crate::ask::AskError;
use crate::evidence::EvidenceError;
use crate::policy::Inapplicable;
use crate::signed::SignedRequestError;

/// A refusal as a client sees it.
pub(crate) struct ApiError {
    status: StatusCode,
    code: u32,
    message: String,
    retry_after: Option<u64>,
    /// Whether the answer says which content coding is accepted.
    accept_encoding: bool,
    details: BTreeMap<String, String>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: u32, message: &str) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
            accept_encoding: false,
            details: BTreeMap::new(),
        }
    }

    pub(super) fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(super) fn detail(mut self, name: &str, value: &str) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }

    /// A parameter, and the rule that it breaks, which says what is accepted. It never quotes the value. There is no refusal of
    /// a parameter without a rule.
    pub(crate) fn because(name: &str, rule: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 60200, &format!("Invalid parameter: {name}: {rule}"))
    }

    /// A member of a JSON body.
    pub(crate) fn member(error: &MemberError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 60200, &format!("Invalid parameter: {error}"))
    }

    /// A body that HTTP/1.1 cannot read.
    pub(crate) fn malformed_body() -> Self {
        Self::because("body", "expected a body as HTTP/1.1 frames it (RFC 9112 section 6)")
    }

    /// A transfer coding besides `chunked`.
    pub(crate) fn transfer_coding() -> Self {
        let message = "Transfer-Encoding: expected chunked alone; no other coding is undone here";
        Self::new(StatusCode::NOT_IMPLEMENTED, 20501, message)
    }

    /// A content coding. The answer says which is accepted (RFC 9110 §15.5.16).
    pub(crate) fn content_coding() -> Self {
        let message = "Content-Encoding: expected identity or none; send the body uncompressed";
        let error = Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, 20415, message);
        Self { accept_encoding: true, ..error }
    }

    pub(crate) fn neither_to_nor_sid() -> Self {
        let message = "Either To or VerificationSid is needed";
        Self::new(StatusCode::BAD_REQUEST, 60221, message)
    }

    /// A parameter of Twilio's that this vault does not offer. To ignore it would be a promise that is not kept.
    pub(crate) fn not_offered(name: &str, why: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, 60204, &format!("{name} is not offered by this vault: {why}"))
    }

    /// A body of another content type than the one that is read.
    pub(crate) fn media_type(rule: &str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, 20415, &format!("Invalid parameter: body: {rule}"))
    }

    pub(crate) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, 20413, "The body is longer than 64 KiB")
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, 20408, "The body did not arrive in time")
    }

    pub(crate) fn misdirected() -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, 20421, "This host is not one of the vault's names")
    }

    pub(crate) fn custom_code() -> Self {
        let message = "A code supplied by the caller would be known outside the vault: the policy does not allow it";
        Self::new(StatusCode::FORBIDDEN, 60204, message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 20003, "Authenticate")
    }

    /// A sealed value. Whatever is wrong with it has one answer.
    pub(crate) fn sealed(name: &str) -> Self {
        Self::because(
            name,
            "it does not open: expected base64 of 32 to 64 letters and digits, sealed to this vault for this use",
        )
    }

    /// A signed request that cannot be read; the rule never quotes a value.
    pub(crate) fn signed_request(error: &SignedRequestError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 60200, &format!("Invalid parameter: {error}"))
    }

    pub(crate) fn action() -> Self {
        Self::new(StatusCode::FORBIDDEN, 20403, "This action is not asked for here, or not by this signer")
    }

    pub(crate) fn no_owners() -> Self {
        Self::new(StatusCode::FORBIDDEN, 20403, "The policy names no owners, so there is nobody to sign for them")
    }

    pub(crate) fn signers(error: &SignersError) -> Self {
        Self::new(StatusCode::FORBIDDEN, 20403, &format!("The signatures are refused: {error}"))
    }

    /// Settings that the owners signed and the policy does not allow. Their text may be quoted: they wrote it.
    pub(crate) fn settings(error: &SettingsError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 60200, &error.to_string())
    }

    /// Signed settings that the policy cannot apply: names and places only.
    pub(crate) fn inapplicable(error: &Inapplicable) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 60200, &format!("the settings: {error}"))
    }

    pub(crate) fn no_acme() -> Self {
        Self::new(StatusCode::NOT_FOUND, 20404, "The policy names no CA ([acme])")
    }

    pub(crate) fn no_public_names() -> Self {
        Self::new(StatusCode::NOT_FOUND, 20404, "The policy has no public names (api.public_names)")
    }

    /// The payer has too many bytes of requests and answers in flight.
    pub(crate) fn over_share() -> Self {
        let message = "Too many requests and answers of this caller are in flight: read the answers, and try again";
        Self::new(StatusCode::TOO_MANY_REQUESTS, 20429, message).after(1)
    }

    /// The body was not complete when others needed its room.
    pub(crate) fn made_room() -> Self {
        let message = "The body was not complete when others needed its room: send it again, without pauses";
        Self::new(StatusCode::TOO_MANY_REQUESTS, 20429, message).after(1)
    }

    /// A body where none is read.
    pub(crate) fn no_body() -> Self {
        Self::because("body", "this request takes none")
    }

    pub(crate) fn overloaded() -> Self {
        let message = "Too many requests with signatures or sealed values wait: try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, 20503, message).after(1)
    }

    pub(crate) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, 20503, "Another signed request is under way: try again").after(1)
    }

    /// The request's events are larger than the log's largest batch.
    pub(crate) fn over_batch() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, 20413, "The request is larger than one batch of the log")
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, 20503, "The vault's store is away: try again").after(1)
    }

    /// `resource` is the path that was asked for, which holds public names only.
    pub(crate) fn failure<R: Refused>(failure: AskError<R>, resource: &str) -> Self {
        match failure {
            AskError::Refused(refusal) => refusal.error(resource),
            AskError::TooLarge => Self::over_batch(),
            AskError::Busy => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, 20429, "Too many requests at once: try again").after(1)
            }
            AskError::Unavailable => Self::unavailable(),
        }
    }
}

/// The rule of code lengths, with the policy's floor.
pub(super) fn code_lengths(shortest: u8) -> String {
    format!("expected a number from {shortest} to {MAX_CODE_LENGTH}; {shortest} is the policy's floor")
}

/// The word for what became of an attempt to send.
pub(crate) fn outcome_text(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        None => "unknown",
        Some(Outcome::Accepted) => "accepted",
        Some(Outcome::Refused) => "refused",
        Some(Outcome::GaveUp) => "gave_up",
        Some(Outcome::Unreachable) => "unreachable",
        Some(Outcome::Unconfirmed) => "unconfirmed",
        Some(Outcome::Withdrawn) => "withdrawn",
    }
}

/// The word for why a verification ended.
pub(crate) fn reason_text(reason: Reason) -> &'static str {
    match reason {
        Reason::Expired => "expired",
        Reason::Approved => "approved",
        Reason::Canceled => "canceled",
        Reason::MaxAttemptsReached => "max_attempts_reached",
        Reason::VaultRestarted => "vault_restarted",
    }
}

impl From<EvidenceError> for ApiError {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::Busy => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, 20429, "Too many nonces wait for a document: try again")
                    .after(1)
            }
            EvidenceError::Platform => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, 20503, "The platform gives no document: try again").after(1)
            }
        }
    }
}

impl From<OverShare> for ApiError {
    fn from(OverShare: OverShare) -> Self {
        Self::over_share()
    }
}

impl From<Overloaded> for ApiError {
    fn from(Overloaded: Overloaded) -> Self {
        Self::overloaded()
    }
}

impl From<FieldError> for ApiError {
    fn from(FieldError { name, rule }: FieldError) -> Self {
        Self::because(shown(&name), &rule.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, code, message, retry_after, accept_encoding, details } = self;
        let more_info = format!("https://www.twilio.com/docs/errors/{code}");
        let mut response = json(status, &ErrorBody { code, message, more_info, status: status.as_u16(), details });
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if accept_encoding {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Adyton\""));
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

/// A path that there is not; `OPTIONS *` asks about the server as a whole (RFC 9110 §9.3.7).
pub(crate) async fn not_found(method: Method, uri: Uri) -> Response {
    if method == Method::OPTIONS && uri.path() == "*" {
        return StatusCode::NO_CONTENT.into_response();
    }
    ApiError::new(StatusCode::NOT_FOUND, 20404, "The requested resource was not found").into_response()
}

/// A method that a path does not have. The router adds `Allow`; `OPTIONS` asks for nothing else (RFC 9110 §9.3.7).
pub(crate) async fn method_not_allowed(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, 20004, "Method not allowed").into_response()
}
