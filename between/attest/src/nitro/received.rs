//! 1. and 2.: a document as it came. Nothing of it is believed, so nothing of it can be read from here.

use ciborium::Value;

use super::chain::RememberedChains;
use super::claims::Claims;
use super::own::OwnDocument;
use super::verified::Verified;
use crate::Refusal;
use crate::Root;

/// The NSM's largest answer (AWS's `NSM_RESPONSE_MAX_SIZE`).
const MAX_DOCUMENT: usize = 12 * 1024;
/// COSE_Sign1's tag (RFC 9052 §2).
const SIGN1: u64 = 18;
/// `{1: -35}`: the algorithm is ES384 (RFC 9053 §2.1), and there is nothing else.
const ES384: [u8; 4] = [0xA1, 0x01, 0x38, 0x22];

/// A document that has the right form.
pub struct Received {
    pub(super) claims: Claims,
    pub(super) payload: Vec<u8>,
    pub(super) signature: [u8; 96],
}

impl Received {
    /// Reads a document; the whole input is one.
    ///
    /// # Errors
    /// [`Refusal`], the first rule of steps 1 and 2 that is broken.
    pub fn parse(document: &[u8]) -> Result<Self, Refusal> {
        // 1.
        if document.len() > MAX_DOCUMENT {
            return Err(Refusal::DocumentSize { limit: MAX_DOCUMENT, got: document.len() });
        }
        let outer = match whole(document).ok_or(Refusal::DocumentCbor)? {
            Value::Tag(SIGN1, inner) => *inner,
            other => other,
        };
        let parts = outer.into_array().ok().and_then(|parts| <[Value; 4]>::try_from(parts).ok());
        let Some([Value::Bytes(protected), unprotected, Value::Bytes(payload), Value::Bytes(signature)]) = parts else {
            return Err(Refusal::CoseForm);
        };
        if protected != ES384 {
            return Err(Refusal::ProtectedHeader);
        }
        if unprotected.as_map().is_none_or(|members| !members.is_empty()) {
            return Err(Refusal::UnprotectedHeader);
        }
        let length = signature.len();
        let signature = signature.try_into().map_err(|_| Refusal::SignatureLength(length))?;
        // 2.
        let claims = Claims::parse(&payload)?;
        Ok(Self { claims, payload, signature })
    }

    /// Of one's own platform, whose word needs no signature.
    pub(crate) fn into_own(self) -> OwnDocument {
        let Claims { timestamp_ms, cabundle, pcrs, .. } = self.claims;
        // A bundle has an entry at least.
        OwnDocument { timestamp_ms, root: cabundle.into_iter().next().unwrap_or_default(), pcrs }
    }

    /// Checks who signed it. `now_ms` is the Unix time at which certificates must be valid, in milliseconds; chains that
    /// hold are remembered.
    ///
    /// # Errors
    /// [`Refusal`], the first rule of steps 3 and 4 that is broken.
    pub fn verify(self, root: &Root, now_ms: u64, remembered: &mut RememberedChains) -> Result<Verified, Refusal> {
        // 3.
        let now = now_ms / 1000;
        let key = remembered.leaf_key(root, &self.claims.cabundle, &self.claims.certificate, now)?;
        // 4.
        key.verify(&to_be_signed(&self.payload), &self.signature)?;
        Ok(Verified::new(self.claims, root.clone()))
    }
}

/// `Sig_structure` of COSE_Sign1 (RFC 9052 §4.4): `["Signature1", protected, external_aad = '', payload]`.
fn to_be_signed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 24);
    out.extend_from_slice(&[0x84, 0x6A]);
    out.extend_from_slice(b"Signature1");
    out.extend_from_slice(&[0x44]);
    out.extend_from_slice(&ES384);
    out.push(0x40);
    // The shortest form of a byte string's length (RFC 8949 §4.2.1); no payload is longer than a document.
    match u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes() {
        [0, length @ 0..24] => out.push(0x40 | length),
        [0, length] => out.extend_from_slice(&[0x58, length]),
        [high, low] => out.extend_from_slice(&[0x59, high, low]),
    }
    out.extend_from_slice(payload);
    out
}

/// One CBOR item and nothing after it; the reader alone would stop at the item's end.
pub(super) fn whole(bytes: &[u8]) -> Option<Value> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).ok()?;
    rest.is_empty().then_some(value)
}
