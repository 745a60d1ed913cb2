//! The Merkle log: entries, tree, tiles, heads, the public log's records and the requests that people sign for it, the
//! store that keeps them, and the check that anybody can run over it.
//!
//! Why: both sides of the wall, and auditors, must agree on what a log says and be able to recompute it. Layouts:
//! `docs/spec/02-entries.md`, `docs/spec/03-heads.md`, `docs/spec/08-signed-requests.md`.
//!
//! Scope and limits: hashing and signature checks only; signing is a closure of the caller, sealing is not here, and
//! neither is any IO or clock. A head says what its signer saw; whether it is the *newest* one is freshness
//! (DESIGN §6), which this crate does not decide.

#![no_std]

extern crate alloc;

pub mod base64;
mod check;
mod entry;
mod gov;
mod hash;
mod head;
mod memory;
mod merkle;
mod names;
mod releases;
mod request;
mod ssh;
mod store;
mod tile;

pub use check::{CheckContext, CheckError, Fault, History, LogReport, Report, Rule, check};
pub use entry::{
    Body, ENTRY_LEN, Entry, EntryError, HEADER_LEN, Header, Kind, Size, leaves_of, leaves_root, part_leaf,
};
pub use gov::{
    ApprovalRecord, BootRecord, CertificateRecord, Genesis, GovError, GovRecord, MAX_CHAIN, OpsRoot, OrderRecord,
    PolicyRecord, Profile, SettingsRecord,
};
pub use hash::{Hash, sha256};
pub use head::{Head, HeadError, origin, verifier_key};
pub use memory::MemoryStore;
pub use merkle::{
    Frontier, FrontierError, ProofError, consistency_proof, inclusion_proof, leaf_hash, node_hash, verify_consistency,
    verify_inclusion,
};
pub use names::{LogId, LogIdError, VaultId, VaultIdError};
pub use releases::{ReleaseError, Releases};
pub use request::{Action, MAX_REQUEST_BODY, Request, RequestError, SignedRequest, Signer, VerifiedRequest};
pub use ssh::{MAX_SIGNATURES, Signers, SignersError, SshKeyError, SshPublicKey, SshSignature, SshSignatureError};
pub use store::{
    AppendOutcome, LogReader, LogStore, Record, Retirement, Status, head_is_kept, is_fenced, is_repeat, retires,
};
pub use tile::{TILE_WIDTH, TileBuilder, TileKind, TilePath, TilePathError, full_subtrees, tile_root};
