//! Signed requests as they come in: JSON to [`SignedRequest`], which nobody has verified yet
//! (`docs/spec/08-signed-requests.md`).

use std::fmt;

use adyton_api::Object;
use adyton_ledger::{Request, RequestError, SignedRequest};

/// Why bytes are not a signed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedRequestError {
    /// They are not the expected JSON.
    Json,
    /// A field is wrong.
    Request(RequestError),
}

impl fmt::Display for SignedRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str("body: not the JSON of a signed request"),
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
    let Object(parsed) = serde_json::from_slice(json).map_err(|_| SignedRequestError::Json)?;
    let adyton_api::SignedRequest { action, signer, sequence, body, signatures } = parsed;
    let request = || {
        let request = Request { action: action.parse()?, signer: signer.parse()?, sequence, body, replaces: None };
        request.signed(&signatures)
    };
    request().map_err(SignedRequestError::Request)
}
