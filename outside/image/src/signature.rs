//! The signature section: `docs/spec/11-image.md`, "Signature".
//!
//! 1. the section is CBOR as AWS's tools write it, byte for byte: one signature, that of register 0;
//! 2. its certificate is one X.509 certificate in PEM, with a P-384 key;
//! 3. what is signed is the register as it is measured;
//! 4. the certificate's key signed it.
//!
//! Nothing is said of who holds the key: whoever wants to know compares register 8.

use core::fmt;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use ciborium::Value;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use webpki::EndEntityCert;

use crate::Register;

/// Longest section. Bytes are written as numbers, up to two bytes each.
const MAX_SECTION: usize = 64 * 1024;
/// `{1: -35}`: ES384 (RFC 9053 §2.1).
const ES384: [u8; 4] = [0xA1, 0x01, 0x38, 0x22];
/// SubjectPublicKeyInfo of a P-384 key up to its point's coordinates: uncompressed (RFC 5480 §2.2). The library would take the
/// hybrid form of the same point too.
const P384: [u8; 24] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00, 0x04,
];

/// Why a signature does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// The section is too long.
    Size {
        /// Its length.
        got: usize,
    },
    /// The section is not CBOR as AWS's tools write it.
    Section,
    /// The signature is not COSE_Sign1 with ES384, as AWS's tools write it.
    Cose,
    /// The certificate is not one X.509 certificate in PEM.
    Certificate,
    /// The certificate's key is not of P-384.
    Key,
    /// Something else is signed than what register 0 is.
    Register {
        /// What it is.
        expected: Register,
    },
    /// The certificate's key did not sign it.
    Signature,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { got } => write!(f, "the signature section has {got} bytes; {MAX_SECTION} are read"),
            Self::Section => f.write_str("the signature section is not CBOR as AWS's tools write it"),
            Self::Cose => f.write_str("the signature is not COSE_Sign1 with ES384"),
            Self::Certificate => f.write_str("the signing certificate is not one X.509 certificate in PEM"),
            Self::Key => f.write_str("the signing certificate's key is not of P-384"),
            Self::Register { expected } => {
                write!(f, "the signature is of another image: PCR0 of this one is {expected}")
            }
            Self::Signature => f.write_str("the signature is not by the signing certificate's key"),
        }
    }
}

impl core::error::Error for SignatureError {}

/// By whose certificate an image is signed. Made only from a signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy(Vec<u8>);

impl SignedBy {
    /// Verifies a signature section against register 0.
    pub(crate) fn verify(section: &[u8], image: &Register) -> Result<Self, SignatureError> {
        // 1.
        if section.len() > MAX_SECTION {
            return Err(SignatureError::Size { got: section.len() });
        }
        let (pem, cose) = read_section(section).ok_or(SignatureError::Section)?;
        let (payload, signature) = read_cose(&cose).ok_or(SignatureError::Cose)?;
        // 2.
        let certificate = Certificate::parse(&pem)?;
        // 3.
        if payload != self::payload(image) {
            return Err(SignatureError::Register { expected: *image });
        }
        // 4.
        let key = UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &certificate.point);
        key.verify(&to_be_signed(&payload), &signature).map_err(|_| SignatureError::Signature)?;
        Ok(Self(certificate.der))
    }

    /// The certificate, in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.0
    }
}

/// A certificate with a P-384 key.
pub(crate) struct Certificate {
    der: Vec<u8>,
    pub(crate) point: Vec<u8>,
}

impl Certificate {
    /// Reads the one certificate of a PEM text.
    pub(crate) fn parse(pem: &[u8]) -> Result<Self, SignatureError> {
        let mut all = CertificateDer::pem_slice_iter(pem);
        let (Some(Ok(der)), None) = (all.next(), all.next()) else { return Err(SignatureError::Certificate) };
        let parsed = EndEntityCert::try_from(&der).map_err(|_| SignatureError::Certificate)?;
        let spki = parsed.subject_public_key_info();
        let is_key = spki.starts_with(&P384) && spki.len() == P384.len() + 96;
        let point = spki.get(P384.len() - 1..).filter(|_| is_key).ok_or(SignatureError::Key)?;
        Ok(Self { point: point.to_vec(), der: der.to_vec() })
    }
}

/// What is signed for register 0.
pub(crate) fn payload(image: &Register) -> Vec<u8> {
    encode(&Value::Map(vec![
        text_member("register_index", Value::from(0)),
        text_member("register_value", list(&image.0)),
    ]))
}

/// `Sig_structure` of COSE_Sign1 (RFC 9052 §4.4).
pub(crate) fn to_be_signed(payload: &[u8]) -> Vec<u8> {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    encode(&Value::Array(vec![Value::Text("Signature1".into()), bytes(&ES384), bytes(&[]), bytes(payload)]))
}

/// A section of one signature.
pub(crate) fn section(pem: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let cose = cose(payload, signature);
    let members = vec![text_member("signing_certificate", list(pem)), text_member("signature", list(&cose))];
    encode(&Value::Array(vec![Value::Map(members)]))
}

fn cose(payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    encode(&Value::Array(vec![bytes(&ES384), Value::Map(Vec::new()), bytes(payload), bytes(signature)]))
}

/// Certificate and signature of a section. Another spelling of the same is not read: what is read is written again and compared.
fn read_section(section: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let [Value::Map(members)] = &decode(section)?.into_array().ok()?[..] else { return None };
    let [(_, pem), (_, cose)] = &members[..] else { return None };
    let (pem, cose) = (numbers(pem)?, numbers(cose)?);
    let again = vec![text_member("signing_certificate", list(&pem)), text_member("signature", list(&cose))];
    (encode(&Value::Array(vec![Value::Map(again)])) == section).then_some((pem, cose))
}

/// Payload and signature.
fn read_cose(cose: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let parts: [Value; 4] = decode(cose)?.into_array().ok()?.try_into().ok()?;
    let [_, _, Value::Bytes(payload), Value::Bytes(signature)] = parts else { return None };
    (self::cose(&payload, &signature) == cose && signature.len() == 96).then_some((payload, signature))
}

fn text_member(name: &str, value: Value) -> (Value, Value) {
    (Value::Text(name.into()), value)
}

/// Bytes as AWS's tools write them: an array of numbers.
fn list(bytes: &[u8]) -> Value {
    Value::Array(bytes.iter().map(|byte| Value::from(*byte)).collect())
}

fn numbers(value: &Value) -> Option<Vec<u8>> {
    value.as_array()?.iter().map(|number| u8::try_from(number.as_integer()?).ok()).collect()
}

fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = ciborium::into_writer(value, &mut out);
    out
}

fn decode(bytes: &[u8]) -> Option<Value> {
    ciborium::from_reader(bytes).ok()
}
