//! Signed requests as they come in: JSON to [`SignedRequest`], which nobody has verified yet
//! (`docs/spec/08-signed-requests.md`).

use std::fmt;

use adyton_api::Object;
use adyton_ledger::{Request, RequestError, SignedRequest};

use crate::http::MemberError;

/// Why bytes are not a signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedRequestError {
    /// They are not the expected JSON.
    Json,
    /// A member that no signed request has.
    UnknownMember(String),
    /// A field is wrong.
    Request(RequestError),
}

impl fmt::Display for SignedRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str("body: not the JSON of a signed request"),
            Self::UnknownMember(name) => write!(f, "{name}: there is no such member"),
            Self::Request(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SignedRequestError {}

/// Parses a body.
///
/// # Errors
/// [`SignedRequestError`], the first rule that is broken.
pub fn parse(json: &[u8]) -> Result<SignedRequest, SignedRequestError> {
    let Object(parsed) = serde_json::from_slice(json).map_err(|error| match MemberError::of(&error) {
        MemberError::Unknown(name) => SignedRequestError::UnknownMember(name),
        MemberError::Field(_) => SignedRequestError::Json,
    })?;
    let adyton_api::SignedRequest { action, signer, sequence, body, signatures } = parsed;
    let request = || {
        let request = Request { action: action.parse()?, signer: signer.parse()?, sequence, body, replaces: None };
        request.signed(&signatures)
    };
    request().map_err(SignedRequestError::Request)
}
