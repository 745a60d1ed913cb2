//! A data key goes to whom the NSM attests, and to nobody else.

use adyton_pretend::inbox::Inbox;
use adyton_pretend::nsm::{Nsm, Pcrs};
use adyton_seal::{RecipientKey, SealedPurpose, mix_random};
use ciborium::Value as Cbor;
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::pretend::Pretend;

const GENERATE: &str = "/kms/generate-data-key";
const DECRYPT: &str = "/kms/decrypt";

fn recipient() -> RecipientKey {
    RecipientKey::new(&mix_random(b"a test").unwrap()).unwrap()
}

/// A document of this NSM over a public key.
fn document(nsm: &Nsm, public_key: &[u8]) -> String {
    BASE64.encode(&nsm.document(&Pcrs::made_up(), vec![("public_key", Cbor::Bytes(public_key.to_vec()))]).unwrap())
}

fn open(recipient: &RecipientKey, answer: &Value) -> Vec<u8> {
    let sealed = BASE64.decode(answer["sealed"].as_str().unwrap().as_bytes()).unwrap();
    recipient.open(&SealedPurpose::kms_data_key(), &sealed).unwrap().as_bytes().to_vec()
}

async fn ask(pretend: &Pretend, path: &str, body: &Value) -> (u16, Value) {
    pretend.post("kms.adyton.test", path, &[], body.to_string()).await
}

/// A new data key: the recipient that opens it, the secret and the ciphertext.
async fn generate(pretend: &Pretend) -> (Vec<u8>, String) {
    let recipient = recipient();
    let document = document(&pretend.nsm, &recipient.public_key().0);
    let (status, answer) = ask(pretend, GENERATE, &json!({ "attestation_document": document })).await;
    assert_eq!(status, 200);
    (open(&recipient, &answer), answer["ciphertext"].as_str().unwrap().into())
}

async fn refuses(pretend: &Pretend, path: &str, body: &Value, status: u16, reason: &str) {
    assert_eq!(ask(pretend, path, body).await, (status, json!({ "error": reason })), "{path}");
}

#[tokio::test]
async fn a_data_key_comes_back_to_another_recipient() {
    let pretend = Pretend::start().await;
    let (secret, ciphertext) = generate(&pretend).await;
    assert_eq!(secret.len(), 32);
    let other = recipient();
    let document = document(&pretend.nsm, &other.public_key().0);
    let body = json!({ "attestation_document": document, "ciphertext": ciphertext });
    let (status, answer) = ask(&pretend, DECRYPT, &body).await;
    assert_eq!(status, 200);
    assert_eq!(open(&other, &answer), secret);
    assert_ne!(generate(&pretend).await.0, secret);
}

#[tokio::test]
async fn a_data_key_outlives_the_process() {
    let first = Pretend::start().await;
    let (secret, ciphertext) = generate(&first).await;
    let second = Pretend::over(first.folder, Inbox::default()).await;
    let recipient = recipient();
    let document = document(&second.nsm, &recipient.public_key().0);
    let body = json!({ "attestation_document": document, "ciphertext": ciphertext });
    let (status, answer) = ask(&second, DECRYPT, &body).await;
    assert_eq!(status, 200);
    assert_eq!(open(&recipient, &answer), secret);
}

#[tokio::test]
async fn documents_that_attest_nothing_here() {
    let (pretend, other) = (Pretend::start().await, Pretend::start().await);
    let (_, ciphertext) = generate(&pretend).await;
    let recipient = recipient().public_key().0;
    let keyless = BASE64.encode(&pretend.nsm.document(&Pcrs::made_up(), vec![]).unwrap());
    let cases = [
        ("not base64", "the document is not base64"),
        ("", "the document is not of this NSM"),
        (&document(&other.nsm, &recipient), "the document is not of this NSM"),
        (&keyless, "the document has no public_key"),
        (&document(&pretend.nsm, &recipient[1..]), "the document's public_key is not X25519"),
        // A point of small order: everybody would know the secret.
        (&document(&pretend.nsm, &[0; 32]), "the document's public_key is refused"),
    ];
    for (document, reason) in cases {
        let body = json!({ "attestation_document": document, "ciphertext": ciphertext });
        refuses(&pretend, GENERATE, &body, 400, reason).await;
        refuses(&pretend, DECRYPT, &body, 400, reason).await;
    }
}

#[tokio::test]
async fn ciphertexts_that_are_not_of_this_kms() {
    let (pretend, other) = (Pretend::start().await, Pretend::start().await);
    let document = document(&pretend.nsm, &recipient().public_key().0);
    let whole = BASE64.decode(generate(&pretend).await.1.as_bytes()).unwrap();
    let mut cases = vec![generate(&other).await.1, "not base64".into(), String::new()];
    cases.push(BASE64.encode(&whole[..whole.len() - 1]));
    // The nonce, the sealed bytes, the tag.
    for at in [0, 12, whole.len() - 1] {
        let mut tampered = whole.clone();
        tampered[at] ^= 1;
        cases.push(BASE64.encode(&tampered));
    }
    for ciphertext in cases {
        let body = json!({ "attestation_document": document, "ciphertext": ciphertext });
        refuses(&pretend, DECRYPT, &body, 400, "the ciphertext is not of this KMS").await;
    }
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let pretend = Pretend::start().await;
    let document = document(&pretend.nsm, &recipient().public_key().0);
    let cases = [
        (GENERATE, json!({}), "attestation_document"),
        (DECRYPT, json!({ "ciphertext": "" }), "attestation_document"),
        (DECRYPT, json!({ "attestation_document": document }), "ciphertext"),
    ];
    for (path, body, field) in cases {
        let column = body.to_string().len();
        let reason = format!(
            "Failed to deserialize the JSON body into the target type: missing field `{field}` at line 1 column {column}"
        );
        refuses(&pretend, path, &body, 422, &reason).await;
    }
}
