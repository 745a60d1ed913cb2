use super::*;
use crate::verification::Refusal;

#[test]
fn a_code_is_approved_once() {
    let mut bench = Bench::new();
    let (view, code) = bench.start(NUMBER).unwrap();
    assert_eq!(code.len(), 6);
    assert_eq!(bench.check(view.verification, &wrong(&code)), Ok(Status::Pending));
    assert_eq!(bench.check(view.verification, &code), Ok(Status::Approved));
    assert_eq!(bench.check(view.verification, &code), Err(Refusal::NotFound(Some(Reason::Approved))));
    assert_eq!(bench.state.slots(), 0, "the slot key goes with its last live code");
}

#[test]
fn a_resend_recomputes_the_same_code_and_does_not_extend_its_life() {
    let mut bench = Bench::new();
    let (first, code) = bench.start(NUMBER).unwrap();
    bench.now += 599;
    let (second, again) = bench.start(NUMBER).unwrap();
    assert_eq!((first.verification, &code), (second.verification, &again));
    assert_eq!(second.attempts.len(), 2);
    bench.now += 1;
    assert_eq!(bench.check(first.verification, &code), Err(Refusal::NotFound(Some(Reason::Expired))));
    let (third, _) = bench.start(NUMBER).unwrap();
    assert_ne!(first.verification, third.verification);
}

#[test]
fn five_sends_and_five_checks() {
    let mut bench = Bench::new();
    let (view, code) = bench.start(NUMBER).unwrap();
    for _ in 1..MAX_SENDS {
        bench.start(NUMBER).unwrap();
    }
    bench.now += 7;
    let retry_after = CODE_LIFE - 7;
    assert_eq!(bench.refused(bench.start_command(NUMBER, None)), Refusal::TooManySends { retry_after });
    for _ in 0..MAX_CHECKS {
        assert_eq!(bench.check(view.verification, &wrong(&code)), Ok(Status::Pending));
    }
    assert_eq!(bench.check(view.verification, &code), Err(Refusal::TooManyChecks { retry_after }));
    assert_eq!(bench.refused(bench.start_command(NUMBER, None)), Refusal::TooManyChecks { retry_after });
    bench.now += retry_after;
    assert_eq!(bench.check(view.verification, &code), Err(Refusal::NotFound(Some(Reason::MaxAttemptsReached))));
    bench.run(Tick).unwrap();
    assert_eq!(bench.check(view.verification, &code), Err(Refusal::NotFound(Some(Reason::MaxAttemptsReached))));
}

#[test]
fn reason_is_shown_by_sid_only_for_ten_minutes() {
    let mut bench = Bench::new();
    let (view, _) = bench.start(NUMBER).unwrap();
    let (service, sid) = (bench.service, view.verification);
    let by_sid = || FetchVerification { caller: caller(), service, target: Target::Sid(sid) };
    let by_number =
        || FetchVerification { caller: caller(), service, target: Target::Subject(subjects(NUMBER).in_service) };
    let view = bench.read(by_number()).unwrap();
    assert_eq!((view.verification, view.status), (sid, Status::Pending));
    let cancel = Cancel { caller: caller(), service, target: Target::Subject(subjects(NUMBER).in_service) };
    let view = bench.run(cancel).unwrap().0;
    assert_eq!((view.verification, view.status), (sid, Status::Canceled));
    assert_eq!(bench.read(by_sid()).err(), Some(Refusal::NotFound(Some(Reason::Canceled))));
    assert_eq!(bench.read(by_number()).err(), Some(Refusal::NotFound(None)));
    bench.now += 600;
    assert_eq!(bench.read(by_sid()).err(), Some(Refusal::NotFound(None)));
    bench.run(Tick).unwrap();
    assert_eq!(bench.read(by_sid()).err(), Some(Refusal::NotFound(None)));
}

#[test]
fn a_boot_voids_everything_hot_and_says_so() {
    let mut bench = Bench::new();
    let (live, code) = bench.start(NUMBER).unwrap();
    let (over, other) = bench.start("+442079460123").unwrap();
    bench.check(over.verification, &other).unwrap();
    bench.now += 1;
    bench.reboot();
    assert_eq!((bench.state.live(), bench.state.slots()), (0, 0));
    assert_eq!(bench.check(live.verification, &code), Err(Refusal::NotFound(Some(Reason::VaultRestarted))));
    assert_eq!(bench.check(over.verification, &other), Err(Refusal::NotFound(Some(Reason::Approved))));
}

#[test]
fn strangers_learn_nothing() {
    let mut bench = Bench::new();
    let (view, code) = bench.start(NUMBER).unwrap();
    let service = bench.service;
    for (user, token_hash) in [
        (User::Account(ACCOUNT), token(9)),
        (User::Account(id(9)), TOKEN),
        (User::Account(id(9)), token(0)),
        (User::Key(id(1)), TOKEN),
        (User::Key(id(9)), token(0)),
    ] {
        let command = Check {
            caller: Caller { user, account: ACCOUNT, token_hash },
            service,
            target: Target::Sid(view.verification),
            code: Code::parse(&code).unwrap(),
        };
        assert_eq!(bench.refused(command), Refusal::Denied(Denied::Unauthorized));
    }
    bench.service = id(7);
    assert_eq!(bench.check(view.verification, &code), Err(Refusal::NotFound(None)));
    bench.service = service;
    assert_eq!(bench.check(id(7), &code), Err(Refusal::NotFound(None)));
}

#[test]
fn another_tenants_service_is_an_unknown_one() {
    let mut bench = Bench::new();
    let (view, _) = bench.start(NUMBER).unwrap();
    let (other, token) = (id(8), token(8));
    bench.run(tenant(other, token, None)).unwrap();
    let service = bench.service;
    let them = || Caller::account(other, token);
    let target = || Target::Sid(view.verification);
    let unknown = services::Refusal::NotFound;
    assert_eq!(bench.read(FetchService { caller: them(), service }).err(), Some(unknown));
    assert_eq!(bench.refused(DeleteService { caller: them(), service }), unknown);
    let update = ServiceUpdate::default();
    assert_eq!(bench.refused(UpdateService { caller: them(), service, update }), unknown);
    let unknown = Refusal::NotFound(None);
    assert_eq!(bench.read(FetchVerification { caller: them(), service, target: target() }).err(), Some(unknown));
    assert_eq!(bench.refused(Cancel { caller: them(), service, target: target() }), unknown);
    assert_eq!(bench.refused(Approve { caller: them(), service, target: target() }), unknown);
    let page = bench.read(ListServices { caller: them(), after: None, most: 9 }).unwrap();
    assert_eq!((page.services.len(), page.more), (0, false));
}

#[test]
fn a_code_of_the_callers_needs_policy_and_service_and_joins_nothing() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused(bench.start_command(NUMBER, Some("424242"))), Refusal::CustomCode);
    let service = bench.service;
    let update = ServiceUpdate { custom_code: Some(true), ..ServiceUpdate::default() };
    let command = || UpdateService { caller: caller(), service, update: update.clone() };
    assert_eq!(bench.refused(command()), services::Refusal::CustomCode, "the policy does not name the service");
    bench.rules.services.custom_code_services.insert(service);
    assert_eq!(bench.refused(command()), services::Refusal::Loosening, "an admin key alone does not weaken a service");
    let loosen =
        Loosen { caller: caller(), account: ACCOUNT, sequence: 1, service, code_length: None, custom_code: true };
    bench.run(loosen).unwrap();
    assert_eq!(bench.refused(bench.start_command(NUMBER, Some("424242"))), Refusal::CustomCode, "it waits");
    bench.now += bench.rules.services.loosening_wait;
    bench.run(Tick).unwrap();

    let (derived, code) = bench.start(NUMBER).unwrap();
    let custom = bench.run(bench.start_command(NUMBER, Some("424242"))).unwrap().0;
    assert_ne!(custom.verification, derived.verification);
    assert_eq!(bench.check(derived.verification, &code), Err(Refusal::NotFound(Some(Reason::Canceled))));
    assert_eq!(bench.check(custom.verification, &wrong("424242")), Ok(Status::Pending));
    let (again, _) = bench.start(NUMBER).unwrap();
    assert_ne!(again.verification, custom.verification, "none joins it either");
    let approve = |sid| Approve { caller: caller(), service, target: Target::Sid(sid) };
    assert_eq!(
        bench.refused(approve(again.verification)),
        Refusal::CustomCode,
        "a derived code is not approved by API"
    );
    let custom = bench.run(bench.start_command(NUMBER, Some("434343"))).unwrap().0;
    let view = bench.run(approve(custom.verification)).unwrap().0;
    assert_eq!(view.status, Status::Approved);

    bench.rules.services.custom_code_services.clear();
    assert_eq!(bench.refused(bench.start_command(NUMBER, Some("424242"))), Refusal::CustomCode, "the policy decides");
}

#[test]
fn closed_channels_and_countries_are_refused() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused(bench.start_command("+4915112345678", None)), Refusal::CountryClosed);
    assert!(bench.start("person@example.com").is_ok());
    bench.rules.verification.channels.remove(&Channel::Email);
    assert_eq!(bench.refused(bench.start_command("person@example.com", None)), Refusal::ChannelClosed);
}

#[test]
fn support_sees_no_digits_and_is_logged() {
    let mut bench = Bench::new();
    let (view, code) = bench.start(NUMBER).unwrap();
    let (key, token) = (id(6), token(6));
    let added = [new_key(key, Scope::Support, token)].to_vec();
    let changes = KeyChanges { added, ..KeyChanges::default() };
    bench.run(ChangeKeys { account: ACCOUNT, sequence: 1, changes }).unwrap();
    let support = || Caller::key(key, ACCOUNT, token);
    let look = |verification| LookUp { caller: support(), verification };
    let attempt = view.attempts[0].sid;
    let verification = view.verification;
    bench.run(ReportDelivery { verification, attempt, outcome: Outcome::Refused, route: Some(0) }).unwrap();
    let before = bench.log.len();
    let seen = bench.run(look(verification)).unwrap().0;
    assert_eq!((seen.live, seen.channel, seen.calling_code), (true, Some(Channel::Sms), Some(1)));
    assert_eq!(seen.outcomes, [Some(Outcome::Refused)]);
    assert_eq!(bench.log.len(), before + 1);
    bench.check(verification, &code).unwrap();
    let seen = bench.run(look(verification)).unwrap().0;
    assert_eq!((seen.live, seen.reason, seen.channel), (false, Some(Reason::Approved), None));
    let seen = bench.run(look(id(0x77))).unwrap().0;
    assert_eq!((seen.live, seen.reason), (false, None));
    let verify = Check {
        caller: support(),
        service: bench.service,
        target: Target::Sid(verification),
        code: Code::parse(&code).unwrap(),
    };
    assert_eq!(bench.refused(verify), Refusal::Denied(Denied::Scope));
    assert_eq!(bench.refused(LookUp { caller: caller(), verification }), Refusal::Denied(Denied::Scope));
    for _ in 3..600 {
        bench.run(look(verification)).unwrap();
    }
    let Refusal::SendLimit { ceiling: Ceiling::Support, retry_after } = bench.refused(look(verification)) else {
        panic!()
    };
    assert!((1..=3600).contains(&retry_after));
}

#[test]
fn no_event_carries_the_number_the_code_or_the_slot_key() {
    let mut bench = Bench::new();
    let (_, code) = bench.start(NUMBER).unwrap();
    let mut fresh = fresh(bench.counter, bench.round);
    // The third draw, after two ids.
    let _: (VerificationId, AttemptId) = (fresh.id(), fresh.id());
    let slot_key = fresh.secret();
    let everything = bench.log.concat();
    let holds = |needle: &[u8]| everything.windows(needle.len()).any(|window| window == needle);
    assert!(!holds(NUMBER.as_bytes()));
    assert!(!holds(code.as_bytes()));
    assert!(!holds(slot_key.expose()));
    assert!(holds(b"Acme"), "the search finds what is there");
}

#[test]
fn premium_numbers_are_closed() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused(bench.start_command("+19005550123", None)), Refusal::CountryClosed);
    assert!(bench.start(NUMBER).is_ok(), "its country is open");
}

#[test]
fn a_sid_and_an_address_must_name_one_verification() {
    let mut bench = Bench::new();
    let (view, code) = bench.start(NUMBER).unwrap();
    let (other, _) = bench.start("+442079460123").unwrap();
    let service = bench.service;
    let check = |sid, to: &str| Check {
        caller: caller(),
        service,
        target: Target::Both(sid, subjects(to).in_service),
        code: Code::parse(&code).unwrap(),
    };
    assert_eq!(bench.refused(check(view.verification, "+442079460123")), Refusal::NotFound(None));
    assert_eq!(bench.refused(check(view.verification, "+12025550199")), Refusal::NotFound(None));
    assert_eq!(bench.refused(check(other.verification, NUMBER)), Refusal::NotFound(None));
    assert_eq!(bench.run(check(view.verification, NUMBER)).unwrap().0.status, Status::Approved);
    assert_eq!(bench.refused(check(view.verification, NUMBER)), Refusal::NotFound(Some(Reason::Approved)));
}
