//! The composition of the workflows (DESIGN §4): pure, `no_std`, deterministic. It decides nothing
//! itself.
//!
//! ```text
//! decide(&State, Command, &mut Context) -> Decision { draft: events and effects, answer }
//! apply(&mut State, Event)
//! ```
//!
//! 1. A command goes to its workflow, with handles of what that one reads ([`decide`]).
//! 2. An event goes to its workflow ([`State::apply_live`]).
//! 3. The consequence of an event for the other workflows is a fact (`fact`): derived from the
//!    logged event, applied by each of them, never logged itself.
//! 4. A snapshot is one section for each workflow ([`State::encode_cold`]).
//!
//! What a service may demand is what the composition can prove ([`services::Prover`]).
//!
//! A new workflow is one line in each of these, and the compiler names the lines. Its numbers of
//! events stand in [`Event`]'s list; its requests have their own typed answers ([`Ask`]), and what
//! is read of it is no command but a function of a view ([`Read`]).

#![no_std]

extern crate alloc;

mod ask;
mod command;
mod cost;
mod decide;
mod event;
mod fact;
mod machine;
mod operation;
mod operation_kind;
mod prover;
mod reads;
mod reply;
mod rules;
mod state;
mod view;

pub use adyton_decider::{
    AnyKind, BootId, Class, ClientAddress, Corrupt, CredentialKind, Draft, Fresh, Id, IdError, IdKind, KeyedHash,
    OperationOutcome, OperationRecord, Record, Seconds, TokenHash,
};
pub use adyton_destination::{Channel, Country, Destination, DestinationError, WrittenInstead};
pub use adyton_services::{
    self as services, AppHash, AppHashesError, CodeLengthGiven, CreateService, DeleteService, FetchService,
    ListServices, Locale, Loosen, Loosening, MAX_CODE_LENGTH, MAX_SWEPT_LOOSENINGS, MAX_WAITING_LOOSENINGS, Message,
    MessageOptions, NameError, Part, Requirement, Requirements, ServiceId, ServiceName, ServicePage, ServiceSettings,
    ServiceUpdate, ServiceView, Text, UpdateService, WebOtpDomain, WithdrawLoosening, gsm7_septets,
};
pub use adyton_tenancy::{
    self as tenancy, AccountId, Admission, Caller, ChangeKeys, ChangeSettings, CreateTenant, Denied, KeyChanges, KeyId,
    KeyList, NewKey, Scope, Scopes, SubjectSalt, TenantView, User, WrongSequence,
};
pub use adyton_verification::{
    self as verification, Approve, Attempt, AttemptId, CODE_LIFE, Cancel, Ceiling, Check, CountRepeat, Effect,
    FetchVerification, HotFacts, Limits, LookUp, MAX_CHECKS, MAX_REMOVED_PER_SWEEP, MAX_REPEATS, MAX_SCANNED_PER_SWEEP,
    MAX_SENDS, Outcome, Reason, ReportDelivery, SLOT, SharedSubject, Start, Status, Subject, Subjects, SupportView,
    Target, VerificationId, VerificationView,
};
pub use ask::Ask;
pub use command::{Command, Context, RecordRead, Tick};
pub use decide::{MAX_SWEPT, decide};
pub use event::{Event, EventKind};
pub use machine::Consequence;
pub use operation_kind::OperationKind;
pub use reads::{AccountView, FetchAccount, Read};
pub use reply::{Answer, Decision, Refusal, Reply};
pub use rules::Rules;
pub use state::State;
pub use view::{Frozen, View};

#[cfg(test)]
mod tests;
