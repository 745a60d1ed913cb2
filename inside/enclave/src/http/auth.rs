//! HTTP Basic: `AccountSid:AuthToken`, or an API key's SID and secret. The token is hashed at once; the decider compares
//! hashes in constant time.
//!
//! Before a body is read, the request's payer must be known ([`Api::payer`]). Credentials that the decider has verified once
//! are remembered as keyed hashes ([`Known`]). This decides only whose share of the byte budget pays; what a request may do,
//! the decider decides every time.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use adyton_ledger::base64;
use adyton_seal::SecretText;
use adyton_vault::{AccountId, Caller, Denied, FetchService, KeyId, ServiceId, TokenHash, User, services};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::Api;
use super::answer::ApiError;
use super::budget::Payer;
use crate::ask::AskError;
use crate::hashes;

/// Credentials that are remembered as verified.
const MAX_KNOWN: usize = 65_536;

/// Stands for the account of a key that the vault does not know. No account has it.
const NOBODY: AccountId = AccountId::MIN;

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

/// Who asks, and the account that this is about, as far as the vault knows the key. Nothing of it was checked.
pub(crate) struct Claimed {
    pub(crate) caller: Caller,
    pub(crate) account: AccountId,
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
            User::Key(key) => self.engine.account_of(key).unwrap_or(NOBODY),
        };
        let token_hash = hashes::token_hash(&self.token_key, user, token.expose().as_bytes());
        Ok(Claimed { caller: Caller { user, token_hash }, account })
    }

    /// Who asks, where the account does not matter yet.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, ApiError> {
        self.claimed(headers).map(|claimed| claimed.caller)
    }
}

/// Keyed hashes of tokens that the decider has found right.
#[derive(Default)]
pub struct Known(RwLock<Remembered>);

#[derive(Default)]
struct Remembered {
    hashes: HashMap<User, TokenHash>,
    /// How often everything was forgotten.
    generation: u64,
}

impl Known {
    fn has(&self, caller: &Caller) -> bool {
        self.read().hashes.get(&caller.user).is_some_and(|hash| hash.matches(&caller.token_hash))
    }

    /// What [`Self::add`] needs; to be read before the decider is asked.
    pub(super) fn generation(&self) -> u64 {
        self.read().generation
    }

    /// Remembers what the decider found right, unless something was forgotten since: the answer may be older than the change.
    pub(super) fn add(&self, caller: &Caller, generation: u64) {
        let mut known = self.write();
        if known.generation != generation {
            return;
        }
        if known.hashes.len() >= MAX_KNOWN {
            known.hashes.clear();
        }
        known.hashes.insert(caller.user, caller.token_hash);
    }

    /// Keys changed: everybody is asked about again.
    pub(crate) fn forget(&self) {
        let mut known = self.write();
        known.hashes.clear();
        known.generation += 1;
    }

    fn read(&self) -> RwLockReadGuard<'_, Remembered> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Remembered> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Api {
    /// Who pays for a request: an account's token or key if it is right, otherwise nobody known.
    pub(crate) async fn payer(&self, headers: &HeaderMap) -> Payer {
        let Ok(claimed) = self.claimed(headers) else { return Payer::Stranger };
        // A key that the vault does not know, or no longer, is nobody's.
        if claimed.account == NOBODY {
            return Payer::Stranger;
        }
        self.verified(&claimed).await.unwrap_or(Payer::Stranger)
    }

    /// The payer of a request that only a verified one may make.
    ///
    /// # Errors
    /// Why the credentials were not found right.
    pub(crate) async fn verified(&self, claimed: &Claimed) -> Result<Payer, AskError<services::Refusal>> {
        let Claimed { caller, account } = claimed;
        let generation = self.known.generation();
        if self.known.has(caller) {
            return Ok(Payer::User(*account, caller.user));
        }
        // The decider authenticates first. No service has this SID, and a key without the scope is still the tenant's.
        match self.ask(FetchService { caller: *caller, service: ServiceId::MIN }).await {
            Ok(_) | Err(AskError::Refused(services::Refusal::NotFound | services::Refusal::Denied(Denied::Scope))) => {
                self.known.add(caller, generation);
                Ok(Payer::User(*account, caller.user))
            }
            Err(failure) => Err(failure),
        }
    }
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

    #[test]
    fn only_the_hash_that_was_verified_is_known() {
        let known = Known::default();
        let caller = |user, hash| Caller { user, token_hash: TokenHash::from_bytes([hash; 32]) };
        let (account, key) = (User::Account(AccountId::from_bytes([1; 16])), User::Key(KeyId::from_bytes([1; 16])));
        known.add(&caller(account, 1), known.generation());
        assert!(known.has(&caller(account, 1)));
        assert!(!known.has(&caller(account, 2)) && !known.has(&caller(key, 1)));
        known.forget();
        assert!(!known.has(&caller(account, 1)));
    }

    #[test]
    fn verified_before_a_change_of_keys_is_not_remembered_after_it() {
        let known = Known::default();
        let caller = Caller { user: User::Key(KeyId::from_bytes([1; 16])), token_hash: TokenHash::from_bytes([1; 32]) };
        let asked = known.generation();
        known.forget();
        known.add(&caller, asked);
        assert!(!known.has(&caller));
        known.add(&caller, known.generation());
        assert!(known.has(&caller));
    }
}
