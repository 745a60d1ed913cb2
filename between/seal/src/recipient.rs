//! What an AWS KMS gives to attested code (`docs/spec/12-custody-kms.md`): a secret in a CMS envelope, RFC 5652.
//!
//! 1. an RSA-2048 pair for one exchange; its public key goes into the attestation document;
//! 2. the envelope's form: EnvelopedData v2 with one recipient, known by a key identifier;
//! 3. RSAES-OAEP with SHA-256 and MGF1 of SHA-256 (RFC 4055) gives the content's key;
//! 4. AES-256-CBC with PKCS #7 padding gives the content.
//!
//! Why RSA: it is the only wrapping that KMS has for an attested recipient.
//!
//! Limits: CBC authenticates nothing, so whoever can change the envelope may garble its content. It comes over TLS that ends at
//! the KMS, and what the content then wraps is authenticated. One key opens one envelope: an oracle of OAEP or padding needs
//! thousands. Every failure is one value all the same.
//!
//! What it is not: a CMS reader. Anything that KMS does not send is refused.

use alloc::vec::Vec;

use adyton_wire::Put;
use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use zeroize::Zeroizing;

use crate::ber::{Ber, CONSTRUCTED, INTEGER, NULL, OCTET_STRING, OID, SEQUENCE, SET};
use crate::{Opaque, Plaintext};

/// Longest envelope. A 32-byte secret makes about 520 bytes.
const MAX_ENVELOPE: usize = 4096;
/// Bytes of an RSA-2048 modulus, and so of what OAEP makes.
const MODULUS: usize = 256;
/// `[0]`, primitive: a key identifier, or content as one string.
const CONTEXT_0: u8 = 0x80;
/// `[1]`, primitive.
const CONTEXT_1: u8 = 0x81;

/// 1.2.840.113549.1.7.3
const ENVELOPED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x03];
/// 1.2.840.113549.1.7.1
const DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01];
/// 1.2.840.113549.1.1.7
const RSAES_OAEP: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x07];
/// 1.2.840.113549.1.1.8
const MGF1: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08];
/// 2.16.840.1.101.3.4.2.1
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 2.16.840.1.101.3.4.1.42
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2A];

/// An RSA key to which a KMS seals one secret. The library cleanses it when dropped.
pub struct KmsRecipientKey {
    private: OaepPrivateDecryptingKey,
    spki: Vec<u8>,
}

impl KmsRecipientKey {
    /// 1. A new pair, from the library's generator, which the kernel seeds.
    ///
    /// # Errors
    /// [`Opaque`] if the library makes none.
    pub fn generate() -> Result<Self, Opaque> {
        Self::of(PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| Opaque)?)
    }

    /// A pair that exists already, in PKCS #8: for known answers.
    ///
    /// # Errors
    /// [`Opaque`] if it is no RSA-2048 key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, Opaque> {
        Self::of(PrivateDecryptingKey::from_pkcs8(der).map_err(|_| Opaque)?)
    }

    fn of(key: PrivateDecryptingKey) -> Result<Self, Opaque> {
        if key.key_size_bytes() != MODULUS {
            return Err(Opaque);
        }
        let spki: PublicKeyX509Der<'static> = key.public_key().as_der().map_err(|_| Opaque)?;
        Ok(Self { spki: spki.as_ref().to_vec(), private: OaepPrivateDecryptingKey::new(key).map_err(|_| Opaque)? })
    }

    /// DER of the SubjectPublicKeyInfo, which an attestation document carries as its `public_key`.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Opens an envelope.
    ///
    /// # Errors
    /// [`Opaque`], whatever is wrong: form, algorithm, key or padding.
    pub fn open(&self, envelope: &[u8]) -> Result<Plaintext, Opaque> {
        let Envelope { key, iv, mut content } = Envelope::parse(envelope).ok_or(Opaque)?;
        // 3.
        let mut opened = Zeroizing::new([0; MODULUS]);
        let key = self.private.decrypt(&OAEP_SHA256_MGF1SHA256, &key, &mut opened[..], None).map_err(|_| Opaque)?;
        let key = UnboundCipherKey::new(&AES_256, key).map_err(|_| Opaque)?;
        // 4.
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| Opaque)?;
        let context = DecryptionContext::Iv128(FixedLength::from(&iv));
        let secret = key.decrypt(&mut content, context).map_err(|_| Opaque)?;
        let mut out = Plaintext::with_capacity(secret.len());
        out.put(secret);
        Ok(out)
    }
}

/// What an envelope holds, still encrypted; decrypted in place, so it is zeroized.
struct Envelope {
    key: Vec<u8>,
    iv: [u8; 16],
    content: Zeroizing<Vec<u8>>,
}

impl Envelope {
    /// 2.
    fn parse(envelope: &[u8]) -> Option<Self> {
        if envelope.len() > MAX_ENVELOPE {
            return None;
        }
        let mut whole = Ber::new(envelope);
        let mut content_info = whole.enter(SEQUENCE)?;
        let is_enveloped = content_info.take(OID)? == ENVELOPED_DATA;
        let mut explicit = content_info.enter(CONTEXT_0 | CONSTRUCTED)?;
        let mut enveloped = explicit.enter(SEQUENCE)?;
        let version = enveloped.take(INTEGER)?;
        let mut recipients = enveloped.enter(SET)?;
        let key = recipient(recipients.enter(SEQUENCE)?)?;
        let mut encrypted = enveloped.enter(SEQUENCE)?;
        let is_data = encrypted.take(OID)? == DATA;
        let mut algorithm = encrypted.enter(SEQUENCE)?;
        let is_aes = algorithm.take(OID)? == AES_256_CBC;
        let iv = algorithm.take(OCTET_STRING)?.try_into().ok()?;
        let content = Zeroizing::new(encrypted.octets(CONTEXT_0)?);
        let ends = [whole, content_info, explicit, enveloped, recipients, encrypted, algorithm];
        let holds = is_enveloped && version == [2] && is_data && is_aes && ends.into_iter().all(Ber::is_empty);
        holds.then_some(Self { key, iv, content })
    }
}

/// `KeyTransRecipientInfo` (RFC 5652 §6.2.1): the encrypted key.
fn recipient(mut info: Ber<'_>) -> Option<Vec<u8>> {
    let version = info.take(INTEGER)?;
    // Which key it is for shows when it opens.
    info.take(CONTEXT_0)?;
    let mut algorithm = info.enter(SEQUENCE)?;
    let is_oaep = algorithm.take(OID)? == RSAES_OAEP;
    let mut parameters = algorithm.enter(SEQUENCE)?;
    let hash = parameters.enter(CONTEXT_0 | CONSTRUCTED)?;
    let mut masks = parameters.enter(CONTEXT_1 | CONSTRUCTED)?;
    let mut mask = masks.enter(SEQUENCE)?;
    let is_mgf1 = mask.take(OID)? == MGF1;
    let hashes = is_sha256(hash)? && is_sha256(mask)?;
    let key = info.octets(OCTET_STRING)?;
    let ends = [info, algorithm, parameters, masks];
    (version == [2] && is_oaep && is_mgf1 && hashes && ends.into_iter().all(Ber::is_empty)).then_some(key)
}

/// Whether this is the `AlgorithmIdentifier` of SHA-256 and nothing else; its NULL may be absent (RFC 4055 §2.1).
fn is_sha256(mut outer: Ber<'_>) -> Option<bool> {
    let mut algorithm = outer.enter(SEQUENCE)?;
    let is_sha256 = algorithm.take(OID)? == SHA256;
    let null = algorithm.is_empty() || algorithm.take(NULL)?.is_empty();
    Some(is_sha256 && null && algorithm.is_empty() && outer.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;
    use crate::reader;

    #[test]
    fn vectors() {
        let cases = reader::read(include_str!("../../../vectors/kms_envelopes.json"));
        assert!(cases.iter().any(|v| v.is_refused()) && cases.iter().any(|v| !v.is_refused()));
        for v in cases {
            let key = KmsRecipientKey::from_pkcs8(&v.hex("private_key")).unwrap();
            assert_eq!(key.spki_der(), v.hex("public_key"), "{}", v.name());
            let opened = key.open(&v.hex("envelope")).map(|opened| opened.as_bytes().to_vec());
            assert_eq!(opened, if v.is_refused() { Err(Opaque) } else { Ok(v.hex("plaintext")) }, "{}", v.name());
        }
    }

    /// What AWS's own tests hold (aws-nitro-enclaves-sdk-c, `cms_test.c`): answers of the service, whose form is read here.
    /// Their private keys were never published.
    #[test]
    fn answers_of_aws_have_a_form_that_is_read() {
        for v in reader::read(include_str!("../../../vectors/kms_answers.json")) {
            let envelope = Envelope::parse(&v.hex("envelope")).unwrap();
            assert_eq!(envelope.key, v.hex("encrypted_key"), "{}", v.name());
            assert_eq!((envelope.iv.to_vec(), envelope.content.to_vec()), (v.hex("iv"), v.hex("content")));
        }
    }

    #[test]
    fn a_pair_is_2048_bits_and_fits_a_document() {
        let (one, other) = (KmsRecipientKey::generate().unwrap(), KmsRecipientKey::generate().unwrap());
        assert_ne!(one.spki_der(), other.spki_der());
        assert_eq!(one.spki_der().len(), 294);
    }

    #[test]
    fn every_prefix_and_every_longer_text_is_refused() {
        for v in reader::read(include_str!("../../../vectors/kms_envelopes.json")).iter().filter(|v| !v.is_refused()) {
            let key = KmsRecipientKey::from_pkcs8(&v.hex("private_key")).unwrap();
            let envelope = v.hex("envelope");
            for length in 0..envelope.len() {
                assert_eq!(key.open(&envelope[..length]).err(), Some(Opaque), "{length}");
            }
            assert_eq!(key.open(&[&envelope[..], &[0, 0]].concat()).err(), Some(Opaque));
        }
    }
}
