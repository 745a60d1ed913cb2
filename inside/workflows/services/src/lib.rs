//! Verification services, their settings and what their messages look like: a workflow (DESIGN §4),
//! pure and `no_std`.
//!
//! Making a service stronger is immediate. Making it weaker (a [`Loosening`]) needs the tenant's
//! signature besides an admin key, and waits, so that a stolen key cannot weaken what its owner
//! relies on before anybody notices.
//!
//! What a service demands besides a code is a set of [`Requirement`]s. One that nothing in the
//! vault proves ([`Prover`]) is refused.
//!
//! It reads tenants ([`adyton_tenancy::State`]). Other workflows read [`Services`]: a service as
//! the policy has it now. Events: `docs/spec/02-entries.md`; section of snapshots:
//! `docs/spec/04-snapshots.md`.

#![no_std]

extern crate alloc;

mod command;
mod decide;
mod event;
mod message;
mod reads;
mod requirement;
mod rules;
mod section;
mod settings;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Command, CreateService, DeleteService, Loosen, UpdateService, WithdrawLoosening};
pub use decide::{
    CodeLengthGiven, Draft, MAX_CODE_LENGTH, MAX_SWEPT_LOOSENINGS, MAX_WAITING_LOOSENINGS, Refusal, Reply, ServiceView,
    decide, sweep,
};
pub use event::Event;
pub use message::{
    AppHash, AppHashesError, Locale, Message, MessageOptions, NameError, Part, ServiceName, Text, TooLong,
    WebOtpDomain, brings_a_hash, gsm7_septets, render,
};
pub use reads::{FetchService, ListServices, ServicePage, fetch, list};
pub use requirement::{Prover, Requirement, Requirements};
pub use rules::{EffectiveService, Rules, Services};
pub use section::SECTION;
pub use settings::{Loosening, ServiceId, ServiceKind, ServiceSettings, ServiceUpdate};
pub use state::State;
