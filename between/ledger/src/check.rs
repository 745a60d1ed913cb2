//! Recomputing a vault's logs from a store: what `adyton log check` says.
//!
//! The numbered procedure is `docs/spec/03-heads.md`, "What `adyton log check` recomputes":
//!
//! 1. entry 0 of `gov` is the genesis; it names the vault and the key of all heads;
//! 2. headers, places, buckets, bodies, and that none went too early;
//! 3. the tree against every head and every stored tile;
//! 4. boots and hourly roots of `gov` against what the logs hold;
//! 5. policies, approvals and settings of `gov` in their order.
//!
//! It streams: memory does not grow with the log. Limits: a store that shows an older, complete log passes, because
//! nothing in the log says what is newest (DESIGN §6). It opens no body.

mod fault;
mod retention;
mod walk;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::{
    ApprovalRecord, CertificateRecord, Genesis, GovRecord, Hash, LogId, LogReader, PolicyRecord, Record,
    SettingsRecord, VaultId,
};
pub use fault::{CheckError, Fault, Rule};
pub use retention::CheckContext;
use walk::Walk;

const BYTES: usize = 768 * 1024;

/// The recomputed facts of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// Which log.
    pub log: LogId,
    /// Entries checked.
    pub size: u64,
    /// The recomputed root.
    pub root: Hash,
    /// Bodies compared.
    pub bodies: u64,
    /// Bodies that were retired.
    pub retired: u64,
    /// Signed heads that match.
    pub heads: u64,
    /// Stored tiles that match.
    pub tiles: u64,
}

/// Actions of the owners and certificates of the vault in the public log, in order. Whether the
/// signatures are the owners' is not checked here: the keys stand in the policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The policy of each release.
    pub policies: Vec<PolicyRecord>,
    /// The approval of each release after the first.
    pub approvals: Vec<ApprovalRecord>,
    /// Changes of the settings.
    pub settings: Vec<SettingsRecord>,
    /// Certificates that the vault obtained from a CA by itself.
    pub certificates: Vec<CertificateRecord>,
}

/// A vault whose logs hold together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The vault.
    pub vault: VaultId,
    /// Its genesis.
    pub genesis: Genesis,
    /// Boots that `gov` knows.
    pub boots: u64,
    /// Policies, approvals, settings and certificates.
    pub history: History,
    /// Its logs.
    pub logs: Vec<LogReport>,
}

/// Checks every log of a vault; works on a store that grows meanwhile.
///
/// # Errors
/// [`CheckError::Fault`] with the first fault, the store's own error, or [`CheckError::Unsettled`].
pub fn check<R: LogReader>(reader: &R, terms: &impl CheckContext) -> Result<Report, CheckError<R::Error>> {
    // The operations log is sized before gov is read: so gov, which is written first, knows every boot in it.
    let mut statuses = BTreeMap::new();
    for shard in 0..u16::MAX {
        let status = reader.status(LogId::ops(shard))?;
        if status.size == 0 {
            break;
        }
        statuses.insert(LogId::ops(shard), Some(status));
    }

    // 1. The genesis.
    let fault = |log, index, rule| CheckError::Fault(Fault { log, index, rule });
    let first = reader.read(LogId::GOV, 0, 1, BYTES)?;
    let Record { entry, kept: Some(body), .. } = first.first().ok_or(fault(LogId::GOV, 0, Rule::Genesis))? else {
        return Err(fault(LogId::GOV, 0, Rule::BodyMissing));
    };
    let genesis = match GovRecord::decode(body) {
        Ok(GovRecord::Genesis(genesis)) => genesis,
        Ok(_) => return Err(fault(LogId::GOV, 0, Rule::Genesis)),
        Err(error) => return Err(fault(LogId::GOV, 0, Rule::Record(error))),
    };
    let vault = VaultId::of_genesis(entry);

    let mut gov = Walk::new(&vault, LogId::GOV, &genesis.log_key);
    gov.read_to_head(reader, &reader.status(LogId::GOV)?)?;
    let (boots, ops_roots) = (gov.boots.len() as u64, gov.ops_roots.clone());
    let mut logs = alloc::vec![gov.report()];
    // A log that only an hourly root speaks of is read as far as that root.
    for ops in ops_roots.iter().filter(|ops| ops.size > 0) {
        statuses.entry(ops.log).or_insert(None);
    }
    for (log, status) in statuses {
        let mut walk = Walk::new(&vault, log, &genesis.log_key);
        walk.expected.extend(ops_roots.iter().filter(|ops| ops.log == log).map(|ops| (ops.size, ops.root)));
        logs.push(walk.operations(reader, status.as_ref(), &mut gov, terms)?);
    }
    let history = gov.history;
    Ok(Report { vault, genesis, boots, history, logs })
}
