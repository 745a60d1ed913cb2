//! Attested recipients: a document of the Nitro platform, and the answer that is sealed to its key (RFC 5652).
//!
//! The envelope has AWS's form to the byte: indefinite lengths around, definite ones within, the content in one piece.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use adyton_attest::{Received, RememberedChains, Root};
use aws_lc_rs::cipher::{AES_256, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;

use super::Refusal;
use super::policy::Facts;

/// A recipient whose document was verified.
pub(super) struct Recipient {
    pub(super) facts: Facts,
    key: Vec<u8>,
}

/// Whose documents are believed.
pub(super) struct Platform {
    root: Root,
    chains: Mutex<RememberedChains>,
}

impl Platform {
    pub(super) fn new(root: Root) -> Self {
        Self { root, chains: Mutex::new(RememberedChains::new(16)) }
    }
}

/// `Recipient` of a request, if it has one.
pub(super) fn verified(request: &Value, platform: &Platform, now: u64) -> Result<Option<Recipient>, Refusal> {
    let recipient = &request["Recipient"];
    if recipient.is_null() {
        return Ok(None);
    }
    if recipient["KeyEncryptionAlgorithm"] != "RSAES_OAEP_SHA_256" {
        return Err(Refusal::validation("KeyEncryptionAlgorithm must be RSAES_OAEP_SHA_256"));
    }
    let document = recipient["AttestationDocument"].as_str().unwrap_or_default();
    let document = BASE64.decode(document.as_bytes()).map_err(|_| Refusal::validation("not base64"))?;
    let invalid = |why: String| Refusal::validation(format!("The attestation document is not valid: {why}"));
    let received = Received::parse(&document).map_err(|refusal| invalid(refusal.to_string()))?;
    let mut chains = platform.chains.lock().unwrap_or_else(PoisonError::into_inner);
    let verified =
        received.verify(&platform.root, now * 1000, &mut chains).map_err(|refusal| invalid(refusal.to_string()))?;
    let key = verified.public_key().ok_or_else(|| invalid("it has no public key".into()))?.to_vec();
    PublicEncryptingKey::from_der(&key).map_err(|_| invalid("its public key is not RSA".into()))?;
    let pcrs: BTreeMap<u8, String> =
        (0..32).filter_map(|number| Some((number, HEXLOWER.encode(verified.pcr(number)?)))).collect();
    let image = pcrs.get(&0).map(|pcr| ("kms:recipientattestation:imagesha384".to_owned(), pcr.clone()));
    let all = pcrs.into_iter().map(|(number, pcr)| (format!("kms:recipientattestation:pcr{number}"), pcr));
    Ok(Some(Recipient { facts: all.chain(image).collect(), key }))
}

fn internal(_: impl Sized) -> Refusal {
    Refusal::new("KMSInternalException", "")
}

impl Recipient {
    /// `CiphertextForRecipient`.
    pub(super) fn seal(&self, secret: &[u8]) -> Result<Vec<u8>, Refusal> {
        let content_key: [u8; 32] = adyton_seal::random().map_err(internal)?;
        let public = PublicEncryptingKey::from_der(&self.key).map_err(internal)?;
        let public = OaepPublicEncryptingKey::new(public).map_err(internal)?;
        let mut encrypted_key = vec![0; public.ciphertext_size()];
        public.encrypt(&OAEP_SHA256_MGF1SHA256, &content_key, &mut encrypted_key, None).map_err(internal)?;
        let cipher = UnboundCipherKey::new(&AES_256, &content_key).map_err(internal)?;
        let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(cipher).map_err(internal)?;
        let mut content = secret.to_vec();
        let context = cipher.encrypt(&mut content).map_err(internal)?;
        let iv: &[u8] = (&context).try_into().map_err(internal)?;
        Ok(envelope(digest(&SHA256, &self.key).as_ref(), &encrypted_key, iv, &content))
    }
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OCTET_STRING: u8 = 0x04;
const VERSION_2: [u8; 3] = [2, 1, 2];

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = match u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes() {
        [0, length @ 0..0x80] => vec![length],
        [0, length] => vec![0x81, length],
        [high, low] => vec![0x82, high, low],
    };
    [&[tag][..], &length, &content].concat()
}

fn indefinite(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[tag, 0x80][..], &parts.concat(), &[0, 0]].concat()
}

fn envelope(key_id: &[u8], encrypted_key: &[u8], iv: &[u8], content: &[u8]) -> Vec<u8> {
    let pkcs = |rest: &[u8]| der(6, &[&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01], rest]);
    let nist = |rest: &[u8]| der(6, &[&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04], rest]);
    let sha256 = der(SEQUENCE, &[&nist(&[2, 1]), &[5, 0]]);
    let mgf1 = der(SEQUENCE, &[&pkcs(&[1, 8]), &sha256]);
    let parameters = der(SEQUENCE, &[&der(0xA0, &[&sha256]), &der(0xA1, &[&mgf1])]);
    let oaep = der(SEQUENCE, &[&pkcs(&[1, 7]), &parameters]);
    let recipient = der(SEQUENCE, &[&VERSION_2, &der(0x80, &[key_id]), &oaep, &der(OCTET_STRING, &[encrypted_key])]);
    let aes = der(SEQUENCE, &[&nist(&[1, 42]), &der(OCTET_STRING, &[iv])]);
    let pieces = indefinite(0xA0, &[&der(OCTET_STRING, &[content])]);
    let encrypted = indefinite(SEQUENCE, &[&pkcs(&[7, 1]), &aes, &pieces]);
    let enveloped = indefinite(SEQUENCE, &[&VERSION_2, &der(SET, &[&recipient]), &encrypted]);
    indefinite(SEQUENCE, &[&pkcs(&[7, 3]), &indefinite(0xA0, &[&enveloped])])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use adyton_seal::KmsRecipientKey;

    use super::*;

    #[test]
    fn what_is_sealed_opens_inside() {
        let key = KmsRecipientKey::generate().unwrap();
        let recipient = Recipient { facts: Facts::new(), key: key.spki_der().to_vec() };
        let sealed = recipient.seal(b"a secret of any length").unwrap();
        assert_eq!(key.open(&sealed).unwrap().as_bytes(), b"a secret of any length");
        assert!(KmsRecipientKey::generate().unwrap().open(&sealed).is_err());
    }

    /// AWS's own answers (`vectors/kms_answers.json`), but for the identifier and what is encrypted.
    #[test]
    fn envelopes_have_awss_form() {
        let answers: Vec<Value> =
            serde_json::from_str(include_str!("../../../../../vectors/kms_answers.json")).unwrap();
        let hex = |name: &str| HEXLOWER.decode(answers[0][name].as_str().unwrap().as_bytes()).unwrap();
        let whole = hex("envelope");
        // Behind version, set, sequence, version and the tag of the identifier.
        let key_id = &whole[33..65];
        assert_eq!(envelope(key_id, &hex("encrypted_key"), &hex("iv"), &hex("content")), whole);
    }
}
