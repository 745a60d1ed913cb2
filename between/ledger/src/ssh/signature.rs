//! Signatures in OpenSSH's form.
//!
//! 1. the armor, then the blob's fields, each in its one form;
//! 2. the key, of a type that may sign, and the signature's type, which must be the key's;
//! 3. the namespace;
//! 4. for a hardware key: somebody was present;
//! 5. the signature itself.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use adyton_wire::{Put, Reader, WireError};
use aws_lc_rs::digest::{SHA256, SHA512, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use data_encoding::BASE64;

use super::key::{APPLICATION, Material};
use super::{SshKeyError, SshPublicKey};
use crate::sha256;

const MAGIC: &[u8] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
/// Longest blob; RSA's of 4096 bits would have 1100 bytes.
const MAX_BLOB: usize = 4096;
const MAX_LINE: usize = 76;
/// The bit of a hardware key's flags that says that somebody was present.
const PRESENT: u8 = 1;

/// A signature that was read. Nothing was verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSignature {
    blob: Vec<u8>,
    pub(super) key: SshPublicKey,
    namespace: Vec<u8>,
    digest: Digest,
    raw: [u8; 64],
    /// Flags and counter of a hardware key.
    asserted: Option<[u8; 5]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digest {
    Sha256,
    Sha512,
}

/// Why something is not a signature, or does not verify. Everything here is public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshSignatureError {
    /// The armor is not OpenSSH's.
    Armor,
    /// Fields of the blob are missing, too long, left over, or not in their one form.
    Form,
    /// The blob is of another version.
    Version {
        /// The value found.
        got: u32,
    },
    /// The key is not one that may sign.
    Key(SshKeyError),
    /// The hash is neither SHA-256 nor SHA-512.
    Hash,
    /// The signature's type is not its key's.
    Algorithm,
    /// It was made for another namespace.
    Namespace,
    /// Nobody touched the hardware key.
    NobodyPresent,
    /// It is not a signature of this message by its key.
    Signature,
}

impl fmt::Display for SshSignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Armor => write!(f, "not an SSH signature: expected {BEGIN}"),
            Self::Form => f.write_str("the SSH signature is damaged"),
            Self::Version { got } => write!(f, "SSH signature version: expected 1, got {got}"),
            Self::Key(error) => error.fmt(f),
            Self::Hash => f.write_str("the SSH signature's hash is neither sha256 nor sha512"),
            Self::Algorithm => f.write_str("the SSH signature's type is not its key's"),
            Self::Namespace => f.write_str("the SSH signature is for another namespace: sign with -n adyton"),
            Self::NobodyPresent => f.write_str("nobody touched the hardware key for this SSH signature"),
            Self::Signature => f.write_str("the SSH signature is not of this text by this key"),
        }
    }
}

impl core::error::Error for SshSignatureError {}

impl From<WireError> for SshSignatureError {
    fn from(_: WireError) -> Self {
        Self::Form
    }
}

impl SshSignature {
    /// Reads an armored signature.
    ///
    /// # Errors
    /// [`SshSignatureError`], the first rule that is broken.
    pub fn from_armored(text: &str) -> Result<Self, SshSignatureError> {
        // 1.
        let text = text.strip_suffix('\n').unwrap_or(text);
        let body = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_prefix('\n'));
        let body = body.and_then(|rest| rest.strip_suffix(END)?.strip_suffix('\n'));
        let mut base64 = String::new();
        for line in body.ok_or(SshSignatureError::Armor)?.split('\n') {
            if !(1..=MAX_LINE).contains(&line.len()) || base64.len() > 2 * MAX_BLOB {
                return Err(SshSignatureError::Armor);
            }
            base64.push_str(line);
        }
        let blob = BASE64.decode(base64.as_bytes()).map_err(|_| SshSignatureError::Armor)?;
        // The decoder alone would take several padded texts, one after the other.
        if BASE64.encode(&blob) != base64 {
            return Err(SshSignatureError::Armor);
        }
        Self::from_blob(&blob)
    }

    /// Reads a blob; the whole input is one.
    ///
    /// # Errors
    /// [`SshSignatureError`], the first rule that is broken.
    pub fn from_blob(blob: &[u8]) -> Result<Self, SshSignatureError> {
        let fields = blob.strip_prefix(MAGIC).filter(|_| blob.len() <= MAX_BLOB).ok_or(SshSignatureError::Form)?;
        let mut reader = Reader::new(fields);
        let version = reader.u32()?;
        if version != 1 {
            return Err(SshSignatureError::Version { got: version });
        }
        let (key, namespace, reserved) = (reader.lp()?, reader.lp()?, reader.lp()?);
        let (hash, signature) = (reader.lp()?, reader.lp()?);
        reader.finish()?;
        if !reserved.is_empty() {
            return Err(SshSignatureError::Form);
        }
        let digest = match hash {
            b"sha256" => Digest::Sha256,
            b"sha512" => Digest::Sha512,
            _ => return Err(SshSignatureError::Hash),
        };
        // 2.
        let key = SshPublicKey::from_blob(key).map_err(SshSignatureError::Key)?;
        let (raw, asserted) = signature_fields(&key.material, signature)?;
        Ok(Self { blob: blob.to_vec(), key, namespace: namespace.to_vec(), digest, raw, asserted })
    }

    /// The blob.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The key, if it has signed this message for this namespace.
    ///
    /// # Errors
    /// [`SshSignatureError`], the first rule that is broken.
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<&SshPublicKey, SshSignatureError> {
        // 3.
        if self.namespace != namespace.as_bytes() {
            return Err(SshSignatureError::Namespace);
        }
        // 5., the text that is signed.
        let (name, hashed) = match self.digest {
            Digest::Sha256 => ("sha256", digest(&SHA256, message)),
            Digest::Sha512 => ("sha512", digest(&SHA512, message)),
        };
        let mut signed = MAGIC.to_vec();
        for field in [namespace.as_bytes(), b"", name.as_bytes(), hashed.as_ref()] {
            signed.put_lp(field);
        }
        if let Some(asserted) = &self.asserted {
            // 4.
            if asserted[0] & PRESENT == 0 {
                return Err(SshSignatureError::NobodyPresent);
            }
            signed = [&sha256(APPLICATION).0[..], asserted, &sha256(&signed).0].concat();
        }
        let verified = match &self.key.material {
            Material::Ed25519(key) | Material::SkEd25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(&signed, &self.raw)
            }
            Material::EcdsaP256(point) | Material::SkEcdsaP256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(&signed, &self.raw)
            }
        };
        verified.map(|()| &self.key).map_err(|_| SshSignatureError::Signature)
    }
}

/// The 64 bytes of a signature, and a hardware key's flags and counter.
fn signature_fields(key: &Material, signature: &[u8]) -> Result<([u8; 64], Option<[u8; 5]>), SshSignatureError> {
    let mut reader = Reader::new(signature);
    if reader.lp()? != key.algorithm().as_bytes() {
        return Err(SshSignatureError::Algorithm);
    }
    let raw = reader.lp()?;
    let raw = match key {
        Material::Ed25519(_) | Material::SkEd25519(_) => raw.try_into().map_err(|_| SshSignatureError::Form)?,
        Material::EcdsaP256(_) | Material::SkEcdsaP256(_) => ecdsa(raw).ok_or(SshSignatureError::Form)?,
    };
    let asserted = match key {
        Material::SkEd25519(_) | Material::SkEcdsaP256(_) => Some(reader.array()?),
        Material::Ed25519(_) | Material::EcdsaP256(_) => None,
    };
    reader.finish()?;
    Ok((raw, asserted))
}

/// r and s at their full width.
fn ecdsa(raw: &[u8]) -> Option<[u8; 64]> {
    let mut reader = Reader::new(raw);
    let mut out = [0; 64];
    for half in out.chunks_exact_mut(32) {
        let number = positive(reader.lp().ok()?)?;
        half[32_usize.checked_sub(number.len())?..].copy_from_slice(number);
    }
    reader.finish().is_ok().then_some(out)
}

/// The magnitude of a positive `mpint` (RFC 4251 §5) in its one form: a zero in front only where the sign needs it.
fn positive(mpint: &[u8]) -> Option<&[u8]> {
    match mpint {
        [0, magnitude @ ..] if magnitude.first().is_some_and(|first| *first >= 0x80) => Some(magnitude),
        [first, ..] if (1..0x80).contains(first) => Some(mpint),
        _ => None,
    }
}
