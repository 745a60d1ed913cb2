//! What a secret decides shows in nothing that the outside can count or measure: events, their
//! lengths in both bodies, effects, and what time brings afterwards.
//!
//! Each case is a history in variants that only a secret tells apart: the code was right or wrong,
//! a number is known or not. After each step all variants must have left the same trace.

use adyton_decider::Class;

use super::*;

/// All that an operation leaves outside of the state.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trace {
    /// Lengths of its events, of the hot and of the kept body, in order.
    lengths: [Vec<usize>; 2],
    /// Messages that are sent, and whether others are stopped.
    sent: usize,
    stopped: Vec<(usize, bool)>,
}

impl Bench {
    /// A vault whose operations leave records, as they do by default.
    fn recording() -> Self {
        let mut bench = Self::new();
        bench.rules.records_operations = true;
        bench.rules.verification.limits.sends_per_destination_hour = u32::MAX;
        bench
    }

    /// Runs a command; what it left, and its answer.
    fn traced(&mut self, command: Command) -> (Trace, Answer) {
        let Decision { draft, answer } = self.decide(command);
        let mut trace = Trace::default();
        for event in &draft.events {
            let mut out = Plaintext::with_capacity(64);
            event.encode(&mut out);
            let kept = matches!(event.class(), Class::S | Class::A);
            trace.lengths[usize::from(kept)].push(out.as_bytes().len());
        }
        for effect in &draft.effects {
            match effect {
                Effect::Send { .. } => trace.sent += 1,
                Effect::Stop { verifications, expired } => trace.stopped.push((verifications.len(), *expired)),
            }
        }
        draft.events.into_iter().for_each(|event| self.evolve(event));
        self.deliver(&draft.effects);
        (trace, answer)
    }

    fn check_by(&self, target: Target, code: &str) -> Command {
        let (service, code) = (self.service, Code::parse(code).unwrap());
        Check { caller: caller(), service, target, code }.into()
    }
}

/// A code of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    Right,
    Wrong,
}

/// What follows a check, of which no two variants may differ.
type Step = (&'static str, fn(&mut Bench, &VerificationView, &str) -> Command);

/// Every command about a verification, what delivery asks, and time.
fn steps() -> [Step; 13] {
    [
        ("check by SID", |bench, view, code| bench.check_by(Target::Sid(view.verification), code)),
        ("check by number", |bench, _, code| bench.check_by(Target::Subject(subjects(NUMBER).in_service), code)),
        ("check by both", |bench, view, code| {
            bench.check_by(Target::Both(view.verification, subjects(NUMBER).in_service), code)
        }),
        ("cancel by SID", |bench, view, _| {
            Cancel { caller: caller(), service: bench.service, target: Target::Sid(view.verification) }.into()
        }),
        ("cancel by number", |bench, _, _| {
            let target = Target::Subject(subjects(NUMBER).in_service);
            Cancel { caller: caller(), service: bench.service, target }.into()
        }),
        ("approve", |bench, view, _| {
            Approve { caller: caller(), service: bench.service, target: Target::Sid(view.verification) }.into()
        }),
        ("fetched", |bench, view, _| {
            let (service, verification) = (Some(bench.service), Some(view.verification));
            let kind = OperationKind::FetchVerification;
            Note { caller: caller(), kind, service, verification, permitted: true }.into()
        }),
        ("start", |bench, _, _| bench.start_command(NUMBER, None).into()),
        ("delivery reported", |bench, view, _| {
            bench.under_way.remove(&view.verification);
            let (verification, attempt) = (view.verification, view.attempts[0].sid);
            ReportDelivery { verification, attempt, outcome: Outcome::Accepted, route: Some(0) }.into()
        }),
        ("repeat", |_, view, _| {
            let (verification, attempt) = (view.verification, view.attempts[0].sid);
            CountRepeat { verification, attempt, subjects: subjects(NUMBER), cost: 10_000 }.into()
        }),
        ("tick in an hour", |bench, _, _| {
            bench.now += 3600;
            Tick.into()
        }),
        ("tick at the end", |bench, _, _| {
            bench.now += CODE_LIFE;
            Tick.into()
        }),
        ("service deleted", |bench, _, _| DeleteService { caller: caller(), service: bench.service }.into()),
    ]
}

/// The traces of a history: codes one after the other, some time apart, then a step, then ticks for an
/// hour.
fn history(codes: &[Tried], step: &Step, reboot: bool) -> Vec<Trace> {
    let mut bench = Bench::recording();
    let (view, code) = bench.start(NUMBER).unwrap();
    let mut traces = Vec::new();
    for tried in codes {
        bench.now += 61;
        let code = if *tried == Tried::Right { code.clone() } else { wrong(&code) };
        let command = bench.check_by(Target::Sid(view.verification), &code);
        traces.push(bench.traced(command).0);
    }
    if reboot {
        bench.reboot();
    }
    let command = step.1(&mut bench, &view, &wrong(&code));
    traces.push(bench.traced(command).0);
    // The life of what a start sends is public (`docs/spec/02-entries.md`, "What lengths tell"): a
    // code that is sent again does not live longer.
    if step.0 == "start" {
        return traces;
    }
    for _ in 0..70 {
        bench.now += 60;
        traces.push(bench.traced(Tick.into()).0);
    }
    traces
}

#[test]
fn no_secret_shows_in_what_a_command_leaves() {
    use Tried::{Right, Wrong};
    // The right code at each place of the five, the same number of requests in all. Beyond the right
    // one nothing is compared any more, so what is sent afterwards is decided by public counts.
    let variants: [(&[Tried], &[Tried]); 3] =
        [(&[Right], &[Wrong]), (&[Wrong, Right], &[Wrong, Wrong]), (&[Wrong, Wrong, Right], &[Wrong, Wrong, Wrong])];
    for (right, wrong) in variants {
        for step in &steps() {
            for reboot in [false, true] {
                let (right, wrong) = (history(right, step, reboot), history(wrong, step, reboot));
                for (at, (right, wrong)) in right.iter().zip(&wrong).enumerate() {
                    assert_eq!(right, wrong, "{}, reboot: {reboot}, trace {at}", step.0);
                }
            }
        }
    }
}
