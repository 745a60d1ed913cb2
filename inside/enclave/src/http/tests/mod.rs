//! The API in memory: a router over an engine whose host is away, so that it answers what writes nothing.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

mod crowds;
mod refusals;
mod requests;
mod shares;
mod signed;
mod world;
