//! The form of a credential: what is sealed into the settings, and read by the vault when it has opened it.
//!
//! One rule for both sides: `adyton seal` holds a secret to it before it seals, the vault before it uses it. What one takes the
//! other takes.

use core::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use crate::RouteKind;

/// Longest secret.
const MAX_SECRET: usize = 4096;
/// Bytes of a shared key.
const KEY: core::ops::RangeInclusive<usize> = 32..=64;
/// Longest identifier of a key at a CA.
const MAX_KEY_ID: usize = 256;

/// Which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialForm {
    /// `user:password`, of a Messages resource or a mail server.
    Login,
    /// A webhook's key, as hexadecimal digits.
    WebhookKey,
    /// `KEY-ID:KEY` of an external account at a CA (RFC 8555 §7.3.4), the key in base64url.
    ExternalAccount,
}

impl CredentialForm {
    /// The form that a route needs.
    pub fn of_route(kind: RouteKind) -> Self {
        match kind {
            RouteKind::TwilioMessages | RouteKind::Smtp => Self::Login,
            RouteKind::Webhook => Self::WebhookKey,
        }
    }

    /// Reads a secret.
    ///
    /// # Errors
    /// [`CredentialFault`], the first rule that is broken.
    pub fn read(self, secret: &[u8]) -> Result<CredentialParts<'_>, CredentialFault> {
        if secret.is_empty() {
            return Err(CredentialFault::Empty);
        }
        if secret.len() > MAX_SECRET {
            return Err(CredentialFault::Length);
        }
        let text = core::str::from_utf8(secret).map_err(|_| CredentialFault::Utf8)?;
        if text.chars().any(char::is_control) {
            return Err(CredentialFault::Control);
        }
        match self {
            Self::Login => match text.split_once(':') {
                Some((user, password)) if !user.is_empty() && !password.is_empty() => {
                    Ok(CredentialParts::Login { user, password })
                }
                _ => Err(CredentialFault::Login),
            },
            Self::WebhookKey => {
                let key = HEXLOWER_PERMISSIVE.decode(secret).map_err(|_| CredentialFault::Hexadecimal)?;
                let key = Zeroizing::new(key);
                if KEY.contains(&key.len()) {
                    Ok(CredentialParts::WebhookKey(key))
                } else {
                    Err(CredentialFault::KeyLength { got: key.len() })
                }
            }
            Self::ExternalAccount => external_account(text),
        }
    }
}

fn external_account(text: &str) -> Result<CredentialParts<'_>, CredentialFault> {
    // Base64url has no colon, an identifier may have one.
    let (key_id, key) = text.rsplit_once(':').ok_or(CredentialFault::ExternalAccount)?;
    let key = BASE64URL_NOPAD.decode(key.trim_end_matches('=').as_bytes()).map(Zeroizing::new);
    let key = key.ok().filter(|key| KEY.contains(&key.len())).ok_or(CredentialFault::ExternalAccount)?;
    // It stands in a string of JSON as it is.
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if !(1..=MAX_KEY_ID).contains(&key_id.len()) || !key_id.bytes().all(is_plain) {
        return Err(CredentialFault::KeyId);
    }
    Ok(CredentialParts::ExternalAccount { key_id, key })
}

/// A secret that has its form. It is never printed.
pub enum CredentialParts<'a> {
    /// `user:password`.
    Login {
        /// The user.
        user: &'a str,
        /// The password; it may hold colons.
        password: &'a str,
    },
    /// The key of a webhook's signatures.
    WebhookKey(Zeroizing<Vec<u8>>),
    /// An account at a CA.
    ExternalAccount {
        /// The identifier of its key.
        key_id: &'a str,
        /// The key.
        key: Zeroizing<Vec<u8>>,
    },
}

/// Why a secret does not have its form. It quotes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialFault {
    /// There is none.
    Empty,
    /// It is longer than 4096 bytes.
    Length,
    /// It is not UTF-8.
    Utf8,
    /// It holds a control character.
    Control,
    /// It is not `user:password`.
    Login,
    /// A webhook's key is not hexadecimal.
    Hexadecimal,
    /// A webhook's key is too short or too long.
    KeyLength {
        /// Its bytes.
        got: usize,
    },
    /// It is not `KEY-ID:KEY`.
    ExternalAccount,
    /// The identifier of an external account's key cannot be one.
    KeyId,
}

impl fmt::Display for CredentialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no secret came"),
            Self::Length => f.write_str("the secret is longer than 4096 bytes"),
            Self::Utf8 => f.write_str("the secret is not UTF-8"),
            Self::Control => f.write_str("the secret holds a line break or another control character"),
            Self::Login => f.write_str("expected user:password, and neither empty"),
            Self::Hexadecimal => f.write_str("a webhook's key is 32 to 64 bytes as hexadecimal digits"),
            Self::KeyLength { got } => {
                write!(f, "a webhook's key has 32 to 64 bytes as hexadecimal digits, and this one {got}")
            }
            Self::ExternalAccount => {
                f.write_str("expected KEY-ID:KEY, the key of 32 to 64 bytes in base64url, as the CA shows them")
            }
            Self::KeyId => f.write_str(
                "the KEY-ID of KEY-ID:KEY has 1 to 256 ASCII characters, and no blank, quotation mark or backslash",
            ),
        }
    }
}

impl core::error::Error for CredentialFault {}

#[cfg(test)]
mod tests {
    use super::*;

    include!("credential/cases.rs");

    #[test]
    fn each_form_is_read_or_its_fault_is_named() {
        for (form, secret, expected) in cases() {
            assert_eq!(form.read(&secret).err(), expected, "{form:?} {}", String::from_utf8_lossy(&secret));
        }
    }

    #[test]
    fn parts_are_those_of_the_secret() {
        let Ok(CredentialParts::Login { user, password }) = CredentialForm::Login.read(b"a:b:c") else {
            unreachable!()
        };
        assert_eq!((user, password), ("a", "b:c"));
        let Ok(CredentialParts::WebhookKey(key)) = CredentialForm::WebhookKey.read(&[b'a'; 64]) else { unreachable!() };
        assert_eq!(*key, [0xAA; 32]);
        let text = format!("https://ca.example/kid:1:{}", BASE64URL_NOPAD.encode(&[0xFB; 32]));
        let parts = CredentialForm::ExternalAccount.read(text.as_bytes());
        let Ok(CredentialParts::ExternalAccount { key_id, key }) = parts else { unreachable!() };
        assert_eq!((key_id, &key[..]), ("https://ca.example/kid:1", &[0xFB; 32][..]));
    }
}
