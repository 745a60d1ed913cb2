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
    /// Parses COSE_Sign1 (an array of four, tagged or not) and the two claims; the whole input is one document, and its
    /// whole payload one map.
    ///
    /// # Errors
    /// [`OwnDocumentError`] for anything else.
    pub fn parse(document: &[u8]) -> Result<Self, OwnDocumentError> {
        let outer = match whole(document)? {
            Value::Tag(18, inner) => *inner,
            other => other,
        };
        let parts = outer.into_array().map_err(|_| OwnDocumentError)?;
        let [_, _, Value::Bytes(payload), _] = &parts[..] else { return Err(OwnDocumentError) };
        let claims = whole(payload)?.into_map().map_err(|_| OwnDocumentError)?;
        let claim = |name: &str| claims.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value);
        let timestamp = claim("timestamp").and_then(Value::as_integer).ok_or(OwnDocumentError)?;
        let cabundle = claim("cabundle").and_then(Value::as_array).ok_or(OwnDocumentError)?;
        Ok(Self {
            timestamp_ms: u64::try_from(i128::from(timestamp)).map_err(|_| OwnDocumentError)?,
            root: cabundle.first().and_then(Value::as_bytes).ok_or(OwnDocumentError)?.clone(),
        })
    }
}

/// One CBOR item and nothing after it; the reader alone would stop at the item's end.
fn whole(bytes: &[u8]) -> Result<Value, OwnDocumentError> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).map_err(|_| OwnDocumentError)?;
    if rest.is_empty() { Ok(value) } else { Err(OwnDocumentError) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn cbor(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        ciborium::into_writer(value, &mut out).unwrap();
        out
    }

    fn document(payload: Vec<u8>) -> Vec<u8> {
        let (bytes, unprotected) = (|bytes: Vec<u8>| Value::Bytes(bytes), Value::Map(Vec::new()));
        cbor(&Value::Array(vec![bytes(Vec::new()), unprotected, bytes(payload), bytes(vec![0; 96])]))
    }

    fn claims() -> Vec<u8> {
        let root = Value::Array(vec![Value::Bytes(b"root".to_vec())]);
        cbor(&Value::Map(vec![("timestamp".into(), 1_780_000_000_123_u64.into()), ("cabundle".into(), root)]))
    }

    #[test]
    fn two_claims_are_read() {
        let expected = OwnDocument { timestamp_ms: 1_780_000_000_123, root: b"root".to_vec() };
        assert_eq!(OwnDocument::parse(&document(claims())), Ok(expected));
    }

    #[test]
    fn bytes_after_the_document_or_its_payload_are_refused() {
        let longer = [document(claims()), vec![0]].concat();
        assert_eq!(OwnDocument::parse(&longer), Err(OwnDocumentError));
        let payload = [claims(), vec![0]].concat();
        assert_eq!(OwnDocument::parse(&document(payload)), Err(OwnDocumentError));
    }
}
