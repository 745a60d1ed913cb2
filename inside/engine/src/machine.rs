//! The machine that the engine runs.

use adyton_decider::{BootId, Context, Corrupt, Cost, Decision, Passed, Record, Seconds};

use crate::{SectionReader, Sections};

/// How an event is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It has just been decided.
    Live,
    /// It is replayed: only what survives a restart is kept.
    Cold,
}

/// A machine's decision. A refusal is an answer too, and may have events; effects follow events.
pub type Decided<M> = Decision<<M as Machine>::Event, <M as Machine>::Effect, <M as Machine>::Answer>;

/// One state and its rules: everything that the engine runs, and all that it knows of them. Its default is the state in
/// which nothing has happened.
///
/// Deterministic: the state is a function of the events applied, in their order.
pub trait Machine: Default {
    /// Commands.
    type Command;
    /// Rules of policy and settings.
    type Rules;
    /// Events.
    type Event: Record;
    /// Answers, refusals included.
    type Answer;
    /// Effects.
    type Effect;
    /// Published view: the state at one size of the log.
    type View: Clone + Send + Sync + 'static;
    /// Frozen state, from which a snapshot is written. Another thread may write it while the state
    /// goes on.
    type Frozen: Send + 'static;

    /// Who pays for a command, as a view knows it, and the most that it costs; asked before the command waits.
    fn cost(view: &Self::View, command: &Self::Command) -> Cost;

    /// Decides one command on the state as it stands.
    fn decide(&self, command: Self::Command, context: &mut Context<'_, Self::Rules>) -> Decided<Self>;

    /// Work that falls due by time, at most `cap` events, each of which costs no more than its
    /// machine's caps. What is left is due ([`Machine::is_due`]).
    fn sweep(&self, context: &mut Context<'_, Self::Rules>, cap: usize) -> Decided<Self>;

    /// Whether a sweep at this time has something to do.
    fn is_due(&self, now: Seconds) -> bool;

    /// The first event of a boot: what was hot is void.
    fn boot(boot_id: BootId, now: Seconds) -> Self::Event;

    /// The answer to a command whose events no batch can hold.
    fn too_large() -> Self::Answer;

    /// An answer whose events have passed their gate: a charge in it counts from now on. Machines without charges keep
    /// this.
    fn passed(answer: Self::Answer, _: &Passed) -> Self::Answer {
        answer
    }

    /// Applies one event.
    fn apply(&mut self, event: Self::Event, mode: Mode);

    /// The published view of the current state, in O(1): later events do not change it.
    fn view(&self) -> Self::View;

    /// The frozen current state for a snapshot, in O(1): later events do not change it.
    fn freeze(&self) -> Self::Frozen;

    /// Writes what survives a restart, a section for each workflow.
    fn save(frozen: &Self::Frozen, out: &mut Sections<'_>);

    /// Reads what [`Machine::save`] wrote.
    ///
    /// # Errors
    /// [`Corrupt`], whatever is wrong; a section that it does not know included.
    fn load(sections: &mut SectionReader<'_>) -> Result<Self, Corrupt>;
}
