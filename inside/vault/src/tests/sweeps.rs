//! Sweeps in steps: whatever happens between them, nothing deleted is visible.

use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::verification::Refusal;

#[derive(Clone, Debug)]
enum Step {
    Create,
    /// Verifications of a service.
    Start(u8, u16),
    /// Wrong codes, each for another destination of a service.
    Wrong(u8, u16),
    /// A right code for the first of them.
    Right(u8),
    Delete(u8),
    Pass(u16),
    Month,
    Tick,
    Boot,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Create),
        4 => (0..4u8, 1..1500u16).prop_map(|(which, many)| Step::Start(which, many)),
        3 => (0..4u8, 1..1500u16).prop_map(|(which, many)| Step::Wrong(which, many)),
        1 => (0..4u8).prop_map(Step::Right),
        3 => (0..4u8).prop_map(Step::Delete),
        2 => (0..700u16).prop_map(Step::Pass),
        1 => Just(Step::Month),
        6 => Just(Step::Tick),
        1 => Just(Step::Boot),
    ]
}

/// Services by their turn, and of each some of its verifications.
struct Made {
    bench: Bench,
    services: Vec<(ServiceId, bool)>,
    started: Vec<(ServiceId, VerificationId, AttemptId)>,
    number: u64,
}

fn subject(number: u16) -> Subject {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    Subject::from_bytes(bytes)
}

impl Made {
    /// The service of a turn, if it is there.
    fn service(&self, which: u8) -> Option<ServiceId> {
        let (service, gone) = *self.services.get(usize::from(which) % self.services.len().max(1))?;
        (!gone).then_some(service)
    }

    fn happen(&mut self, event: verification::Event) {
        self.bench.apply_live(Event { at: self.bench.now, kind: event.into() });
    }

    fn start(&mut self, service: ServiceId, many: u16) {
        for number in 0..many {
            self.number += 1;
            let mut sid = [0; 16];
            sid[..8].copy_from_slice(&self.number.to_be_bytes());
            let (verification, attempt) = (Id::from_bytes(sid), Id::from_bytes(sid));
            let (destination, channel) = destination(NUMBER);
            self.happen(verification::Event::VerificationStarted {
                verification,
                account: ACCOUNT,
                service,
                channel,
                subject: subject(number),
                attempt,
                code_length: 6,
                sent: None,
                destination: Some(destination),
                custom_code: None,
                slot_key: None,
            });
            if number % 500 == 0 {
                self.started.push((service, verification, attempt));
            }
        }
    }

    fn wrong(&mut self, service: ServiceId, many: u16) {
        for number in 0..many {
            let (verification, full_again) = (Id::from_bytes([9; 16]), self.bench.now + 120);
            let subject = subject(number);
            self.happen(verification::Event::Checked {
                verification,
                service,
                subject,
                full_again,
                outcome: verification::CheckOutcome::Wrong,
            });
        }
    }

    /// A sweep, which takes no more than its caps.
    fn tick(&mut self) {
        let before = (self.bench.state.live(), self.bench.state.budgets().0);
        let decision = self.bench.decide(Tick.into());
        assert_eq!(!decision.draft.events.is_empty(), self.bench.state.is_due(self.bench.now));
        for effect in &decision.draft.effects {
            let Effect::CancelDelivery { verifications, .. } = effect else { panic!("a sweep sends nothing") };
            assert!(verifications.len() <= MAX_REMOVED_PER_SWEEP);
        }
        decision.draft.events.into_iter().for_each(|event| self.bench.apply_live(event));
        let after = (self.bench.state.live(), self.bench.state.budgets().0);
        assert!(before.0 - after.0 <= 2 * MAX_REMOVED_PER_SWEEP);
        assert!(before.1 - after.1 <= MAX_REMOVED_PER_SWEEP + MAX_SCANNED_PER_SWEEP);
    }

    /// Every request about a deleted service.
    fn sees_nothing_of_the_gone(&mut self) {
        let gone: Vec<_> = self.services.iter().filter(|(_, gone)| *gone).map(|(service, _)| *service).collect();
        let started: Vec<_> = self.started.iter().filter(|(of, ..)| gone.contains(of)).copied().collect();
        for (service, verification, attempt) in started {
            let unknown = Some(Refusal::NotFound(None));
            for target in [Target::Sid(verification), Target::Subject(subject(0))] {
                let fetch = FetchVerification { caller: caller(), service, target };
                assert_eq!(self.bench.read(fetch).err(), unknown);
                let check = Check { caller: caller(), service, target, code: Code::parse("123456").unwrap() };
                assert_eq!(self.bench.run(check).err(), unknown);
                assert_eq!(self.bench.run(Cancel { caller: caller(), service, target }).err(), unknown);
                assert_eq!(self.bench.run(Approve { caller: caller(), service, target }).err(), unknown);
            }
            let repeat = CountRepeat { verification, attempt, subjects: subjects(NUMBER), cost: 1 };
            assert_eq!(self.bench.run(repeat).err(), unknown);
            let report = ReportDelivery { verification, attempt, outcome: Outcome::Accepted, route: None };
            assert!(self.bench.decide(report.into()).draft.events.is_empty());
            let support = Caller::key(id(77), ACCOUNT, token(77));
            let Ok(Reply::Verification(verification::Reply::Support(seen))) =
                self.bench.decide(LookUp { caller: support, verification }.into()).answer
            else {
                panic!("support may look")
            };
            assert!(!seen.live && seen.reason.is_none() && seen.outcomes.is_empty() && seen.channel.is_none());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn deleted_service_is_invisible(steps in proptest::collection::vec(step(), 1..24)) {
        let mut bench = Bench::new();
        let added = vec![new_key(id(77), Scope::Support, token(77))];
        let changes = KeyChanges { added, ..KeyChanges::default() };
        bench.run(ChangeKeys { account: ACCOUNT, sequence: 1, changes }).unwrap();
        let services = vec![(bench.service, false)];
        let mut made = Made { bench, services, started: Vec::new(), number: 0 };
        for step in steps {
            match step {
                Step::Create => {
                    let create = CreateService { caller: caller(), settings: settings() };
                    made.services.push((made.bench.run(create).unwrap().0.service, false));
                }
                Step::Start(which, many) => if let Some(service) = made.service(which) {
                    made.start(service, many);
                },
                Step::Wrong(which, many) => if let Some(service) = made.service(which) {
                    made.wrong(service, many);
                },
                Step::Right(which) => if let Some(service) = made.service(which) {
                    let (verification, subject) = (Id::from_bytes([9; 16]), subject(0));
                    made.happen(verification::Event::Checked { verification, service, subject, full_again: 0, outcome: verification::CheckOutcome::Proven });
                },
                Step::Delete(which) => if let Some(service) = made.service(which) {
                    made.bench.run(DeleteService { caller: caller(), service }).unwrap();
                    made.services.iter_mut().filter(|(of, _)| *of == service).for_each(|(_, gone)| *gone = true);
                },
                Step::Pass(seconds) => made.bench.now += u64::from(seconds),
                Step::Month => made.bench.now += 30 * 86_400,
                Step::Tick => made.tick(),
                Step::Boot => made.bench.reboot(),
            }
            prop_assert!(made.bench.state.budgets().1, "places of tenants");
            made.sees_nothing_of_the_gone();
        }
        let (replayed, state) = (made.bench.replay(), &made.bench.state);
        prop_assert_eq!(replayed.cold_bytes(), state.cold_bytes());
        prop_assert_eq!(replayed.hot_facts(), state.hot_facts());
        prop_assert!(replayed.budgets().1);
        let mut cold = State::new();
        made.bench.log.iter().for_each(|event| cold.apply_cold(Event::decode_all(event).unwrap()));
        prop_assert_eq!(cold.cold_bytes(), state.cold_bytes());
        let snapshot = State::decode_cold(&state.cold_bytes()).unwrap();
        prop_assert!(snapshot.budgets().1);
        // What is due ends, and then nothing is left of deleted services.
        let mut ticks = 0;
        while made.bench.state.is_due(made.bench.now) {
            made.tick();
            ticks += 1;
        }
        prop_assert!(ticks <= 60, "{ticks}");
        made.bench.now += CODE_LIFE;
        while made.bench.state.is_due(made.bench.now) {
            made.tick();
        }
        prop_assert_eq!((made.bench.state.live(), made.bench.state.slots()), (0, 0));
    }
}
