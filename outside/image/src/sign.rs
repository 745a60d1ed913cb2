//! Signing an image: ES384 over register 0, by the key of a certificate that becomes register 8.

use core::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroize;

use crate::signature::{Certificate, SignedBy, payload, section, to_be_signed};
use crate::{Eif, Measurements, SignatureError};

/// Why an image was not signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignError {
    /// The key is not one P-384 key in PEM, as PKCS #8 or SEC 1.
    Key,
    /// The certificate is of no use.
    Certificate(SignatureError),
    /// The certificate is of another key.
    OtherKey,
    /// The crypto library failed.
    Library,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("the key is not a P-384 key in PEM (PKCS #8 or SEC 1, without a passphrase)"),
            Self::Certificate(error) => fmt::Display::fmt(error, f),
            Self::OtherKey => f.write_str("the certificate is of another key than the one that should sign"),
            Self::Library => f.write_str("the crypto library did not sign"),
        }
    }
}

impl core::error::Error for SignError {}

/// The image, signed; a signature that it had is replaced. Registers 0, 1 and 2 stay what they are.
///
/// # Errors
/// [`SignError`].
pub fn sign(image: &Eif, key_pem: &[u8], certificate_pem: &[u8]) -> Result<Eif, SignError> {
    let key = read_key(key_pem).ok_or(SignError::Key)?;
    let certificate = Certificate::parse(certificate_pem).map_err(SignError::Certificate)?;
    if certificate.point != key.public_key().as_ref() {
        return Err(SignError::OtherKey);
    }
    let register = Measurements::unsigned(image).image;
    let payload = payload(&register);
    let signature = key.sign(&SystemRandom::new(), &to_be_signed(&payload)).map_err(|_| SignError::Library)?;
    let section = section(certificate_pem, &payload, signature.as_ref());
    // A certificate with much beside it may be too long to be read again.
    SignedBy::verify(&section, &register).map_err(SignError::Certificate)?;
    Ok(Eif { signature: Some(section), ..image.clone() })
}

/// The one key of a PEM text.
fn read_key(pem: &[u8]) -> Option<EcdsaKeyPair> {
    let mut keys = PrivateKeyDer::pem_slice_iter(pem);
    let mut der = keys.next()?.ok()?;
    // RSA's own form is read by nothing here; the other two are told apart by the library.
    let key = EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, der.secret_der());
    der.zeroize();
    if keys.next().is_some() { None } else { key.ok() }
}
