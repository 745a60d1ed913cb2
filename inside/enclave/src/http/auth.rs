//! HTTP Basic: `AccountSid:AuthToken`, or an API key's SID and secret. The token is hashed at once; the decider compares
//! hashes in constant time.

use adyton_ledger::base64;
use adyton_seal::SecretText;
use adyton_vault::{Caller, Sid, SidKind, User};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::Api;
use super::answer::ApiError;
use crate::hashes;

/// What an `Authorization` header claims. Nothing of it was checked.
pub struct BasicCredentials {
    /// The user.
    pub user: User,
    /// Its token.
    pub token: SecretText,
}

impl BasicCredentials {
    /// Parses `Basic` and the base64 of `SID:token`; the token is all that follows the first colon.
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (scheme, value) = header.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let decoded = zeroize::Zeroizing::new(base64::decode(value)?);
        let (user, token) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        let user = match Sid::parse(SidKind::Account, user) {
            Ok(account) => User::Account(account),
            Err(_) => User::Key(Sid::parse(SidKind::Key, user).ok()?),
        };
        Some(Self { user, token: SecretText::join(&[token]) })
    }
}

/// Who asks, and the account that this is about, as far as the vault knows the key. Nothing of it was checked.
pub(crate) struct Claimed {
    pub(crate) caller: Caller,
    pub(crate) account: Sid,
}

impl Api {
    /// Who asks, as the request claims.
    pub(crate) fn claimed(&self, headers: &HeaderMap) -> Result<Claimed, ApiError> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        // Two credentials are none: which one counts must not be a matter of taste.
        let header = given.next().filter(|_| given.next().is_none()).map(|header| header.as_bytes());
        let claimed = header.and_then(BasicCredentials::parse).ok_or_else(ApiError::unauthorized)?;
        let BasicCredentials { user, token } = claimed;
        let account = match user {
            User::Account(account) => account,
            // An unknown key goes the same way as a known one and is refused by the decider.
            User::Key(key) => self.engine.account_of(key).unwrap_or(Sid([0; 16])),
        };
        let token_hash = hashes::token_hash(&self.token_key, user, token.expose().as_bytes());
        Ok(Claimed { caller: Caller { user, token_hash }, account })
    }

    /// Who asks, where the account does not matter yet.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        self.claimed(headers).map(|claimed| claimed.caller)
    }
}
