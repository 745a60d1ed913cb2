//! Messages under way, and what their repeats count for.

use super::*;
use crate::verification::Refusal;

/// The verifications of the effects that stop, and whether their life ended.
fn stopped(effects: &[Effect]) -> Vec<(Vec<VerificationId>, bool)> {
    let stopped = effects.iter().filter_map(|effect| match effect {
        Effect::CancelDelivery { verifications, expired } => Some((verifications.clone(), *expired)),
        Effect::Send { .. } => None,
    });
    stopped.collect()
}

fn report(view: &VerificationView, outcome: Outcome, route: u8) -> ReportDelivery {
    let attempt = view.attempts.last().unwrap().sid;
    ReportDelivery { verification: view.verification, attempt, outcome, route: Some(route) }
}

fn repeat(view: &VerificationView) -> CountRepeat {
    let attempt = view.attempts.last().unwrap().sid;
    CountRepeat { verification: view.verification, attempt, subjects: subjects(NUMBER), cost: 10_000 }
}

impl Bench {
    fn cancel(&self) -> Cancel {
        let target = Target::Subject(subjects(NUMBER).in_service);
        Cancel { caller: caller(), service: self.service, target }
    }

    pub(super) fn allow_custom_codes(&mut self) {
        let (service, sequence) = (self.service, self.state.view().signer(ACCOUNT).unwrap().1);
        self.rules.services.custom_code_services.insert(service);
        self.rules.services.loosening_wait = 0;
        let loosen =
            Loosen { caller: caller(), account: ACCOUNT, sequence, service, code_length: None, custom_code: true };
        self.run(loosen).unwrap();
        self.run(Tick).unwrap();
    }
}

#[test]
fn every_end_stops_the_message_under_way() {
    let check = |bench: &Bench, view: &VerificationView, code: &str| Check {
        caller: caller(),
        service: bench.service,
        target: Target::Sid(view.verification),
        code: Code::parse(code).unwrap(),
    };
    type End = fn(&mut Bench, &VerificationView, &str) -> Command;
    let ends: [(&str, bool, End); 5] = [
        ("canceled", false, |bench, _, _| bench.cancel().into()),
        ("expired", true, |bench, _, _| {
            bench.now += CODE_LIFE;
            Tick.into()
        }),
        ("service deleted", false, |bench, _, _| DeleteService { caller: caller(), service: bench.service }.into()),
        ("replaced by a new one", false, |bench, _, _| {
            bench.allow_custom_codes();
            bench.start_command(NUMBER, Some("424242")).into()
        }),
        ("replaced after its life", false, |bench, _, _| {
            bench.now += CODE_LIFE;
            bench.start_command(NUMBER, None).into()
        }),
    ];
    for (name, expired, end) in ends {
        let mut bench = Bench::new();
        let (view, code) = bench.start(NUMBER).unwrap();
        let end = end(&mut bench, &view, &code);
        let (answer, effects) = bench.submit(end);
        assert!(answer.is_ok(), "{name}");
        assert_eq!(stopped(&effects), [([view.verification].to_vec(), expired)], "{name}");
    }
    let mut bench = Bench::new();
    let (view, code) = bench.start(NUMBER).unwrap();
    let (_, effects) = bench.run(check(&bench, &view, &code)).unwrap();
    assert_eq!(stopped(&effects), [], "approved: the message goes on as after a wrong code");
    let (view, code) = bench.start(NUMBER).unwrap();
    for left in (0..MAX_CHECKS).rev() {
        let (_, effects) = bench.run(check(&bench, &view, &wrong(&code))).unwrap();
        assert_eq!(stopped(&effects), [], "checked, {left} left: how often is not told either");
    }
}

#[test]
fn approval_by_api_stops_the_message_under_way() {
    let mut bench = Bench::new();
    bench.allow_custom_codes();
    let view = bench.run(bench.start_command(NUMBER, Some("424242"))).unwrap().0;
    let target = Target::Sid(view.verification);
    let (_, effects) = bench.run(Approve { caller: caller(), service: bench.service, target }).unwrap();
    assert_eq!(stopped(&effects), [([view.verification].to_vec(), false)]);
}

#[test]
fn a_message_whose_outcome_is_known_needs_no_stop() {
    let mut bench = Bench::new();
    let (view, _) = bench.start(NUMBER).unwrap();
    bench.run(report(&view, Outcome::Accepted, 0)).unwrap();
    let (_, effects) = bench.run(bench.cancel()).unwrap();
    assert_eq!(stopped(&effects), []);
}

#[test]
fn a_resend_stops_the_older_attempt_and_avoids_a_route_that_did_not_confirm() {
    let mut bench = Bench::new();
    let avoids = |bench: &mut Bench| {
        let (_, effects) = bench.run(bench.start_command(NUMBER, None)).unwrap();
        let Some(Effect::Send { avoid, .. }) = effects.last() else { panic!("no message") };
        (stopped(&effects).len(), *avoid)
    };
    assert_eq!(avoids(&mut bench), (0, None));
    assert_eq!(avoids(&mut bench), (1, None), "the first is under way");
    let (view, _) = bench.start(NUMBER).unwrap();
    bench.run(report(&view, Outcome::Unconfirmed, 3)).unwrap();
    assert_eq!(avoids(&mut bench), (0, Some(3)));
}

#[test]
fn a_repeat_counts_as_a_message_and_there_are_two_at_most() {
    let mut bench = Bench::new();
    bench.rules.verification.limits.sends_per_destination_hour = 4;
    let (view, _) = bench.start(NUMBER).unwrap();
    for _ in 0..MAX_REPEATS {
        bench.run(repeat(&view)).unwrap();
    }
    let retry_after = CODE_LIFE;
    assert_eq!(bench.refused(repeat(&view)), Refusal::TooManySends { retry_after });
    // Three hand-overs and this one are the four that the ceiling lets pass.
    bench.start(NUMBER).unwrap();
    let Refusal::SendLimit { ceiling, .. } = bench.refused(bench.start_command(NUMBER, None)) else { panic!() };
    assert_eq!(ceiling, Ceiling::Destination);
}

#[test]
fn a_repeat_is_refused_at_every_ceiling() {
    type Set = fn(&mut Limits);
    let ceilings: [(Ceiling, Set); 4] = [
        (Ceiling::Destination, |limits| limits.sends_per_destination_hour = 1),
        (Ceiling::NumberBlock, |limits| limits.sends_per_number_block_hour = 1),
        (Ceiling::Tenant, |limits| limits.sends_per_tenant_hour = 1),
        (Ceiling::Spend, |limits| limits.spend_per_tenant_hour = 19_999),
    ];
    for (expected, set) in ceilings {
        let mut bench = Bench::new();
        set(&mut bench.rules.verification.limits);
        let (view, _) = bench.start(NUMBER).unwrap();
        let Refusal::SendLimit { ceiling, .. } = bench.refused(repeat(&view)) else { panic!("{expected:?}") };
        assert_eq!(ceiling, expected);
    }
}

#[test]
fn only_the_newest_attempt_of_a_live_verification_is_repeated() {
    let mut bench = Bench::new();
    let (first, _) = bench.start(NUMBER).unwrap();
    let (second, _) = bench.start(NUMBER).unwrap();
    assert_eq!(bench.refused(repeat(&first)), Refusal::NotFound(None));
    bench.run(repeat(&second)).unwrap();
    bench.run(report(&second, Outcome::Unconfirmed, 0)).unwrap();
    assert_eq!(bench.refused(repeat(&second)), Refusal::NotFound(None), "it has ended");
    let (third, _) = bench.start(NUMBER).unwrap();
    bench.run(bench.cancel()).unwrap();
    assert_eq!(bench.refused(repeat(&third)), Refusal::NotFound(None), "its verification is over");
}
