//! How many steps the tables of a state cost, for tests: comparisons of ids and keyed hashes, which
//! every table's keys have, and entries that are walked over. With the feature `steps` only, which
//! no build but tests has.

extern crate std;

use core::cell::Cell;

std::thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn step() {
    STEPS.set(STEPS.get() + 1);
}

/// The result of some work, and the steps that it took on this thread.
pub fn counted<R>(work: impl FnOnce() -> R) -> (R, usize) {
    let before = STEPS.get();
    let result = work();
    (result, STEPS.get() - before)
}
