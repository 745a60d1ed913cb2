//! The redb store on disks that fail.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

mod disk;
mod full;
mod power;
mod vault;
