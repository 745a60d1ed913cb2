//! What the platform measures: `docs/spec/11-image.md`, "Registers".

use core::fmt;

use aws_lc_rs::digest::{Context, SHA256, SHA384, digest};

use crate::Eif;
use crate::signature::{SignatureError, SignedBy};

/// A platform configuration register. Public, so `==` compares it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Register(pub [u8; 48]);

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Register {
    /// What a register of zeros holds once it was extended by `data`: SHA-384(48 zero bytes || data).
    pub(crate) fn extended(data: &[u8]) -> Self {
        sha384(&[&[0; 48], data])
    }

    /// The same, by the hash of these parts one after the other: what the platform does for all that it measures itself.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        Self::extended(&sha384(parts).0)
    }
}

/// The registers of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurements {
    /// Register 0: kernel, command line and all ramdisks.
    pub image: Register,
    /// Register 1: kernel, command line and the first ramdisk.
    pub kernel: Register,
    /// Register 2: the other ramdisks.
    pub application: Register,
    /// Register 8, and by whom: the signing certificate, if the image is signed.
    pub signed: Option<(Register, SignedBy)>,
}

impl Measurements {
    /// Measures an image. A signature must hold: the platform starts no image whose signature does not.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn of(image: &Eif) -> Result<Self, SignatureError> {
        let unsigned = Self::unsigned(image);
        let signed = match &image.signature {
            Some(section) => {
                let by = SignedBy::verify(section, &unsigned.image)?;
                Some((Register::of(&[by.certificate()]), by))
            }
            None => None,
        };
        Ok(Self { signed, ..unsigned })
    }

    /// All but the signature.
    pub(crate) fn unsigned(image: &Eif) -> Self {
        let mut parts = vec![&image.kernel[..], image.command_line.as_bytes()];
        parts.extend(image.ramdisks.iter().map(|ramdisk| &ramdisk[..]));
        let (kernel, application) = parts.split_at(parts.len().min(3));
        Self {
            image: Register::of(&parts),
            kernel: Register::of(kernel),
            application: Register::of(application),
            signed: None,
        }
    }
}

/// Register 16 of an enclave that runs under this policy. The enclave extends it itself, once, by the SHA-256 of the policy's
/// file, and locks it, before anything else is done with the policy.
pub fn policy_register(policy: &[u8]) -> Register {
    Register::extended(digest(&SHA256, policy).as_ref())
}

/// SHA-384 of the parts, one after the other.
pub(crate) fn sha384(parts: &[&[u8]]) -> Register {
    let mut context = Context::new(&SHA384);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 48];
    out.copy_from_slice(context.finish().as_ref());
    Register(out)
}
