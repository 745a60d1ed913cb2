//! The answers of this workflow: its outputs, and why a command may be refused.

use alloc::string::String;
use alloc::vec::Vec;

use adyton_decider::Seconds;

use crate::{AccountId, KeyId, Scopes};

/// The predefined outputs.
pub enum Reply {
    /// A tenant.
    Tenant(TenantView),
    /// No content.
    Done,
}

/// A tenant as its client sees it.
pub struct TenantView {
    /// Its SID.
    pub account: AccountId,
    /// Its name.
    pub friendly_name: String,
    /// When it was created.
    pub created: Seconds,
}

/// A tenant with its keys, as its admins see it.
pub struct AccountView {
    /// The tenant.
    pub tenant: TenantView,
    /// OpenSSH public key of its signed requests; empty for none.
    pub ssh_key: Vec<u8>,
    /// Sequence of its next signed request.
    pub next_sequence: u64,
    /// Its API keys, by SID.
    pub keys: Vec<(KeyId, Scopes)>,
}

/// Why a caller may not do what it asks, in every workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The user is unknown or the token is wrong; the two are one answer.
    Unauthorized,
    /// The token is right, but may not do this.
    Scope,
}

/// A signed request has another sequence than the next one: it counted already, or is not due yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongSequence {
    /// The next one.
    pub expected: u64,
}

/// Why a command was refused; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The caller may not.
    Denied(Denied),
    /// A signed request is not the next one.
    Sequence(WrongSequence),
    /// The account SID is taken by another token or SSH key.
    AccountTaken,
    /// A key that is to go is not one of the tenant's.
    UnknownKey,
    /// A key's SID is taken.
    KeyTaken,
    /// A key's SID stands twice in a list of a keys request.
    KeyTwice(KeyList),
    /// A list of a keys request has more than 100 keys.
    TooManyKeys(KeyList),
    /// The vault admits no further tenant without its owners.
    TenantsClosed,
    /// The vault, or the tenant's share of it, is full.
    Full,
}

/// A list of a keys request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyList {
    /// The removed keys.
    Removed,
    /// The keys that come.
    Added,
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<WrongSequence> for Refusal {
    fn from(other: WrongSequence) -> Self {
        Self::Sequence(other)
    }
}
