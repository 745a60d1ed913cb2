//! Kept bodies that are missing: each may have gone under a policy that was in force when it went,
//! and not before.

use adyton_ledger::{Body, Fault, Kind, LogStore, Retirement, Rule, check};

use crate::vault::{At, BOOT, LATER, POLICY, Vault, ops};

const NEXT_BOOT: [u8; 16] = [0xB1; 16];
const LONGER: &[u8] = b"the longer policy";
const SHORTER: &[u8] = b"the shorter policy";

/// Kept bodies of the times 2000 s, 2500 s and 3000 s, all covered by the snapshot at 3500 s.
fn kept() -> Vault {
    let mut vault = Vault::new();
    for bucket in [200, 250, 300] {
        vault.entry(Kind::Ops, Body::Kept, BOOT, bucket);
    }
    vault.entry(Kind::Snapshot, Body::Kept, BOOT, 350);
    vault
}

/// Release 2, whose boot begins at 4000 s and works at 6000 s.
fn next_release(vault: &mut Vault, policy: &[u8]) {
    vault.approval(NEXT_BOOT, 2, POLICY, policy);
    vault.policy(NEXT_BOOT, 2, policy);
    vault.boot_of(NEXT_BOOT, 2, policy);
    vault.entry_of(Kind::Boot, 2, NEXT_BOOT, 400);
    vault.entry_of(Kind::Ops, 2, NEXT_BOOT, 600);
}

/// Takes the kept bodies below a bucket away, as the host does when it is told.
fn retire(vault: &mut Vault, bucket: u64, boot_id: [u8; 16]) {
    vault.store.retire(ops(), Retirement { below: 3, bucket, snapshot: [0; 16], boot_id }).unwrap();
}

fn passes(vault: &Vault, at: u64) {
    check(&vault.store, &At(at)).unwrap_or_else(|error| panic!("{error:?}"));
}

fn finds(vault: &Vault, at: u64, index: u64, expected: u64, got: u64) {
    assert_eq!(vault.fault_at(At(at)), Fault { log: ops(), index, rule: Rule::Retention { expected, got } });
}

#[test]
fn a_body_may_go_at_retention_and_not_a_second_before() {
    let mut vault = kept();
    passes(&vault, 0);
    retire(&mut vault, 251, BOOT);
    passes(&vault, 3510);
    let stored = vault.stored(ops(), 2);
    stored.kept = None;
    finds(&vault, 3999, 2, 1000, 999);
    passes(&vault, 4000);
    // A clock that is behind the log's: the newest entry's time is over.
    finds(&vault, 0, 2, 1000, 510);
}

#[test]
fn a_hot_body_goes_at_the_next_snapshot() {
    let mut vault = Vault::new();
    vault.operate(Body::Hot);
    vault.entry(Kind::Snapshot, Body::Kept, BOOT, 200);
    vault.stored(ops(), 0).hot = None;
    passes(&vault, 0);
}

#[test]
fn a_longer_policy_keeps_what_the_one_before_had_not_let_go() {
    // The first release let go, until its successor came at 4000 s, of what was a thousand seconds
    // old.
    let mut vault = kept();
    retire(&mut vault, 301, BOOT);
    next_release(&mut vault, LONGER);
    passes(&vault, 6010);
    // A body of its own time, with a snapshot above it.
    vault.entry_of(Kind::Snapshot, 2, NEXT_BOOT, 600);
    vault.stored(ops(), 5).kept = None;
    finds(&vault, 10_999, 5, 5000, 4999);
    passes(&vault, 11_000);
}

#[test]
fn a_body_that_only_the_earlier_policy_would_have_let_go_by_now() {
    let mut vault = kept();
    vault.entry(Kind::Ops, Body::Kept, BOOT, 350);
    next_release(&mut vault, LONGER);
    vault.entry_of(Kind::Snapshot, 2, NEXT_BOOT, 600);
    vault.stored(ops(), 4).kept = None;
    // At 4070 s, with what clocks may differ, it was 570 s old; the longer policy keeps it until
    // 8500 s.
    finds(&vault, 8_000, 4, 1000, 570);
    finds(&vault, 8_499, 4, 5000, 4999);
    passes(&vault, 8_500);
}

/// Once a release kept nothing, later bodies are kept all the same.
#[test]
fn a_release_that_ended_before_a_body_was_written_has_not_retired_it() {
    let mut vault = kept();
    next_release(&mut vault, b"a policy that keeps nothing");
    let third = [0xB2; 16];
    vault.approval(third, 3, b"a policy that keeps nothing", LONGER);
    vault.policy(third, 3, LONGER);
    vault.boot_of(third, 3, LONGER);
    vault.entry_of(Kind::Boot, 3, third, 700);
    vault.entry_of(Kind::Ops, 3, third, 800);
    vault.entry_of(Kind::Snapshot, 3, third, 900);
    // Six entries come before the third release's boot: four, and the second release's two.
    vault.stored(ops(), 7).kept = None;
    finds(&vault, 12_999, 7, 5000, 4999);
    passes(&vault, 13_000);
}

#[test]
fn a_shorter_policy_lets_go_of_what_came_before_it() {
    let mut vault = kept();
    next_release(&mut vault, SHORTER);
    vault.entry_of(Kind::Snapshot, 2, NEXT_BOOT, 600);
    vault.stored(ops(), 5).kept = None;
    finds(&vault, 6_099, 5, 100, 99);
    passes(&vault, 6_100);
}

#[test]
fn a_policy_that_cannot_be_read() {
    let mut vault = kept();
    next_release(&mut vault, b"not a policy");
    assert_eq!(check(&vault.store, &LATER).unwrap().logs[1].retired, 0);
    retire(&mut vault, 301, NEXT_BOOT);
    // The first release may have let go of these.
    passes(&vault, 6010);
    vault.entry_of(Kind::Snapshot, 2, NEXT_BOOT, 600);
    vault.stored(ops(), 5).kept = None;
    assert_eq!(vault.fault(), Fault { log: ops(), index: 5, rule: Rule::Policy { release: 2 } });
}
