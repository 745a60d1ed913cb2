//! Commands.

use alloc::string::String;
use alloc::vec::Vec;

use adyton_decider::TokenHash;

use crate::{AccountId, KeyId, Scopes};

/// Who a request says it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum User {
    /// An account, by its own token.
    Account(AccountId),
    /// An API key.
    Key(KeyId),
}

/// The caller: a user and the keyed hash of the token that it presented. The decider compares it in
/// constant time.
#[derive(Clone, Copy)]
pub struct Caller {
    /// The user that the request names.
    pub user: User,
    /// The account that the edge found the user to be of, whose salt the request's addresses are
    /// hashed with. A key that is another account's by now is not authenticated.
    pub account: AccountId,
    /// Keyed hash of its token.
    pub token_hash: TokenHash,
}

impl Caller {
    /// An account, by its own token.
    pub fn account(account: AccountId, token_hash: TokenHash) -> Self {
        Self { user: User::Account(account), account, token_hash }
    }

    /// An API key of an account.
    pub fn key(key: KeyId, account: AccountId, token_hash: TokenHash) -> Self {
        Self { user: User::Key(key), account, token_hash }
    }
}

/// A tenant comes into being; its client made the token.
pub struct CreateTenant {
    /// The account SID that its client chose.
    pub account: AccountId,
    /// Keyed hash of its token.
    pub token_hash: TokenHash,
    /// A name for people; public to the tenant.
    pub friendly_name: String,
    /// OpenSSH public key of its own signed requests; empty for none.
    pub ssh_key: Vec<u8>,
    /// Sequence of the owners' signed request that admits it, if one does. The signature was
    /// verified.
    pub admitted: Option<u64>,
}

/// A tenant's signed request changes its keys. The signature was verified.
pub struct ChangeKeys {
    /// The tenant.
    pub account: AccountId,
    /// Sequence of the signed request.
    pub sequence: u64,
    /// The changes.
    pub changes: KeyChanges,
}

/// A change of a tenant's keys, all made on the tenant's side.
#[derive(Default)]
pub struct KeyChanges {
    /// Remove all API keys first.
    pub reset: bool,
    /// A new token of the account itself.
    pub token_hash: Option<TokenHash>,
    /// API keys to remove.
    pub removed: Vec<KeyId>,
    /// API keys to add.
    pub added: Vec<NewKey>,
}

/// An API key to add.
#[derive(Clone)]
pub struct NewKey {
    /// Its SID, which its tenant chose.
    pub key: KeyId,
    /// Its scopes.
    pub scopes: Scopes,
    /// Keyed hash of its secret.
    pub token_hash: TokenHash,
}

/// The owners' signed request changes the settings. The signatures were verified, the text held
/// against the policy.
pub struct ChangeSettings {
    /// Sequence of the signed request.
    pub sequence: u64,
    /// The settings.
    pub text: String,
}

/// All that changes something here. Reads are functions of a state ([`crate::account`]).
pub enum Command {
    /// See [`CreateTenant`].
    CreateTenant(CreateTenant),
    /// See [`ChangeKeys`].
    ChangeKeys(ChangeKeys),
    /// See [`ChangeSettings`].
    ChangeSettings(ChangeSettings),
}
