//! Fuzz targets of every parser, their corpora, and what runs them.
//!
//! Why: a parser is where a stranger's bytes meet the system (DESIGN §12). A target is a plain `fn(&[u8])` that panics
//! when a property of the parser does not hold: what is accepted is written back to the same bytes, nothing may follow
//! it, a value behind a seal is read as strictly as one before it.
//!
//! Scope: [`TARGETS`]; the seeds in `fuzz/corpus/<target>/` ([`corpus`], [`seeds`]); mutation ([`mutate`]) and the loop
//! that survives panics and ends hangs ([`run`]). It needs no compiler support, and it does not see which code an input
//! reaches: it learns only from inputs that a parser accepts. `fuzz/guided` runs the same targets guided by coverage. An
//! abort, such as a stack overflow, ends the process itself: `--trace` keeps every input on disk before it runs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a target says by a panic that a property does not hold"
)]

pub mod corpus;
pub mod mutate;
pub mod run;
pub mod seeds;
mod targets;

use std::cell::Cell;

pub use targets::TARGETS;

/// One parser under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Panics if a property does not hold for this input.
    pub run: fn(&[u8]),
    /// What its inputs are made of; mutation puts these in.
    pub dictionary: &'static [&'static [u8]],
}

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

thread_local! {
    static ACCEPTED: Cell<u64> = const { Cell::new(0) };
}

/// A target says here that its parser took the input.
fn accepted() {
    ACCEPTED.set(ACCEPTED.get() + 1);
}

/// Runs a target; whether its parser took the input.
pub fn accepts(target: &Target, input: &[u8]) -> bool {
    let before = ACCEPTED.get();
    (target.run)(input);
    ACCEPTED.get() > before
}
