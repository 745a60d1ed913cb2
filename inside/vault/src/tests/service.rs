use super::*;
use crate::services::Refusal;

fn fetch(bench: &Bench) -> ServiceView {
    let service = bench.service;
    bench.read(FetchService { caller: caller(), service }).unwrap()
}

fn update(bench: &mut Bench, update: ServiceUpdate) -> Result<ServiceView, Refusal> {
    let service = bench.service;
    Ok(bench.run(UpdateService { caller: caller(), service, update })?.0)
}

fn length(code_length: u8) -> ServiceUpdate {
    ServiceUpdate { code_length: Some(code_length), ..ServiceUpdate::default() }
}

fn loosening(sequence: u64, service: ServiceId, code_length: Option<u8>) -> Loosen {
    Loosen { caller: caller(), account: ACCOUNT, sequence, service, code_length, custom_code: false }
}

/// The refusal of a code length at the floor of the rules' default.
fn too_short(given: CodeLengthGiven) -> Refusal {
    Refusal::CodeLength { given, shortest: 6 }
}

#[test]
fn stronger_is_immediate_and_weaker_waits_for_the_tenants_signature() {
    let mut bench = Bench::new();
    let (live, code) = bench.start(NUMBER).unwrap();
    assert_eq!(update(&mut bench, length(8)).unwrap().settings.code_length, 8);
    assert_eq!(bench.check(live.verification, &code), Ok(Status::Approved), "a live code keeps its length");
    assert_eq!(bench.start(NUMBER).unwrap().1.len(), 8);
    assert_eq!(update(&mut bench, length(6)).err(), Some(Refusal::Loosening));
    let service = bench.service;
    let loosen = |sequence, length| loosening(sequence, service, Some(length));
    assert_eq!(bench.refused(loosen(2, 6)), Refusal::Sequence(WrongSequence { expected: 1 }));
    assert_eq!(
        bench.refused(loosen(1, 5)),
        too_short(CodeLengthGiven::Loosening),
        "below the policy's floor nobody goes"
    );
    for stronger in [8, 9] {
        assert_eq!(bench.refused(loosen(1, stronger)), Refusal::NotWeaker);
    }
    bench.run(loosen(1, 6)).unwrap();
    let waiting = fetch(&bench);
    assert_eq!(waiting.settings.code_length, 8);
    assert_eq!(waiting.loosening.map(|loosening| loosening.at), Some(bench.now + 86_400));
    bench.run(WithdrawLoosening { caller: caller(), service }).unwrap();
    bench.now += 86_400;
    bench.run(Tick).unwrap();
    assert_eq!(fetch(&bench).settings.code_length, 8, "it was taken back");
    bench.run(loosen(2, 6)).unwrap();
    bench.now += 86_399;
    bench.run(Tick).unwrap();
    assert_eq!(fetch(&bench).settings.code_length, 8);
    bench.reboot();
    bench.now += 1;
    bench.run(Tick).unwrap();
    let done = fetch(&bench);
    assert_eq!((done.settings.code_length, done.loosening), (6, None), "through a restart");
    assert_eq!(bench.replay().cold_bytes(), bench.state.cold_bytes());
}

#[test]
fn a_loosening_takes_key_and_signature_of_one_tenant() {
    let mut bench = Bench::new();
    update(&mut bench, length(8)).unwrap();
    let (other, admin, verify, service) = (id(4), id(6), id(7), bench.service);
    bench.run(tenant(other, token(4), None)).unwrap();
    let added = [new_key(admin, Scope::Admin, token(6)), new_key(verify, Scope::Verify, token(7))];
    let changes = KeyChanges { added: added.to_vec(), ..KeyChanges::default() };
    bench.run(ChangeKeys { account: ACCOUNT, sequence: 1, changes }).unwrap();
    let loosen = |user, token_hash, account, sequence| Loosen {
        caller: match user {
            User::Account(own) => Caller::account(own, token_hash),
            User::Key(key) => Caller::key(key, ACCOUNT, token_hash),
        },
        account,
        sequence,
        service,
        code_length: Some(6),
        custom_code: false,
    };
    let admin = User::Key(admin);
    assert_eq!(
        bench.refused(loosen(admin, token(6), other, 1)),
        Refusal::Denied(Denied::Unauthorized),
        "another's signature"
    );
    assert_eq!(
        bench.refused(loosen(User::Account(other), token(4), ACCOUNT, 2)),
        Refusal::Denied(Denied::Unauthorized),
        "another's key"
    );
    assert_eq!(bench.refused(loosen(User::Account(other), token(4), other, 1)), Refusal::NotFound);
    assert_eq!(bench.refused(loosen(User::Key(verify), token(7), ACCOUNT, 2)), Refusal::Denied(Denied::Scope));
    assert_eq!(bench.refused(loosen(admin, token(7), ACCOUNT, 2)), Refusal::Denied(Denied::Unauthorized));
    assert!(bench.run(loosen(admin, token(6), ACCOUNT, 2)).is_ok());
}

#[test]
fn loosening_that_the_policy_no_longer_allows_is_dropped() {
    let mut bench = Bench::new();
    bench.rules.services.min_code_length = 4;
    let service = bench.service;
    bench.run(loosening(1, service, Some(4))).unwrap();
    bench.rules.services.min_code_length = 6;
    bench.now += 86_400;
    bench.run(Tick).unwrap();
    let view = fetch(&bench);
    assert_eq!((view.settings.code_length, view.loosening), (6, None));
}

#[test]
fn lengths_are_the_policys() {
    let mut bench = Bench::new();
    for code_length in [0, 3, 5, 11] {
        let settings = ServiceSettings { code_length, ..settings() };
        assert_eq!(bench.refused(CreateService { caller: caller(), settings }), too_short(CodeLengthGiven::Service));
        assert_eq!(update(&mut bench, length(code_length)).err(), Some(too_short(CodeLengthGiven::Service)));
    }
    bench.rules.services.min_code_length = 4;
    let settings = ServiceSettings { code_length: 4, ..settings() };
    assert!(bench.run(CreateService { caller: caller(), settings }).is_ok());
}

#[test]
fn lists_are_paged_newest_first() {
    let mut bench = Bench::new();
    let mut made = [(bench.now, bench.service)].to_vec();
    for count in 0..4 {
        // Two of them at the same second.
        bench.now += u64::from(count % 2 == 0);
        let view = bench.run(CreateService { caller: caller(), settings: settings() }).unwrap().0;
        made.push((view.created, view.service));
    }
    made.sort();
    made.reverse();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let ServicePage { services: page, more } =
            bench.read(ListServices { caller: caller(), after, most: 2 }).unwrap();
        assert!(!page.is_empty() && page.len() <= 2);
        after = page.last().map(|view| (view.created, view.service));
        seen.extend(page.into_iter().map(|view| (view.created, view.service)));
        if !more {
            break;
        }
    }
    assert_eq!(seen, made);
    let unknown = ListServices { caller: caller(), after: Some((0, id(0))), most: 2 };
    let page = bench.read(unknown).unwrap();
    assert_eq!((page.services.len(), page.more), (0, false));
}

#[test]
fn a_deleted_service_takes_its_verifications_along() {
    let mut bench = Bench::new();
    let (view, code) = bench.start(NUMBER).unwrap();
    let service = bench.service;
    bench.run(DeleteService { caller: caller(), service }).unwrap();
    assert_eq!(bench.check(view.verification, &code), Err(verification::Refusal::NotFound(None)));
    assert!(bench.state.is_due(bench.now));
    bench.run(Tick).unwrap();
    assert_eq!((bench.state.live(), bench.state.slots(), bench.state.is_due(bench.now)), (0, 0, false));
    assert_eq!(bench.read(FetchService { caller: caller(), service }).err(), Some(Refusal::NotFound));
    assert_eq!(bench.replay().cold_bytes(), bench.state.cold_bytes());
}

#[test]
fn a_higher_floor_binds_services_and_codes_that_were_there() {
    let mut bench = Bench::new();
    bench.rules.services.min_code_length = 4;
    bench.run(loosening(1, bench.service, Some(4))).unwrap();
    bench.now += bench.rules.services.loosening_wait;
    bench.run(Tick).unwrap();
    assert_eq!(bench.start(NUMBER).unwrap().1.len(), 4);
    bench.rules.services.min_code_length = 7;
    assert_eq!(bench.start("+12025550124").unwrap().1.len(), 7);
}

#[test]
fn a_tightening_ends_a_loosening_that_waits() {
    let mut bench = Bench::new();
    update(&mut bench, length(8)).unwrap();
    let service = bench.service;
    bench.run(loosening(1, service, Some(7))).unwrap();
    update(&mut bench, ServiceUpdate { friendly_name: Some("Other".into()), ..ServiceUpdate::default() }).unwrap();
    assert!(fetch(&bench).loosening.is_some(), "another name is no stronger service");
    assert_eq!(update(&mut bench, length(10)).unwrap().loosening, None);
    bench.now += bench.rules.services.loosening_wait;
    bench.run(Tick).unwrap();
    assert_eq!(fetch(&bench).settings.code_length, 10);
    assert_eq!(bench.replay().cold_bytes(), bench.state.cold_bytes());
}

#[test]
fn a_key_alone_turns_no_domain_and_no_warning() {
    let mut bench = Bench::new();
    let domain = |text: &str| ServiceUpdate { web_otp_domain: Some(text.into()), ..ServiceUpdate::default() };
    let warning = |on| ServiceUpdate { do_not_share: Some(on), ..ServiceUpdate::default() };
    assert_eq!(update(&mut bench, domain("evil.example")).err(), Some(Refusal::FixedAtCreation));
    assert!(update(&mut bench, warning(true)).unwrap().settings.do_not_share);
    assert_eq!(update(&mut bench, warning(false)).err(), Some(Refusal::FixedAtCreation));
    let settings = ServiceSettings { web_otp_domain: "bank.example".into(), ..fetch(&bench).settings };
    let made = bench.run(CreateService { caller: caller(), settings }).unwrap().0;
    bench.service = made.service;
    assert_eq!(update(&mut bench, domain("evil.example")).err(), Some(Refusal::FixedAtCreation));
    assert_eq!(update(&mut bench, domain("bank.example")).unwrap().settings.web_otp_domain, "bank.example");
    assert_eq!(update(&mut bench, domain("")).unwrap().settings.web_otp_domain, "");
    assert_eq!(update(&mut bench, domain("bank.example")).err(), Some(Refusal::FixedAtCreation));
}

/// `count` services of a tenant whose loosenings all fall due at once; as a log of before the limit
/// may hold them.
fn scheduled(bench: &mut Bench, account: AccountId, from: u32, count: u32) {
    let at = bench.now;
    for number in from..from + count {
        let mut sid = [0xEE; 16];
        sid[..4].copy_from_slice(&number.to_be_bytes());
        let (service, settings) = (ServiceId::from_bytes(sid), ServiceSettings { code_length: 8, ..settings() });
        let loosening = Loosening { code_length: Some(6), custom_code: false, at: at + 60 };
        let sequence = bench.state.signer(account).unwrap().1;
        for kind in [
            services::Event::ServiceCreated { account, service, settings },
            services::Event::LooseningScheduled { account, sequence, service, loosening },
        ] {
            bench.apply_live(Event { at, kind: kind.into() });
        }
    }
}

/// Ticks until nothing is due; how many there were.
fn ticks(bench: &mut Bench) -> usize {
    let mut ticks = 0;
    while bench.state.is_due(bench.now) {
        let decision = bench.decide(Tick.into());
        assert!(decision.draft.events.len() <= MAX_SWEPT_LOOSENINGS + 2, "{}", decision.draft.events.len());
        decision.draft.events.into_iter().for_each(|event| bench.apply_live(event));
        ticks += 1;
    }
    ticks
}

#[test]
fn a_tick_ends_a_bounded_number_of_loosenings_and_the_next_goes_on() {
    let mut bench = Bench::new();
    scheduled(&mut bench, ACCOUNT, 0, 20_000);
    for number in 1..=3000u32 {
        let mut account = [0xDD; 16];
        account[..4].copy_from_slice(&number.to_be_bytes());
        let account = AccountId::from_bytes(account);
        let event = tenancy::Event::TenantCreated {
            account,
            token_hash: token(3),
            salt: SubjectSalt::from_bytes([3; 16]),
            ssh_key: Vec::new(),
            admitted: None,
            friendly_name: String::new(),
        };
        bench.apply_live(Event { at: bench.now, kind: event.into() });
        scheduled(&mut bench, account, 20_000 + number, 1);
    }
    bench.now += 59;
    assert_eq!(ticks(&mut bench), 0, "nothing is due yet");
    bench.now += 1;
    bench.reboot();
    assert_eq!(ticks(&mut bench), 23_000usize.div_ceil(MAX_SWEPT_LOOSENINGS), "through a restart");
    let list = ListServices { caller: caller(), after: None, most: 30_000 };
    let services = bench.read(list).unwrap().services;
    let six = services.iter().filter(|service| service.settings.code_length == 6 && service.loosening.is_none());
    assert_eq!(six.count(), 20_001, "each took effect");
    assert_eq!(bench.replay().cold_bytes(), bench.state.cold_bytes());
}

#[test]
fn a_hundred_loosenings_of_a_tenant_wait_and_no_more() {
    let mut bench = Bench::new();
    scheduled(&mut bench, ACCOUNT, 0, 99);
    update(&mut bench, length(8)).unwrap();
    let first = bench.service;
    bench.run(loosening(100, first, Some(6))).unwrap();
    let settings = ServiceSettings { code_length: 8, ..settings() };
    let another = bench.run(CreateService { caller: caller(), settings }).unwrap().0;
    let another = another.service;
    let wait = |bench: &Bench| bench.state.services.loosenings_of(ACCOUNT).count();
    assert_eq!(wait(&bench), 100);
    assert_eq!(bench.refused(loosening(101, another, Some(6))), Refusal::TooManyLoosenings);
    // One that replaces another of the same service takes no further place.
    bench.run(loosening(101, first, Some(7))).unwrap();
    // The count survives a restart, from the log and from a snapshot.
    bench.reboot();
    assert_eq!(wait(&bench), 100);
    bench.state = State::decode_cold(&bench.state.cold_bytes()).unwrap();
    assert_eq!(bench.refused(loosening(102, another, Some(6))), Refusal::TooManyLoosenings);
    // Whatever ends one makes room: a withdrawal, a deletion, and that it took effect.
    bench.run(WithdrawLoosening { caller: caller(), service: first }).unwrap();
    bench.run(loosening(102, another, Some(6))).unwrap();
    bench.run(DeleteService { caller: caller(), service: another }).unwrap();
    assert_eq!(wait(&bench), 99);
    bench.now += 60;
    ticks(&mut bench);
    assert_eq!(wait(&bench), 0);
}

fn hashes(texts: &str) -> Vec<AppHash> {
    AppHash::parse_list(texts).unwrap()
}

/// Another service of the bench's tenant, which is the bench's from then on.
fn create(bench: &mut Bench, settings: ServiceSettings) -> Result<ServiceView, Refusal> {
    let made = bench.run(CreateService { caller: caller(), settings })?.0;
    bench.service = made.service;
    Ok(made)
}

#[test]
fn a_key_alone_adds_no_app() {
    let mut bench = Bench::new();
    let apps = |texts: &str| ServiceUpdate { app_hashes: Some(hashes(texts)), ..ServiceUpdate::default() };
    assert_eq!(update(&mut bench, apps("He42w354ol9")).err(), Some(Refusal::FixedAtCreation));
    create(&mut bench, ServiceSettings { app_hashes: hashes("He42w354ol9,AAAAAAAAAAA"), ..settings() }).unwrap();
    assert_eq!(update(&mut bench, apps("He42w354ol9,BBBBBBBBBBB")).err(), Some(Refusal::FixedAtCreation));
    let kept = update(&mut bench, ServiceUpdate { code_length: Some(8), ..ServiceUpdate::default() }).unwrap();
    assert_eq!(kept.settings.app_hashes, hashes("He42w354ol9,AAAAAAAAAAA"));
    assert_eq!(update(&mut bench, apps("AAAAAAAAAAA")).unwrap().settings.app_hashes, hashes("AAAAAAAAAAA"));
    assert_eq!(update(&mut bench, apps("He42w354ol9")).err(), Some(Refusal::FixedAtCreation));
    assert_eq!(bench.replay().cold_bytes(), bench.state.cold_bytes());
}

#[test]
fn a_request_names_no_app_but_the_services() {
    let mut bench = Bench::new();
    create(&mut bench, ServiceSettings { app_hashes: hashes("He42w354ol9"), ..settings() }).unwrap();
    let start = |bench: &mut Bench, hash: &str| {
        let mut start = bench.start_command(NUMBER, None);
        start.look.app_hash = AppHash::parse(hash);
        bench.run(start).map(|(_, effects)| {
            let Some(Effect::Send { message, .. }) = effects.last() else { panic!("no message") };
            message.text.expose().ends_with(&["\n", hash].concat())
        })
    };
    assert_eq!(start(&mut bench, "AAAAAAAAAAA"), Err(verification::Refusal::AppHash));
    assert_eq!(start(&mut bench, "He42w354ol9"), Ok(true));
    // Neither does a code that is sent again.
    assert_eq!(start(&mut bench, "AAAAAAAAAAA"), Err(verification::Refusal::AppHash));
    assert_eq!(start(&mut bench, "He42w354ol9"), Ok(true));
}

#[test]
fn no_name_brings_the_hash_of_an_app() {
    let mut bench = Bench::new();
    let long = "Landesversicherung";
    create(&mut bench, ServiceSettings { friendly_name: long.into(), ..settings() }).unwrap();
    let start = |bench: &mut Bench, name: &str| {
        let mut start = bench.start_command(NUMBER, None);
        start.look.name = Some(ServiceName::parse(name).unwrap());
        bench.run(start).map(|_| ())
    };
    for name in [
        "FA+9qCX9VSu",
        "<#> FA+9qCX9VSu",
        "FA+9qCX9VSu Bank",
        "abcdefghijk",
        "xLandesversicherung",
        "Landesversicherunx",
    ] {
        assert_eq!(start(&mut bench, name), Err(verification::Refusal::LongWord), "{name}");
        let update = ServiceUpdate { friendly_name: Some(name.into()), ..ServiceUpdate::default() };
        assert_eq!(super::service::update(&mut bench, update).err(), Some(Refusal::LongWord), "{name}");
    }
    for name in [long, "versicherung", "Bank AG", "abcdefghij klmnopqrst", "Über-Bank"] {
        assert_eq!(start(&mut bench, name), Ok(()), "{name}");
    }
    let update = ServiceUpdate { friendly_name: Some("versicherung".into()), ..ServiceUpdate::default() };
    super::service::update(&mut bench, update).unwrap();
}

#[test]
fn a_service_whose_messages_do_not_fit_is_refused() {
    let mut bench = Bench::new();
    let wide = ServiceSettings {
        friendly_name: "Банк Пример 123".into(),
        do_not_share: true,
        app_hashes: hashes("He42w354ol9"),
        ..settings()
    };
    // 4 + 15 + 2 + 6 + 36 + 12 = 75, of 70.
    let excess = Refusal::ServiceTooLong { excess: 5 };
    assert_eq!(create(&mut bench, wide.clone()).err(), Some(excess));
    create(&mut bench, ServiceSettings { do_not_share: false, ..wide.clone() }).unwrap();
    let warned = ServiceUpdate { do_not_share: Some(true), ..ServiceUpdate::default() };
    assert_eq!(update(&mut bench, warned).err(), Some(excess));
    let longer = ServiceUpdate { code_length: Some(10), ..ServiceUpdate::default() };
    create(&mut bench, ServiceSettings { friendly_name: "Банк 1".into(), ..wide.clone() }).unwrap();
    assert!(update(&mut bench, longer.clone()).is_ok());
    create(&mut bench, ServiceSettings { friendly_name: "Банк Прим".into(), ..wide }).unwrap();
    assert_eq!(update(&mut bench, longer).err(), Some(Refusal::ServiceTooLong { excess: 3 }));
}

#[test]
fn a_name_of_a_request_that_does_not_fit_is_refused() {
    let mut bench = Bench::new();
    let service = ServiceSettings { do_not_share: true, app_hashes: hashes("He42w354ol9"), ..settings() };
    create(&mut bench, service).unwrap();
    let start = |bench: &mut Bench, name: &str| {
        let mut start = bench.start_command(NUMBER, None);
        start.look = MessageOptions {
            name: Some(ServiceName::parse(name).unwrap()),
            locale: Locale::German,
            app_hash: AppHash::parse("He42w354ol9"),
        };
        bench.run(start).map(|_| ())
    };
    assert_eq!(start(&mut bench, "Банк Пример 123"), Err(verification::Refusal::MessageTooLong { excess: 5 }));
    assert_eq!(bench.state.live(), 0, "nothing was started");
    assert_eq!(start(&mut bench, "Банк"), Ok(()));
    // Nor does a code that is sent again.
    assert_eq!(start(&mut bench, "Банк Пример 123"), Err(verification::Refusal::MessageTooLong { excess: 5 }));
    assert_eq!(bench.state.live(), 1);
}

#[test]
fn service_requirements_need_a_prover() {
    use crate::services::Requirement;
    let mut bench = Bench::new();
    for requirement in Requirement::ALL.into_iter().filter(|requirement| *requirement != Requirement::Code) {
        let requirements = Requirements::CODE.with(requirement);
        let settings = ServiceSettings { requirements, ..settings() };
        let create = CreateService { caller: caller(), settings };
        assert_eq!(bench.refused(create), Refusal::NoProver(requirement));
        let update = ServiceUpdate { requirements: Some(requirements), ..ServiceUpdate::default() };
        let update = UpdateService { caller: caller(), service: bench.service, update };
        assert_eq!(bench.refused(update), Refusal::NoProver(requirement));
    }
    assert_eq!(fetch(&bench).settings.requirements, Requirements::CODE);
}
