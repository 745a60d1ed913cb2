//! Ids of this workflow.

use adyton_decider::{Id, IdKind};

/// A tenant, which the Twilio-compatible API calls an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {}

/// An API key of a tenant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {}

impl IdKind for AccountKind {
    const LETTERS: &'static str = "AC";
}

impl IdKind for KeyKind {
    const LETTERS: &'static str = "SK";
}

/// Names a tenant.
pub type AccountId = Id<AccountKind>;
/// Names an API key.
pub type KeyId = Id<KeyKind>;
