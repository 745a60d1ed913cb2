use super::*;

/// One wrong code after another on new verifications, each canceled before the next so that only budgets count.
fn guesses(bench: &mut Bench, most: usize) -> (usize, Option<Refusal>) {
    bench.rules.limits.sends_per_destination_hour = u32::MAX;
    bench.rules.limits.sends_per_prefix_hour = u32::MAX;
    for count in 0..most {
        if let Err(refusal) = bench.guess(NUMBER) {
            return (count, Some(refusal));
        }
        let target = Target::Subject(subjects(NUMBER).in_service);
        bench.run(Command::Cancel { caller: caller(), service: bench.service, target }).unwrap();
    }
    (most, None)
}

#[test]
fn failed_checks_outlive_cancel_and_new_sends() {
    let mut bench = Bench::new();
    assert_eq!(guesses(&mut bench, 100), (20, Some(Refusal::ChecksClosed { retry_after: 120 })));
    let (view, code) = bench.start(NUMBER).unwrap();
    assert_eq!(
        bench.check(view.verification, &code),
        Err(Refusal::ChecksClosed { retry_after: 120 }),
        "the right one too"
    );
    assert_eq!(bench.guess("+442079460123"), Ok(Status::Pending), "another destination is not concerned");
    bench.now += 119;
    assert_eq!(bench.check(view.verification, &code), Err(Refusal::ChecksClosed { retry_after: 1 }));
    bench.now += 1;
    assert_eq!(bench.check(view.verification, &code), Ok(Status::Approved));
    let (view, code) = bench.start(NUMBER).unwrap();
    assert_eq!(bench.check(view.verification, &wrong(&code)), Ok(Status::Pending), "a right code spent nothing");
    let closed = Err(Refusal::ChecksClosed { retry_after: 120 });
    assert_eq!(bench.check(view.verification, &code), closed, "and gave nothing back");
}

#[test]
fn a_restart_buys_no_guess() {
    let mut bench = Bench::new();
    bench.now += 1;
    bench.reboot();
    assert_eq!(bench.guess(NUMBER), Err(Refusal::ChecksClosed { retry_after: 120 }), "budgets begin at nothing");
    bench.now += 119;
    for _ in 0..1000 {
        bench.reboot();
        assert_eq!(bench.guess(NUMBER), Err(Refusal::ChecksClosed { retry_after: 120 }));
        let target = Target::Subject(subjects(NUMBER).in_service);
        bench.run(Command::Cancel { caller: caller(), service: bench.service, target }).unwrap();
        bench.rules.limits.sends_per_prefix_hour = u32::MAX;
        bench.rules.limits.sends_per_destination_hour = u32::MAX;
    }
    bench.now += 240;
    assert_eq!(guesses(&mut bench, 9), (2, Some(Refusal::ChecksClosed { retry_after: 120 })), "one for each 120 s");
}

#[test]
fn a_hundred_consecutive_failures_close_a_destination_for_a_day() {
    let mut bench = Bench::new();
    bench.rules.limits.failed_checks = 1000;
    assert_eq!(guesses(&mut bench, 200), (100, Some(Refusal::ChecksClosed { retry_after: 86_400 })));
    bench.now += 3600;
    bench.reboot();
    bench.now += 3600;
    let closed = Refusal::ChecksClosed { retry_after: 86_400 - 7200 };
    assert_eq!(bench.guess(NUMBER), Err(closed), "through a restart");
    bench.now += 86_400 - 7200;
    assert_eq!(guesses(&mut bench, 9), (1, Some(Refusal::ChecksClosed { retry_after: 86_400 })), "one more a day");
    bench.now += 86_400;
    let (view, code) = bench.start(NUMBER).unwrap();
    assert_eq!(bench.check(view.verification, &code), Ok(Status::Approved));
    assert_eq!(guesses(&mut bench, 9), (9, None), "a right code begins anew");
}

#[test]
fn a_code_of_the_callers_resets_nothing() {
    let mut bench = Bench::new();
    bench.rules.limits.failed_checks = 1000;
    bench.rules.limits.failed_checks_consecutive = 3;
    let mut custom = settings();
    custom.custom_code = true;
    bench.rules.custom_code_services.insert(Sid([bench.counter + 1; 16]));
    let created = bench.run(Command::CreateService { caller: caller(), settings: custom }).unwrap().0;
    let Reply::Service(service) = created else { panic!() };
    bench.service = service.service;
    assert_eq!(guesses(&mut bench, 2), (2, None));
    let Reply::Verification(view) = bench.run(bench.start_command(NUMBER, Some("424242"))).unwrap().0 else { panic!() };
    assert_eq!(bench.check(view.verification, "424242"), Ok(Status::Approved));
    assert_eq!(guesses(&mut bench, 9).0, 1);
}

#[test]
fn ceilings_of_sending() {
    let mut bench = Bench::new();
    bench.now = 1_800_000_000 / 3600 * 3600 + 900;
    bench.rules.limits.sends_per_destination_hour = 3;
    bench.rules.limits.sends_per_prefix_hour = 5;
    bench.rules.limits.sends_per_tenant_hour = 7;
    for _ in 0..3 {
        bench.start(NUMBER).unwrap();
    }
    let limit = |ceiling, retry_after| Refusal::SendLimit { ceiling, retry_after };
    assert_eq!(bench.refused(bench.start_command(NUMBER, None)), limit(Ceiling::Destination, 2700));
    bench.start("+12025550124").unwrap();
    bench.start("+12025550125").unwrap();
    assert_eq!(bench.refused(bench.start_command("+12025550126", None)), limit(Ceiling::Prefix, 2700));
    bench.start("+442079460123").unwrap();
    bench.start("+442079460124").unwrap();
    assert_eq!(bench.refused(bench.start_command("+447700900123", None)), limit(Ceiling::Tenant, 2700));
    // In the next hour the old ones ebb away: a third of three still counts after forty minutes, rounded up.
    bench.now += 2700 + 2400;
    for _ in 0..2 {
        bench.start(NUMBER).unwrap();
    }
    assert_eq!(bench.refused(bench.start_command(NUMBER, None)), limit(Ceiling::Destination, 1200));
    bench.now += 7200;
    bench.run(Command::Tick).unwrap();
    bench.rules.limits.spend_per_tenant_hour = 25_000;
    bench.start(NUMBER).unwrap();
    bench.start("+442079460123").unwrap();
    let Refusal::SendLimit { ceiling: Ceiling::Spend, .. } = bench.refused(bench.start_command("+447700900123", None))
    else {
        panic!()
    };
}

#[test]
fn a_full_vault_refuses_and_recovers() {
    let mut bench = Bench::new();
    bench.rules.limits.live_verifications = 1;
    bench.start(NUMBER).unwrap();
    assert_eq!(bench.refused(bench.start_command("+442079460123", None)), Refusal::Full);
    bench.start(NUMBER).unwrap();
    bench.now += CODE_LIFE;
    bench.run(Command::Tick).unwrap();
    bench.start("+442079460123").unwrap();
}

#[test]
fn old_counts_are_forgotten_and_full_buckets_dropped() {
    let mut bench = Bench::new();
    assert_eq!(guesses(&mut bench, 3), (3, None));
    let with_counts = bench.state.cold_bytes().len();
    bench.now += 30 * 86_400;
    bench.run(Command::Tick).unwrap();
    assert!(bench.state.cold_bytes().len() < with_counts);
    assert_eq!(bench.replay().cold_bytes(), bench.state.cold_bytes());
}
