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
//! Scope: tenants, their keys and services; verification of phone numbers and e-mail addresses (start, resend, check,
//! fetch, cancel); the limits that protect people. What this crate is *not*: it reads no
//! clock, makes no randomness, does no IO and knows neither HTTP nor the log's sealing. Of `adyton-seal` it uses keyed
//! hashing, comparison, slot codes and the encoder only (checked by `cargo xtask layers`).
//!
//! Event bytes: `docs/spec/02-entries.md`. Classes H, P, S, A: DESIGN §6.

#![no_std]

extern crate alloc;

mod budgets;
mod ceilings;
mod command;
mod decide;
mod event;
mod evolve;
mod hot;
mod machine;
mod message;
mod reply;
mod rules;
mod sends;
mod sid;
mod snapshot;
mod state;

pub use adyton_decider::{Class, Corrupt, Fresh, Seconds};
pub use adyton_destination::{Channel, Country, Destination, DestinationError, WrittenInstead};
pub use command::{Caller, Command, Context, KeyChanges, ServiceUpdate, Shared, Start, Subjects, Target, User};
pub use decide::{MAX_TICK_LOOSENINGS, MAX_WAITING_LOOSENINGS, decide};
pub use event::{Event, EventKind};
pub use machine::Consequence;
pub use message::{
    AppHash, AppHashesError, Locale, Message, MessageLook, NameError, Part, ServiceName, Text, WebOtpDomain,
    gsm7_septets,
};
pub use reply::{
    AccountView, Attempt, Ceiling, Decision, Effect, KeyList, Outcome, Reason, Refusal, Reply, ServiceView, Status,
    SupportView, TenantView, VerificationView,
};
pub use rules::{Admission, Limits, Rules, Scope, Scopes};
pub use sid::{Sid, SidError, SidKind};
pub use state::{Loosening, ServiceSettings, State};

/// Life of a code in seconds, from its first sending; a resend does not extend it.
pub const CODE_LIFE: Seconds = 600;
/// Length in seconds of a slot, whose codes share one key.
pub const SLOT: Seconds = 600;
/// Times one code is sent.
pub const MAX_SENDS: usize = 5;
/// Times an attempt that may have left is handed over again, at a carrier that deduplicates.
pub const MAX_REPEATS: u8 = 2;
/// Wrong codes that one verification bears.
pub const MAX_CHECKS: u8 = 5;
