//! What the engine runs.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use adyton_seal::{Opaque, Plaintext, Reader};

/// Freshness class of an event (DESIGN §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Hot: matters within one boot.
    H,
    /// Spent: survives a restart by its sum, which a snapshot holds.
    P,
    /// Sync: survives everything.
    S,
    /// Async: audit; matters to no decision.
    A,
}

/// Authentic bytes that do not decode: a bug, or another version's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sealed bytes do not decode: written by another version?")
    }
}

impl core::error::Error for Corrupt {}

impl From<Opaque> for Corrupt {
    fn from(_: Opaque) -> Self {
        Self
    }
}

/// An event as the log holds it.
pub trait Record: Sized {
    /// Its freshness class.
    fn class(&self) -> Class;

    /// Writes it.
    fn encode(&self, out: &mut Plaintext);

    /// Reads it. The reader holds this event alone; the engine refuses what is left over.
    ///
    /// # Errors
    /// [`Corrupt`].
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Corrupt>;
}

/// How an event is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It has just been decided.
    Live,
    /// It is replayed: only what survives a restart is kept.
    Cold,
}

/// What a machine decides. A refusal is a decision without events.
pub struct Decision<M: Machine> {
    /// What happened; all of it is logged and applied, or none.
    pub events: Vec<M::Event>,
    /// What the caller hears once the events are durable.
    pub answer: M::Answer,
    /// What is to be done once the events are durable. Empty if there is no event.
    pub effects: Vec<M::Effect>,
}

/// One state and its rules: everything that the engine runs, and all that it knows of them. Its default is the state in
/// which nothing has happened.
///
/// Deterministic: the state is a function of the events applied, in their order.
pub trait Machine: Default {
    /// What may be asked.
    type Command;
    /// What a decision may depend on besides the state: time, randomness, rules.
    type Context<'a>;
    /// What may happen.
    type Event: Record;
    /// What a caller may hear; refusals included.
    type Answer;
    /// What may be done outside.
    type Effect;

    /// Decides one command on the state as it stands.
    fn decide(&self, command: Self::Command, context: &Self::Context<'_>) -> Decision<Self>;

    /// What time brings, at most `cap` events. Fewer than `cap` events say that nothing more is due.
    fn sweep(&self, context: &Self::Context<'_>, cap: usize) -> Decision<Self>;

    /// The first event of a boot: what was hot is void.
    fn boot(boot_id: [u8; 16], now: u64) -> Self::Event;

    /// The answer to a command whose events no batch can hold.
    fn too_large() -> Self::Answer;

    /// Applies one event.
    fn apply(&mut self, event: Self::Event, mode: Mode);

    /// Frees what is worth nothing by now. It changes nothing that [`Machine::save`] writes and no later decision; for a
    /// state that is only replayed and so is never swept.
    fn compact(&mut self, now: u64);

    /// Name, for the header's pseudonym, of the tenant that an event concerns. The state is the one before the event.
    fn tenant_of(&self, event: &Self::Event) -> Option<String>;

    /// Writes what survives a restart.
    fn save(&self, out: &mut Plaintext);

    /// Reads what [`Machine::save`] wrote.
    ///
    /// # Errors
    /// [`Corrupt`], whatever is wrong; bytes left over included.
    fn load(bytes: &[u8]) -> Result<Self, Corrupt>;
}
