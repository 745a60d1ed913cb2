//! The API in memory: a router over an engine whose host takes every batch and keeps nothing.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

mod crowds;
mod reads;
mod refusals;
mod requests;
mod shares;
mod signed;
mod world;
