//! Tenants, their tokens and API keys, and the owners' settings: a workflow (DESIGN §4), pure and
//! `no_std`.
//!
//! What changes a tenant was signed by the owners or by the tenant itself. The signature was
//! verified at the edge; the sequence is checked here, so that a signed request counts once.
//!
//! Other workflows read [`State`] to learn who calls ([`State::authenticate`]) and which signed
//! request is next ([`State::check_sequence`]). Events: `docs/spec/02-entries.md`; section of
//! snapshots: `docs/spec/04-snapshots.md`.

#![no_std]

extern crate alloc;

mod command;
mod decide;
mod event;
mod ids;
mod reply;
mod salt;
mod scope;
mod section;
mod state;

pub use command::{Caller, ChangeKeys, ChangeSettings, Command, CreateTenant, KeyChanges, NewKey, User};
pub use decide::{Draft, account, decide};
pub use event::Event;
pub use ids::{AccountId, AccountKind, KeyId, KeyKind};
pub use reply::{AccountView, Denied, KeyList, Refusal, Reply, TenantView, WrongSequence};
pub use salt::SubjectSalt;
pub use scope::{Admission, Rules, Scope, Scopes};
pub use section::SECTION;
pub use state::State;
