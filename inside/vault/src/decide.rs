//! `decide`: the decision on a command. Reads the state, changes nothing.

use core::convert::identity;

use adyton_decider::{Draft, Seconds};

use crate::operation::operation_of;
use crate::prover::VaultProver;
use crate::services::{MAX_SWEPT_LOOSENINGS, Services};
use crate::verification::ReadHandles;
use crate::{
    Answer, Command, Context, Decision, Effect, Event, EventKind, Reply, State, services, tenancy, verification,
};

/// Events of one sweep at the most: one of verifications, the others of loosenings.
pub const MAX_SWEPT: usize = 1 + MAX_SWEPT_LOOSENINGS;

/// Decides one command. A refusal leaves what is logged of refusals themselves, and its record; of
/// what one workflow drafted before another one refused, nothing.
pub fn decide(state: &State, command: Command, context: &mut Context<'_>) -> Decision {
    let mut draft = Draft::default();
    let asked = context.rules.records_operations.then(|| operation_of(state, &command)).flatten();
    let answer = answer(state, command, context, &mut draft);
    if let Some(asked) = asked {
        draft.log(Event { at: context.now, kind: EventKind::Operation(asked.record(&answer)) });
    }
    Decision { draft, answer }
}

/// The answer, and what happens; of a refused command what is logged of the refusal.
fn answer(state: &State, command: Command, context: &mut Context<'_>, draft: &mut Draft<Event, Effect>) -> Answer {
    match command {
        Command::Tenancy(command) => {
            let mut own = tenancy::Draft::default();
            let context = &mut context.under(|rules| &rules.tenancy);
            let reply = tenancy::decide(&state.tenancy, command, context, &mut own)?;
            add(state, draft, context.now, own, |never| match never {});
            Ok(Reply::Tenancy(reply))
        }
        Command::Services(command) => {
            let mut own = services::Draft::default();
            let context = &mut context.under(|rules| &rules.services);
            let reply = services::decide(&state.services, &state.tenancy, &VaultProver, command, context, &mut own)?;
            add(state, draft, context.now, own, |never| match never {});
            Ok(Reply::Services(reply))
        }
        Command::Verification(command) => {
            let mut own = verification::Draft::default();
            let services = Services::new(&state.services, &context.rules.services);
            let handles = ReadHandles { tenancy: &state.tenancy, services };
            let context = &mut context.under(|rules| &rules.verification);
            let reply = verification::decide(&state.verification, &handles, command, context, &mut own);
            // Refused or not: what of a refusal is logged is in the draft.
            add(state, draft, context.now, own, identity);
            Ok(Reply::Verification(reply?))
        }
        Command::RecordRead(note) => {
            if context.rules.records_operations {
                draft.log(Event { at: context.now, kind: EventKind::Operation(note.record()) });
            }
            Ok(Reply::Done)
        }
        Command::Tick(_) => {
            tick(state, context, MAX_SWEPT, draft);
            Ok(Reply::Done)
        }
    }
}

/// Drafts the events due now, at most `cap`. The rest is due at the next tick ([`State::is_due`]).
pub(crate) fn tick(state: &State, context: &mut Context<'_>, cap: usize, draft: &mut Draft<Event, Effect>) {
    let mut own = verification::Draft::default();
    verification::sweep(&state.verification, context.now, &mut own);
    add(state, draft, context.now, own, identity);
    let mut own = services::Draft::default();
    let left = cap.saturating_sub(draft.events.len());
    services::sweep(&state.services, &context.under(|rules| &rules.services), left, &mut own);
    add(state, draft, context.now, own, |never| match never {});
}

/// Adds a workflow's draft, and the effects that its facts cause in other workflows.
fn add<E: Into<EventKind>, F>(
    state: &State,
    draft: &mut Draft<Event, Effect>,
    at: Seconds,
    own: Draft<E, F>,
    effect: impl FnMut(F) -> Effect,
) {
    let first = draft.events.len();
    draft.absorb(own, |event| Event { at, kind: event.into() }, effect);
    let facts = draft.events[first..].iter().filter_map(|event| state.fact(&event.kind));
    draft.effects.extend(facts.flat_map(|fact| state.effects_of_fact(fact)));
}
