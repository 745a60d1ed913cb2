//! The engine with a machine of counters over a store in memory.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

mod batches;
mod log;
mod replays;
mod snapshots;
mod toy;
