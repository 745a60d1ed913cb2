//! Custody in profile `dev`: a KMS keeps a secret under which the root key, born inside, is wrapped.
//!
//! 1. make an X25519 pair for this one exchange and have the NSM attest its public key;
//! 2. send the document; the KMS answers with its secret sealed to that key;
//! 3. wrap or unwrap the root key under it (`docs/spec/03-heads.md`).

use std::fmt;

use adyton_ledger::base64;
use adyton_seal::{Opaque, RecipientKey, SealedPurpose, Secret, WrapKey, mix_random, put_lp};
use data_encoding::BASE64;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;

use crate::egress::http::Connection;
use crate::egress::{EgressError, Endpoint};
use crate::platform::{Claims, Nsm, PlatformError};

/// Why the KMS's secret could not be had.
#[derive(Debug)]
pub enum CustodyError {
    /// The platform did not attest.
    Platform(PlatformError),
    /// The KMS could not be reached.
    Egress(EgressError),
    /// The KMS refused.
    Refused(u16),
    /// The answer does not have the expected form, or does not open.
    Answer,
}

impl fmt::Display for CustodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform(error) => error.fmt(f),
            Self::Egress(error) => write!(f, "the KMS: {error}"),
            Self::Refused(status) => write!(f, "the KMS refused with status {status}"),
            Self::Answer => f.write_str("the KMS's answer does not open"),
        }
    }
}

impl std::error::Error for CustodyError {}

impl From<Opaque> for CustodyError {
    fn from(_: Opaque) -> Self {
        Self::Answer
    }
}

impl From<EgressError> for CustodyError {
    fn from(error: EgressError) -> Self {
        Self::Egress(error)
    }
}

/// A wrapping key, and what the KMS needs to give it again.
pub struct Custodian {
    /// Wraps the root key.
    pub wrap: WrapKey,
    /// The KMS's own ciphertext.
    pub ciphertext: Vec<u8>,
}

#[derive(Deserialize)]
struct Answer {
    ciphertext: Option<String>,
    sealed: String,
}

/// Asks for a new secret.
///
/// # Errors
/// [`CustodyError`].
pub async fn generate(kms: &Endpoint, nsm: &mut Nsm) -> Result<Custodian, CustodyError> {
    let answer = exchange(kms, nsm, "/kms/generate-data-key", None).await?;
    let ciphertext = answer.1.ok_or(CustodyError::Answer)?;
    Ok(Custodian { wrap: answer.0, ciphertext })
}

/// Asks for the secret of a ciphertext.
///
/// # Errors
/// [`CustodyError`].
pub async fn decrypt(kms: &Endpoint, nsm: &mut Nsm, ciphertext: &[u8]) -> Result<WrapKey, CustodyError> {
    Ok(exchange(kms, nsm, "/kms/decrypt", Some(ciphertext)).await?.0)
}

/// What a wrapped root key is bound to: this genesis, under this policy (`docs/spec/03-heads.md`).
pub fn wrap_aad(genesis_nonce: &[u8; 32], policy_hash: &[u8; 32]) -> Vec<u8> {
    let mut aad = Vec::new();
    put_lp(&mut aad, b"adyton root wrap v1");
    aad.extend_from_slice(genesis_nonce);
    aad.extend_from_slice(policy_hash);
    aad
}

async fn exchange(
    kms: &Endpoint,
    nsm: &mut Nsm,
    path: &str,
    ciphertext: Option<&[u8]>,
) -> Result<(WrapKey, Option<Vec<u8>>), CustodyError> {
    // 1.
    let platform = nsm.random().await.map_err(CustodyError::Platform)?;
    let recipient = RecipientKey::new(&mix_random(&platform)?)?;
    let public_key = recipient.public_key();
    let document = nsm
        .attest(Claims { public_key: Some(&public_key.0), ..Claims::default() })
        .await
        .map_err(CustodyError::Platform)?;
    // 2.
    let mut body = serde_json::json!({ "attestation_document": BASE64.encode(&document) });
    if let Some(ciphertext) = ciphertext {
        body["ciphertext"] = BASE64.encode(ciphertext).into();
    }
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let answer = Connection::open(kms).await?.post(path, json, body.to_string().into()).await?;
    if !answer.status.is_success() {
        return Err(CustodyError::Refused(answer.status.as_u16()));
    }
    let answer: Answer = serde_json::from_slice(&answer.body).map_err(|_| CustodyError::Answer)?;
    let decode = |text: &str| base64::decode(text.as_bytes()).ok_or(CustodyError::Answer);
    // 3.
    let opened = recipient.open(&SealedPurpose::kms_data_key(), &decode(&answer.sealed)?)?;
    let wrap = WrapKey::from_kms_secret(&Secret::try_from(opened.as_bytes())?)?;
    Ok((wrap, answer.ciphertext.as_deref().map(decode).transpose()?))
}
