//! `check` over stores in which one thing was changed: each fault is named by log, place and rule.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod hostile;
mod releases;
mod retention;
mod running;
mod vault;

use adyton_ledger::{
    AppendOutcome, Body, EntryError, Fault, GovError, GovRecord, Head, HeadError, Kind, LogId, LogReader, LogStore,
    MemoryStore, OpsRoot, Profile, Record, Retirement, Rule, origin, sha256,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use vault::{BOOT, POLICY, SEALED, Vault, ops, record};

#[test]
fn whole_logs_pass() {
    let vault = Vault::busy();
    let report = vault.report();
    assert_eq!((report.vault, report.genesis.profile, report.boots), (vault.id, Profile::Dev, 1));
    let sizes: Vec<_> = report.logs.iter().map(|log| (log.log, log.size, log.bodies, log.retired)).collect();
    assert_eq!(sizes, [(LogId::GOV, 4, 4, 0), (ops(), 12, 12, 0)]);
    assert_eq!(report.logs[1].root, vault.frontiers[1].root());
}

#[test]
fn many_boots_tiles_and_heads_pass() {
    let mut vault = Vault::busy();
    vault.boot([0xB1; 16]);
    (0..600).for_each(|_| vault.entry(Kind::Ops, Body::Kept, [0xB1; 16], 300));
    vault.ops_root(None);
    let report = vault.report();
    assert_eq!((report.boots, report.logs[1].size, report.logs[1].tiles, report.logs[1].heads), (2, 612, 2, 3));
}

#[test]
fn a_vault_that_only_has_its_genesis_passes() {
    let vault = Vault::newborn();
    assert_eq!(vault.report().logs[0].size, 1);
}

#[test]
fn retired_bodies_pass() {
    let mut vault = Vault::busy();
    vault.store.retire(ops(), Retirement { below: 5, bucket: 0, snapshot: [0; 16], boot_id: BOOT }).unwrap();
    let report = vault.report();
    assert_eq!((report.logs[1].bodies, report.logs[1].retired), (7, 5));
}

#[test]
fn an_empty_store_has_no_vault() {
    let mut vault = Vault::new();
    vault.store = MemoryStore::new();
    vault.finds(LogId::GOV, 0, Rule::Genesis);
}

#[test]
fn a_gov_that_does_not_begin_with_genesis() {
    let mut vault = Vault::new();
    let boot = vault.stored(LogId::GOV, 2).clone();
    *vault.stored(LogId::GOV, 0) = boot;
    vault.finds(LogId::GOV, 0, Rule::Genesis);
}

#[test]
fn a_second_genesis() {
    let mut vault = Vault::new();
    let body = vault.stored(LogId::GOV, 0).kept.clone().unwrap();
    vault.gov(BOOT, &GovRecord::decode(&body).unwrap());
    vault.finds(LogId::GOV, 3, Rule::Genesis);
}

#[test]
fn a_changed_byte_in_an_entry() {
    let mut vault = Vault::busy();
    vault.patch(ops(), 3, 47, 2); // the release: nothing but the tree covers it
    vault.finds(ops(), 8, Rule::OpsRoot);
    let mut vault = Vault::busy();
    vault.patch(ops(), 9, 47, 2);
    let fault = vault.fault();
    assert!(matches!(fault, Fault { index: 12, rule: Rule::Root { .. }, .. }), "{fault}");
    let mut vault = Vault::busy();
    vault.patch(ops(), 3, 0, 1);
    vault.finds(ops(), 3, Rule::Header(EntryError::Version { got: 1 }));
    let mut vault = Vault::busy();
    vault.patch(ops(), 3, 140, 0xFF);
    vault.finds(ops(), 3, Rule::Body);
}

#[test]
fn a_changed_body_or_one_of_another_length() {
    let mut vault = Vault::busy();
    vault.stored(ops(), 6).kept.as_mut().unwrap()[0] ^= 1;
    vault.finds(ops(), 6, Rule::Body);
    let mut vault = Vault::busy();
    vault.stored(ops(), 6).kept.as_mut().unwrap().push(0);
    vault.finds(ops(), 6, Rule::Body);
    let mut vault = Vault::busy();
    vault.patch(ops(), 6, 3, 2); // the size in the header
    vault.finds(ops(), 6, Rule::Body);
}

#[test]
fn a_body_where_the_header_has_none() {
    let mut vault = Vault::busy();
    vault.stored(ops(), 6).hot = Some(vec![6; SEALED]);
    vault.finds(ops(), 6, Rule::Body);
    // A hash of nothing that is there.
    let mut vault = Vault::busy();
    vault.patch(ops(), 6, 120, 1);
    vault.finds(ops(), 6, Rule::Body);
    // A public record is in the kept body.
    let mut vault = Vault::new();
    vault.append(LogId::GOV, &record(LogId::GOV, 3, Kind::Gov, Body::Hot, BOOT, 100, vec![9]));
    vault.finds(LogId::GOV, 3, Rule::Body);
}

#[test]
fn kept_bodies_go_at_retention_and_those_of_gov_never() {
    let mut vault = Vault::busy();
    vault.entry(Kind::Snapshot, Body::Kept, BOOT, 200);
    let retire = |log, bucket| (log, Retirement { below: 12, bucket, snapshot: [0; 16], boot_id: BOOT });
    for ((log, retirement), bodies) in [(retire(ops(), 200), 4), (retire(ops(), 201), 1), (retire(LogId::GOV, 201), 1)]
    {
        vault.store.retire(log, retirement).unwrap();
        let report = vault.report();
        assert_eq!((report.logs[0].bodies, report.logs[1].bodies), (4, bodies));
    }
}

#[test]
fn a_dropped_body() {
    for (log, index) in [(LogId::GOV, 2usize), (ops(), 5), (ops(), 7), (ops(), 11)] {
        let mut vault = Vault::busy();
        let stored = vault.stored(log, index);
        (stored.hot, stored.kept) = (None, None);
        vault.finds(log, index as u64, Rule::BodyMissing);
    }
}

#[test]
fn two_entries_in_each_others_place() {
    let mut vault = Vault::busy();
    vault.store.records_mut(ops()).swap(2, 3);
    vault.finds(ops(), 2, Rule::Index { got: 3 });
}

#[test]
fn a_time_bucket_that_falls() {
    let mut vault = Vault::busy();
    vault.entry(Kind::Ops, Body::Kept, BOOT, 199);
    vault.finds(ops(), 12, Rule::TimeBucket);
}

#[test]
fn a_kind_that_belongs_elsewhere() {
    let mut vault = Vault::busy();
    vault.entry(Kind::Gov, Body::Kept, BOOT, 200);
    vault.finds(ops(), 12, Rule::Kind(Kind::Gov));
    let mut vault = Vault::new();
    vault.append(LogId::GOV, &record(LogId::GOV, 3, Kind::Boot, Body::Kept, BOOT, 100, vec![]));
    vault.finds(LogId::GOV, 3, Rule::Kind(Kind::Boot));
}

#[test]
fn a_record_that_does_not_decode() {
    let mut vault = Vault::new();
    vault.append(LogId::GOV, &record(LogId::GOV, 3, Kind::Gov, Body::Kept, BOOT, 100, vec![9]));
    vault.finds(LogId::GOV, 3, Rule::Record(GovError::Type { got: 9 }));
}

#[test]
fn a_head_signed_by_another_key() {
    let mut vault = Vault::busy();
    let head = vault.store.heads_mut(ops()).get_mut(&12).unwrap();
    *head = head.replace("\n12\n", "\n13\n").replace("\n13\n", "\n012\n");
    assert_eq!(vault.fault().rule, Rule::Head(HeadError::Size));
    let mut vault = Vault::busy();
    let root = vault.frontiers[1].root();
    let other = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let head = Head { origin: origin(&vault.id, ops()), size: 12, root };
    let public = vault.key.public_key().as_ref().try_into().unwrap();
    let forged = head.sign(public, |text| other.sign(text).as_ref().try_into().unwrap());
    vault.store.heads_mut(ops()).insert(12, forged);
    assert_eq!(vault.fault().rule, Rule::Head(HeadError::Signature));
}

#[test]
fn a_head_that_goes_on_after_its_signature() {
    let mut vault = Vault::busy();
    vault.store.heads_mut(ops()).get_mut(&12).unwrap().push('x');
    vault.finds(ops(), 0, Rule::Head(HeadError::Form));
}

#[test]
fn a_head_of_another_log() {
    let mut vault = Vault::busy();
    let head = vault.head(LogId::GOV, 12, vault.frontiers[1].root());
    vault.store.heads_mut(ops()).insert(12, head);
    assert_eq!(vault.fault().rule, Rule::Head(HeadError::Origin));
}

#[test]
fn a_forked_head() {
    for size in [4, 12] {
        let mut vault = Vault::busy();
        let fork = sha256(b"the other branch");
        let head = vault.head(ops(), size, fork);
        vault.store.heads_mut(ops()).insert(size, head);
        let fault = vault.fault();
        assert!(
            matches!(&fault, Fault { index, rule: Rule::Root { expected, .. }, .. } if *index == size && *expected == fork),
            "{fault}"
        );
    }
}

#[test]
fn no_head_for_the_size() {
    let mut vault = Vault::busy();
    vault.store.heads_mut(ops()).clear();
    assert_eq!(vault.fault().rule, Rule::Head(HeadError::Form));
    let mut vault = Vault::busy();
    let older = vault.head(ops(), 4, sha256(b"of a size passed"));
    vault.store.heads_mut(ops()).clear();
    vault.store.heads_mut(ops()).insert(4, older);
    assert_eq!(vault.fault().rule, Rule::NewestHead);
}

#[test]
fn a_changed_tile_is_a_fault_and_a_missing_one_is_not_built_yet() {
    let mut vault = Vault::new();
    (0..300).for_each(|_| vault.operate(Body::Kept));
    let mut changed = vault.store.clone();
    changed.tiles_mut(ops()).get_mut(&(0, 0)).unwrap()[4000] ^= 1;
    let whole = std::mem::replace(&mut vault.store, changed);
    vault.finds(ops(), 255, Rule::Tile { level: 0, number: 0 });
    vault.store = whole;
    assert_eq!(vault.report().logs[1].tiles, 1);
    vault.store.tiles_mut(ops()).clear();
    assert_eq!(vault.report().logs[1].tiles, 0);
}

#[test]
fn a_boot_that_gov_does_not_know() {
    let mut vault = Vault::busy();
    vault.entry(Kind::Ops, Body::Kept, [0xEE; 16], 200);
    vault.finds(ops(), 12, Rule::BootId);
    let mut vault = Vault::new();
    vault.gov([0xEE; 16], &GovRecord::OpsRoot(OpsRoot { log: ops(), size: 0, root: sha256(&[]) }));
    vault.finds(LogId::GOV, 3, Rule::BootId);
}

#[test]
fn a_boot_id_that_two_boots_have() {
    let mut vault = Vault::busy();
    vault.boot([0xB1; 16]);
    vault.boot([0xB2; 16]);
    vault.boot([0xB1; 16]);
    vault.finds(LogId::GOV, 6, Rule::BootRepeated { first: 4 });
    // The boot that made the vault has its record once, like every other.
    let mut vault = Vault::busy();
    vault.boot(BOOT);
    vault.finds(LogId::GOV, 4, Rule::BootRepeated { first: 2 });
}

#[test]
fn the_boot_that_made_the_vault_may_fail_before_its_record() {
    let mut vault = Vault::newborn();
    vault.policy([0xB1; 16], 1, POLICY);
    vault.boot([0xB1; 16]);
    assert_eq!(vault.report().boots, 2);
    // Once another boot was there, it does not come back.
    vault.boot(BOOT);
    vault.finds(LogId::GOV, 3, Rule::BootRepeated { first: 0 });
}

#[test]
fn a_wrong_hourly_root() {
    let mut vault = Vault::busy();
    vault.ops_root(Some(sha256(b"wrong")));
    assert_eq!(vault.fault().rule, Rule::OpsRoot);
}

#[test]
fn an_operations_log_shorter_than_gov_says() {
    let mut vault = Vault::new();
    vault.gov(BOOT, &GovRecord::OpsRoot(OpsRoot { log: ops(), size: 5, root: sha256(b"gone") }));
    vault.finds(ops(), 0, Rule::OpsRoot);
    let mut vault = Vault::busy();
    vault.gov(BOOT, &GovRecord::OpsRoot(OpsRoot { log: ops(), size: 13, root: sha256(b"gone") }));
    vault.finds(ops(), 12, Rule::OpsRoot);
}

#[test]
fn the_last_append_may_be_repeated_and_nothing_else() {
    let mut vault = Vault::busy();
    let store = vault.store.clone();
    let of = |index, byte| record(ops(), index, Kind::Ops, Body::Kept, BOOT, 200, vec![byte; SEALED]);
    let (first, second) = (of(12, 1), of(13, 2));
    vault.append(ops(), &first);
    vault.append(ops(), &second);
    let before = vault.store.status(ops()).unwrap();
    let mut again = |expected: u64, record: &Record| vault.store.append(ops(), expected, record, "x").unwrap();
    assert_eq!(again(13, &second), AppendOutcome::Appended { size: 14 });
    for (expected, record) in [(12, &first), (12, &second), (13, &first), (15, &second), (13, &of(13, 3))] {
        assert_eq!(again(expected, record), AppendOutcome::Conflict { size: 14 });
    }
    assert_eq!(vault.store.status(ops()).unwrap(), before);
    assert_eq!(store.status(ops()).unwrap().size, 12);
}
