//! Stores that lie, not only ones that were changed: what they must not get past `check`.

use std::convert::Infallible;

use adyton_ledger::{
    Body, CheckError, Fault, GovRecord, HeadError, LogId, LogReader, MemoryStore, OpsRoot, Record, Rule, Status, check,
    sha256,
};

use crate::vault::{BOOT, LATER, Vault, ops};

/// A store whose `Status` of one log is what it likes.
struct Liar {
    store: MemoryStore,
    log: LogId,
    lie: fn(&mut Status),
}

impl LogReader for Liar {
    type Error = Infallible;

    fn status(&self, log: LogId) -> Result<Status, Infallible> {
        let mut status = self.store.status(log)?;
        if log == self.log {
            (self.lie)(&mut status);
        }
        Ok(status)
    }

    fn read(&self, log: LogId, from: u64, max: u32, max_bytes: usize) -> Result<Vec<Record>, Infallible> {
        self.store.read(log, from, max, max_bytes)
    }

    fn heads(&self, log: LogId, from: u64, max: u32) -> Result<Vec<String>, Infallible> {
        self.store.heads(log, from, max)
    }

    fn tile(&self, log: LogId, level: u8, number: u64) -> Result<Option<Vec<u8>>, Infallible> {
        self.store.tile(log, level, number)
    }
}

fn lie(vault: &Vault, log: LogId, lie: fn(&mut Status)) -> Fault {
    match check(&Liar { store: vault.store.clone(), log, lie }, &LATER) {
        Err(CheckError::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

fn root(vault: &mut Vault, log: LogId, size: u64, root: &[u8]) {
    vault.gov(BOOT, &GovRecord::OpsRoot(OpsRoot { log, size, root: sha256(root) }));
}

#[test]
fn entries_that_no_head_covers() {
    let mut vault = Vault::busy();
    // The head of size 12 is genuine; the eleven entries under it are not its.
    vault.store.records_mut(ops()).pop();
    vault.patch(ops(), 10, 30, 1);
    vault.finds(ops(), 0, Rule::NewestHead);
}

#[test]
fn a_log_cut_below_its_newest_head() {
    let mut vault = Vault::busy();
    vault.store.records_mut(ops()).pop();
    vault.finds(ops(), 0, Rule::NewestHead);
}

#[test]
fn a_status_whose_head_is_not_one() {
    let fault = lie(&Vault::busy(), ops(), |status| status.head = "no head".into());
    assert_eq!(fault.rule, Rule::Head(HeadError::Form));
}

#[test]
fn a_gov_said_to_be_empty() {
    let fault = lie(&Vault::new(), LogId::GOV, |status| status.size = 0);
    assert_eq!(fault, Fault { log: LogId::GOV, index: 0, rule: Rule::NewestHead });
}

#[test]
fn bodies_dropped_under_a_snapshot_that_never_was() {
    let mut vault = Vault::busy();
    vault.operate(Body::Hot);
    vault.stored(ops(), 12).hot = None;
    let fault = lie(&vault, ops(), |status| status.latest_snapshot = Some(u64::MAX));
    assert_eq!(fault, Fault { log: ops(), index: 12, rule: Rule::BodyMissing });
}

#[test]
fn two_hourly_roots_for_one_size() {
    let mut vault = Vault::busy();
    root(&mut vault, ops(), 12, b"wrong");
    vault.ops_root(None);
    assert_eq!(vault.fault().rule, Rule::OpsRoot);
}

#[test]
fn an_hourly_root_of_no_larger_size_than_the_one_before() {
    for size in [7, 8, 11, 12] {
        let mut vault = Vault::busy();
        vault.ops_root(None);
        vault.report();
        let mut older = adyton_ledger::Frontier::new();
        vault.store.records_mut(ops())[..size].iter().for_each(|record| older.push(record.entry.leaf_hash()));
        vault.gov(BOOT, &GovRecord::OpsRoot(OpsRoot { log: ops(), size: older.size(), root: older.root() }));
        vault.finds(LogId::GOV, 5, Rule::OpsRoot);
        // A larger one of another log is no excuse.
        let mut vault = Vault::busy();
        root(&mut vault, LogId::ops(1), 1, b"");
        vault.gov(BOOT, &GovRecord::OpsRoot(OpsRoot { log: ops(), size: 8, root: older.root() }));
        vault.finds(LogId::GOV, 5, Rule::OpsRoot);
    }
}

#[test]
fn a_wrong_hourly_root_of_nothing() {
    let mut vault = Vault::new();
    root(&mut vault, ops(), 0, b"not nothing");
    assert_eq!(vault.fault().rule, Rule::OpsRoot);
    let mut vault = Vault::new();
    root(&mut vault, ops(), 0, b"");
    vault.report();
}

#[test]
fn an_hourly_root_of_gov_itself() {
    let mut vault = Vault::busy();
    root(&mut vault, LogId::GOV, 1, b"wrong");
    assert_eq!(vault.fault().rule, Rule::OpsRoot);
}

#[test]
fn an_hourly_root_of_a_log_behind_an_empty_one() {
    let mut vault = Vault::busy();
    let records: Vec<Record> = vault.store.records_mut(ops()).clone();
    *vault.store.records_mut(LogId::ops(2)) = records;
    root(&mut vault, LogId::ops(2), 12, b"wrong");
    let fault = vault.fault();
    assert_eq!(fault.log, LogId::ops(2), "{fault}");
}
