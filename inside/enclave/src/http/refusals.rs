//! Refusals of the workflows as a client sees them.

use std::convert::Infallible;

use adyton_vault::{
    Ceiling, CodeLengthGiven, Denied, KeyList, MAX_CODE_LENGTH, Reason, Refusal, WrongSequence, services, tenancy,
    verification,
};
use axum::http::StatusCode;

use super::answer::{ApiError, code_lengths, reason_text};

/// A refusal of a workflow. `resource` is the path that was asked for, which holds public names
/// only.
pub(crate) trait Refused {
    fn error(self, resource: &str) -> ApiError;
}

fn too_many(code: u32, message: &str) -> ApiError {
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, message)
}

fn forbidden(code: u32, message: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, code, message)
}

fn conflict(message: &str) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, 20409, message)
}

fn not_found(resource: &str, reason: Option<Reason>) -> ApiError {
    let message = format!("The requested resource {resource} was not found");
    let error = ApiError::new(StatusCode::NOT_FOUND, 20404, &message);
    match reason {
        Some(reason) => error.detail("reason", reason_text(reason)),
        None => error,
    }
}

fn full() -> ApiError {
    too_many(20429, "The vault, or this tenant's share of it, is full").after(60)
}

/// The parameter of a name that could be an app's hash.
fn long_word(parameter: &str) -> ApiError {
    ApiError::because(
        parameter,
        "a run of 11 or more letters, digits, + and / could be an Android app's hash: only one that the service's name \
         has already is accepted",
    )
}

impl Refused for Infallible {
    fn error(self, _: &str) -> ApiError {
        match self {}
    }
}

impl Refused for Denied {
    fn error(self, _: &str) -> ApiError {
        match self {
            Self::Unauthorized => ApiError::unauthorized(),
            Self::Scope => forbidden(20403, "This key may not do this: another scope is needed"),
        }
    }
}

impl Refused for WrongSequence {
    fn error(self, _: &str) -> ApiError {
        conflict("The signed request has another sequence than the next one")
            .detail("expected", &self.expected.to_string())
    }
}

impl Refused for Refusal {
    fn error(self, resource: &str) -> ApiError {
        match self {
            Self::Tenancy(refusal) => refusal.error(resource),
            Self::Services(refusal) => refusal.error(resource),
            Self::Verification(refusal) => refusal.error(resource),
            Self::TooLarge => ApiError::over_batch(),
        }
    }
}

impl Refused for tenancy::Refusal {
    fn error(self, resource: &str) -> ApiError {
        match self {
            Self::Denied(denied) => denied.error(resource),
            Self::Sequence(sequence) => sequence.error(resource),
            Self::AccountTaken => conflict("This account SID is taken"),
            Self::UnknownKey => not_found(resource, None),
            Self::KeyTaken => conflict("A key's SID is taken"),
            Self::KeyTwice(list) => ApiError::because(list_text(list), "a key's SID stands there twice"),
            Self::TooManyKeys(list) => ApiError::because(list_text(list), "at most 100 keys in one request"),
            Self::TenantsClosed => forbidden(20403, "This vault admits no tenant without its owners' signature"),
            Self::Full => full(),
        }
    }
}

impl Refused for services::Refusal {
    fn error(self, resource: &str) -> ApiError {
        match self {
            Self::Denied(denied) => denied.error(resource),
            Self::Sequence(sequence) => sequence.error(resource),
            Self::NotFound => not_found(resource, None),
            Self::CustomCode => ApiError::custom_code(),
            Self::CodeLength { given, shortest } => {
                let parameter = match given {
                    CodeLengthGiven::Service => "CodeLength",
                    CodeLengthGiven::Loosening => "code_length",
                };
                ApiError::because(parameter, &code_lengths(shortest))
            }
            // No parameter of the API sets it yet.
            Self::NoProver(requirement) => {
                ApiError::because("Requirements", &format!("this vault cannot prove {} yet", requirement.text()))
            }
            Self::Loosening => forbidden(
                20403,
                "This makes the service weaker: it needs the tenant's signature, and waits (adyton tenant loosen)",
            ),
            Self::FixedAtCreation => forbidden(
                20403,
                "WebOtpDomain and AppHashes can only be removed and the warning only be added: make another service \
                 instead",
            ),
            Self::LongWord => long_word("FriendlyName"),
            Self::ServiceTooLong { excess } => ApiError::because(
                "FriendlyName",
                &format!(
                    "a message with this name, the warning, WebOtpDomain and an app hash would be {excess} characters \
                     too long in one of the languages: use a shorter name or domain"
                ),
            ),
            Self::NotWeaker => {
                ApiError::because("body", "it makes the service no weaker, and what does not need not wait")
            }
            Self::TooManyLoosenings => too_many(
                20429,
                "100 loosenings of this tenant wait already: take one back (adyton tenant withdraw), or wait for one",
            ),
            Self::Full => full(),
        }
    }
}

impl Refused for verification::Refusal {
    fn error(self, resource: &str) -> ApiError {
        match self {
            Self::Denied(denied) => denied.error(resource),
            Self::NotFound(reason) => not_found(resource, reason),
            Self::TooManySends { retry_after } => too_many(60203, "Max send attempts reached").after(retry_after),
            Self::TooManyChecks { retry_after } | Self::ChecksClosed { retry_after } => {
                too_many(60202, "Max check attempts reached").after(retry_after)
            }
            Self::SendLimit { ceiling, retry_after } => over(ceiling).after(retry_after),
            Self::ChannelClosed => forbidden(60223, "The policy does not open this channel"),
            Self::CountryClosed => forbidden(60605, "The policy does not open this country"),
            Self::CustomCode => ApiError::custom_code(),
            Self::CodeLength { shortest } => ApiError::because(
                "CustomCode",
                &format!("expected {shortest} to {MAX_CODE_LENGTH} digits; {shortest} is the policy's floor"),
            ),
            Self::AppHash => ApiError::because(
                "AppHash",
                "it is not one of the service's AppHashes, which are fixed when a service is created",
            ),
            Self::LongWord => long_word("CustomFriendlyName"),
            Self::MessageTooLong { excess } => ApiError::because(
                "CustomFriendlyName",
                &format!(
                    "the message, with what the service demands of it, would be {excess} characters too long: use a \
                     shorter name"
                ),
            ),
            Self::Full => full(),
        }
    }
}

fn over(ceiling: Ceiling) -> ApiError {
    match ceiling {
        Ceiling::Destination => too_many(60203, "Max send attempts reached"),
        Ceiling::NumberBlock => forbidden(60410, "Too many messages to numbers like this one"),
        Ceiling::MailDomain => forbidden(60410, "Too many messages to this mail domain"),
        Ceiling::Tenant => too_many(20429, "Too many messages in an hour"),
        Ceiling::Spend => too_many(20429, "The hourly spend cap is reached"),
        Ceiling::Support => too_many(20429, "Too many requests"),
    }
}

/// The member of a keys request.
fn list_text(list: KeyList) -> &'static str {
    match list {
        KeyList::Removed => "remove",
        KeyList::Added => "add",
    }
}
