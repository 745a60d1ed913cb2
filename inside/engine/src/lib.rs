//! The engine without its IO (DESIGN §4): it runs one [`Machine`] over a sealed log and knows nothing of what that
//! machine is for.
//!
//! - [`Shard`] is the writer: commands in, sealed batches out, answers held until a batch has passed its gate.
//! - [`LogTip`] is where a log ends: sizes, time and signed heads, for the shard's log and the public one.
//! - [`sealing`] makes entries and opens them; [`Replay`] rebuilds a machine from them.
//! - [`snapshot`] seals what survives a restart.
//!
//! Scope: no clock, no randomness, no socket and no file. Its caller (in the enclave: a queue, the *append* channel, the
//! host's store) passes time in and bytes out, so tests run it against a store with faults and a machine of their own.
//!
//! Byte layouts: `docs/spec/02-entries.md`, `docs/spec/04-snapshots.md`.

#![no_std]

extern crate alloc;

mod batch;
mod machine;
mod pending;
mod read_back;
mod replay;
pub mod sealing;
mod sections;
mod shard;
pub mod snapshot;
mod tip;

pub use machine::{Decided, Machine, Mode};
pub use pending::{Pending, Release};
pub use read_back::ReadBack;
pub use replay::{Replay, ReplayError, Uncovered};
pub use sections::{Section, SectionReader, SectionWriter, Sections};
pub use shard::Shard;
pub use tip::{LogTip, Sealed};
