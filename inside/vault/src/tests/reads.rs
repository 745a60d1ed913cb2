//! Reads of a view: who may read, and that a view stays what it was.

use super::*;

#[test]
fn view_identifies_a_right_token_whatever_its_scope_and_no_other() {
    let mut bench = Bench::new();
    let (support, gone) = (id(6), id(7));
    let added = [new_key(support, Scope::Support, token(6)), new_key(gone, Scope::Admin, token(7))].into();
    let change = |sequence, changes| ChangeKeys { account: ACCOUNT, sequence, changes };
    bench.run(change(1, KeyChanges { added, ..KeyChanges::default() })).unwrap();
    let before = bench.state.view();
    bench.run(change(2, KeyChanges { removed: [gone].into(), ..KeyChanges::default() })).unwrap();
    let after = bench.state.view();
    let by = |key, token_hash| Caller::key(key, ACCOUNT, token_hash);
    for (view, caller, expected) in [
        (&after, caller(), Some(Scopes::AUTH_TOKEN)),
        (&after, by(support, token(6)), Some(Scopes::from_slice(&[Scope::Support]))),
        (&after, by(support, token(7)), None),
        (&after, by(id(9), token(0)), None),
        (&after, Caller::account(id(9), token(0)), None),
        (&before, by(gone, token(7)), Some(Scopes::from_slice(&[Scope::Admin]))),
        (&after, by(gone, token(7)), None),
        // The edge took the key for another account's, and hashed addresses for that one.
        (&after, Caller::key(support, id(9), token(6)), None),
    ] {
        assert_eq!(view.identify(&caller), expected.map(|scopes| (ACCOUNT, scopes)));
    }
    assert_eq!([before.account_of(gone), after.account_of(gone)], [Some(ACCOUNT), None]);
    assert_eq!((before.signer(ACCOUNT).unwrap().1, after.signer(ACCOUNT).unwrap().1), (2, 3));
    assert!(after.signer(id(9)).is_none());
}

#[test]
fn view_shows_nothing_of_what_is_decided_after_it() {
    let mut bench = Bench::new();
    let (view, code) = bench.start(NUMBER).unwrap();
    let (service, sid) = (bench.service, view.verification);
    let old = bench.state.view();
    let seen = |view: &View, bench: &Bench| {
        let fetch = FetchVerification { caller: caller(), service, target: Target::Sid(sid) };
        fetch
            .answer(view, &bench.rules, bench.now)
            .map(|seen| (seen.status, seen.attempts.len(), seen.to.expose().into()))
    };
    let live = |attempts| Ok((Status::Pending, attempts, String::from(NUMBER)));
    bench.start(NUMBER).unwrap();
    assert_eq!((seen(&old, &bench), seen(&bench.state.view(), &bench)), (live(1), live(2)));
    bench.check(sid, &code).unwrap();
    let over = Err(verification::Refusal::NotFound(Some(Reason::Approved)));
    assert_eq!((seen(&old, &bench), seen(&bench.state.view(), &bench)), (live(1), over));
    bench.run(DeleteService { caller: caller(), service }).unwrap();
    let fetch = FetchService { caller: caller(), service };
    assert!(fetch.answer(&old, &bench.rules, bench.now).is_ok());
    assert_eq!(bench.read(fetch).err(), Some(services::Refusal::NotFound));
    // Time goes on in an old view.
    bench.now += CODE_LIFE;
    assert_eq!(seen(&old, &bench), Err(verification::Refusal::NotFound(Some(Reason::Expired))));
}

#[test]
fn owners_sequence_of_a_view_is_that_of_its_moment() {
    let mut bench = Bench::new();
    let old = bench.state.view();
    bench.run(ChangeSettings { sequence: 1, text: "version = 1".into() }).unwrap();
    assert_eq!((old.next_owners_sequence(), bench.state.view().next_owners_sequence()), (1, 2));
}
