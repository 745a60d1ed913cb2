//! ECDSA signatures on P-256 (FIPS 186-5), as JSON Web Signatures carry them (RFC 7518 §3.4): for the account at a CA, which
//! takes no Ed25519.

use adyton_wire::Put;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use crate::{Opaque, Plaintext};

/// A signing key on P-256. The library cleanses it when dropped.
pub struct EcdsaKey(EcdsaKeyPair);

impl EcdsaKey {
    /// A new one.
    ///
    /// # Errors
    /// [`Opaque`] if the library has no randomness.
    pub fn generate() -> Result<Self, Opaque> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Self).map_err(|_| Opaque)
    }

    /// Reads what [`EcdsaKey::to_pkcs8`] wrote.
    ///
    /// # Errors
    /// [`Opaque`].
    pub fn from_pkcs8(pkcs8: &Plaintext) -> Result<Self, Opaque> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_bytes());
        key.map(Self).map_err(|_| Opaque)
    }

    /// PKCS #8, to be sealed.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses.
    pub fn to_pkcs8(&self) -> Result<Plaintext, Opaque> {
        let der = self.0.to_pkcs8v1().map_err(|_| Opaque)?;
        let mut pkcs8 = Plaintext::with_capacity(256);
        pkcs8.put(der.as_ref());
        Ok(pkcs8)
    }

    /// Both coordinates of the public key, x first.
    pub fn public_point(&self) -> [u8; 64] {
        let mut point = [0; 64];
        // Uncompressed: a byte 04, then both.
        point.copy_from_slice(&self.0.public_key().as_ref()[1..]);
        point
    }

    /// DER of the public key.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses.
    pub fn public_der(&self) -> Result<alloc::vec::Vec<u8>, Opaque> {
        Ok(self.0.public_key().as_der().map_err(|_| Opaque)?.as_ref().to_vec())
    }

    /// Signs a message: r and s.
    ///
    /// # Errors
    /// [`Opaque`] if the library has no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], Opaque> {
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(|_| Opaque)?;
        signature.as_ref().try_into().map_err(|_| Opaque)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_key_that_was_written_signs_as_the_same_one() {
        let key = EcdsaKey::generate().unwrap();
        let again = EcdsaKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
        assert_eq!(key.public_point(), again.public_point());
        let public = [&[4][..], &key.public_point()].concat();
        assert!(key.public_der().unwrap().ends_with(&public));
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
        assert!(public.verify(b"message", &again.sign(b"message").unwrap()).is_ok());
        assert!(public.verify(b"other", &again.sign(b"message").unwrap()).is_err());
        let mut nonsense = Plaintext::with_capacity(8);
        nonsense.put(&[1, 2, 3]);
        assert_eq!(EcdsaKey::from_pkcs8(&nonsense).err(), Some(Opaque));
    }
}
