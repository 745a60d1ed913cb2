//! An account that somebody has with the CA already, to which the vault's is bound (RFC 8555 §7.3.4).

use std::fmt;

use adyton_policy::{CredentialForm, CredentialParts};
use adyton_seal::HmacKey;

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
        match CredentialForm::ExternalAccount.read(plaintext) {
            Ok(CredentialParts::ExternalAccount { key_id, key }) => {
                Some(Self { key_id: key_id.into(), key: HmacKey::from_shared(&key).ok()? })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use adyton_policy::CredentialFault;
    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    include!("../../../../between/policy/src/credential/cases.rs");

    #[test]
    fn a_credential_is_an_identifier_and_a_key() {
        let key = BASE64URL_NOPAD.encode(&[0xFB; 32]);
        let account = ExternalAccount::parse(format!("kid:1:{key}").as_bytes()).unwrap();
        assert_eq!(account.key_id, "kid:1");
        assert_eq!(account.key.tag(&[b"x"]), HmacKey::from_shared(&[0xFB; 32]).unwrap().tag(&[b"x"]));
    }

    #[test]
    fn what_can_be_sealed_is_read() {
        for (_, secret, fault) in cases().into_iter().filter(|(form, ..)| *form == CredentialForm::ExternalAccount) {
            let account = ExternalAccount::parse(&secret);
            assert_eq!(account.is_some(), fault.is_none(), "{}", String::from_utf8_lossy(&secret));
        }
    }
}
