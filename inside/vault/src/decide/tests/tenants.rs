use super::*;

fn key_changes(added: &[(Sid, Scope, [u8; 32])]) -> KeyChanges {
    let added = added.iter().map(|(sid, scope, hash)| (*sid, Scopes::of(&[*scope]), *hash)).collect();
    KeyChanges { reset: false, token_hash: None, removed: Vec::new(), added }
}

#[test]
fn a_tenant_may_repeat_itself_and_none_comes_in_without_the_owners() {
    let mut bench = Bench::new();
    assert!(bench.run(tenant(ACCOUNT, TOKEN, None)).is_ok());
    assert_eq!(bench.refused(tenant(ACCOUNT, [3; 32], None)), Refusal::AccountTaken);
    let another_key = Command::CreateTenant {
        account: ACCOUNT,
        token_hash: TOKEN,
        friendly_name: "Acme Ltd".into(),
        ssh_key: b"ssh-ed25519 other".to_vec(),
        admitted: None,
    };
    assert_eq!(bench.refused(another_key), Refusal::AccountTaken);
    bench.rules.admission = Admission::Owners;
    assert_eq!(bench.refused(tenant(Sid([4; 16]), TOKEN, None)), Refusal::TenantsClosed);
    assert_eq!(bench.refused(tenant(Sid([4; 16]), TOKEN, Some(2))), Refusal::Sequence { expected: 1 });
    assert!(bench.run(tenant(Sid([4; 16]), TOKEN, Some(1))).is_ok());
    assert_eq!(bench.state.next_owners_sequence(), 2);
    assert_eq!(bench.refused(tenant(Sid([5; 16]), TOKEN, Some(1))), Refusal::Sequence { expected: 2 });
}

#[test]
fn strangers_fill_no_vault() {
    let mut bench = Bench::new();
    let account = |number: u32| Sid(u128::from(number).to_be_bytes());
    for number in 1..10_000 {
        bench.run(tenant(account(number), TOKEN, None)).unwrap();
    }
    assert_eq!(bench.refused(tenant(account(10_000), TOKEN, None)), Refusal::Full);
    assert!(bench.run(tenant(account(1), TOKEN, None)).is_ok(), "who is in may repeat itself");
    assert!(bench.run(tenant(account(10_000), TOKEN, Some(1))).is_ok(), "the owners have the last word");
}

#[test]
fn services_of_many_tenants_fill_no_vault() {
    let mut bench = Bench::new();
    let of = |bench: &Bench| bench.state.services.len();
    let template = || crate::state::Service {
        account: Sid([9; 16]),
        settings: settings(),
        created: 1,
        updated: 1,
        loosening: None,
    };
    let others = (1u128..).map(|number| (Sid(number.to_be_bytes()), template())).take(999_998);
    bench.state.services.extend(others);
    let create = || Command::CreateService { caller: caller(), settings: settings() };
    assert!(bench.run(create()).is_ok());
    assert_eq!((of(&bench), bench.refused(create())), (1_000_000, Refusal::Full));
}

#[test]
fn keys_do_what_their_scopes_say() {
    let mut bench = Bench::new();
    let (verify, admin) = (Sid([6; 16]), Sid([7; 16]));
    let changes = key_changes(&[(verify, Scope::Verify, [6; 32]), (admin, Scope::Admin, [7; 32])]);
    bench.run(Command::ChangeKeys { account: ACCOUNT, sequence: 1, changes }).unwrap();
    let service = bench.service;
    let fetch =
        |sid, token_hash| Command::FetchService { caller: Caller { user: User::Key(sid), token_hash }, service };
    assert!(bench.run(fetch(admin, [7; 32])).is_ok());
    assert_eq!(bench.refused(fetch(verify, [6; 32])), Refusal::Scope);
    assert_eq!(bench.refused(fetch(verify, [7; 32])), Refusal::Unauthorized);
    let removed = KeyChanges { removed: [admin].to_vec(), ..key_changes(&[]) };
    bench.run(Command::ChangeKeys { account: ACCOUNT, sequence: 2, changes: removed }).unwrap();
    assert_eq!(bench.refused(fetch(admin, [7; 32])), Refusal::Unauthorized);
    bench.reboot();
    assert_eq!(bench.refused(fetch(verify, [6; 32])), Refusal::Scope, "through a restart");
}

#[test]
fn a_reset_takes_every_key_and_counts_once() {
    let mut bench = Bench::new();
    let old = Sid([6; 16]);
    let change = |sequence, changes| Command::ChangeKeys { account: ACCOUNT, sequence, changes };
    bench.run(change(1, key_changes(&[(old, Scope::Verify, [6; 32])]))).unwrap();
    let reset =
        || KeyChanges { reset: true, token_hash: Some([9; 32]), ..key_changes(&[(old, Scope::Admin, [8; 32])]) };
    bench.run(change(2, reset())).unwrap();
    assert_eq!(bench.refused(change(2, reset())), Refusal::Sequence { expected: 3 });
    assert_eq!(bench.refused(bench.start_command(NUMBER, None)), Refusal::Unauthorized, "the old token is gone");
    let service = bench.service;
    let key = Caller { user: User::Key(old), token_hash: [8; 32] };
    assert!(bench.run(Command::FetchService { caller: key, service }).is_ok());
}

#[test]
fn a_key_belongs_to_one_tenant() {
    let mut bench = Bench::new();
    let (other, key) = (Sid([4; 16]), Sid([6; 16]));
    bench.run(tenant(other, [4; 32], None)).unwrap();
    let change = |account, added: &[(Sid, Scope, [u8; 32])]| Command::ChangeKeys {
        account,
        sequence: 1,
        changes: key_changes(added),
    };
    bench.run(change(ACCOUNT, &[(key, Scope::Verify, [6; 32])])).unwrap();
    assert_eq!(bench.refused(change(other, &[(key, Scope::Verify, [6; 32])])), Refusal::KeyTaken);
    let twice = [(Sid([7; 16]), Scope::Verify, [6; 32]), (Sid([7; 16]), Scope::Admin, [6; 32])];
    assert_eq!(bench.refused(change(other, &twice)), Refusal::KeyTwice(KeyList::Added));
    assert_eq!(bench.refused(change(Sid([0x55; 16]), &[])), Refusal::Unauthorized);
}

#[test]
fn a_keys_request_names_each_key_once_and_a_hundred_at_the_most() {
    let mut bench = Bench::new();
    let keys: Vec<_> = (0..101).map(|number| (Sid([number; 16]), Scope::Verify, [6; 32])).collect();
    bench.run(Command::ChangeKeys { account: ACCOUNT, sequence: 1, changes: key_changes(&keys[..100]) }).unwrap();
    let change = |changes| Command::ChangeKeys { account: ACCOUNT, sequence: 2, changes };
    let removed = |removed: &[u8]| {
        change(KeyChanges { removed: removed.iter().map(|sid| Sid([*sid; 16])).collect(), ..key_changes(&[]) })
    };
    assert_eq!(bench.refused(removed(&[1, 2, 1])), Refusal::KeyTwice(KeyList::Removed));
    assert_eq!(bench.refused(removed(&[0; 100])), Refusal::KeyTwice(KeyList::Removed));
    let all: Vec<u8> = (0..101).collect();
    assert_eq!(bench.refused(removed(&all)), Refusal::TooManyKeys(KeyList::Removed));
    assert_eq!(bench.refused(change(key_changes(&keys))), Refusal::TooManyKeys(KeyList::Added));
    // A key that goes and comes again in one request is a new secret, not a duplicate.
    let changes = KeyChanges { removed: [Sid([1; 16])].to_vec(), ..key_changes(&keys[1..2]) };
    bench.run(change(changes)).unwrap();
}

#[test]
fn what_is_taken_back_must_be_ones_own() {
    let mut bench = Bench::new();
    let (other, theirs, unknown) = (Sid([4; 16]), Sid([6; 16]), Sid([7; 16]));
    bench.run(tenant(other, [4; 32], None)).unwrap();
    let changes = key_changes(&[(theirs, Scope::Verify, [6; 32])]);
    bench.run(Command::ChangeKeys { account: other, sequence: 1, changes }).unwrap();
    for sid in [theirs, unknown] {
        let changes = KeyChanges { removed: [sid].to_vec(), ..key_changes(&[]) };
        let refusal = bench.refused(Command::ChangeKeys { account: ACCOUNT, sequence: 1, changes });
        assert_eq!(refusal, Refusal::NotFound(None));
    }
}

#[test]
fn a_tenant_sees_itself_and_nobody_else() {
    let mut bench = Bench::new();
    let (other, verify, service) = (Sid([4; 16]), Sid([6; 16]), bench.service);
    bench.run(tenant(other, [4; 32], None)).unwrap();
    let update = ServiceUpdate { code_length: Some(8), ..ServiceUpdate::default() };
    bench.run(Command::UpdateService { caller: caller(), service, update }).unwrap();
    let changes = key_changes(&[(verify, Scope::Verify, [6; 32])]);
    bench.run(Command::ChangeKeys { account: ACCOUNT, sequence: 1, changes }).unwrap();
    let (account, sequence, code_length) = (ACCOUNT, 2, Some(6));
    bench
        .run(Command::Loosen { caller: caller(), account, sequence, service, code_length, custom_code: false })
        .unwrap();
    let mut look = |caller| match bench.run(Command::FetchTenant { caller }).map(|(reply, _)| reply) {
        Ok(Reply::Account(view)) => Ok(view),
        Ok(_) => panic!("not a tenant"),
        Err(refusal) => Err(refusal),
    };
    let view = look(caller()).unwrap();
    assert_eq!((view.tenant.account, view.next_sequence, &view.ssh_key[..]), (ACCOUNT, 3, &b"ssh-ed25519 key"[..]));
    assert_eq!(view.keys, [(verify, Scopes::of(&[Scope::Verify]))]);
    assert_eq!(view.loosenings.iter().map(|(sid, _)| *sid).collect::<Vec<_>>(), [service]);
    let view = look(Caller { user: User::Account(other), token_hash: [4; 32] }).unwrap();
    assert_eq!((view.tenant.account, view.next_sequence), (other, 1));
    assert_eq!((view.keys, view.loosenings), (Vec::new(), Vec::new()));
    assert_eq!(look(Caller { user: User::Key(verify), token_hash: [6; 32] }).err(), Some(Refusal::Scope));
}

#[test]
fn settings_count_once_and_outlive_a_restart() {
    let mut bench = Bench::new();
    let change = |sequence, text: &str| Command::ChangeSettings { sequence, text: text.into() };
    bench.run(change(1, "version = 1")).unwrap();
    assert_eq!(bench.refused(change(1, "version = 1")), Refusal::Sequence { expected: 2 });
    bench.run(change(2, "version = 1 # again")).unwrap();
    bench.reboot();
    assert_eq!(bench.state.settings(), "version = 1 # again");
    assert_eq!(State::decode_cold(&bench.state.cold_bytes()).unwrap().settings(), "version = 1 # again");
}

#[test]
fn a_snapshot_has_its_settings_and_its_counters_once() {
    let mut bench = Bench::new();
    bench.run(Command::ChangeSettings { sequence: 1, text: "version = 1".into() }).unwrap();
    let bytes = bench.state.cold_bytes();
    assert!(State::decode_cold(&bytes).is_ok());
    // The last record once more, one boot later: it ascends.
    let counters = bytes[bytes.len() - 21..].to_vec();
    let mut later = counters.clone();
    later[12] += 1;
    let mut twice = [&bytes[..], &later].concat();
    twice[7] += 1;
    assert_eq!(&counters[..4], [0, 0, 0, 17], "a tag and two numbers");
    assert!(State::decode_cold(&twice).is_err());
}
