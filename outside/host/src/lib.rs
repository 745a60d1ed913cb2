//! The untrusted half: it carries bytes and keeps them.
//!
//! Why a library as well as a binary: `adyton log check` reads the same store when the vault is stopped.
//!
//! Scope: the ingress pipe, the dialer, the log store over redb, the published logs and metrics (`docs/spec/01-frames.md`,
//! `docs/spec/03-heads.md`, `docs/spec/13-store.md`). What it is not: it sees
//! no plaintext and cannot even name a plaintext type (`cargo xtask layers`); the enclave trusts nothing it says.

mod approvals;
mod database;
mod dial;
mod errors;
mod ingress;
mod metrics;
mod pages;
mod reader;
mod retire;
mod row;
mod service;
mod tables;
mod tiles;
mod writer;

pub use approvals::Approvals;
pub use database::RedbStore;
pub use dial::{METADATA, Route, RouteError, Routes, is_domain_name};
pub use errors::{OpenError, StoreError};
pub use ingress::{pipe, serve_ingress};
pub use metrics::Metrics;
pub use pages::{Pages, serve_pages};
pub use reader::RedbReader;
pub use service::{EventSink, serve_channels};
pub use tiles::{Published, Resource, TileLookup, TileRequest, TileRequestError, serve_tiles};
pub use writer::Writer;
