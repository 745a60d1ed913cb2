//! The redb store on disks that fail.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

mod disk;
mod full;
#[path = "../../../../between/transport/tests/not_run/mod.rs"]
mod not_run;
mod power;
mod vault;
