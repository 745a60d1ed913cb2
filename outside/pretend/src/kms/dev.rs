//! The KMS of profile `dev`: it gives secrets to whom the pretend NSM attests, which is everybody on this machine.

use std::io;
use std::sync::Arc;

use adyton_seal::{AeadKey, Nonce, Plaintext, RecipientPublicKey, SealedPurpose, Secret, random};
use adyton_wire::Put;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::nsm::Nsm;
use crate::peers::Refused;

const AAD: &[u8] = b"adyton pretend kms v1";

/// The key under which data keys are kept, and whom to ask about documents.
pub struct Kms {
    key: AeadKey,
    nsm: Arc<Nsm>,
}

/// A request for a new data key.
#[derive(Deserialize)]
pub struct Generate {
    attestation_document: String,
}

/// A request for the data key of a ciphertext.
#[derive(Deserialize)]
pub struct Decrypt {
    attestation_document: String,
    ciphertext: String,
}

type Answer = Result<Json<Value>, Refused>;
type Received<T> = Result<Json<T>, JsonRejection>;

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

    fn seal(&self, document: &str, secret: &[u8]) -> Result<String, Refused> {
        let document =
            BASE64.decode(document.as_bytes()).map_err(|_| Refused::because("the document is not base64"))?;
        let key = self.nsm.attested_key(&document).map_err(|error| Refused::because(&error.to_string()))?;
        let key = key.try_into().map_err(|_| Refused::because("the document's public_key is not X25519"))?;
        let sealed = RecipientPublicKey(key).seal(&SealedPurpose::kms_data_key(), secret);
        Ok(BASE64.encode(&sealed.map_err(|_| Refused::because("the document's public_key is refused"))?))
    }
}

/// `POST /kms/generate-data-key`.
pub async fn generate(State(kms): State<Arc<Kms>>, request: Received<Generate>) -> Answer {
    let Json(request) = request?;
    let secret = Secret::take(&mut random::<32>().map_err(|_| Refused::because("no randomness"))?);
    let nonce: [u8; 12] = random().map_err(|_| Refused::because("no randomness"))?;
    let mut plaintext = Plaintext::with_capacity(32);
    plaintext.put(secret.expose());
    let mut ciphertext = nonce.to_vec();
    kms.key.seal(Nonce::random(nonce), AAD, plaintext, &mut ciphertext).map_err(|_| Refused::because("no seal"))?;
    let sealed = kms.seal(&request.attestation_document, secret.expose())?;
    Ok(Json(json!({ "ciphertext": BASE64.encode(&ciphertext), "sealed": sealed })))
}

/// `POST /kms/decrypt`.
pub async fn decrypt(State(kms): State<Arc<Kms>>, request: Received<Decrypt>) -> Answer {
    let Json(request) = request?;
    let unknown = || Refused::because("the ciphertext is not of this KMS");
    let ciphertext = BASE64.decode(request.ciphertext.as_bytes()).map_err(|_| unknown())?;
    let (nonce, sealed) = ciphertext.split_first_chunk::<12>().ok_or_else(unknown)?;
    let secret = kms.key.open(Nonce::random(*nonce), AAD, sealed).map_err(|_| unknown())?;
    let sealed = kms.seal(&request.attestation_document, secret.as_bytes())?;
    Ok(Json(json!({ "sealed": sealed })))
}
