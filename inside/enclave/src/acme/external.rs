//! An account that somebody has with the CA already, to which the vault's is bound (RFC 8555 §7.3.4).

use std::fmt;

use adyton_seal::HmacKey;
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

/// Longest identifier of a key.
const MAX_KEY_ID: usize = 256;

/// What a CA gives its customer for a first request: an identifier, and the key of an HMAC. The key is secret.
pub struct ExternalAccount {
    pub(super) key_id: String,
    pub(super) key: HmacKey,
}

/// Why the settings have no usable external account. The value is secret, so nothing of it is quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalAccountError {
    /// There is no credential of this name.
    Missing {
        /// Its name in the policy.
        credential: String,
    },
    /// It does not open: it was sealed for another vault, name, host or port.
    Sealed {
        /// Its name in the policy.
        credential: String,
        /// Host and port of the CA.
        place: String,
    },
    /// It opens and has another form than `KEY-ID:KEY`.
    Form {
        /// Its name in the policy.
        credential: String,
    },
}

impl fmt::Display for ExternalAccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { credential } => {
                write!(
                    f,
                    "the settings have no credential {credential} (acme.external_account): seal it with `adyton seal --policy FILE --for {credential}`"
                )
            }
            Self::Sealed { credential, place } => write!(
                f,
                "credentials.{credential}: it does not open for the CA {place}; `adyton seal --policy FILE --for {credential}` seals it anew"
            ),
            Self::Form { credential } => write!(
                f,
                "credentials.{credential}: expected KEY-ID:KEY, the key of 32 to 64 bytes in base64url, as the CA shows them"
            ),
        }
    }
}

impl std::error::Error for ExternalAccountError {}

impl ExternalAccount {
    /// Reads the plaintext of a credential, `KEY-ID:KEY`; `None` if it has another form.
    pub fn parse(plaintext: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(plaintext).ok()?;
        // Base64url has no colon, an identifier may have one.
        let (key_id, key) = text.rsplit_once(':')?;
        let plain = key_id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        if !(1..=MAX_KEY_ID).contains(&key_id.len()) || !plain {
            return None;
        }
        let key = Zeroizing::new(BASE64URL_NOPAD.decode(key.trim_end_matches('=').as_bytes()).ok()?);
        Some(Self { key_id: key_id.into(), key: HmacKey::from_shared(&key).ok()? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn a_credential_is_an_identifier_and_a_key() {
        let key = BASE64URL_NOPAD.encode(&[0xFB; 32]);
        for text in [format!("kid-1:{key}"), format!("https://ca.example/kid:1:{key}"), format!("kid-1:{key}=")] {
            let account = ExternalAccount::parse(text.as_bytes()).unwrap();
            assert_eq!(account.key_id, text.rsplit_once(':').unwrap().0);
            assert_eq!(account.key.tag(&[b"x"]), HmacKey::from_shared(&[0xFB; 32]).unwrap().tag(&[b"x"]));
        }
        let (short, long) = (BASE64URL_NOPAD.encode(&[1; 31]), BASE64URL_NOPAD.encode(&[1; 65]));
        for text in [
            String::new(),
            "kid".into(),
            key.clone(),
            format!(":{key}"),
            format!("kid:{short}"),
            format!("kid:{long}"),
            format!("k\"id:{key}"),
            format!("k id:{key}"),
            format!("{}:{key}", "k".repeat(257)),
            format!("kid:{key} "),
            format!("kid:{}", key.replace('-', "+")),
            "kid:".into(),
        ] {
            let refused = ExternalAccount::parse(text.as_bytes()).is_none();
            assert!(refused || !key.contains('-') && text == format!("kid:{key}"), "{text}");
        }
        assert!(ExternalAccount::parse(&[0xFF, b':', b'a']).is_none());
    }
}
