//! Verifications: codes, attempts to send, checks and their limits: a workflow (DESIGN §4 and §8),
//! pure and `no_std`.
//!
//! The order of a decision is always: the caller, its permissions, rules and limits, and only then
//! secrets. So a refusal reveals nothing about objects of other tenants. Codes leave only in an
//! [`Effect`], a message to the person, and never in a [`Reply`].
//!
//! It reads tenants and services ([`ReadHandles`]), and applies the facts that a boot begins
//! ([`State::on_boot`]) and that a service was deleted ([`State::on_service_deleted`]).
//! Failed-check budgets are class P; everything about live codes is class H: it lives in the memory
//! of one boot. Events: `docs/spec/02-entries.md`; section of snapshots:
//! `docs/spec/04-snapshots.md`.

#![no_std]

extern crate alloc;

mod apply;
mod attempts;
mod budgets;
mod ceilings;
mod checks;
mod command;
mod decide;
mod event;
mod hot;
mod live;
mod reads;
mod reply;
mod rules;
mod section;
mod sends;
mod starts;
mod state;
mod subjects;
mod sweep;
mod view;

use adyton_decider::Seconds;

pub use command::{Approve, Cancel, Check, Command, CountRepeat, LookUp, ReportDelivery, Start, Target};
pub use decide::decide;
pub use event::{CheckOutcome, Event};
pub use live::{Draft, ReadHandles};
pub use reads::{FetchVerification, fetch};
pub use reply::{
    Attempt, AttemptId, AttemptKind, Ceiling, Effect, Outcome, Reason, Refusal, Reply, Status, SupportView,
    VerificationId, VerificationKind, VerificationView,
};
pub use rules::{Limits, Rules};
pub use section::{Frozen, SECTION};
pub use state::{HotFacts, State};
pub use subjects::{InService, InTenant, MailDomain, NumberBlock, SharedSubject, Subject, Subjects};
pub use sweep::{MAX_REMOVED_PER_SWEEP, MAX_SCANNED_PER_SWEEP, cancel_deliveries_of, sweep};
pub use view::View;

/// Life of a code in seconds, from its first sending; a resend does not extend it.
pub const CODE_LIFE: Seconds = 600;
/// Length in seconds of a slot, whose codes share one key.
pub const SLOT: Seconds = 600;
/// Times one code is sent.
pub const MAX_SENDS: usize = 5;
/// Times an attempt that may have left is handed over again, at a carrier that deduplicates.
pub const MAX_REPEATS: u8 = 2;
/// Codes that one verification compares, right ones included.
pub const MAX_CHECKS: u8 = 5;
