use super::*;
use crate::tenancy::Refusal;

fn key_changes(added: &[(KeyId, Scope, TokenHash)]) -> KeyChanges {
    let added = added.iter().map(|(sid, scope, hash)| new_key(*sid, *scope, *hash)).collect();
    KeyChanges { added, ..KeyChanges::default() }
}

#[test]
fn repeated_creation_of_a_tenant_must_be_equal() {
    let mut bench = Bench::new();
    assert!(bench.run(tenant(ACCOUNT, TOKEN, None)).is_ok());
    assert_eq!(bench.refused(tenant(ACCOUNT, token(3), None)), Refusal::AccountTaken);
    let another_key = CreateTenant {
        account: ACCOUNT,
        token_hash: TOKEN,
        friendly_name: "Acme Ltd".into(),
        ssh_key: b"ssh-ed25519 other".to_vec(),
        admitted: None,
    };
    assert_eq!(bench.refused(another_key), Refusal::AccountTaken);
}

#[test]
fn closed_vault_admits_tenants_only_by_the_owners() {
    let mut bench = Bench::new();
    bench.rules.tenancy.admission = Admission::Owners;
    assert_eq!(bench.refused(tenant(id(4), TOKEN, None)), Refusal::TenantsClosed);
    assert_eq!(bench.refused(tenant(id(4), TOKEN, Some(2))), Refusal::Sequence(WrongSequence { expected: 1 }));
    assert!(bench.run(tenant(id(4), TOKEN, Some(1))).is_ok());
    assert_eq!(bench.state.next_owners_sequence(), 2);
    assert_eq!(bench.refused(tenant(id(5), TOKEN, Some(1))), Refusal::Sequence(WrongSequence { expected: 2 }));
}

#[test]
fn strangers_fill_no_vault() {
    let mut bench = Bench::new();
    let account = |number: u32| AccountId::from_bytes(u128::from(number).to_be_bytes());
    for number in 1..10_000 {
        bench.run(tenant(account(number), TOKEN, None)).unwrap();
    }
    assert_eq!(bench.refused(tenant(account(10_000), TOKEN, None)), Refusal::Full);
    assert!(bench.run(tenant(account(1), TOKEN, None)).is_ok(), "who is in may repeat itself");
    assert!(bench.run(tenant(account(10_000), TOKEN, Some(1))).is_ok(), "the owners have the last word");
}

#[test]
fn keys_do_what_their_scopes_say() {
    let mut bench = Bench::new();
    let (verify, admin) = (id(6), id(7));
    let changes = key_changes(&[(verify, Scope::Verify, token(6)), (admin, Scope::Admin, token(7))]);
    bench.run(ChangeKeys { account: ACCOUNT, sequence: 1, changes }).unwrap();
    let service = bench.service;
    let fetch = |sid, token_hash| FetchService { caller: Caller::key(sid, ACCOUNT, token_hash), service };
    assert!(bench.read(fetch(admin, token(7))).is_ok());
    assert_eq!(bench.read(fetch(verify, token(6))).err(), Some(services::Refusal::Denied(Denied::Scope)));
    assert_eq!(bench.read(fetch(verify, token(7))).err(), Some(services::Refusal::Denied(Denied::Unauthorized)));
    let removed = KeyChanges { removed: [admin].to_vec(), ..key_changes(&[]) };
    bench.run(ChangeKeys { account: ACCOUNT, sequence: 2, changes: removed }).unwrap();
    assert_eq!(bench.read(fetch(admin, token(7))).err(), Some(services::Refusal::Denied(Denied::Unauthorized)));
    bench.reboot();
    assert_eq!(
        bench.read(fetch(verify, token(6))).err(),
        Some(services::Refusal::Denied(Denied::Scope)),
        "through a restart"
    );
}

#[test]
fn a_reset_takes_every_key_and_counts_once() {
    let mut bench = Bench::new();
    let old = id(6);
    let change = |sequence, changes| ChangeKeys { account: ACCOUNT, sequence, changes };
    bench.run(change(1, key_changes(&[(old, Scope::Verify, token(6))]))).unwrap();
    let reset =
        || KeyChanges { reset: true, token_hash: Some(token(9)), ..key_changes(&[(old, Scope::Admin, token(8))]) };
    bench.run(change(2, reset())).unwrap();
    assert_eq!(bench.refused(change(2, reset())), Refusal::Sequence(WrongSequence { expected: 3 }));
    assert_eq!(
        bench.refused(bench.start_command(NUMBER, None)),
        verification::Refusal::Denied(Denied::Unauthorized),
        "the old token is gone"
    );
    let service = bench.service;
    let key = Caller::key(old, ACCOUNT, token(8));
    assert!(bench.read(FetchService { caller: key, service }).is_ok());
}

#[test]
fn a_key_belongs_to_one_tenant() {
    let mut bench = Bench::new();
    let (other, key) = (id(4), id(6));
    bench.run(tenant(other, token(4), None)).unwrap();
    let change =
        |account, added: &[(KeyId, Scope, TokenHash)]| ChangeKeys { account, sequence: 1, changes: key_changes(added) };
    bench.run(change(ACCOUNT, &[(key, Scope::Verify, token(6))])).unwrap();
    assert_eq!(bench.refused(change(other, &[(key, Scope::Verify, token(6))])), Refusal::KeyTaken);
    let twice = [(id(7), Scope::Verify, token(6)), (id(7), Scope::Admin, token(6))];
    assert_eq!(bench.refused(change(other, &twice)), Refusal::KeyTwice(KeyList::Added));
    assert_eq!(bench.refused(change(id(0x55), &[])), Refusal::Denied(Denied::Unauthorized));
}

/// Zeros mean "none" in records, and stand for the account of an unknown key.
#[test]
fn nothing_has_a_sid_of_zeros() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused(tenant(AccountId::MIN, token(4), None)), Refusal::AccountTaken);
    let changes = key_changes(&[(KeyId::MIN, Scope::Verify, token(6))]);
    assert_eq!(bench.refused(ChangeKeys { account: ACCOUNT, sequence: 1, changes }), Refusal::KeyTaken);
}

/// The edge hashes an address for the account that it takes a key for.
#[test]
fn a_key_that_the_edge_takes_for_another_accounts_is_not_authenticated() {
    let mut bench = Bench::new();
    let key = id(6);
    let changes = key_changes(&[(key, Scope::Verify, token(6))]);
    bench.run(ChangeKeys { account: ACCOUNT, sequence: 1, changes }).unwrap();
    let start = |bench: &Bench, account| Start {
        caller: Caller::key(key, account, token(6)),
        ..bench.start_command(NUMBER, None)
    };
    for account in [AccountId::MIN, id(0x55)] {
        let refusal = bench.refused(start(&bench, account));
        assert_eq!(refusal, verification::Refusal::Denied(Denied::Unauthorized));
    }
    bench.run(start(&bench, ACCOUNT)).unwrap();
}

#[test]
fn a_keys_request_names_each_key_once_and_a_hundred_at_the_most() {
    let mut bench = Bench::new();
    let keys: Vec<_> = (1..=101).map(|number| (id(number), Scope::Verify, token(6))).collect();
    bench.run(ChangeKeys { account: ACCOUNT, sequence: 1, changes: key_changes(&keys[..100]) }).unwrap();
    let change = |changes| ChangeKeys { account: ACCOUNT, sequence: 2, changes };
    let removed = |removed: &[u8]| {
        change(KeyChanges { removed: removed.iter().map(|sid| id(*sid)).collect(), ..key_changes(&[]) })
    };
    assert_eq!(bench.refused(removed(&[1, 2, 1])), Refusal::KeyTwice(KeyList::Removed));
    assert_eq!(bench.refused(removed(&[1; 100])), Refusal::KeyTwice(KeyList::Removed));
    let all: Vec<u8> = (1..=101).collect();
    assert_eq!(bench.refused(removed(&all)), Refusal::TooManyKeys(KeyList::Removed));
    assert_eq!(bench.refused(change(key_changes(&keys))), Refusal::TooManyKeys(KeyList::Added));
    // A key removed and added again in one request is a new secret, not a duplicate.
    let changes = KeyChanges { removed: [id(1)].to_vec(), ..key_changes(&keys[..1]) };
    bench.run(change(changes)).unwrap();
}

#[test]
fn key_of_another_tenant_cannot_be_removed() {
    let mut bench = Bench::new();
    let (other, theirs, unknown) = (id(4), id(6), id(7));
    bench.run(tenant(other, token(4), None)).unwrap();
    let changes = key_changes(&[(theirs, Scope::Verify, token(6))]);
    bench.run(ChangeKeys { account: other, sequence: 1, changes }).unwrap();
    for sid in [theirs, unknown] {
        let changes = KeyChanges { removed: [sid].to_vec(), ..key_changes(&[]) };
        let refusal = bench.refused(ChangeKeys { account: ACCOUNT, sequence: 1, changes });
        assert_eq!(refusal, Refusal::UnknownKey);
    }
}

#[test]
fn a_tenant_sees_itself_and_nobody_else() {
    let mut bench = Bench::new();
    let (other, verify, service) = (id(4), id(6), bench.service);
    bench.run(tenant(other, token(4), None)).unwrap();
    let update = ServiceUpdate { code_length: Some(8), ..ServiceUpdate::default() };
    bench.run(UpdateService { caller: caller(), service, update }).unwrap();
    let changes = key_changes(&[(verify, Scope::Verify, token(6))]);
    bench.run(ChangeKeys { account: ACCOUNT, sequence: 1, changes }).unwrap();
    let (account, sequence, code_length) = (ACCOUNT, 2, Some(6));
    bench.run(Loosen { caller: caller(), account, sequence, service, code_length, custom_code: false }).unwrap();
    let look = |caller| bench.read(FetchAccount { caller });
    let view = look(caller()).unwrap();
    assert_eq!(
        (view.account.tenant.account, view.account.next_sequence, &view.account.ssh_key[..]),
        (ACCOUNT, 3, &b"ssh-ed25519 key"[..])
    );
    assert_eq!(view.account.keys, [(verify, Scopes::from_slice(&[Scope::Verify]))]);
    assert_eq!(view.loosenings.iter().map(|(sid, _)| *sid).collect::<Vec<_>>(), [service]);
    let view = look(Caller::account(other, token(4))).unwrap();
    assert_eq!((view.account.tenant.account, view.account.next_sequence), (other, 1));
    assert_eq!((view.account.keys, view.loosenings), (Vec::new(), Vec::new()));
    assert_eq!(look(Caller::key(verify, ACCOUNT, token(6))).err(), Some(Denied::Scope));
}

#[test]
fn settings_count_once_and_outlive_a_restart() {
    let mut bench = Bench::new();
    let change = |sequence, text: &str| ChangeSettings { sequence, text: text.into() };
    bench.run(change(1, "version = 1")).unwrap();
    assert_eq!(bench.refused(change(1, "version = 1")), Refusal::Sequence(WrongSequence { expected: 2 }));
    bench.run(change(2, "version = 1 # again")).unwrap();
    bench.reboot();
    assert_eq!(bench.state.settings(), "version = 1 # again");
    assert_eq!(State::decode_cold(&bench.state.cold_bytes()).unwrap().settings(), "version = 1 # again");
}

#[test]
fn each_tenant_has_a_salt_of_its_own_that_does_not_change() {
    let mut bench = Bench::new();
    let (one, two) = (id(11), id(12));
    bench.run(tenant(one, token(4), None)).unwrap();
    bench.run(tenant(two, token(5), None)).unwrap();
    let salt = |bench: &Bench, account| bench.state.view().salt(account).map(|salt| *salt.as_bytes());
    let before = (salt(&bench, one).unwrap(), salt(&bench, two).unwrap());
    assert_ne!(before.0, before.1);
    // Repeated after a lost answer, through a restart and a snapshot.
    bench.run(tenant(one, token(4), None)).unwrap();
    bench.reboot();
    bench.state = State::decode_cold(&bench.state.cold_bytes()).unwrap();
    assert_eq!((salt(&bench, one), salt(&bench, two)), (Some(before.0), Some(before.1)));
    assert!(salt(&bench, id(13)).is_none());
}
