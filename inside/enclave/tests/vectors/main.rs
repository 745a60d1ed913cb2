//! Test vectors that need the key tree, the deciders' state or the engine: keyed hashes (page 00), events and sealed
//! bodies (02), what genesis wraps (03), snapshots (04).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

#[path = "../../../../vectors/reader.rs"]
mod reader;

mod entries;
mod events;
mod genesis;
mod hashes;
mod snapshots;

use adyton_ledger::{LogId, VaultId};
use adyton_seal::{KeyTree, RootKey, Secret};
use adyton_vault::{Id, IdKind};
use reader::Vector;

fn root_key(v: &Vector) -> RootKey {
    RootKey::new(Secret::try_from(&v.hex("root_key")[..]).unwrap())
}

fn keys(v: &Vector) -> KeyTree {
    KeyTree::new(&root_key(v), v.small("epoch"))
}

fn vault(v: &Vector) -> VaultId {
    VaultId(v.fixed("vault_id"))
}

fn log(v: &Vector) -> LogId {
    LogId::from_number(v.small("log"))
}

fn sid<K: IdKind>(v: &Vector, field: &str) -> Id<K> {
    Id::parse(v.text(field)).unwrap()
}
