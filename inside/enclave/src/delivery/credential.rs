//! What a carrier knows the vault by: the plaintext of a sealed value in the settings.

use std::fmt;

use adyton_policy::{CredentialForm, CredentialParts};
use adyton_seal::{HmacKey, SecretText};
use data_encoding::BASE64;
use hyper::header::HeaderValue;
use zeroize::Zeroizing;

use super::RouteKind;

/// A credential, in the form that its route needs.
pub struct Credential(pub(super) Kind);

pub(super) enum Kind {
    /// The `Authorization` header. The library does not print it, but does not zeroize it either.
    Basic(HeaderValue),
    /// The key of a webhook's signatures.
    Signing(Box<HmacKey>),
    /// What SMTP's AUTH says.
    Login {
        /// The user.
        user: SecretText,
        /// The password.
        password: SecretText,
    },
}

/// The opened value does not have the form that its route needs. It has no further reason, for the value is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialError;

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the credential does not have the form that its route needs: user:password, or for a webhook 32 to 64 \
             bytes as hexadecimal",
        )
    }
}

impl std::error::Error for CredentialError {}

impl Credential {
    /// Reads the plaintext: `user:password`, or for a webhook 32 to 64 bytes as hexadecimal.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn parse(kind: &RouteKind, plaintext: &[u8]) -> Result<Self, CredentialError> {
        let form = match kind {
            RouteKind::TwilioMessages { .. } | RouteKind::Smtp { .. } => CredentialForm::Login,
            RouteKind::Webhook { .. } => CredentialForm::WebhookKey,
        };
        let (user, password) = match form.read(plaintext).map_err(|_| CredentialError)? {
            CredentialParts::Login { user, password } => (user, password),
            CredentialParts::WebhookKey(key) => {
                let key = HmacKey::from_shared(&key).map_err(|_| CredentialError)?;
                return Ok(Self(Kind::Signing(Box::new(key))));
            }
            CredentialParts::ExternalAccount { .. } => return Err(CredentialError),
        };
        if let RouteKind::Smtp { .. } = kind {
            let (user, password) = (SecretText::join(&[user]), SecretText::join(&[password]));
            return Ok(Self(Kind::Login { user, password }));
        }
        let basic = Zeroizing::new(BASE64.encode(plaintext));
        let header = Zeroizing::new(["Basic ", &basic].concat());
        let mut header = HeaderValue::from_str(&header).map_err(|_| CredentialError)?;
        header.set_sensitive(true);
        Ok(Self(Kind::Basic(header)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use adyton_policy::CredentialFault;

    use super::*;
    use crate::delivery::{Retention, Sender, SmtpTls};

    include!("../../../../between/policy/src/credential/cases.rs");

    #[test]
    fn each_kind_has_its_form() {
        let (sender, retention) = (Sender::From("+1".into()), Retention::default());
        let twilio = RouteKind::TwilioMessages { account: "AC".into(), sender, retention };
        let webhook = RouteKind::Webhook { path: "/".into(), from: None, seal_code_to: None };
        let smtp = RouteKind::Smtp { tls: SmtpTls::Implicit, from: "a@example.com".into() };
        // RFC 7617 §2: the example of the standard; a password may hold colons.
        let Credential(Kind::Basic(header)) = Credential::parse(&twilio, b"Aladdin:open sesame").unwrap() else {
            unreachable!()
        };
        assert_eq!(header, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(header.is_sensitive());
        let Credential(Kind::Login { user, password }) = Credential::parse(&smtp, b"a:b:c").unwrap() else {
            unreachable!()
        };
        assert_eq!((user.expose(), password.expose()), ("a", "b:c"));
        assert!(Credential::parse(&webhook, &[b'a'; 64]).is_ok());
        for (form, secret, fault) in cases() {
            let kinds: &[&RouteKind] = match form {
                CredentialForm::Login => &[&twilio, &smtp],
                CredentialForm::WebhookKey => &[&webhook],
                CredentialForm::ExternalAccount => &[],
            };
            for kind in kinds {
                let expected = fault.map(|_| CredentialError);
                assert_eq!(Credential::parse(kind, &secret).err(), expected, "{}", String::from_utf8_lossy(&secret));
            }
        }
    }
}
