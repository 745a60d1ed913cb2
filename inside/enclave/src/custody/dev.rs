//! Custody in profile `dev`: a pretend KMS, which keeps its own folder.
//!
//! 1. make an X25519 pair for this one exchange and have the NSM attest its public key;
//! 2. send the document; the KMS answers with its secret sealed to that key.

use adyton_ledger::base64;
use adyton_seal::{RecipientKey, SealedPurpose, Secret, WrapKey, mix_random};
use data_encoding::BASE64;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;

use super::{CustodyError, Released};
use crate::egress::Endpoint;
use crate::egress::http::Connection;
use crate::platform::{Claims, Nsm};

#[derive(Deserialize)]
struct Answer {
    ciphertext: Option<String>,
    sealed: String,
}

/// Asks for a new secret.
pub(super) async fn generate(kms: &Endpoint, nsm: &mut Nsm) -> Result<Released, CustodyError> {
    let answer = exchange(kms, nsm, "/kms/generate-data-key", None).await?;
    let ciphertext = answer.1.ok_or(CustodyError::Answer)?;
    Ok(Released { wrap: answer.0, ciphertext })
}

/// Asks for the secret of a ciphertext.
pub(super) async fn decrypt(kms: &Endpoint, nsm: &mut Nsm, ciphertext: &[u8]) -> Result<WrapKey, CustodyError> {
    Ok(exchange(kms, nsm, "/kms/decrypt", Some(ciphertext)).await?.0)
}

async fn exchange(
    kms: &Endpoint,
    nsm: &mut Nsm,
    path: &str,
    ciphertext: Option<&[u8]>,
) -> Result<(WrapKey, Option<Vec<u8>>), CustodyError> {
    // 1.
    let platform = nsm.random().await?;
    let recipient = RecipientKey::new(&mix_random(&platform)?)?;
    let public_key = recipient.public_key();
    let document = nsm.attest(Claims { public_key: Some(&public_key.0), ..Claims::default() }).await?;
    // 2.
    let mut body = serde_json::json!({ "attestation_document": BASE64.encode(&document) });
    if let Some(ciphertext) = ciphertext {
        body["ciphertext"] = BASE64.encode(ciphertext).into();
    }
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let answer = Connection::open(kms).await?.post(path, json, body.to_string().into()).await?;
    if !answer.status.is_success() {
        return Err(CustodyError::Refused { status: answer.status.as_u16(), kind: "" });
    }
    let answer: Answer = serde_json::from_slice(&answer.body).map_err(|_| CustodyError::Answer)?;
    let decode = |text: &str| base64::decode(text.as_bytes()).ok_or(CustodyError::Answer);
    let opened = recipient.open(&SealedPurpose::kms_data_key(), &decode(&answer.sealed)?)?;
    let wrap = WrapKey::from_kms_secret(&Secret::try_from(opened.as_bytes())?)?;
    Ok((wrap, answer.ciphertext.as_deref().map(decode).transpose()?))
}
