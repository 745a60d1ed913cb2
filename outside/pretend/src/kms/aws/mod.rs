//! Plays AWS's KMS: its JSON protocol, its signatures, its key policies, its answers to attested code.
//!
//! 1. who asks: a signature by credentials that were given here ([`signature`]);
//! 2. what is asked, by `X-Amz-Target`;
//! 3. whether he may: the key's policy and grants, held against the caller, the action and the request's conditions, of which
//!    an attestation document is one ([`policy`], [`recipient`]);
//! 4. the action itself ([`actions`]), over keys that the folder keeps ([`keys`]).
//!
//! Why: so that the enclave's path to a cloud's KMS is the same code on a laptop, and an attacker with every credential can be
//! played. Documents are verified in earnest, under this folder's test root; so this KMS knows whatever that root vouches for.
//!
//! What it is not: a KMS. Its keys lie in a folder. Of AWS it has what the enclave asks and what attackers try, no more: no
//! aliases, no rotation, no regions, two principals ([`identity`]) in one account. Their identity policies allow everything, so
//! that what a key's policy leaves to the account's root is theirs.

mod actions;
pub mod identity;
pub mod imds;
mod keys;
mod policy;
mod recipient;
mod signature;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use adyton_attest::Root;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::certificates::Ca;
use crate::folder::Folder;
use identity::Identities;
use keys::Keys;
use recipient::Platform;

/// The account that owns everything here.
pub const ACCOUNT: &str = "111122223333";
/// Its region.
pub const REGION: &str = "eu-central-1";

/// The KMS: identities, keys, and whose documents it believes.
pub struct Kms {
    identities: Identities,
    keys: Mutex<Keys>,
    platform: Platform,
}

/// Why an action was not carried out, as AWS words it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    kind: &'static str,
    message: String,
}

impl Refusal {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }
}

impl Kms {
    /// Opens the folder's keys; credentials are new with every start.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(folder: Folder, attestation: &Ca) -> io::Result<Self> {
        Ok(Self {
            identities: Identities::new()?,
            keys: Mutex::new(Keys::open(folder)?),
            platform: Platform::new(Root::explicit(attestation.certificate.clone())),
        })
    }

    /// Whose requests are answered.
    pub fn identities(&self) -> &Identities {
        &self.identities
    }

    fn answer(&self, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
        // 1.
        let caller = signature::verify(headers, body, &self.identities, now())?;
        // 2.
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let unknown = || Refusal::new("UnknownOperationException", "");
        let action = target.strip_prefix("TrentService.").ok_or_else(unknown)?;
        let request: Value = serde_json::from_slice(body).map_err(|_| Refusal::new("SerializationException", ""))?;
        // 3. and 4.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let call = actions::Call { caller, request: &request, platform: &self.platform, now: now() };
        call.run(action, &mut keys).unwrap_or_else(|| Err(unknown()))
    }
}

/// `POST /`.
pub async fn call(State(kms): State<Arc<Kms>>, headers: HeaderMap, body: Bytes) -> Response {
    let (status, body) = match kms.answer(&headers, &body) {
        Ok(answer) => (StatusCode::OK, answer),
        Err(Refusal { kind, message }) => (StatusCode::BAD_REQUEST, json!({ "__type": kind, "message": message })),
    };
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string()).into_response()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
