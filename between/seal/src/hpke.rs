//! Sealed values: RFC 9180 base mode, one message (`docs/spec/06-sealed-values.md`).
//!
//! The construction is rustls' HPKE over aws-lc. It has no export and no post-quantum suite; both are a suite number
//! away and hidden behind this file.

use alloc::vec::Vec;

use adyton_wire::Put;
use aws_lc_rs::agreement::{PrivateKey, X25519};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use zeroize::Zeroizing;

use crate::{Opaque, Plaintext, Secret};

const VERSION: u8 = 1;
const SUITE_NUMBER: u8 = 1;
const ENC_LEN: usize = 32;

/// What a sealed value is and where it belongs: the `info` and the `aad` of the spec page.
pub struct SealedPurpose {
    info: Vec<u8>,
    aad: Vec<u8>,
}

impl SealedPurpose {
    /// A tenant's token, sealed to the vault for one account.
    pub fn tenant_token(vault_id: &[u8; 32], account_sid: &str) -> Self {
        Self::value(vault_id, &[b"tenant token", account_sid.as_bytes()])
    }

    /// The secret of an API key, sealed to the vault for one account.
    pub fn api_key(vault_id: &[u8; 32], account_sid: &str, key_sid: &str) -> Self {
        Self::value(vault_id, &[b"api key", account_sid.as_bytes(), key_sid.as_bytes()])
    }

    /// A route's credential, sealed to the vault for one place: moved elsewhere it does not open.
    pub fn credential(vault_id: &[u8; 32], name: &str, host: &str, port: u16) -> Self {
        let port = [port / 10_000, port / 1000 % 10, port / 100 % 10, port / 10 % 10, port % 10];
        let digits = port.map(|digit| b'0' + u8::try_from(digit).unwrap_or(0));
        let first = digits.iter().position(|digit| *digit != b'0').unwrap_or(4);
        Self::value(vault_id, &[b"credential", name.as_bytes(), host.as_bytes(), &digits[first..]])
    }

    fn value(vault_id: &[u8; 32], places: &[&[u8]]) -> Self {
        let mut info = Vec::new();
        info.put_lp(b"adyton sealed value v1");
        info.extend_from_slice(vault_id);
        let mut aad = Vec::new();
        places.iter().for_each(|place| aad.put_lp(place));
        Self { info, aad }
    }

    /// A code on its way to a gateway, bound to its message (`docs/spec/07-delivery.md`).
    pub fn gateway_code(message_id: &str) -> Self {
        let mut info = Vec::new();
        info.put_lp(b"adyton gateway code v1");
        let mut aad = Vec::new();
        aad.put_lp(b"code");
        aad.put_lp(message_id.as_bytes());
        Self { info, aad }
    }

    /// A data key that the dev KMS seals to an attested recipient.
    pub fn kms_data_key() -> Self {
        let mut info = Vec::new();
        info.put_lp(b"adyton kms recipient v1");
        let mut aad = Vec::new();
        aad.put_lp(b"data key");
        Self { info, aad }
    }
}

/// The public key that values are sealed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientPublicKey(pub [u8; 32]);

/// Why a value could not be sealed: the recipient's key or the library; nothing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite1Error;

impl core::fmt::Display for Suite1Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the recipient's X25519 key was refused")
    }
}

impl core::error::Error for Suite1Error {}

impl RecipientPublicKey {
    /// Seals `plaintext`: `u8 version || u8 suite || enc || ciphertext`.
    ///
    /// # Errors
    /// [`Suite1Error`] if the key is not a point the library accepts.
    pub fn seal(&self, purpose: &SealedPurpose, plaintext: &[u8]) -> Result<Vec<u8>, Suite1Error> {
        let (enc, ciphertext) = SUITE
            .seal(&purpose.info, &purpose.aad, plaintext, &HpkePublicKey(self.0.to_vec()))
            .map_err(|_| Suite1Error)?;
        let mut out = Vec::with_capacity(2 + ENC_LEN + ciphertext.len());
        out.extend_from_slice(&[VERSION, SUITE_NUMBER]);
        out.extend_from_slice(&enc.0);
        out.extend_from_slice(&ciphertext);
        Ok(out)
    }
}

/// A private X25519 key that opens sealed values.
pub struct RecipientKey {
    private: HpkePrivateKey,
    public: RecipientPublicKey,
}

impl RecipientKey {
    /// Takes a 32-byte X25519 private key.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses the key, which it does not for 32 bytes.
    pub fn new(private: &Secret<32>) -> Result<Self, Opaque> {
        let key = PrivateKey::from_private_key(&X25519, private.expose()).map_err(|_| Opaque)?;
        let public = key.compute_public_key().map_err(|_| Opaque)?;
        let public = RecipientPublicKey(public.as_ref().try_into().map_err(|_| Opaque)?);
        Ok(Self { private: HpkePrivateKey::from(private.expose().to_vec()), public })
    }

    /// The key to seal to.
    pub fn public_key(&self) -> RecipientPublicKey {
        self.public
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    /// [`Opaque`], whatever is wrong: version, suite, key, purpose or place.
    pub fn open(&self, purpose: &SealedPurpose, sealed: &[u8]) -> Result<Plaintext, Opaque> {
        let (head, ciphertext) = sealed.split_at_checked(2 + ENC_LEN).ok_or(Opaque)?;
        // Version and suite are public bytes.
        if head[..2] != [VERSION, SUITE_NUMBER] {
            return Err(Opaque);
        }
        let enc = EncapsulatedSecret(head[2..].to_vec());
        let opened = SUITE.open(&enc, &purpose.info, &purpose.aad, ciphertext, &self.private).map_err(|_| Opaque)?;
        Ok(Plaintext::from_zeroizing(Zeroizing::new(opened)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;
    use crate::reader;

    /// RFC 9180's own vector of this suite: the façade opens what the RFC sealed.
    #[test]
    fn rfc_9180() {
        for v in reader::read(include_str!("../../../vectors/rfc9180.json")) {
            let recipient = RecipientKey::new(&Secret::try_from(&v.hex("skRm")[..]).unwrap()).unwrap();
            assert_eq!(recipient.public_key(), RecipientPublicKey(v.fixed("pkRm")));
            let purpose = SealedPurpose { info: v.hex("info"), aad: v.hex("aad") };
            let sealed = [&[VERSION, SUITE_NUMBER][..], &v.hex("enc"), &v.hex("ct")].concat();
            assert_eq!(recipient.open(&purpose, &sealed).unwrap().as_bytes(), v.hex("pt"));
        }
    }
}
