use alloc::vec;

use adyton_engine::{Machine as _, SectionReader, Sections};
use adyton_seal::Plaintext;
use proptest::prelude::*;

use super::*;
use crate::verification::Refusal;

/// A random step of a workload.
#[derive(Clone, Debug)]
enum Step {
    Start(u8),
    Right(u8),
    Wrong(u8),
    Cancel(u8),
    Pass(u16),
    Tick,
    Report(u8),
    Service,
    Longer,
    Loosen(u8),
    Keys(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6u8).prop_map(Step::Start),
        4 => (0..6u8).prop_map(Step::Right),
        4 => (0..6u8).prop_map(Step::Wrong),
        1 => (0..6u8).prop_map(Step::Cancel),
        2 => (0..400u16).prop_map(Step::Pass),
        1 => Just(Step::Tick),
        1 => (0..6u8).prop_map(Step::Report),
        1 => Just(Step::Service),
        1 => Just(Step::Longer),
        1 => (6..9u8).prop_map(Step::Loosen),
        1 => any::<bool>().prop_map(Step::Keys),
    ]
}

fn number(who: u8) -> String {
    ["+1202555012", char::from(b'0' + who).to_string().as_str()].concat()
}

/// The sections of tenants and services.
fn kept_sections(state: &State) -> Vec<(u16, Vec<u8>)> {
    let bytes = state.cold_bytes();
    let mut sections = SectionReader::new(&bytes);
    let mut found = Vec::new();
    while let Some(section) = sections.section().unwrap() {
        found.push((section.workflow, section.bytes.to_vec()));
    }
    found.retain(|(workflow, _)| *workflow != verification::SECTION.0);
    found
}

proptest! {
    #[test]
    fn replay_gives_the_same_state_minus_class_h(steps in proptest::collection::vec(step(), 0..150)) {
        let mut bench = Bench::new();
        bench.rules.services.loosening_wait = 300;
        bench.rules.verification.limits.failed_checks = 6;
        let service = bench.service;
        let mut live: [Option<(VerificationView, String)>; 6] = Default::default();
        let mut taken = Vec::new();
        for step in steps {
            match step {
                Step::Start(who) => if let Ok(started) = bench.start(&number(who)) {
                    live[usize::from(who)] = Some(started);
                },
                Step::Right(who) => if let Some((view, code)) = live[usize::from(who)].take() {
                    let facts = bench.state.hot_facts();
                    let alive = facts.iter().any(|facts| facts.verification == view.verification && facts.checks < MAX_CHECKS);
                    let in_time = bench.now < view.created + CODE_LIFE;
                    match bench.check(view.verification, &code) {
                        Ok(status) => prop_assert!(alive && in_time && status == Status::Approved),
                        Err(Refusal::ChecksClosed { .. }) => prop_assert!(alive && in_time),
                        Err(_) => prop_assert!(!(alive && in_time)),
                    }
                },
                Step::Wrong(who) => if let Some((view, code)) = &live[usize::from(who)] {
                    let (sid, code) = (view.verification, wrong(code));
                    prop_assert_ne!(bench.check(sid, &code), Ok(Status::Approved));
                },
                Step::Cancel(who) => {
                    let target = Target::Subject(subjects(&number(who)).in_service);
                    let _ = bench.run(Cancel { caller: caller(), service, target });
                }
                Step::Pass(seconds) => bench.now += u64::from(seconds),
                Step::Tick => {
                    let (view, frozen) = (bench.state.view(), bench.state.freeze());
                    taken.push((view, frozen, bench.state.hot_facts(), bench.state.cold_bytes()));
                    bench.run(Tick).unwrap();
                }
                Step::Report(who) => if let Some((view, _)) = &live[usize::from(who)] {
                    let (verification, attempt) = (view.verification, view.attempts[0].sid);
                    bench.run(ReportDelivery { verification, attempt, outcome: Outcome::Accepted, route: Some(0) }).unwrap();
                },
                Step::Service => {
                    bench.run(CreateService { caller: caller(), settings: settings() }).unwrap();
                }
                Step::Longer => {
                    let update = ServiceUpdate { code_length: Some(9), ..ServiceUpdate::default() };
                    bench.run(UpdateService { caller: caller(), service, update }).unwrap();
                }
                Step::Loosen(length) => {
                    let (_, sequence) = bench.state.signer(ACCOUNT).unwrap();
                    let code_length = Some(length);
                    let command = Loosen { caller: caller(), account: ACCOUNT, sequence, service, code_length, custom_code: false };
                    match bench.run(command) {
                        Ok(_) | Err(services::Refusal::NotWeaker) => {}
                        Err(refusal) => prop_assert!(false, "{refusal:?}"),
                    }
                }
                Step::Keys(reset) => {
                    let (_, sequence) = bench.state.signer(ACCOUNT).unwrap();
                    let added = [new_key(id(bench.counter), Scope::Verify, token(3))].to_vec();
                    let changes = KeyChanges { reset, added, ..KeyChanges::default() };
                    let _ = bench.run(ChangeKeys { account: ACCOUNT, sequence, changes });
                }
            }
        }
        for (view, frozen, hot_facts, cold_bytes) in taken {
            // Whatever happened since.
            prop_assert_eq!(view.clone().verification.hot_facts(), hot_facts);
            let mut out = Plaintext::with_capacity(256);
            State::save(&frozen, &mut Sections::new(&mut out));
            prop_assert_eq!(out.as_bytes(), cold_bytes);
        }
        let replayed = bench.replay();
        prop_assert_eq!(replayed.cold_bytes(), bench.state.cold_bytes());
        prop_assert_eq!(replayed.hot_facts(), bench.state.hot_facts());
        prop_assert_eq!(replayed.slots(), bench.state.slots());
        let snapshot = State::decode_cold(&bench.state.cold_bytes()).unwrap();
        prop_assert_eq!(snapshot.cold_bytes(), bench.state.cold_bytes());
        let mut cold = State::new();
        bench.log.iter().for_each(|event| cold.apply_cold(Event::decode_all(event).unwrap()));
        prop_assert_eq!(cold.cold_bytes(), bench.state.cold_bytes());
        // Kept bodies alone bring back tenants and services; budgets (class P) go with the hot ones.
        let mut kept = State::new();
        let events = bench.log.iter().map(|event| Event::decode_all(event).unwrap());
        events.filter(|event| matches!(event.class(), Class::S | Class::A)).for_each(|event| kept.apply_cold(event));
        prop_assert_eq!(kept_sections(&kept), kept_sections(&bench.state));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::decode_all(&bytes);
        let _ = State::decode_cold(&bytes);
    }
}
