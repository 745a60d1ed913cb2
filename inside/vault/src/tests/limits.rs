use super::*;
use crate::verification::Refusal;

/// One wrong code after another on new verifications, each canceled before the next so that only
/// budgets count.
fn guesses(bench: &mut Bench, most: usize) -> (usize, Option<Refusal>) {
    bench.rules.verification.limits.sends_per_destination_hour = u32::MAX;
    bench.rules.verification.limits.sends_per_number_block_hour = u32::MAX;
    for count in 0..most {
        if let Err(refusal) = bench.guess(NUMBER) {
            return (count, Some(refusal));
        }
        let target = Target::Subject(subjects(NUMBER).in_service);
        bench.run(Cancel { caller: caller(), service: bench.service, target }).unwrap();
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
        bench.run(Cancel { caller: caller(), service: bench.service, target }).unwrap();
        bench.rules.verification.limits.sends_per_number_block_hour = u32::MAX;
        bench.rules.verification.limits.sends_per_destination_hour = u32::MAX;
    }
    bench.now += 240;
    assert_eq!(guesses(&mut bench, 9), (2, Some(Refusal::ChecksClosed { retry_after: 120 })), "one for each 120 s");
}

#[test]
fn a_hundred_consecutive_failures_close_a_destination_for_a_day() {
    let mut bench = Bench::new();
    bench.rules.verification.limits.failed_checks = 1000;
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
    bench.rules.verification.limits.failed_checks = 1000;
    bench.rules.verification.limits.failed_checks_consecutive = 3;
    let mut custom = settings();
    custom.custom_code = true;
    bench.rules.services.custom_code_services.insert(bench.next_id());
    let created = bench.run(CreateService { caller: caller(), settings: custom }).unwrap().0;
    let service = created;
    bench.service = service.service;
    assert_eq!(guesses(&mut bench, 2), (2, None));
    let view = bench.run(bench.start_command(NUMBER, Some("424242"))).unwrap().0;
    assert_eq!(bench.check(view.verification, "424242"), Ok(Status::Approved));
    assert_eq!(guesses(&mut bench, 9).0, 1);
}

#[test]
fn ceilings_of_sending() {
    let mut bench = Bench::new();
    bench.now = 1_800_000_000 / 3600 * 3600 + 900;
    bench.rules.verification.limits.sends_per_destination_hour = 3;
    bench.rules.verification.limits.sends_per_number_block_hour = 5;
    bench.rules.verification.limits.sends_per_tenant_hour = 7;
    for _ in 0..3 {
        bench.start(NUMBER).unwrap();
    }
    let limit = |ceiling, retry_after| Refusal::SendLimit { ceiling, retry_after };
    assert_eq!(bench.refused(bench.start_command(NUMBER, None)), limit(Ceiling::Destination, 2700));
    bench.start("+12025550124").unwrap();
    bench.start("+12025550125").unwrap();
    assert_eq!(bench.refused(bench.start_command("+12025550126", None)), limit(Ceiling::NumberBlock, 2700));
    bench.start("+442079460123").unwrap();
    bench.start("+442079460124").unwrap();
    assert_eq!(bench.refused(bench.start_command("+447700900123", None)), limit(Ceiling::Tenant, 2700));
    // In the next hour the old ones ebb away: a third of three still counts after forty minutes,
    // rounded up.
    bench.now += 2700 + 2400;
    for _ in 0..2 {
        bench.start(NUMBER).unwrap();
    }
    assert_eq!(bench.refused(bench.start_command(NUMBER, None)), limit(Ceiling::Destination, 1200));
    bench.now += 7200;
    bench.run(Tick).unwrap();
    bench.rules.verification.limits.spend_per_tenant_hour = 25_000;
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
    bench.rules.verification.limits.live_verifications = 1;
    bench.start(NUMBER).unwrap();
    assert_eq!(bench.refused(bench.start_command("+442079460123", None)), Refusal::Full);
    bench.start(NUMBER).unwrap();
    bench.now += CODE_LIFE;
    bench.run(Tick).unwrap();
    bench.start("+442079460123").unwrap();
}

#[test]
fn old_counts_are_forgotten_and_full_buckets_dropped() {
    let mut bench = Bench::new();
    assert_eq!(guesses(&mut bench, 3), (3, None));
    let with_counts = bench.state.cold_bytes().len();
    assert_eq!(bench.state.budgets(), (1, true));
    bench.now += 30 * 86_400;
    assert_eq!(bench.guess("+442079460123"), Ok(Status::Pending));
    assert_eq!(bench.state.cold_bytes().len(), with_counts, "the new one is the only count");
    bench.run(Tick).unwrap();
    assert_eq!(bench.state.budgets(), (1, true), "and the only budget");
    assert_eq!(bench.replay().cold_bytes(), bench.state.cold_bytes());
}

/// Starts of different people, at the defaults; how many were taken, and what refused the next.
fn sends(bench: &mut Bench, addresses: impl Iterator<Item = String>) -> (usize, Option<Refusal>) {
    let mut taken = 0;
    for to in addresses {
        match bench.run(bench.start_with(&to, by_number(&to))) {
            Ok(_) => taken += 1,
            Err(refusal) => return (taken, Some(refusal)),
        }
    }
    (taken, None)
}

/// Subjects that differ wherever the addresses do.
fn by_number(to: &str) -> Subjects {
    let hash = |salt: u8, text: &str| {
        let number =
            text.bytes().fold(u128::from(salt), |sum, byte| sum.wrapping_mul(0x0100_0000_01b3) ^ u128::from(byte));
        number.to_be_bytes()
    };
    let (destination, _) = destination(to);
    hashed(to, hash(1, to), hash(2, to), hash(3, destination.prefix()))
}

#[test]
fn a_thousand_people_at_one_mail_provider_pass_at_the_defaults() {
    let mut bench = Bench::new();
    let people = (0..1000).map(|who| alloc::format!("person{who}@example.com"));
    assert_eq!(sends(&mut bench, people), (1000, None));
}

#[test]
fn a_thousand_people_of_one_area_code_pass_at_the_defaults() {
    let mut bench = Bench::new();
    // +1 202, in twenty of its 792 blocks.
    let people = (0..1000).map(|who| alloc::format!("+1202{}{:04}", 300 + who % 20, who));
    assert_eq!(sends(&mut bench, people), (1000, None));
}

#[test]
fn pumping_through_one_number_block_is_stopped_and_no_other_block_is() {
    let mut bench = Bench::new();
    bench.now = bench.now / 3600 * 3600;
    let block = (0..10_000).map(|number| alloc::format!("+1202555{number:04}"));
    let limit = Refusal::SendLimit { ceiling: Ceiling::NumberBlock, retry_after: 3600 };
    assert_eq!(sends(&mut bench, block), (200, Some(limit)));
    let others = ["+12025560000", "+12035550000", "a@example.com"].map(String::from);
    assert_eq!(sends(&mut bench, others.into_iter()), (3, None));
}

#[test]
fn mail_domains_and_number_blocks_have_ceilings_of_their_own() {
    let mut bench = Bench::new();
    bench.now = bench.now / 3600 * 3600;
    bench.rules.verification.limits.sends_per_mail_domain_hour = 2;
    bench.rules.verification.limits.sends_per_number_block_hour = 3;
    let refused = |ceiling| Some(Refusal::SendLimit { ceiling, retry_after: 3600 });
    let people = (0..9).map(|who| alloc::format!("person{who}@example.com"));
    assert_eq!(sends(&mut bench, people), (2, refused(Ceiling::MailDomain)));
    let people = (0..9).map(|who| alloc::format!("+1202555000{who}"));
    assert_eq!(sends(&mut bench, people), (3, refused(Ceiling::NumberBlock)));
}

#[test]
fn a_ceiling_is_near_from_eighty_per_cent_on() {
    let mut bench = Bench::new();
    bench.rules.verification.limits.sends_per_number_block_hour = 10;
    bench.rules.verification.limits.sends_per_tenant_hour = 20;
    bench.rules.verification.limits.spend_per_tenant_hour = 100_000;
    let mut near = Vec::new();
    for number in 0..10 {
        let to = alloc::format!("+1202555000{number}");
        let command = bench.start_with(&to, by_number(&to));
        near.push(bench.near(command));
    }
    // A message costs 10,000: eight of ten are 80 % of the block and of the cap, and no more than
    // half of the tenant's.
    let both = [Ceiling::NumberBlock, Ceiling::Spend].to_vec();
    assert_eq!(near[..7], [const { Vec::new() }; 7]);
    assert_eq!(near[7..], [both.clone(), both.clone(), both]);
    // An hour in which nothing more was sent, and the one before: all have ebbed away.
    bench.now += 7200;
    assert_eq!(bench.near(bench.start_with("+12025550001", by_number("+12025550001"))), []);
}

#[test]
fn resends_near_the_block_and_never_the_destination() {
    let mut bench = Bench::new();
    bench.rules.verification.limits.sends_per_destination_hour = 5;
    bench.rules.verification.limits.sends_per_number_block_hour = 5;
    let near: Vec<_> = (0..5).map(|_| bench.near(bench.start_command(NUMBER, None))).collect();
    assert_eq!(
        near,
        [[].to_vec(), [].to_vec(), [].to_vec(), [Ceiling::NumberBlock].to_vec(), [Ceiling::NumberBlock].to_vec()]
    );
}

#[test]
fn counted_repeats_near_the_block() {
    let mut bench = Bench::new();
    bench.rules.verification.limits.sends_per_number_block_hour = 3;
    let (view, _) = bench.start(NUMBER).unwrap();
    let attempt = view.attempts[0].sid;
    let repeat = || CountRepeat { verification: view.verification, attempt, subjects: subjects(NUMBER), cost: 10_000 };
    assert_eq!([bench.near(repeat()), bench.near(repeat())], [[].to_vec(), [Ceiling::NumberBlock].to_vec()]);
}

#[test]
fn looks_of_support_near_their_ceiling() {
    let mut bench = Bench::new();
    let added = [new_key(id(7), Scope::Support, token(7))].to_vec();
    let changes = KeyChanges { added, ..KeyChanges::default() };
    bench.run(ChangeKeys { account: ACCOUNT, sequence: 1, changes }).unwrap();
    let look = || {
        let caller = Caller::key(id(7), ACCOUNT, token(7));
        LookUp { caller, verification: id(9) }
    };
    let near = (1..=600).find(|_| bench.near(look()) == [Ceiling::Support]);
    assert_eq!(near, Some(480));
}
