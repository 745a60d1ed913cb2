//! The deciders and their state (DESIGN §4): pure, `no_std`, deterministic.
//!
//! ```text
//! decide(&State, Command, &Context) -> Result<Decision { events, reply, effects }, Refusal>
//! evolve(&mut State, &Event)
//! ```
//!
//! Why: everything that must never go wrong (who may check what, how often, with which code) is one function of its
//! arguments, so it can be tested over random commands and replayed from a log. Time and randomness come in by
//! [`Context`]; secrets leave only as [`Effect`]s (a message to the person) and never as a [`Reply`].
//!
//! Scope: tenants, services and phone verification (start, resend, check). What this crate is *not*: it reads no
//! clock, makes no randomness, does no IO and knows neither HTTP nor the log's sealing. Of `adyton-seal` it uses keyed
//! hashing, comparison, slot codes and the encoder only (checked by `cargo xtask layers`).
//!
//! Event bytes: `docs/spec/02-entries.md`. Classes H, P, S, A: DESIGN §6.

#![no_std]

extern crate alloc;

mod command;
mod decide;
mod destination;
mod event;
mod evolve;
mod sid;
mod snapshot;
mod state;

pub use command::{
    Caller, Command, Context, Decision, Effect, Fresh, Outcome, Refusal, Reply, ServiceView, Status, Target,
    TenantView, VerificationView,
};
pub use decide::decide;
pub use destination::{Destination, DestinationError};
pub use event::{Channel, Class, Event, EventError, EventKind};
pub use sid::{Sid, SidError, SidKind};
pub use snapshot::SnapshotError;
pub use state::{CODE_LIFE, MAX_CHECKS, MAX_LIVE, MAX_SENDS, SLOT, State};

/// Unix seconds, UTC.
pub type Seconds = u64;
