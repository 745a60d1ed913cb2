//! JSON bodies: the first thing that is wrong, by its name, and what is accepted there.

use std::fmt;

use adyton_api::{ChangeKeys, CreateTenant, LoosenService, Object, SignedRequest};
use serde::de::DeserializeOwned;

use super::answer::ApiError;
use super::parameters::shown;

/// A body that is read from JSON.
pub trait JsonBody: DeserializeOwned {
    /// Its members, for a caller that sent something else.
    const FORM: &'static str;
}

impl JsonBody for CreateTenant {
    const FORM: &'static str = "a JSON object with the texts account_sid, friendly_name, sealed_token and ssh_key";
}

impl JsonBody for ChangeKeys {
    const FORM: &'static str = "a JSON object with one or more of reset (true or false), sealed_token (a text), remove (a list of \
                                texts) and add (a list of objects with key_sid, scopes and sealed_secret)";
}

impl JsonBody for LoosenService {
    const FORM: &'static str = "a JSON object with service_sid (a text) and code_length (a number from 1 to 255) or \
                                custom_code_enabled (true or false), or both";
}

impl JsonBody for SignedRequest {
    const FORM: &'static str = "the JSON of a signed request: action, signer, body (texts), sequence (a number) and signatures (a list of texts)";
}

/// Why a JSON body cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberError {
    /// This member has another value than the accepted form; `body` if the whole is not the expected JSON.
    Field {
        /// Its name.
        name: &'static str,
        /// What is accepted.
        expected: &'static str,
    },
    /// This member is needed.
    Missing {
        /// Its name.
        name: String,
        /// What the whole is to be.
        expected: &'static str,
    },
    /// There is no such member, as far as it is a name.
    Unknown(String),
}

impl MemberError {
    /// This member has another value than the accepted form.
    pub const fn field(name: &'static str, expected: &'static str) -> Self {
        Self::Field { name, expected }
    }

    /// What serde says is wrong. Its message names a missing or an unknown member first.
    fn of(error: &serde_json::Error, expected: &'static str) -> Self {
        let text = error.to_string();
        let named = |kind: &str| text.strip_prefix(kind)?.split('`').next().filter(|name| shown(name) != "body");
        match (named("missing field `"), named("unknown field `")) {
            (Some(name), _) => Self::Missing { name: name.to_owned(), expected },
            (None, Some(name)) => Self::Unknown(name.to_owned()),
            (None, None) => Self::field("body", expected),
        }
    }
}

/// Parses a body.
///
/// # Errors
/// The first member that is wrong, or `body`.
pub fn parse<T: JsonBody>(body: &[u8]) -> Result<T, MemberError> {
    let Object(parsed) = serde_json::from_slice(body).map_err(|error| MemberError::of(&error, T::FORM))?;
    Ok(parsed)
}

impl fmt::Display for MemberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { name, expected } => write!(f, "{name}: expected {expected}"),
            Self::Missing { name, expected } => write!(f, "{name}: it is missing; expected {expected}"),
            Self::Unknown(name) => write!(f, "{name}: there is no such member"),
        }
    }
}

impl std::error::Error for MemberError {}

impl From<MemberError> for ApiError {
    fn from(error: MemberError) -> Self {
        Self::member(&error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn of(body: &str) -> MemberError {
        parse::<LoosenService>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn an_unknown_or_missing_member_is_named_and_nothing_else_is() {
        assert_eq!(of(r#"{"service_sid":"VA","code_lenght":4}"#), MemberError::Unknown("code_lenght".into()));
        let missing = MemberError::Missing { name: "service_sid".into(), expected: LoosenService::FORM };
        assert_eq!(of("{}"), missing);
        // Neither values nor what is no name.
        for body in [
            r#"{"+12025550123":1}"#,
            r#"{"a12025550123":1}"#,
            r#"{"` b":1}"#,
            r#"{"service_sid":5}"#,
            r#"{"service_sid":"VA","code_length":"missing field `x`"}"#,
            r#"["missing field `x`"]"#,
            "[]",
            "x",
        ] {
            assert_eq!(of(body), MemberError::field("body", LoosenService::FORM), "{body}");
        }
    }

    #[test]
    fn each_error_says_what_is_accepted() {
        assert_eq!(of("{}").to_string(), format!("service_sid: it is missing; expected {}", LoosenService::FORM));
        assert_eq!(of("[]").to_string(), format!("body: expected {}", LoosenService::FORM));
        assert_eq!(of(r#"{"to":1}"#).to_string(), "to: there is no such member");
    }
}
