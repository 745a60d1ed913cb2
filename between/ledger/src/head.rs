//! Signed heads: C2SP checkpoints in C2SP signed notes (`docs/spec/03-heads.md`, "Head").

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER};

use crate::hash::hash_parts;
use crate::{Hash, LogId, VaultId, base64};

/// Longest note that is read.
const MAX_NOTE: usize = 16 * 1024;
/// C2SP's type of Ed25519 signatures and keys.
const ED25519_KEY: u8 = 1;

/// `adyton/<vault id>/<log name>`: first line of a head and name of its key.
pub fn origin(vault: &VaultId, log: LogId) -> String {
    format!("adyton/{vault}/{log}")
}

/// The verifier's key of a log, as C2SP signed-note writes it: what tools check the log's heads by.
pub fn verifier_key(origin: &str, public_key: &[u8; 32]) -> String {
    let key = [&[ED25519_KEY], &public_key[..]].concat();
    format!("{origin}+{}+{}", HEXLOWER.encode(&key_hash(origin, public_key)), BASE64.encode(&key))
}

/// Size and root of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
}

/// Why a note is not the head that was asked for. Everything here is public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// The note is too long, has no blank line or a control character, or does not end in a newline.
    Form,
    /// The origin line is another one.
    Origin,
    /// The size is not a decimal number without leading zeros, below 2^63.
    Size,
    /// The root is not 32 bytes of base64.
    Root,
    /// Lines follow the root: extensions are not used.
    Extension,
    /// No signature line is of this key.
    NoSignature,
    /// The signature of this key does not verify.
    Signature,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "the head is not a signed note",
            Self::Origin => "the head is of another log",
            Self::Size => "the head's size is not a decimal number below 2^63",
            Self::Root => "the head's root is not 32 bytes of base64",
            Self::Extension => "the head has extension lines",
            Self::NoSignature => "the head carries no signature of the log's key",
            Self::Signature => "the head's signature does not verify",
        })
    }
}

impl core::error::Error for HeadError {}

impl Head {
    /// The three lines that are signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root.0))
    }

    /// The signed note. `sign` is Ed25519 with the key of `public_key`.
    pub fn sign(&self, public_key: &[u8; 32], sign: impl FnOnce(&[u8]) -> [u8; 64]) -> String {
        let text = self.text();
        let mut signature = key_hash(&self.origin, public_key).to_vec();
        signature.extend_from_slice(&sign(text.as_bytes()));
        format!("{text}\n\u{2014} {} {}\n", self.origin, BASE64.encode(&signature))
    }

    /// Opens a signed note: the head is of `origin` and the signature by `public_key` verifies. Signature lines of
    /// other keys (witnesses) are passed over.
    ///
    /// # Errors
    /// [`HeadError`], the first rule that is broken.
    pub fn open(note: &str, origin: &str, public_key: &[u8; 32]) -> Result<Self, HeadError> {
        let control = |byte: u8| byte != b'\n' && byte.is_ascii_control();
        if note.len() > MAX_NOTE || !note.ends_with('\n') || note.bytes().any(control) {
            return Err(HeadError::Form);
        }
        // As C2SP: the text ends at the last blank line, and signature lines follow, each of the one form.
        let middle = note.rfind("\n\n").ok_or(HeadError::Form)?;
        let (text, signatures) = (&note[..=middle], &note[middle + 2..]);

        let mut lines = text.lines();
        if lines.next() != Some(origin) {
            return Err(HeadError::Origin);
        }
        let size = lines.next().and_then(decimal).ok_or(HeadError::Size)?;
        let root = lines.next().and_then(|line| base64::decode(line.as_bytes())).ok_or(HeadError::Root)?;
        let root = Hash(root.try_into().map_err(|_| HeadError::Root)?);
        if lines.next().is_some() {
            return Err(HeadError::Extension);
        }

        let wanted = key_hash(origin, public_key);
        let mut ours: Option<Vec<u8>> = None;
        for line in signatures.lines() {
            let (name, signature) = line
                .strip_prefix("\u{2014} ")
                .and_then(|rest| rest.split_once(' '))
                .and_then(|(name, signature)| Some((name, base64::decode(signature.as_bytes())?)))
                .filter(|(name, signature)| is_key_name(name) && signature.len() > wanted.len())
                .ok_or(HeadError::Form)?;
            if name == origin && signature.starts_with(&wanted) && ours.replace(signature).is_some() {
                return Err(HeadError::Form);
            }
        }
        let signature = ours.ok_or(HeadError::NoSignature)?;
        UnparsedPublicKey::new(&ED25519, public_key)
            .verify(text.as_bytes(), &signature[wanted.len()..])
            .map_err(|_| HeadError::Signature)?;
        Ok(Self { origin: origin.into(), size, root })
    }
}

/// C2SP signed-note: not empty, no Unicode space, no plus.
fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '+' || c.is_whitespace())
}

fn decimal(line: &str) -> Option<u64> {
    let plain = line.bytes().all(|byte| byte.is_ascii_digit()) && (line == "0" || !line.starts_with('0'));
    line.parse().ok().filter(|size| plain && *size < 1 << 63)
}

/// First four bytes of `SHA-256(name || 0x0A || 0x01 || public key)`.
fn key_hash(name: &str, public_key: &[u8; 32]) -> [u8; 4] {
    let hash = hash_parts(&[name.as_bytes(), &[0x0A, ED25519_KEY], public_key]);
    let mut out = [0; 4];
    out.copy_from_slice(&hash.0[..4]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_are_those_of_c2sp() {
        for (name, expected) in [
            ("witness.example/1", true),
            ("", false),
            ("witness example", false),
            ("witness\u{a0}example", false),
            ("witness\u{2003}example", false),
            ("witness+1", false),
        ] {
            assert_eq!(is_key_name(name), expected, "{name:?}");
        }
    }

    /// The example of C2SP signed-note.
    #[test]
    fn a_verifiers_key_is_written_as_c2sp_says() {
        let public_key = base64::decode(b"6TJ5GubnqECkYWTJBHhkJtXngh3YspoA1hyucq/dTaQ=");
        let public_key: [u8; 32] = public_key.unwrap_or_default().try_into().unwrap_or_default();
        let expected = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        assert_eq!(verifier_key("example.com/foo", &public_key), expected);
    }

    #[test]
    fn a_root_in_several_padded_texts_is_refused() {
        let (origin, key) = ("adyton/test", [3; 32]);
        let note = format!("{origin}\n1\n{}\n\n\u{2014} witness AAAAAAA=\n", "AAAAAAA=".repeat(6) + "AAA=");
        assert_eq!(Head::open(&note, origin, &key), Err(HeadError::Root));
    }

    #[test]
    fn a_signature_line_of_no_key_name_refuses_the_note() {
        let (origin, key) = ("adyton/test", [3; 32]);
        let head = Head { origin: origin.into(), size: 1, root: Hash::default() };
        let note = |name: &str| format!("{}\u{2014} {name} AAAAAAA=\n", head.sign(&key, |_| [0; 64]));
        // The signature is no signature; what is wrong with the form is said first.
        assert_eq!(Head::open(&note("witness"), origin, &key), Err(HeadError::Signature));
        assert_eq!(Head::open(&note("wit\u{2003}ness"), origin, &key), Err(HeadError::Form));
    }
}
