//! A machine of counters, one of each class, whose sums depend on the order in which events are applied.

use adyton_decider::{
    BootId, Charge, Charged, Class, Context, Corrupt, Cost, Decision, Draft, Map, Passed, Payer, Record, SectionOut,
    Set,
};
use adyton_engine::{Decided, Machine, Mode, SectionReader, Sections};
use adyton_seal::Plaintext;
use adyton_wire::{Put, Reader};

/// What is asked of the toy.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Count these, in one operation.
    Count(Vec<Note>),
    /// Let a deadline stand until `at`.
    Promise(u64),
    /// Ask for something that is refused.
    Refuse,
}

/// A command of either kind: those that a test may repeat, and those that use something up.
pub(crate) enum Asked {
    Plain(Command),
    /// Spend a try of this counter.
    Charge(u8),
    /// Compare, with a try that is spent.
    Conclude(Charged<u8>),
}

impl From<Command> for Asked {
    fn from(command: Command) -> Self {
        Self::Plain(command)
    }
}

/// What the toy answers.
pub(crate) enum Answer {
    Plain(Result<usize, Refusal>),
    /// The try is not spent for good yet.
    Charge(Charge<u8>),
    Charged(Charged<u8>),
}

/// One thing to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) class: Class,
    pub(crate) counter: u8,
    /// Bytes that its event has besides.
    pub(crate) weight: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Refused,
    TooLarge,
}

#[derive(Debug)]
pub(crate) enum Event {
    Booted(BootId),
    Counted(Note),
    Promised(u64),
    Due(u64),
}

/// Sums; the hot ones are void after a boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Toy {
    pub(crate) hot: Map<u8, u64>,
    pub(crate) spent: Map<u8, u64>,
    pub(crate) sync: Map<u8, u64>,
    pub(crate) promises: Set<u64>,
    pub(crate) boots: u64,
}

impl Record for Event {
    fn class(&self) -> Class {
        match self {
            Self::Booted(_) => Class::P,
            Self::Counted(note) => note.class,
            Self::Promised(_) | Self::Due(_) => Class::S,
        }
    }

    fn encode(&self, out: &mut Plaintext) {
        match self {
            Self::Booted(id) => {
                out.put_u8(0);
                out.put(&id.0);
            }
            Self::Counted(Note { class, counter, weight }) => {
                out.put_u8(match class {
                    Class::H => 1,
                    Class::P => 2,
                    Class::S => 3,
                    Class::A => 4,
                });
                out.put_u8(*counter);
                out.put_lp(&vec![*counter; *weight]);
            }
            Self::Promised(at) => {
                out.put_u8(5);
                out.put_u64(*at);
            }
            Self::Due(at) => {
                out.put_u8(6);
                out.put_u64(*at);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let counted = |class, reader: &mut Reader<'_>| {
            let (counter, weight) = (reader.u8()?, reader.lp()?.len());
            Ok(Self::Counted(Note { class, counter, weight }))
        };
        match reader.u8()? {
            0 => Ok(Self::Booted(BootId(reader.array()?))),
            1 => counted(Class::H, reader),
            2 => counted(Class::P, reader),
            3 => counted(Class::S, reader),
            4 => counted(Class::A, reader),
            5 => Ok(Self::Promised(reader.u64()?)),
            6 => Ok(Self::Due(reader.u64()?)),
            _ => Err(Corrupt),
        }
    }
}

impl Toy {
    /// What [`Machine::save`] writes.
    pub(crate) fn cold(&self) -> Vec<u8> {
        let mut out = Plaintext::with_capacity(64);
        Self::save(self, &mut Sections::new(&mut out));
        out.as_bytes().to_vec()
    }
}

/// The order of what is counted tells in the sum.
fn count(sums: &mut Map<u8, u64>, note: &Note) {
    sums.update_or_default(note.counter, |sum| *sum = sum.wrapping_mul(31).wrapping_add(note.weight as u64 + 1));
}

impl Machine for Toy {
    type Command = Asked;
    type Rules = ();
    type Event = Event;
    type Answer = Answer;
    type Effect = usize;
    type View = Self;
    type Frozen = Self;

    fn cost(_: &Self, _: &Asked) -> Cost {
        Cost { payer: Payer::Internal, bytes: 0 }
    }

    fn decide(&self, asked: Asked, _: &mut Context<'_, ()>) -> Decided<Self> {
        let command = match asked {
            Asked::Plain(command) => command,
            Asked::Charge(counter) => {
                let mut draft = Draft::default();
                let spent = Event::Counted(Note { class: Class::P, counter, weight: 0 });
                let charge = draft.charge(spent, counter);
                return Decision { draft, answer: Answer::Charge(charge) };
            }
            Asked::Conclude(charged) => {
                Command::Count(vec![Note { class: Class::S, counter: charged.conclude(), weight: 0 }])
            }
        };
        let events: Vec<Event> = match command {
            Command::Refuse => {
                return Decision::answer(Answer::Plain(Err(Refusal::Refused)));
            }
            Command::Count(notes) => notes.into_iter().map(Event::Counted).collect(),
            Command::Promise(at) => vec![Event::Promised(at)],
        };
        let (answer, effects) = (Ok(events.len()), if events.is_empty() { Vec::new() } else { vec![events.len()] });
        Decision { draft: Draft { events, effects }, answer: Answer::Plain(answer) }
    }

    fn sweep(&self, context: &mut Context<'_, ()>, cap: usize) -> Decided<Self> {
        let due = self.promises.iter().take_while(|at| **at <= context.now).take(cap);
        let mut draft = Draft::default();
        due.for_each(|at| draft.log(Event::Due(*at)));
        Decision { draft, answer: Answer::Plain(Ok(0)) }
    }

    fn is_due(&self, now: u64) -> bool {
        self.promises.first().is_some_and(|at| *at <= now)
    }

    fn boot(boot_id: BootId, _: u64) -> Event {
        Event::Booted(boot_id)
    }

    fn too_large() -> Self::Answer {
        Answer::Plain(Err(Refusal::TooLarge))
    }

    fn passed(answer: Answer, passed: &Passed) -> Answer {
        match answer {
            Answer::Charge(charge) => Answer::Charged(charge.pass(passed)),
            answer => answer,
        }
    }

    fn apply(&mut self, event: Event, mode: Mode) {
        match event {
            Event::Booted(_) => {
                self.hot = Map::new();
                self.boots += 1;
            }
            Event::Counted(note) => match note.class {
                Class::H if mode == Mode::Live => count(&mut self.hot, &note),
                Class::P => count(&mut self.spent, &note),
                Class::S => count(&mut self.sync, &note),
                Class::H | Class::A => {}
            },
            Event::Promised(at) => drop(self.promises.insert(at)),
            Event::Due(at) => drop(self.promises.remove(&at)),
        }
    }

    fn view(&self) -> Self {
        self.clone()
    }

    fn freeze(&self) -> Self {
        self.clone()
    }

    /// Two sections, as if the counters were of two workflows.
    fn save(frozen: &Self, out: &mut Sections<'_>) {
        let Self { hot: _, spent, sync, promises, boots } = frozen;
        let put = |out: &mut Plaintext, sums: &Map<u8, u64>| {
            for (counter, sum) in sums.iter() {
                out.put_u8(*counter);
                out.put_u64(*sum);
            }
        };
        out.put(1, 1, |out| {
            out.part(|out| out.put_u64(*boots));
            out.part(|out| put(out, spent));
        });
        out.put(7, 2, |out| {
            out.part(|out| out.put_nested(|out| promises.iter().for_each(|at| out.put_u64(*at))));
            out.part(|out| put(out, sync));
        });
    }

    fn load(sections: &mut SectionReader<'_>) -> Result<Self, Corrupt> {
        let mut toy = Self::default();
        let read = |mut list: Reader<'_>, sums: &mut Map<u8, u64>| {
            while !list.rest().is_empty() {
                sums.insert(list.u8()?, list.u64()?);
            }
            Ok::<_, Corrupt>(())
        };
        let (Some(first), Some(second)) = (sections.section()?, sections.section()?) else { return Err(Corrupt) };
        if [(first.workflow, first.version), (second.workflow, second.version)] != [(1, 1), (7, 2)] {
            return Err(Corrupt);
        }
        let (mut first, mut second) = (Reader::new(first.bytes), Reader::new(second.bytes));
        toy.boots = first.u64()?;
        read(first, &mut toy.spent)?;
        let mut promises = Reader::new(second.lp()?);
        while !promises.rest().is_empty() {
            toy.promises.insert(promises.u64()?);
        }
        read(second, &mut toy.sync)?;
        Ok(toy)
    }
}
