//! HTTP Basic: `AccountSid:AuthToken`. The token is hashed at once; the decider compares hashes in constant time.

use adyton_ledger::base64;
use adyton_seal::SecretText;
use adyton_vault::{Caller, Sid, SidKind};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::Api;
use super::answer::ApiError;
use crate::hashes;

/// What an `Authorization` header claims. Nothing of it was checked.
pub struct BasicCredentials {
    /// The account.
    pub account: Sid,
    /// Its token.
    pub token: SecretText,
}

impl BasicCredentials {
    /// Parses `Basic` and the base64 of `AccountSid:AuthToken`; the token is all that follows the first colon.
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (scheme, value) = header.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let decoded = zeroize::Zeroizing::new(base64::decode(value)?);
        let (account, token) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        let account = Sid::parse(SidKind::Account, account).ok()?;
        Some(Self { account, token: SecretText::join(&[token]) })
    }
}

impl Api {
    /// Who asks, as the request claims.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        let header = headers.get(AUTHORIZATION).map(|header| header.as_bytes());
        let claimed = header.and_then(BasicCredentials::parse).ok_or_else(ApiError::unauthorized)?;
        let BasicCredentials { account, token } = claimed;
        Ok(Caller { account, token_hash: self.token_hash(account, token.expose().as_bytes()) })
    }

    /// `token hash` of `docs/spec/00-conventions.md`.
    pub(crate) fn token_hash(&self, account: Sid, token: &[u8]) -> [u8; 32] {
        hashes::token_hash(&self.token_key, account, token)
    }
}
