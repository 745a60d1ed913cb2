//! The vault as the engine runs it.

use adyton_decider::{BootId, Decision as Decided, Draft, Record};
use adyton_engine::{Machine, Mode, SectionReader, Sections};
use adyton_seal::{Plaintext, Reader};

use crate::{
    Ceiling, Class, Command, Context, Corrupt, Decision, Effect, Event, EventKind, MAX_TICK_LOOSENINGS, Refusal, Reply,
    Rules, Seconds, State, decide,
};

/// The one section that snapshots have, and the version of its bytes.
const WORKFLOW: u16 = 1;
const VERSION: u16 = 1;

/// What follows once events are durable.
#[allow(clippy::large_enum_variant, reason = "nearly every one is a message; a box for each would cost more")]
pub enum Consequence {
    /// Something of delivery is to be done.
    Deliver(Effect),
    /// What happened brought this ceiling near.
    CeilingNear(Ceiling),
}

impl Record for Event {
    fn class(&self) -> Class {
        self.class()
    }

    fn encode(&self, out: &mut Plaintext) {
        self.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Self::decode(reader.take(reader.rest().len())?)
    }
}

impl Machine for State {
    type Command = Command;
    type Rules = Rules;
    type Event = Event;
    type Answer = Result<Reply, Refusal>;
    type Effect = Consequence;

    fn decide(&self, command: Command, context: &mut Context<'_>) -> Decided<Event, Consequence, Self::Answer> {
        match decide(self, command, context) {
            Ok(Decision { events, reply, effects }) => {
                // No command counts twice against one ceiling, so the state before it tells what is near after it.
                let near = events.iter().flat_map(|event| self.ceilings_near(event, &context.rules.limits));
                let near = near.map(Consequence::CeilingNear);
                let effects = effects.into_iter().map(Consequence::Deliver).chain(near).collect();
                Decided { draft: Draft { events, effects }, answer: Ok(reply) }
            }
            Err(refusal) => Decided::answer(Err(refusal)),
        }
    }

    fn sweep(&self, context: &mut Context<'_>, cap: usize) -> Decided<Event, Consequence, Self::Answer> {
        let mut decided = Machine::decide(self, Command::Tick, context);
        // The effects are those of the first event. A tick has a cap of its own ([`MAX_TICK_LOOSENINGS`]).
        debug_assert!(
            (1..=MAX_TICK_LOOSENINGS).contains(&cap),
            "or fewer events than the cap would not say that all is done"
        );
        decided.draft.events.truncate(cap);
        decided
    }

    fn boot(BootId(boot_id): BootId, now: Seconds) -> Event {
        Event { at: now, kind: EventKind::Booted { boot_id } }
    }

    fn too_large() -> Self::Answer {
        Err(Refusal::TooLarge)
    }

    fn apply(&mut self, event: Event, mode: Mode) {
        match mode {
            Mode::Live => self.evolve(event),
            Mode::Cold => self.evolve_cold(event),
        }
    }

    fn compact(&mut self, now: Seconds) {
        self.drop_full_budgets(now);
    }

    fn save(&self, out: &mut Sections<'_>) {
        out.put(WORKFLOW, VERSION, |out| self.encode_cold(out));
    }

    fn load(sections: &mut SectionReader<'_>) -> Result<Self, Corrupt> {
        Self::decode_cold(sections.only(WORKFLOW, VERSION)?)
    }
}
