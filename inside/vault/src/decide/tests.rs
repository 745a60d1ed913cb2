#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use adyton_seal::{Code, Plaintext, Secret};
use proptest::prelude::*;

use crate::event::EventKind;
use crate::*;

/// A vault driven by hand: deterministic randomness, a clock that the test moves, and every event kept.
struct Bench {
    state: State,
    log: Vec<Vec<u8>>,
    now: Seconds,
    counter: u8,
}

const ACCOUNT: Sid = Sid([1; 16]);
const TOKEN: [u8; 32] = [2; 32];
const NUMBER: &str = "+15550100123";

fn caller() -> Caller {
    Caller { account: ACCOUNT, token_hash: TOKEN }
}

impl Bench {
    fn new() -> (Self, Sid) {
        let mut bench = Self { state: State::new(), log: Vec::new(), now: 1_800_000_000, counter: 0 };
        bench.run(Command::CreateTenant { account: ACCOUNT, token_hash: TOKEN, friendly_name: "Acme".into() }).unwrap();
        let command = Command::CreateService { caller: caller(), friendly_name: "Acme".into(), code_length: 6 };
        let Reply::Service(service) = bench.run(command).unwrap().0 else { panic!("not a service") };
        (bench, service.service)
    }

    fn run(&mut self, command: Command) -> Result<(Reply, Vec<Effect>), Refusal> {
        self.counter = self.counter.wrapping_add(1);
        let counter = self.counter;
        let fresh = Fresh::new(Secret::init_with(|bytes| bytes.fill(counter)));
        let decision = decide(&self.state, command, &Context { now: self.now, fresh })?;
        for event in decision.events {
            let mut out = Plaintext::with_capacity(64);
            event.encode(&mut out);
            self.log.push(out.as_bytes().to_vec());
            self.state.evolve(event);
        }
        Ok((decision.reply, decision.effects))
    }

    fn start(&mut self, service: Sid, number: &str) -> Result<(VerificationView, String), Refusal> {
        let destination = Destination::parse(number).unwrap();
        let subject = subject(number);
        let channel = Channel::Sms;
        let (reply, effects) = self.run(Command::Start { caller: caller(), service, destination, subject, channel })?;
        let Reply::Verification(view) = reply else { panic!("not a verification") };
        let [Effect::Send { body, to, .. }] = &effects[..] else { panic!("not one message") };
        assert_eq!(to.expose(), number);
        let code = body.expose().rsplit(' ').next().unwrap().to_string();
        Ok((view, code))
    }

    fn check(&mut self, service: Sid, verification: Sid, code: &str) -> Result<Status, Refusal> {
        let code = Code::parse(code).unwrap();
        let command = Command::Check { caller: caller(), service, target: Target::Sid(verification), code };
        let Reply::Verification(view) = self.run(command)?.0 else { panic!("not a verification") };
        Ok(view.status)
    }

    fn replay(&self) -> State {
        let mut state = State::new();
        self.log.iter().for_each(|event| state.evolve(Event::decode(event).unwrap()));
        state
    }
}

/// Stands for the keyed hash that the edge computes.
fn subject(number: &str) -> [u8; 16] {
    let mut subject = [0x80; 16];
    subject.iter_mut().zip(number.bytes()).for_each(|(place, byte)| *place ^= byte);
    subject
}

fn wrong(code: &str) -> String {
    let first = if code.starts_with('0') { "1" } else { "0" };
    [first, &code[1..]].concat()
}

#[test]
fn a_code_is_approved_once() {
    let (mut bench, service) = Bench::new();
    let (view, code) = bench.start(service, NUMBER).unwrap();
    assert_eq!(code.len(), 6);
    assert_eq!(bench.check(service, view.verification, &wrong(&code)), Ok(Status::Pending));
    assert_eq!(bench.check(service, view.verification, &code), Ok(Status::Approved));
    assert_eq!(bench.check(service, view.verification, &code), Err(Refusal::NotFound));
    assert_eq!(bench.state.slots(), 0, "the slot key goes with its last live code");
}

#[test]
fn a_resend_recomputes_the_same_code_and_does_not_extend_its_life() {
    let (mut bench, service) = Bench::new();
    let (first, code) = bench.start(service, NUMBER).unwrap();
    bench.now += 599;
    let (second, again) = bench.start(service, NUMBER).unwrap();
    assert_eq!((first.verification, &code), (second.verification, &again));
    assert_eq!(second.attempts.len(), 2);
    bench.now += 1;
    assert_eq!(bench.check(service, first.verification, &code), Err(Refusal::NotFound));
    let (third, _) = bench.start(service, NUMBER).unwrap();
    assert_ne!(first.verification, third.verification);
}

#[test]
fn sends_and_checks_are_limited() {
    let (mut bench, service) = Bench::new();
    let (view, code) = bench.start(service, NUMBER).unwrap();
    for _ in 1..MAX_SENDS {
        bench.start(service, NUMBER).unwrap();
    }
    assert_eq!(bench.start(service, NUMBER).err(), Some(Refusal::TooManySends));
    for _ in 0..MAX_CHECKS {
        assert_eq!(bench.check(service, view.verification, &wrong(&code)), Ok(Status::Pending));
    }
    assert_eq!(bench.check(service, view.verification, &code), Err(Refusal::TooManyChecks));
    assert_eq!(bench.start(service, NUMBER).err(), Some(Refusal::TooManyChecks));
}

#[test]
fn strangers_learn_nothing() {
    let (mut bench, service) = Bench::new();
    let (view, code) = bench.start(service, NUMBER).unwrap();
    for (account, token_hash) in [(ACCOUNT, [9; 32]), (Sid([9; 16]), TOKEN), (Sid([9; 16]), [0; 32])] {
        let command = Command::Check {
            caller: Caller { account, token_hash },
            service,
            target: Target::Sid(view.verification),
            code: Code::parse(&code).unwrap(),
        };
        assert_eq!(bench.run(command).err(), Some(Refusal::Unauthorized));
    }
    assert_eq!(bench.check(Sid([7; 16]), view.verification, &code), Err(Refusal::NotFound));
    assert_eq!(bench.check(service, Sid([7; 16]), &code), Err(Refusal::NotFound));
}

#[test]
fn the_first_tenant_may_repeat_itself_and_no_second_one_comes_in() {
    let (mut bench, _) = Bench::new();
    let create = |account, token_hash| Command::CreateTenant { account, token_hash, friendly_name: "x".into() };
    assert!(bench.run(create(ACCOUNT, TOKEN)).is_ok());
    assert_eq!(bench.run(create(ACCOUNT, [3; 32])).err(), Some(Refusal::AccountTaken));
    assert_eq!(bench.run(create(Sid([4; 16]), TOKEN)).err(), Some(Refusal::TenantsClosed));
}

#[test]
fn a_boot_voids_everything_hot_and_nothing_else() {
    let (mut bench, service) = Bench::new();
    let (view, code) = bench.start(service, NUMBER).unwrap();
    let before = bench.state.cold_bytes();
    bench.state.evolve(Event { at: bench.now, kind: EventKind::Booted { boot_id: [5; 16] } });
    assert_eq!(bench.state.cold_bytes(), before);
    assert_eq!((bench.state.live(), bench.state.slots()), (0, 0));
    assert_eq!(bench.check(service, view.verification, &code), Err(Refusal::NotFound));
}

#[test]
fn no_event_carries_the_number_the_code_or_the_slot_key() {
    let (mut bench, service) = Bench::new();
    let (_, code) = bench.start(service, NUMBER).unwrap();
    let slot_key = [bench.counter; 32];
    let everything = bench.log.concat();
    let holds = |needle: &[u8]| everything.windows(needle.len()).any(|window| window == needle);
    assert!(!holds(NUMBER.as_bytes()));
    assert!(!holds(code.as_bytes()));
    assert!(!holds(&slot_key));
    assert!(holds(b"Acme"), "the search finds what is there");
}

#[test]
fn other_spellings_of_a_number_are_refused() {
    for text in [
        "15550100123",
        "+1 5550100123",
        "+0155501001",
        "+155501",
        "+1555010012345678",
        "+1555O100123",
        "+１５５５０１００",
        "",
        "+",
    ] {
        assert!(Destination::parse(text).is_err(), "{text}");
    }
}

/// A random step of a workload.
#[derive(Clone, Debug)]
enum Step {
    Start(u8),
    Right(u8),
    Wrong(u8),
    Pass(u16),
    Tick,
    Report(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6u8).prop_map(Step::Start),
        3 => (0..6u8).prop_map(Step::Right),
        3 => (0..6u8).prop_map(Step::Wrong),
        1 => (0..400u16).prop_map(Step::Pass),
        1 => Just(Step::Tick),
        1 => (0..6u8).prop_map(Step::Report),
    ]
}

#[test]
fn outcomes_and_their_routes_are_read_as_they_were_written() {
    let (verification, attempt) = (Sid([1; 16]), Sid([2; 16]));
    let outcomes = [Outcome::Accepted, Outcome::Refused, Outcome::GaveUp, Outcome::Unreachable];
    for (number, outcome) in (1u8..).zip(outcomes) {
        for (route, byte) in [(None, 255), (Some(0), 0), (Some(254), 254)] {
            let kind = EventKind::DeliveryReported { verification, attempt, outcome, route };
            let mut written = Plaintext::with_capacity(64);
            Event { at: 7, kind }.encode(&mut written);
            let expected = [&[10, 0, 0, 0, 0, 0, 0, 0, 7][..], &[1; 16], &[2; 16], &[number, byte]].concat();
            assert_eq!(written.as_bytes(), expected);
            let Ok(Event { at: 7, kind: EventKind::DeliveryReported { outcome: read, route: from, .. } }) =
                Event::decode(&expected)
            else {
                panic!("not the same event")
            };
            assert_eq!((read, from), (outcome, route));
        }
    }
    let unknown = [&[10, 0, 0, 0, 0, 0, 0, 0, 7][..], &[1; 32], &[5, 0]].concat();
    assert_eq!(Event::decode(&unknown).err(), Some(crate::EventError));
}

proptest! {
    #[test]
    fn replay_gives_the_same_state_minus_class_h(steps in proptest::collection::vec(step(), 0..120)) {
        let (mut bench, service) = Bench::new();
        let mut live: [Option<(VerificationView, String)>; 6] = Default::default();
        for step in steps {
            match step {
                Step::Start(who) => {
                    let number = ["+1555010012", char::from(b'0' + who).to_string().as_str()].concat();
                    if let Ok(started) = bench.start(service, &number) {
                        live[usize::from(who)] = Some(started);
                    }
                }
                Step::Right(who) => if let Some((view, code)) = live[usize::from(who)].take() {
                    let alive = bench.state.hot_facts().iter().any(|facts| facts.0 == view.verification && facts.4 < MAX_CHECKS);
                    let in_time = bench.now < view.created + CODE_LIFE;
                    prop_assert_eq!(bench.check(service, view.verification, &code).is_ok(), alive && in_time);
                },
                Step::Wrong(who) => if let Some((view, code)) = &live[usize::from(who)] {
                    let (sid, code) = (view.verification, wrong(code));
                    prop_assert_ne!(bench.check(service, sid, &code), Ok(Status::Approved));
                },
                Step::Pass(seconds) => bench.now += u64::from(seconds),
                Step::Tick => { bench.run(Command::Tick).unwrap(); }
                Step::Report(who) => if let Some((view, _)) = &live[usize::from(who)] {
                    let (verification, attempt) = (view.verification, view.attempts[0].1);
                    let report = Command::ReportDelivery { verification, attempt, outcome: Outcome::Accepted, route: Some(0) };
                    bench.run(report).unwrap();
                },
            }
        }
        let replayed = bench.replay();
        prop_assert_eq!(replayed.cold_bytes(), bench.state.cold_bytes());
        prop_assert_eq!(replayed.hot_facts(), bench.state.hot_facts());
        prop_assert_eq!(replayed.slots(), bench.state.slots());
        let snapshot = State::decode_cold(&bench.state.cold_bytes()).unwrap();
        prop_assert_eq!(snapshot.cold_bytes(), bench.state.cold_bytes());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::decode(&bytes);
        let _ = State::decode_cold(&bytes);
    }
}
