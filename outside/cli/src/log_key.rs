//! `adyton log key`: the verifier's keys of a vault's logs.
//!
//! The genesis entry names the log key, and its hash is the vault id. So these keys are the vault's if the vault id in their names
//! is the one that the caller knows. `adyton verify` shows the log key of a running vault by its evidence.

use std::path::Path;
use std::process::ExitCode;

use adyton_ledger::{Body, GovRecord, LogId, LogReader, VaultId, origin, sha256, verifier_key};
use serde_json::{Map, Value, json};

use crate::store::Source;

type Error = Box<dyn std::error::Error>;

/// Prints a key for each log of the vault in `data`.
pub(crate) fn run(data: &Path, as_json: bool) -> Result<ExitCode, Error> {
    let source = Source::open(data)?;
    let (vault, log_key) = genesis(&source)?;
    let mut logs = vec![LogId::GOV];
    for shard in 0..u16::MAX {
        // The log of shard 0 is always there; those of further shards once they have entries.
        if shard > 0 && source.status(LogId::ops(shard))?.size == 0 {
            break;
        }
        logs.push(LogId::ops(shard));
    }
    let keys: Vec<_> = logs.iter().map(|log| (log.name(), verifier_key(&origin(&vault, *log), &log_key))).collect();
    if as_json {
        let keys: Map<String, Value> = keys.into_iter().map(|(log, key)| (log, key.into())).collect();
        println!("{}", json!({ "vault_id": vault.to_string(), "keys": keys }));
    } else {
        keys.iter().for_each(|(_, key)| println!("{key}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The vault's id and log key.
fn genesis(source: &Source) -> Result<(VaultId, [u8; 32]), Error> {
    let records = source.read(LogId::GOV, 0, 1, 1 << 20)?;
    let record = records.first().ok_or("the vault has no genesis yet: start it first")?;
    let body = record.body(Body::Kept).filter(|body| sha256(body) == record.entry.body_hash(Body::Kept));
    match GovRecord::decode(body.ok_or("the public log does not hold together: adyton log check")?)? {
        GovRecord::Genesis(genesis) => Ok((VaultId::of_genesis(&record.entry), genesis.log_key)),
        _ => Err("the log does not begin with a genesis".into()),
    }
}
