//! Custody in profile `kms`: an AWS KMS key gives its secret to attested code
//! (`docs/spec/12-custody-kms.md`).
//!
//! 1. the registers of a document of its own NSM, which a key policy has to name. Zeros mean debug
//!    mode, and refuse;
//! 2. credentials of the instance's role (`credentials`), relayed by the host;
//! 3. the key and its policy: refused unless they release to these registers alone (`key`). That
//!    comes before genesis and at every boot;
//! 4. an RSA pair for this one exchange, and a document that carries its public key;
//! 5. `GenerateDataKey` at genesis, `Decrypt` later: by the key's ARN, under an encryption context
//!    that names the genesis, for the document's recipient (`sigv4` signs);
//! 6. the answer: of this key, with nothing in the clear, sealed to the pair.
//!
//! Why the host gains nothing on the way: the KMS is authenticated by TLS from inside, the key is
//! named by the measured policy, the answer opens with a key that no one else has. It can cut the
//! line, and relay credentials that do not work.
//!
//! Limits: anyone who may change the key policy can release the secret to himself afterwards. A
//! check before use is no promise for later.

mod credentials;
mod key;
mod sigv4;

use adyton_attest::OwnDocument;
use adyton_ledger::base64;
use adyton_policy::{KeyArn, Pins};
use adyton_seal::{KmsRecipientKey, Secret, WrapKey};
use adyton_transport::Address;
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CustodyError, Released};
use crate::clock::Clock;
use crate::egress::http::Connection;
use crate::egress::{EgressError, Endpoint};
use crate::platform::{Claims, Nsm, PlatformError};
use credentials::Credentials;
pub use credentials::CredentialsError;
pub use key::KeyError;

/// Member of the encryption context that names the genesis.
const CONTEXT: &str = "adyton-genesis";
/// How the recipient's key encrypts; there is no other way.
const WRAPPING: &str = "RSAES_OAEP_SHA_256";
/// Longest ciphertext of a KMS (AWS's own limit).
const MAX_CIPHERTEXT: usize = 6144;

/// A key of AWS's KMS, and where that is.
pub struct Kms {
    endpoint: Endpoint,
    service: Address,
    key: KeyArn,
}

/// What AWS calls its refusals; others are shown by their status alone.
const REFUSALS: [&str; 17] = [
    "AccessDeniedException",
    "DependencyTimeoutException",
    "DisabledException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "IncorrectKeyException",
    "InvalidCiphertextException",
    "InvalidSignatureException",
    "KMSInternalException",
    "KMSInvalidStateException",
    "KeyUnavailableException",
    "LimitExceededException",
    "NotFoundException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "UnrecognizedClientException",
    "ValidationException",
];

impl Kms {
    /// Prepares it; `service` is the host's address.
    pub(super) fn new(endpoint: Endpoint, service: Address, key: KeyArn) -> Self {
        Self { endpoint, service, key }
    }

    pub(super) async fn generate(
        &self,
        nsm: &mut Nsm,
        clock: &Clock,
        genesis_nonce: &[u8; 32],
    ) -> Result<Released, CustodyError> {
        let mut session = self.checked(nsm, clock, genesis_nonce).await?;
        // 4.
        let (recipient, document) = recipient(nsm).await?;
        // 5.
        let mut request = self.request(genesis_nonce, &document);
        request["NumberOfBytes"] = 32.into();
        let answer = session.call("GenerateDataKey", &request).await?;
        // 6.
        let (wrap, ciphertext) = self.answered(&answer, &recipient)?;
        let ciphertext = ciphertext.and_then(|text| base64::decode(text.as_bytes())).ok_or(CustodyError::Answer)?;
        if !(1..=MAX_CIPHERTEXT).contains(&ciphertext.len()) {
            return Err(CustodyError::Answer);
        }
        Ok(Released { wrap, ciphertext })
    }

    pub(super) async fn decrypt(
        &self,
        nsm: &mut Nsm,
        clock: &Clock,
        genesis_nonce: &[u8; 32],
        ciphertext: &[u8],
    ) -> Result<WrapKey, CustodyError> {
        let mut session = self.checked(nsm, clock, genesis_nonce).await?;
        // 4.
        let (recipient, document) = recipient(nsm).await?;
        // 5.
        let mut request = self.request(genesis_nonce, &document);
        request["CiphertextBlob"] = BASE64.encode(ciphertext).into();
        request["EncryptionAlgorithm"] = "SYMMETRIC_DEFAULT".into();
        let answer = session.call("Decrypt", &request).await?;
        // 6.
        Ok(self.answered(&answer, &recipient)?.0)
    }

    /// A connection to the KMS, whose key was found to release to this enclave alone.
    async fn checked<'a>(
        &'a self,
        nsm: &mut Nsm,
        clock: &'a Clock,
        genesis_nonce: &[u8; 32],
    ) -> Result<Session<'a>, CustodyError> {
        // 1.
        let pins = pins(&nsm.attest(Claims::default()).await?)?.with_genesis(genesis_nonce);
        // 2.
        let credentials = Credentials::of_instance(&self.service).await.map_err(CustodyError::Credentials)?;
        let connection = Connection::open(&self.endpoint).await?;
        let mut session = Session { kms: self, clock, credentials, connection };
        // 3.
        let of_key = json!({ "KeyId": self.key.text() });
        key::described(&session.call("DescribeKey", &of_key).await?, self.key.text())?;
        key::no_grants(&session.call("ListGrants", &of_key).await?)?;
        let of_policy = json!({ "KeyId": self.key.text(), "PolicyName": "default" });
        key::policy(&session.call("GetKeyPolicy", &of_policy).await?, &pins)?;
        Ok(session)
    }

    /// What both requests for the secret have.
    fn request(&self, genesis_nonce: &[u8; 32], document: &[u8]) -> Value {
        json!({
            "KeyId": self.key.text(),
            "EncryptionContext": { CONTEXT: HEXLOWER.encode(genesis_nonce) },
            "Recipient": { "AttestationDocument": BASE64.encode(document), "KeyEncryptionAlgorithm": WRAPPING },
        })
    }

    /// 6. The secret as a wrapping key, and the KMS's own ciphertext if there is one.
    fn answered(&self, answer: &[u8], recipient: &KmsRecipientKey) -> Result<(WrapKey, Option<String>), CustodyError> {
        let answer: Answer = serde_json::from_slice(answer).map_err(|_| CustodyError::Answer)?;
        // AWS leaves it out, or empty.
        if answer.plaintext.is_some_and(|plaintext| !plaintext.is_empty()) {
            return Err(CustodyError::InTheClear);
        }
        if answer.key_id != self.key.text() {
            return Err(CustodyError::Answer);
        }
        let envelope = answer.ciphertext_for_recipient.and_then(|text| base64::decode(text.as_bytes()));
        let opened = recipient.open(&envelope.ok_or(CustodyError::Answer)?)?;
        Ok((WrapKey::from_kms_secret(&Secret::try_from(opened.as_bytes())?)?, answer.ciphertext_blob))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    key_id: String,
    ciphertext_blob: Option<String>,
    ciphertext_for_recipient: Option<String>,
    plaintext: Option<String>,
}

/// 1. What a key policy has to name.
fn pins(document: &[u8]) -> Result<Pins, CustodyError> {
    let own = OwnDocument::parse(document).map_err(|_| PlatformError::Answer)?;
    // In debug mode all three are zero, and never outside of it.
    let code = (0..=2).map(|register| own.pcrs.get(&register).filter(|pcr| **pcr != [0; 48]));
    let code: Option<Vec<_>> = code.collect();
    let image = code.and_then(|code| code.first().copied()).ok_or(CustodyError::DebugMode)?;
    let policy = own.pcrs.get(&16).filter(|pcr| **pcr != [0; 48]).ok_or(CustodyError::NoPolicyRegister)?;
    let pins = own.pcrs.iter().fold(Pins::new(image, policy), |pins, (number, pcr)| pins.with_register(*number, pcr));
    Ok(pins.for_policy_in_force())
}

/// 4.
async fn recipient(nsm: &mut Nsm) -> Result<(KmsRecipientKey, Vec<u8>), CustodyError> {
    let recipient = KmsRecipientKey::generate()?;
    let document = nsm.attest(Claims { public_key: Some(recipient.spki_der()), ..Claims::default() }).await?;
    Ok((recipient, document))
}

/// One connection to the KMS.
struct Session<'a> {
    kms: &'a Kms,
    clock: &'a Clock,
    credentials: Credentials,
    connection: Connection,
}

impl Session<'_> {
    async fn call(&mut self, action: &str, request: &Value) -> Result<Bytes, CustodyError> {
        let (body, target) = (Bytes::from(request.to_string()), format!("TrentService.{action}"));
        let (host, region) = (self.kms.endpoint.host(), self.kms.key.region());
        let signed = sigv4::Request { host, region, target: &target, time: self.clock.now() };
        let headers = sigv4::headers(&signed, &self.credentials, &body)?;
        let answer = match self.connection.post("/", headers.clone(), body.clone()).await {
            // A server may end a connection after any answer. None of these requests does harm twice.
            Err(EgressError::Protocol) => {
                self.connection = Connection::open(&self.kms.endpoint).await?;
                self.connection.post("/", headers, body).await?
            }
            answered => answered?,
        };
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        Err(CustodyError::Refused { status: answer.status.as_u16(), kind: refusal(&answer.body) })
    }
}

/// AWS's name of a refusal, of those that are known.
fn refusal(body: &[u8]) -> &'static str {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(rename = "__type")]
        kind: String,
    }
    let refusal: Option<Refusal> = serde_json::from_slice(body).ok();
    let kind = refusal.map(|refusal| refusal.kind).unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    REFUSALS.into_iter().find(|known| *known == kind).unwrap_or_default()
}

impl From<KeyError> for CustodyError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

#[cfg(test)]
mod tests;
