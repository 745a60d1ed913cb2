//! What a vault's public log says of its releases, and whether its owners approved them.
//!
//! The log is the host's. What this gives is bound to the vault id: whoever relies on it compares that id with the one
//! they know.

use std::path::Path;

use adyton_ledger::{
    Action, ApprovalRecord, Body, GovRecord, History, LogId, LogReader, Record, Releases, Request, Signer,
    SshSignature, VaultId, sha256,
};
use adyton_policy::Policy;

use crate::store::Source;

type Error = Box<dyn std::error::Error>;

/// A vault and its release in force.
pub(crate) struct Governance {
    pub(crate) vault: VaultId,
    pub(crate) releases: Releases,
}

/// Follows the public log of the vault in a folder. Heads and tree are `adyton log check`'s.
pub(crate) fn follow(data: &Path) -> Result<Governance, Error> {
    let source = Source::open(data)?;
    let mut found: Option<Governance> = None;
    let mut next = 0;
    loop {
        let records = source.read(LogId::GOV, next, 1024, 1 << 20)?;
        if records.is_empty() {
            return found.ok_or_else(|| "the vault has no genesis yet".into());
        }
        for Record { entry, kept: body, .. } in records {
            let body = body.filter(|body| sha256(body) == entry.body_hash(Body::Kept));
            let record = GovRecord::decode(&body.ok_or(
                "the public log does not hold together: `adyton log check --data DIR` names the first fault",
            )?)?;
            match (&mut found, record) {
                (None, GovRecord::Genesis(genesis)) => {
                    let (vault, releases) = (VaultId::of_genesis(&entry), Releases::new(&genesis));
                    found = Some(Governance { vault, releases });
                }
                (None, _) => return Err("the log does not begin with a genesis".into()),
                (Some(found), record) => found.releases.follow(&record)?,
            }
            next += 1;
        }
    }
}

impl Governance {
    /// The policy of release 1, which fixes what no later one changes.
    pub(crate) fn first_policy(&self) -> Result<Policy, Error> {
        let policy =
            self.releases.first_policy().ok_or("the vault has not booted under its policy yet: start it first")?;
        Ok(Policy::parse(policy)?)
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Result<Policy, Error> {
        let policy = self.releases.policy().ok_or("the vault has not booted under its policy yet: start it first")?;
        Ok(Policy::parse(policy)?)
    }
}

/// Verifies every approval, by the owners of the policy before it. The log was checked: releases follow each other.
pub(crate) fn verify_approvals(vault: &VaultId, history: &History) -> Result<(), Error> {
    for approval in &history.approvals {
        let ApprovalRecord { release, old, signatures, .. } = approval;
        let text = |release: u64| {
            let shown = history.policies.iter().find(|policy| policy.release == release);
            shown.map(|policy| policy.policy.as_slice())
        };
        // The newest release may have ended before it showed its policy; its boot shows it.
        let (Some(before), Some(body)) = (text(release - 1), text(*release)) else { continue };
        let owners =
            Policy::parse(before)?.owners.ok_or_else(|| format!("release {release}: approved by no owners"))?;
        let body = String::from_utf8(body.to_vec())?;
        let request =
            Request { action: Action::Policy, signer: Signer::Owners, sequence: *release, body, replaces: Some(*old) };
        let signatures = signatures.iter().map(|blob| SshSignature::from_blob(blob)).collect::<Result<Vec<_>, _>>()?;
        let verified = owners.signers()?.verify(request.text(vault).as_bytes(), &signatures);
        verified.map_err(|error| format!("release {release}: {error}"))?;
    }
    Ok(())
}
