//! JSON bodies: the first thing that is wrong, by its name.

use std::fmt;

use super::answer::ApiError;
use super::parameters::shown;

/// Why a JSON body cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberError {
    /// This member has no such value, or is missing; `body` if the whole is not the expected JSON.
    Field(&'static str),
    /// There is no such member, as far as it is a name.
    Unknown(String),
}

impl MemberError {
    /// What serde says is wrong. Its message names an unknown member first.
    pub fn of(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let name = text.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        match name.map(shown) {
            None | Some("body") => Self::Field("body"),
            Some(name) => Self::Unknown(name.to_owned()),
        }
    }
}

impl fmt::Display for MemberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Unknown(name) => write!(f, "{name}: there is no such member"),
        }
    }
}

impl std::error::Error for MemberError {}

impl From<&'static str> for MemberError {
    fn from(name: &'static str) -> Self {
        Self::Field(name)
    }
}

impl From<MemberError> for ApiError {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Field(name) => Self::parameter(name),
            MemberError::Unknown(name) => Self::because(&name, "there is no such member"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use adyton_api::{LoosenService, Object};

    use super::*;

    #[test]
    fn an_unknown_member_is_named_and_nothing_else_is() {
        let of = |body: &str| {
            let parsed: Result<Object<LoosenService>, _> = serde_json::from_str(body);
            MemberError::of(&parsed.map(|_| ()).unwrap_err())
        };
        assert_eq!(of(r#"{"service_sid":"VA","code_lenght":4}"#), MemberError::Unknown("code_lenght".into()));
        // Neither values nor what is no name.
        for body in
            [r#"{"+12025550123":1}"#, r#"{"a12025550123":1}"#, r#"{"` b":1}"#, r#"{"service_sid":5}"#, "[]", "x"]
        {
            assert_eq!(of(body), MemberError::Field("body"), "{body}");
        }
    }
}
