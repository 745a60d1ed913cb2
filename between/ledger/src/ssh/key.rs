//! Public keys, as OpenSSH writes them.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use adyton_wire::{Reader, WireError};
use data_encoding::BASE64;

/// Longest key blob; the longest that is known has 127 bytes.
const MAX_BLOB: usize = 512;
/// What hardware keys are bound to.
pub(super) const APPLICATION: &[u8] = b"ssh:";

/// An SSH public key of a type that may sign.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SshPublicKey {
    blob: Vec<u8>,
    pub(super) material: Material,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Material {
    Ed25519([u8; 32]),
    EcdsaP256([u8; 65]),
    SkEd25519([u8; 32]),
    SkEcdsaP256([u8; 65]),
}

impl Material {
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ssh-ed25519",
            Self::EcdsaP256(_) => "ecdsa-sha2-nistp256",
            Self::SkEd25519(_) => "sk-ssh-ed25519@openssh.com",
            Self::SkEcdsaP256(_) => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }
}

/// Why something is not a public key that may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshKeyError {
    /// The text is not `type base64 [comment]` on one line, or its type is not the blob's.
    Text,
    /// Fields of the blob are missing, too long or left over.
    Form,
    /// RSA keys do not sign here.
    Rsa,
    /// The type is none of the four.
    Type,
    /// The point is not an uncompressed one of P-256.
    Point,
    /// The hardware key is bound to another application than `ssh:`.
    Application,
}

impl fmt::Display for SshKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "not an SSH public key: expected one line `type base64 comment`",
            Self::Form => "the SSH public key is damaged",
            Self::Rsa => "RSA keys do not sign here: make one with `ssh-keygen -t ed25519` or `-t ed25519-sk`",
            Self::Type => "this type of SSH key does not sign here: expected ed25519, ecdsa-p256, or one of them as sk",
            Self::Point => "the SSH public key's point is not one of P-256",
            Self::Application => "the hardware key is bound to another application than ssh:",
        })
    }
}

impl core::error::Error for SshKeyError {}

impl From<WireError> for SshKeyError {
    fn from(_: WireError) -> Self {
        Self::Form
    }
}

impl SshPublicKey {
    /// Reads a blob; the whole input is one.
    ///
    /// # Errors
    /// [`SshKeyError`], the first rule that is broken.
    pub fn from_blob(blob: &[u8]) -> Result<Self, SshKeyError> {
        if blob.len() > MAX_BLOB {
            // An RSA key is longer; its owner gets the reason of the refusal.
            let rsa = Reader::new(blob).lp() == Ok(b"ssh-rsa");
            return Err(if rsa { SshKeyError::Rsa } else { SshKeyError::Form });
        }
        let mut reader = Reader::new(blob);
        let ed25519 = |bytes: &[u8]| bytes.try_into().map_err(|_| SshKeyError::Form);
        let p256 = |curve: &[u8], point: &[u8]| {
            let point: [u8; 65] = point.try_into().map_err(|_| SshKeyError::Point)?;
            if curve == b"nistp256" && point[0] == 4 { Ok(point) } else { Err(SshKeyError::Point) }
        };
        let material = match reader.lp()? {
            b"ssh-ed25519" => Material::Ed25519(ed25519(reader.lp()?)?),
            b"ecdsa-sha2-nistp256" => Material::EcdsaP256(p256(reader.lp()?, reader.lp()?)?),
            b"sk-ssh-ed25519@openssh.com" => Material::SkEd25519(ed25519(reader.lp()?)?),
            b"sk-ecdsa-sha2-nistp256@openssh.com" => Material::SkEcdsaP256(p256(reader.lp()?, reader.lp()?)?),
            b"ssh-rsa" => return Err(SshKeyError::Rsa),
            _ => return Err(SshKeyError::Type),
        };
        let hardware = matches!(material, Material::SkEd25519(_) | Material::SkEcdsaP256(_));
        if hardware && reader.lp()? != APPLICATION {
            return Err(SshKeyError::Application);
        }
        reader.finish()?;
        Ok(Self { blob: blob.to_vec(), material })
    }

    /// The blob.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

impl FromStr for SshPublicKey {
    type Err = SshKeyError;

    /// Reads one line of a `.pub` file; its comment is passed over.
    fn from_str(line: &str) -> Result<Self, SshKeyError> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        if line.chars().any(char::is_control) {
            return Err(SshKeyError::Text);
        }
        let mut words = line.splitn(3, ' ');
        let (Some(algorithm), Some(base64 @ [_, ..])) = (words.next(), words.next().map(str::as_bytes)) else {
            return Err(SshKeyError::Text);
        };
        let blob = BASE64.decode(base64).map_err(|_| SshKeyError::Text)?;
        let key = Self::from_blob(&blob)?;
        // Written back, so that a key has one spelling.
        if algorithm == key.material.algorithm() && base64 == BASE64.encode(&key.blob).as_bytes() {
            Ok(key)
        } else {
            Err(SshKeyError::Text)
        }
    }
}

impl fmt::Display for SshPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.material.algorithm(), BASE64.encode(&self.blob))
    }
}

impl fmt::Debug for SshPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
