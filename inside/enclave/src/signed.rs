//! Signed requests as they come in: JSON to [`SignedRequest`], which nobody has verified yet
//! (`docs/spec/08-signed-requests.md`).

use std::fmt;

use adyton_ledger::{Request, RequestError, SignedRequest};

use crate::http::{MemberError, parse_json};

/// Why bytes are not a signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedRequestError {
    /// They are not the expected JSON.
    Json(MemberError),
    /// A field is wrong.
    Request(RequestError),
}

impl fmt::Display for SignedRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
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
    let parsed: adyton_api::SignedRequest = parse_json(json).map_err(SignedRequestError::Json)?;
    let adyton_api::SignedRequest { action, signer, sequence, body, signatures } = parsed;
    let request = || {
        let request = Request { action: action.parse()?, signer: signer.parse()?, sequence, body, replaces: None };
        request.signed(&signatures)
    };
    request().map_err(SignedRequestError::Request)
}
