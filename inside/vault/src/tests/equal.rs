//! Whatever a secret decides, the outside counts and measures the same: events, their lengths in
//! both bodies, effects, and later sweeps.
//!
//! Each case is a history in variants that only a secret tells apart: which of the codes was right,
//! or whether a number is known. After each step all variants must have left the same trace. Where
//! each command is covered is in [`covered`].
//!
//! Not compared, since `docs/spec/02-entries.md` ("What lengths tell") lists it as not hidden: what
//! a start brings after a right code and after a wrong one, beyond its own trace; a start beyond
//! the checks or sends of a verification; and a cancel, or an approval by API, of a number that is
//! known or not.

use adyton_decider::Class;

use super::*;

/// All that an operation leaves outside of the state.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trace {
    /// Lengths of its events, of the hot and of the kept body, in order.
    lengths: [Vec<usize>; 2],
    /// Messages that are sent: channel, bytes of the text, cost, whether another one is to be waited
    /// out, and the route to avoid.
    sent: Vec<(Channel, usize, u64, bool, Option<u8>)>,
    /// Messages that are stopped.
    stopped: Vec<(usize, bool)>,
    /// Ceilings that come near, which are reported to the host.
    near: Vec<Ceiling>,
    /// Whether a sweep is due, which appends an event without a request.
    due: bool,
}

impl Bench {
    /// A vault whose operations leave records, as they do by default, with a key of support.
    fn recording() -> Self {
        let mut bench = Self::new();
        bench.rules.records_operations = true;
        bench.rules.verification.limits.sends_per_destination_hour = u32::MAX;
        let added = [new_key(id(77), Scope::Support, token(77))].to_vec();
        let changes = KeyChanges { added, ..KeyChanges::default() };
        bench.run(ChangeKeys { account: ACCOUNT, sequence: 1, changes }).unwrap();
        bench
    }

    /// Runs a command; what it left.
    fn traced(&mut self, command: Command) -> Trace {
        let Decision { draft, answer: _ } = self.decide(command);
        let mut trace = Trace::default();
        for event in &draft.events {
            let mut out = Plaintext::with_capacity(64);
            event.encode(&mut out);
            let kept = matches!(event.class(), Class::S | Class::A);
            trace.lengths[usize::from(kept)].push(out.as_bytes().len());
        }
        for effect in &draft.effects {
            match effect {
                Effect::Send { channel, message, counts, older, avoid, .. } => {
                    trace.sent.push((*channel, message.text.expose().len(), counts.1, older.is_some(), *avoid));
                }
                Effect::CancelDelivery { verifications, expired } => {
                    trace.stopped.push((verifications.len(), *expired))
                }
            }
        }
        for event in draft.events {
            trace.near.extend(self.state.ceilings_near(&event, &self.rules.verification.limits));
            self.apply_live(event);
        }
        self.deliver(&draft.effects);
        trace.due = self.state.is_due(self.now);
        trace
    }

    fn check_by(&self, target: Target, code: &str) -> Command {
        let (service, code) = (self.service, Code::parse(code).unwrap());
        Check { caller: caller(), service, target, code }.into()
    }

    /// The trace of the next 70 minutes.
    fn ticks(&mut self) -> Vec<Trace> {
        let tick = |bench: &mut Self| {
            bench.now += 60;
            bench.traced(Tick.into())
        };
        (0..70).map(|_| tick(self)).collect()
    }
}

/// Where an outcome of each command that a secret decides is compared.
fn covered(command: &Command) -> &'static str {
    match command {
        Command::Tenancy(
            tenancy::Command::CreateTenant(_) | tenancy::Command::ChangeKeys(_) | tenancy::Command::ChangeSettings(_),
        )
        | Command::Services(
            services::Command::CreateService(_)
            | services::Command::UpdateService(_)
            | services::Command::DeleteService(_)
            | services::Command::Loosen(_)
            | services::Command::WithdrawLoosening(_),
        ) => "no code and no destination decides it; that a token is right is a public fact",
        Command::Verification(command) => match command {
            verification::Command::Start(_)
            | verification::Command::Check(_)
            | verification::Command::Cancel(_)
            | verification::Command::Approve(_)
            | verification::Command::LookUp(_)
            | verification::Command::ReportDelivery(_)
            | verification::Command::CountRepeat(_) => STEP,
        },
        Command::RecordRead(_) | Command::Tick(_) => STEP,
    }
}

const STEP: &str = "a step of the histories below";

/// Every command that a secret may decide is a step of some history.
#[test]
fn every_command_that_a_secret_may_decide_is_a_step() {
    let mut bench = Bench::recording();
    let (view, code) = bench.start(NUMBER).unwrap();
    let kind_of = |command: &Command| match command {
        Command::Tenancy(_) | Command::Services(_) => "another",
        Command::RecordRead(_) => "note",
        Command::Tick(_) => "tick",
        Command::Verification(command) => match command {
            verification::Command::Start(_) => "start",
            verification::Command::Check(_) => "check",
            verification::Command::Cancel(_) => "cancel",
            verification::Command::Approve(_) => "approve",
            verification::Command::LookUp(_) => "look up",
            verification::Command::ReportDelivery(_) => "report",
            verification::Command::CountRepeat(_) => "repeat",
        },
    };
    let commands = STEPS.iter().map(|(_, step)| step(&mut bench, &view, &code));
    let kinds: BTreeSet<&str> =
        commands.filter(|command| covered(command) == STEP).map(|command| kind_of(&command)).collect();
    assert_eq!(kinds.len(), 9, "{kinds:?}");
}

/// Requests after codes were tried; no two variants may differ in them.
type Step = (&'static str, fn(&mut Bench, &VerificationView, &str) -> Command);

fn by_sid(view: &VerificationView) -> Target {
    Target::Sid(view.verification)
}

fn by_number() -> Target {
    Target::Subject(subjects(NUMBER).in_service)
}

/// Every command about a verification, what delivery asks, and time.
const STEPS: [Step; 17] = [
    ("check by SID", |bench, view, code| bench.check_by(by_sid(view), code)),
    ("check by number", |bench, _, code| bench.check_by(by_number(), code)),
    ("check by both", |bench, view, code| {
        bench.check_by(Target::Both(view.verification, subjects(NUMBER).in_service), code)
    }),
    ("cancel by SID", |bench, view, _| {
        Cancel { caller: caller(), service: bench.service, target: by_sid(view) }.into()
    }),
    ("cancel by number", |bench, _, _| Cancel { caller: caller(), service: bench.service, target: by_number() }.into()),
    ("approve by SID", |bench, view, _| {
        Approve { caller: caller(), service: bench.service, target: by_sid(view) }.into()
    }),
    ("approve by number", |bench, _, _| {
        Approve { caller: caller(), service: bench.service, target: by_number() }.into()
    }),
    ("looked up by support", |_, view, _| {
        LookUp { caller: Caller::key(id(77), ACCOUNT, token(77)), verification: view.verification }.into()
    }),
    ("fetched", |bench, view, _| {
        let (service, verification) = (Some(bench.service), Some(view.verification));
        let kind = OperationKind::FetchVerification;
        RecordRead { caller: caller(), kind, service, verification, permitted: true }.into()
    }),
    ("start", |bench, _, _| bench.start_command(NUMBER, None).into()),
    ("start with a code", |bench, _, _| bench.start_command(NUMBER, Some("424242")).into()),
    ("start after a message that nobody confirmed", |bench, view, _| {
        bench.run(report(view, Outcome::Unconfirmed)).unwrap();
        bench.start_command(NUMBER, None).into()
    }),
    ("delivery reported", |bench, view, _| {
        bench.under_way.remove(&view.verification);
        report(view, Outcome::Accepted).into()
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
];

fn report(view: &VerificationView, outcome: Outcome) -> ReportDelivery {
    ReportDelivery { verification: view.verification, attempt: view.attempts[0].sid, outcome, route: Some(0) }
}

/// Whose codes a service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codes {
    Vaults,
    VaultsWhereOthersMayBeSupplied,
    Supplied,
}

/// Where a history happens.
#[derive(Clone, Copy, Debug)]
struct Setting {
    codes: Codes,
    /// Wrong codes that a destination allows at once.
    failed_checks: u32,
    reboot: bool,
}

/// The traces of a history: so many codes some time apart, of which the one at a place is right, then a
/// step, then ticks.
fn history(setting: Setting, checks: usize, right: Option<usize>, step: &Step) -> Vec<Trace> {
    let mut bench = Bench::recording();
    bench.rules.verification.limits.failed_checks = setting.failed_checks;
    if setting.codes != Codes::Vaults {
        bench.allow_custom_codes();
    }
    let supplied = (setting.codes == Codes::Supplied).then_some("131313");
    let (view, effects) = bench.run(bench.start_command(NUMBER, supplied)).unwrap();
    let code = sent_code(&effects);
    let mut traces = Vec::new();
    for place in 0..checks {
        bench.now += 61;
        let tried = if right == Some(place) { code.clone() } else { wrong(&code) };
        let command = bench.check_by(by_sid(&view), &tried);
        traces.push(bench.traced(command));
    }
    if setting.reboot {
        bench.reboot();
    }
    let command = step.1(&mut bench, &view, &wrong(&code));
    traces.push(bench.traced(command));
    // A new code lives ten minutes, one that is sent again as long as it has left, unless either is supplied.
    let replaces = step.0 == "start with a code" || setting.codes == Codes::Supplied;
    if !step.0.starts_with("start") || replaces {
        traces.extend(bench.ticks());
    }
    traces
}

#[test]
fn right_and_wrong_codes_leave_equal_traces() {
    let of = |codes| {
        [(20, false), (20, true), (2, false)].map(|(failed_checks, reboot)| Setting { codes, failed_checks, reboot })
    };
    let settings = [Codes::Vaults, Codes::VaultsWhereOthersMayBeSupplied, Codes::Supplied].map(of);
    for setting in settings.into_iter().flatten() {
        for step in &STEPS {
            for checks in 1..=usize::from(MAX_CHECKS) {
                // With its checks used up, a verification is not sent again.
                if checks == usize::from(MAX_CHECKS) && step.0.starts_with("start") {
                    continue;
                }
                let wrong = history(setting, checks, None, step);
                for place in 0..checks {
                    let right = history(setting, checks, Some(place), step);
                    for (at, (right, wrong)) in right.iter().zip(&wrong).enumerate() {
                        assert_eq!(right, wrong, "{}, {setting:?}, {place} of {checks} is right, trace {at}", step.0);
                    }
                }
            }
        }
    }
}

/// Commands about a number, of which the vault has a live verification or not, and about a SID.
#[test]
fn known_and_unknown_numbers_leave_equal_traces() {
    const OTHER: &str = "+12025550199";
    let steps = STEPS
        .iter()
        .filter(|(name, _)| ["check by", "looked up", "fetched", "tick"].iter().any(|begin| name.starts_with(begin)));
    for step in steps {
        let trace = |number: &str| {
            let mut bench = Bench::recording();
            let (mut view, code) = bench.start(number).unwrap();
            // The request names the same in both vaults.
            if number == OTHER {
                view.verification = id(99);
            }
            let mut traces = Vec::new();
            for _ in 0..usize::from(MAX_CHECKS) + 1 {
                bench.now += 61;
                let command = step.1(&mut bench, &view, &wrong(&code));
                traces.push(bench.traced(command));
            }
            traces.extend(bench.ticks());
            traces
        };
        assert_eq!(trace(NUMBER), trace(OTHER), "{}", step.0);
    }
}
