//! The vault as the engine runs it.

use adyton_decider::{BootId, Cost, Decision as Decided, Draft};
use adyton_engine::{Machine, Mode, SectionReader, Sections};
use adyton_wire::Reader;

use crate::{
    Answer, Ceiling, Command, Context, Corrupt, Decision, Effect, Event, EventKind, Frozen, Limits, Refusal, Reply,
    Rules, Seconds, State, View, cost, decide, services, tenancy, verification,
};

/// An effect, run once its events are durable.
#[allow(clippy::large_enum_variant, reason = "nearly every one is a message; a box for each would cost more")]
pub enum Consequence {
    /// Something of delivery is to be done.
    Deliver(Effect),
    /// The event brought this ceiling near.
    CeilingNear(Ceiling),
}

impl Machine for State {
    type Command = Command;
    type Rules = Rules;
    type Event = Event;
    type Answer = Answer;
    type Effect = Consequence;
    type View = View;
    type Frozen = Frozen;

    fn cost(view: &View, command: &Command) -> Cost {
        cost::cost(view, command)
    }

    fn decide(&self, command: Command, context: &mut Context<'_>) -> Decided<Event, Consequence, Answer> {
        let decided = decide::decide(self, command, context);
        self.consequences(decided, &context.rules.verification.limits)
    }

    fn sweep(&self, context: &mut Context<'_>, cap: usize) -> Decided<Event, Consequence, Answer> {
        debug_assert!(cap > 0, "a sweep without an event would never end");
        let mut draft = Draft::default();
        decide::tick(self, context, cap, &mut draft);
        self.consequences(Decided { draft, answer: Ok(Reply::Done) }, &context.rules.verification.limits)
    }

    fn is_due(&self, now: Seconds) -> bool {
        self.is_due(now)
    }

    fn boot(boot_id: BootId, now: Seconds) -> Event {
        Event { at: now, kind: EventKind::Booted(boot_id) }
    }

    fn too_large() -> Answer {
        Err(Refusal::TooLarge)
    }

    fn apply(&mut self, event: Event, mode: Mode) {
        match mode {
            Mode::Live => self.apply_live(event),
            Mode::Cold => self.apply_cold(event),
        }
    }

    fn view(&self) -> View {
        let Self { tenancy, services, verification } = self;
        View { tenancy: tenancy.clone(), services: services.clone(), verification: verification.view() }
    }

    fn freeze(&self) -> Frozen {
        let Self { tenancy, services, verification } = self;
        Frozen { tenancy: tenancy.clone(), services: services.clone(), verification: verification.freeze() }
    }

    fn save(frozen: &Frozen, out: &mut Sections<'_>) {
        let (workflow, version) = tenancy::SECTION;
        out.put(workflow, version, |out| frozen.tenancy.save(out));
        let (workflow, version) = services::SECTION;
        out.put(workflow, version, |out| frozen.services.save(out));
        let (workflow, version) = verification::SECTION;
        out.put(workflow, version, |out| frozen.verification.save(out));
    }

    fn load(sections: &mut SectionReader<'_>) -> Result<Self, Corrupt> {
        let tenancy = load(sections, tenancy::SECTION, tenancy::State::load)?;
        let services = load(sections, services::SECTION, |reader| services::State::load(reader, &tenancy))?;
        let verification =
            load(sections, verification::SECTION, |reader| verification::State::load(reader, &services))?;
        match sections.section()? {
            None => Ok(Self { tenancy, services, verification }),
            Some(_) => Err(Corrupt),
        }
    }
}

impl State {
    /// Adds the ceilings that come near.
    fn consequences(&self, decided: Decision, limits: &Limits) -> Decided<Event, Consequence, Answer> {
        let Decided { draft: Draft { events, effects }, answer } = decided;
        // No command counts twice against one ceiling, so the state before it shows what is near
        // after it.
        let near = events.iter().flat_map(|event| self.ceilings_near(event, limits)).map(Consequence::CeilingNear);
        let effects = effects.into_iter().map(Consequence::Deliver).chain(near).collect();
        Decided { draft: Draft { events, effects }, answer }
    }
}

/// Reads the next section, which must be this one and be used up.
fn load<T>(
    sections: &mut SectionReader<'_>,
    expected: (u16, u16),
    load: impl FnOnce(&mut Reader<'_>) -> Result<T, Corrupt>,
) -> Result<T, Corrupt> {
    let section = sections.section()?.filter(|found| (found.workflow, found.version) == expected).ok_or(Corrupt)?;
    let mut reader = Reader::new(section.bytes);
    let loaded = load(&mut reader)?;
    reader.finish()?;
    Ok(loaded)
}
