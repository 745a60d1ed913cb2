//! The KMS of profile `dev`: it gives secrets to whom the pretend NSM attests, which is everybody on this machine.

use std::io;
use std::sync::Arc;

use adyton_seal::{AeadKey, Nonce, Plaintext, RecipientPublicKey, SealedPurpose, Secret, random};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::nsm::Nsm;

const AAD: &[u8] = b"adyton pretend kms v1";

/// The key under which data keys are kept, and whom to ask about documents.
pub struct Kms {
    key: AeadKey,
    nsm: Arc<Nsm>,
}

/// A request of either kind.
#[derive(Deserialize)]
pub struct Request {
    attestation_document: String,
    ciphertext: Option<String>,
}

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

fn refuse(reason: &str) -> (StatusCode, Json<Value>) {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": reason })))
}

impl Kms {
    /// Opens the folder's key.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(folder: &Folder, nsm: Arc<Nsm>) -> io::Result<Self> {
        let made = || random::<32>().map(Vec::from).map_err(io::Error::other);
        let key = folder.read_or_make("kms.key", made)?;
        let key = Secret::<32>::try_from(&key[..]).map_err(|_| io::Error::other("kms.key is not 32 bytes"))?;
        Ok(Self { key: AeadKey::new(&key).map_err(io::Error::other)?, nsm })
    }

    fn seal(&self, document: &str, secret: &[u8]) -> Result<String, (StatusCode, Json<Value>)> {
        let document = BASE64.decode(document.as_bytes()).map_err(|_| refuse("the document is not base64"))?;
        let key = self.nsm.attested_key(&document).ok_or_else(|| refuse("the document is not of this NSM"))?;
        let key = key.try_into().map_err(|_| refuse("the document's public_key is not X25519"))?;
        let sealed = RecipientPublicKey(key).seal(&SealedPurpose::kms_data_key(), secret);
        Ok(BASE64.encode(&sealed.map_err(|_| refuse("the document's public_key is refused"))?))
    }
}

/// `POST /kms/generate-data-key`.
pub async fn generate(State(kms): State<Arc<Kms>>, Json(request): Json<Request>) -> Answer {
    let secret: [u8; 32] = random().map_err(|_| refuse("no randomness"))?;
    let nonce: [u8; 12] = random().map_err(|_| refuse("no randomness"))?;
    let mut plaintext = Plaintext::with_capacity(32);
    plaintext.put(&secret);
    let mut ciphertext = nonce.to_vec();
    kms.key.seal(Nonce::random(nonce), AAD, plaintext, &mut ciphertext).map_err(|_| refuse("no seal"))?;
    let sealed = kms.seal(&request.attestation_document, &secret)?;
    Ok(Json(json!({ "ciphertext": BASE64.encode(&ciphertext), "sealed": sealed })))
}

/// `POST /kms/decrypt`.
pub async fn decrypt(State(kms): State<Arc<Kms>>, Json(request): Json<Request>) -> Answer {
    let unknown = || refuse("the ciphertext is not of this KMS");
    let ciphertext = request.ciphertext.ok_or_else(unknown)?;
    let ciphertext = BASE64.decode(ciphertext.as_bytes()).map_err(|_| unknown())?;
    let (nonce, sealed) = ciphertext.split_first_chunk::<12>().ok_or_else(unknown)?;
    let secret = kms.key.open(Nonce::random(*nonce), AAD, sealed).map_err(|_| unknown())?;
    let sealed = kms.seal(&request.attestation_document, secret.as_bytes())?;
    Ok(Json(json!({ "sealed": sealed })))
}
