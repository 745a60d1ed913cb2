//! HTTP Basic: `AccountSid:AuthToken`, or an API key's SID and secret. The token is hashed at once; the decider compares
//! hashes in constant time.
//!
//! Before a body is read, the request's payer must be known ([`Api::payer`]): one look-up in the published view, right or wrong.
//! It decides only whose share of the byte budget pays, and nothing leaves by it, so it waits for no lease. What a request may
//! do is decided every time, by the decider or by the view that answers.

use adyton_ledger::base64;
use adyton_seal::SecretText;
use adyton_vault::{AccountId, Caller, Denied, KeyId, SubjectSalt, User, View};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::Api;
use super::answer::ApiError;
use super::budget::Payer;
use crate::ask::AskError;
use crate::hashes;

/// Stands for the account of a key that the vault does not know. No account can have it, so the decider refuses who comes
/// with it, also if it knows the key by then.
const NOBODY: AccountId = AccountId::MIN;

/// The claims of an `Authorization` header, unchecked.
pub struct BasicCredentials {
    /// The user.
    pub user: User,
    /// Its token.
    pub token: SecretText,
}

impl BasicCredentials {
    /// Parses `Basic` and the base64 of `SID:token`; the token is all that follows the first colon.
    pub fn parse(header: &[u8]) -> Option<Self> {
        // RFC 9110 §11.4: scheme, one blank or several, credentials.
        let (scheme, value) = header.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let blanks = value.iter().take_while(|byte| **byte == b' ').count();
        let value = &value[blanks..];
        let decoded = zeroize::Zeroizing::new(base64::decode(value)?);
        let (user, token) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        let user = match AccountId::parse(user) {
            Ok(account) => User::Account(account),
            Err(_) => User::Key(KeyId::parse(user).ok()?),
        };
        Some(Self { user, token: SecretText::join(&[token]) })
    }
}

impl Api {
    /// The caller, as the request claims, and the account that the newest view knows the user to be
    /// of. Nothing of it was checked.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        // Two credentials are none: which one counts must not be a matter of taste.
        let header = given.next().filter(|_| given.next().is_none()).map(|header| header.as_bytes());
        let claimed = header.and_then(BasicCredentials::parse).ok_or_else(ApiError::unauthorized)?;
        let BasicCredentials { user, token } = claimed;
        let token_hash = hashes::token_hash(&self.token_key, user, token.expose().as_bytes());
        // Unknown credentials take the same path, and are refused where they are authenticated.
        let account = match user {
            User::Account(account) => account,
            User::Key(key) => self.engine.published().account_of(key).unwrap_or(NOBODY),
        };
        Ok(Caller { user, account, token_hash })
    }

    /// The salt of the subject hashes of the caller's account. An account never gets another one.
    pub(crate) fn salt(&self, caller: &Caller) -> SubjectSalt {
        self.engine.published().salt(caller.account).unwrap_or(SubjectSalt::NONE)
    }
}

impl Api {
    /// Who pays for a request: an account's token or key if it is right, otherwise nobody known.
    pub(crate) fn payer(&self, headers: &HeaderMap) -> Payer {
        let caller = self.caller(headers).ok();
        caller.and_then(|caller| payer(&self.engine.published(), &caller)).unwrap_or(Payer::Stranger)
    }

    /// The payer of a request that only a verified one may make.
    ///
    /// # Errors
    /// Why the credentials were not found right.
    pub(crate) async fn verified(&self, caller: &Caller) -> Result<Payer, AskError<Denied>> {
        let view = self.engine.view().await.map_err(|_| AskError::Unavailable)?;
        payer(&view, caller).ok_or(AskError::Refused(Denied::Unauthorized))
    }
}

/// The payer if the token is right, whatever its scope: a key without the scope is still the tenant's.
fn payer(view: &View, caller: &Caller) -> Option<Payer> {
    view.identify(caller).map(|(account, _)| Payer::User(account, caller.user))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use data_encoding::BASE64;

    use super::*;

    #[test]
    fn a_scheme_has_any_case_and_one_blank_or_several() {
        let account = format!("AC{}", "01".repeat(16));
        let credentials = BASE64.encode(format!("{account}:token:with:colons").as_bytes());
        for scheme in ["Basic ", "basic ", "BASIC  ", "bAsIc      "] {
            let parsed = BasicCredentials::parse(format!("{scheme}{credentials}").as_bytes()).unwrap();
            assert_eq!(
                (parsed.user, parsed.token.expose()),
                (User::Account(AccountId::from_bytes([1; 16])), "token:with:colons")
            );
        }
        for scheme in ["", "Basic", "Basic\t", " Basic ", "Bearer ", "Basic\u{a0}"] {
            assert!(BasicCredentials::parse(format!("{scheme}{credentials}").as_bytes()).is_none(), "{scheme:?}");
        }
        assert!(BasicCredentials::parse(format!("Basic {credentials} ").as_bytes()).is_none());
    }
}
