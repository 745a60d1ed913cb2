//! Stores that live while they are read: an honest one must pass, and a fault must not hide behind growth.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;

use adyton_ledger::{
    Body, CheckError, Fault, Kind, LogId, LogReader, LogStore, Record, Report, Retirement, Rule, Status, check,
};

use crate::vault::{BOOT, LATER, Vault, ops};

const NEXT_BOOT: [u8; 16] = [0xB1; 16];

/// A question about the operations log, as the store hears it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    /// The how-manieth question for its size, from 1.
    Size(usize),
    /// For records from this index.
    From(u64),
}

/// A vault that goes on working: `lives` is called before each question about the operations log is answered.
struct Running {
    vault: RefCell<Vault>,
    sizes: Cell<usize>,
    lives: fn(&mut Vault, Question),
}

impl Running {
    fn check(lives: fn(&mut Vault, Question)) -> Result<Report, CheckError<Infallible>> {
        check(&Self { vault: RefCell::new(Vault::busy()), sizes: Cell::new(0), lives }, &LATER)
    }

    fn passes(lives: fn(&mut Vault, Question)) -> Report {
        Self::check(lives).unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn finds(lives: fn(&mut Vault, Question), index: u64, rule: Rule) {
        match Self::check(lives) {
            Err(CheckError::Fault(fault)) => assert_eq!(fault, Fault { log: ops(), index, rule }),
            other => panic!("{other:?}"),
        }
    }
}

impl LogReader for Running {
    type Error = Infallible;

    fn status(&self, log: LogId) -> Result<Status, Infallible> {
        if log == ops() {
            self.sizes.set(self.sizes.get() + 1);
            (self.lives)(&mut self.vault.borrow_mut(), Question::Size(self.sizes.get()));
        }
        self.vault.borrow().store.status(log)
    }

    fn read(&self, log: LogId, from: u64, max: u32, max_bytes: usize) -> Result<Vec<Record>, Infallible> {
        if log == ops() {
            (self.lives)(&mut self.vault.borrow_mut(), Question::From(from));
        }
        // Four at a time, so that much can happen between two reads.
        self.vault.borrow().store.read(log, from, max.min(4), max_bytes)
    }

    fn heads(&self, log: LogId, from: u64, max: u32) -> Result<Vec<String>, Infallible> {
        self.vault.borrow().store.heads(log, from, max)
    }

    fn tile(&self, log: LogId, level: u8, number: u64) -> Result<Option<Vec<u8>>, Infallible> {
        self.vault.borrow().store.tile(log, level, number)
    }
}

/// A snapshot of everything, and the retirement that follows it.
fn snapshot(vault: &mut Vault, boot_id: [u8; 16]) {
    let below = vault.frontier(ops()).size();
    vault.entry(Kind::Snapshot, Body::Kept, boot_id, 200);
    vault.store.retire(ops(), Retirement { below, bucket: 0, snapshot: [0; 16], boot_id }).unwrap();
}

fn operate(vault: &mut Vault, count: usize) {
    (0..count).for_each(|_| vault.operate(Body::Hot));
}

#[test]
fn a_log_retired_while_it_was_read() {
    let report = Running::passes(|vault, asked| {
        if asked == Question::From(8) {
            snapshot(vault, BOOT);
        }
    });
    // 8 to 11 were gone when their turn came.
    assert_eq!((report.logs[1].size, report.logs[1].retired), (13, 4));
}

#[test]
fn a_log_retired_again_while_it_was_read_on() {
    let report = Running::passes(|vault, asked| match asked {
        Question::From(8) => {
            snapshot(vault, BOOT);
            operate(vault, 4);
        }
        Question::From(12) => snapshot(vault, BOOT),
        _ => {}
    });
    assert_eq!((report.logs[1].size, report.logs[1].retired), (18, 8));
}

#[test]
fn a_log_retired_by_the_next_boot() {
    let report = Running::passes(|vault, asked| {
        if asked == Question::From(8) {
            vault.boot(NEXT_BOOT);
            vault.entry(Kind::Boot, Body::Kept, NEXT_BOOT, 200);
            snapshot(vault, NEXT_BOOT);
        }
    });
    assert_eq!((report.logs[1].size, report.logs[1].retired), (14, 4));
    // The public log is reported as it was checked, not as far as it was read on.
    assert_eq!((report.logs[0].size, report.boots), (4, 1));
}

#[test]
fn a_boot_that_gov_does_not_know_even_later() {
    let lives: fn(&mut Vault, Question) = |vault, asked| {
        if asked == Question::From(8) {
            vault.entry(Kind::Boot, Body::Kept, NEXT_BOOT, 200);
            snapshot(vault, NEXT_BOOT);
        }
    };
    Running::finds(lives, 12, Rule::BootId);
}

#[test]
fn a_body_dropped_from_a_log_that_grows() {
    let lives: fn(&mut Vault, Question) = |vault, asked| {
        vault.stored(ops(), 9).hot = None;
        if matches!(asked, Question::Size(_)) {
            operate(vault, 3);
        }
    };
    Running::finds(lives, 9, Rule::BodyMissing);
}

#[test]
fn a_body_dropped_behind_the_snapshot_that_was_taken_meanwhile() {
    let lives: fn(&mut Vault, Question) = |vault, asked| match asked {
        Question::From(8) => {
            snapshot(vault, BOOT);
            operate(vault, 4);
            vault.stored(ops(), 14).hot = None;
        }
        Question::Size(_) => operate(vault, 1),
        _ => {}
    };
    Running::finds(lives, 14, Rule::BodyMissing);
}

#[test]
fn a_log_that_is_always_retired_before_it_is_read() {
    let checked = Running::check(|vault, asked| match asked {
        Question::Size(_) => operate(vault, 2),
        Question::From(_) => snapshot(vault, BOOT),
    });
    assert!(matches!(checked, Err(CheckError::Unsettled(log)) if log == ops()), "{checked:?}");
}
