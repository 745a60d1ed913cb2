//! Types that every workflow shares (DESIGN §3 and §4): pure, `no_std`, deterministic.
//!
//! ```text
//! decide(&State, Command, &mut Context) -> Decision { draft: events and effects, answer }
//! apply(&mut State, at, Event)
//! ```
//!
//! Why: a workflow is one function of its arguments, so it can be tested over random commands and
//! replayed from a log. What it gets is a [`Context`] (time, randomness, rules) and nothing else;
//! what it leaves is a [`Draft`], which is logged whole or not at all. Ids and digests are types,
//! so that none can stand in another's place.
//!
//! What this crate is *not*: it names no workflow, reads no clock, makes no randomness and does no
//! IO. Of `adyton-seal` it uses keyed hashing, comparison and the encoder only (checked by `cargo
//! xtask layers`).

#![no_std]

extern crate alloc;

mod bucket;
mod charge;
mod class;
mod codec;
mod context;
mod cost;
mod digest;
mod draft;
mod fresh;
mod gate;
mod id;
mod operation;
mod owned;
mod persistent;
mod record;
#[cfg(feature = "steps")]
pub mod steps;
mod tree;
mod window;

pub use bucket::{NoToken, TokenBucket};
pub use charge::{Charge, Charged, Passed};
pub use class::Class;
pub use codec::{SectionOut, put_list, read_each, read_flag, read_list};
pub use context::Context;
pub use cost::{Cost, Payer};
pub use digest::{BootId, KeyedHash, TokenHash};
pub use draft::{Decision, Draft};
pub use fresh::Fresh;
pub use gate::Gate;
pub use id::{Id, IdError, IdKind};
pub use operation::{AnyKind, ClientAddress, CredentialKind, OperationOutcome, OperationRecord};
pub use owned::Owned;
pub use persistent::{CowArc, Map, Set};
pub use record::{Corrupt, Record};
pub use window::{Amount, SlidingHours};

/// Unix seconds, UTC.
pub type Seconds = u64;
