//! The engine against stores that fail, over real sockets where there is one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

#[path = "../../../../outside/host/tests/faults/disk.rs"]
mod disk;
mod fixtures;
mod full;
mod gov;
mod host;
mod live;
mod shard;
mod snapshots;
mod world;
mod writer;
