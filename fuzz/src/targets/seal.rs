//! Sealed values, envelopes and codes: `adyton-seal`.

use std::sync::LazyLock;

use adyton_seal::{Code, KmsRecipientKey, Opaque, RecipientKey, SealedPurpose, Secret};
use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::accepted;

pub(crate) const DICTIONARY: &[&[u8]] = &[&[1, 1], &[0; 4], &[0, 0, 0, 1], &[0xFF; 4], &[0; 32]];
pub(crate) const DIGITS: &[&[u8]] =
    &[b"+", b"-", b" ", b"0", b"123456", "\u{0661}".as_bytes(), "\u{FF11}".as_bytes(), b"\0"];

/// The key that seeds are sealed to.
pub(crate) fn recipient() -> RecipientKey {
    RecipientKey::new(&Secret::init_with(|key| key.fill(7))).expect("32 bytes are a key")
}

/// The purpose that seeds are sealed for.
pub(crate) fn purpose() -> SealedPurpose {
    SealedPurpose::tenant_token(&[9; 32], "AC01010101010101010101010101010101")
}

/// As a sealed value: what opens does so at its place only. As a plaintext: it comes back, and a changed bit of it does
/// not.
pub(crate) fn sealed_value(input: &[u8]) {
    let (key, purpose) = (recipient(), purpose());
    if let Ok(plaintext) = key.open(&purpose, input) {
        accepted();
        assert_eq!(plaintext.len() + 2 + 32 + 16, input.len());
        let elsewhere = SealedPurpose::tenant_token(&[9; 32], "AC02020202020202020202020202020202");
        assert_eq!(key.open(&elsewhere, input).err(), Some(Opaque));
        assert_eq!(key.open(&purpose, &[input, &[0]].concat()).err(), Some(Opaque));
        assert_eq!(key.open(&purpose, &input[..input.len() - 1]).err(), Some(Opaque));
    }
    if input.len() <= 256 {
        let mut sealed = key.public_key().seal(&purpose, input).expect("the recipient's key is a good one");
        assert!(key.open(&purpose, &sealed).is_ok_and(|opened| opened.as_bytes() == input));
        let at = input.iter().fold(0usize, |sum, byte| sum.wrapping_mul(31) + usize::from(*byte)) % sealed.len();
        // X25519 ignores the highest bit of a public key (RFC 7748 §5), but HPKE hashes all of it.
        sealed[at] ^= 0x80;
        assert_eq!(key.open(&purpose, &sealed).err(), Some(Opaque), "byte {at} changed");
    }
}

pub(crate) const BER: &[&[u8]] = &[
    &[0x30, 0x80],
    &[0xA0, 0x80],
    &[0x24, 0x80],
    &[0, 0],
    &[4, 0],
    &[4, 0x81],
    &[4, 0x82, 0, 0],
    &[0x80, 0x80],
    &[0x1F],
];

/// The key of the vectors' envelopes.
static KMS_RECIPIENT: LazyLock<KmsRecipientKey> = LazyLock::new(|| {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../../vectors/kms_envelopes.json")).expect("vectors are a list");
    let key = vectors[0]["private_key"].as_str().and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok());
    KmsRecipientKey::from_pkcs8(&key.expect("a vector has a key")).expect("it is RSA-2048")
});

/// What opens is one envelope and nothing else: no prefix of it opens, and nothing may follow.
pub(crate) fn kms_envelope(input: &[u8]) {
    let Ok(plaintext) = KMS_RECIPIENT.open(input) else { return };
    accepted();
    assert!(plaintext.len() < input.len());
    assert_eq!(KMS_RECIPIENT.open(&[input, &[0]].concat()).err(), Some(Opaque));
    assert_eq!(KMS_RECIPIENT.open(&[input, &[0, 0]].concat()).err(), Some(Opaque));
    assert_eq!(KMS_RECIPIENT.open(&input[..input.len() - 1]).err(), Some(Opaque));
}

/// A code is 1 to 10 ASCII digits and nothing else.
pub(crate) fn code(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let well_formed = (1..=10).contains(&input.len()) && input.iter().all(u8::is_ascii_digit);
    let code = Code::parse(text);
    assert_eq!(code.is_some(), well_formed, "{text:?}");
    let Some(code) = code else { return };
    accepted();
    assert_eq!(code.expose(), text);
    assert!(Code::parse(text).is_some_and(|again| again.same(&code)));
    let other = Code::parse(&[text, "0"].concat()).or_else(|| Code::parse(&text[1..]));
    assert!(other.is_some_and(|other| !other.same(&code)), "another length is the same code");
}
