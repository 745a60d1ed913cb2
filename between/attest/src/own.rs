//! Reading the claims of a document that one's own platform just made.
//!
//! An enclave asks its NSM for a document and needs two facts of it: the platform's time, and which root the platform
//! says it has. The NSM is part of what the enclave trusts, so no signature is checked here.

use ciborium::Value;

/// Claims of a document from one's own NSM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnDocument {
    /// The platform's time, Unix milliseconds.
    pub timestamp_ms: u64,
    /// DER of the root certificate that the platform presents.
    pub root: Vec<u8>,
}

/// The bytes are not an attestation document of the expected form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnDocumentError;

impl core::fmt::Display for OwnDocumentError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the platform's attestation document does not have the expected form")
    }
}

impl std::error::Error for OwnDocumentError {}

impl OwnDocument {
    /// Parses COSE_Sign1 (an array of four, tagged or not) and the two claims.
    ///
    /// # Errors
    /// [`OwnDocumentError`] for anything else.
    pub fn parse(document: &[u8]) -> Result<Self, OwnDocumentError> {
        let outer: Value = ciborium::from_reader(document).map_err(|_| OwnDocumentError)?;
        let outer = match outer {
            Value::Tag(18, inner) => *inner,
            other => other,
        };
        let parts = outer.into_array().map_err(|_| OwnDocumentError)?;
        let [_, _, Value::Bytes(payload), _] = &parts[..] else { return Err(OwnDocumentError) };
        let claims: Value = ciborium::from_reader(&payload[..]).map_err(|_| OwnDocumentError)?;
        let claims = claims.into_map().map_err(|_| OwnDocumentError)?;
        let claim = |name: &str| claims.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value);
        let timestamp = claim("timestamp").and_then(Value::as_integer).ok_or(OwnDocumentError)?;
        let cabundle = claim("cabundle").and_then(Value::as_array).ok_or(OwnDocumentError)?;
        Ok(Self {
            timestamp_ms: u64::try_from(i128::from(timestamp)).map_err(|_| OwnDocumentError)?,
            root: cabundle.first().and_then(Value::as_bytes).ok_or(OwnDocumentError)?.clone(),
        })
    }
}
