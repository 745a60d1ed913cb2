//! Whether this boot's policy is the one in force, or the owners approved it (`docs/spec/08-signed-requests.md`, "Approval
//! of a policy").
//!
//! Also how boots are spaced: each one voids live codes and begins new budgets, so a host that restarts a vault again and
//! again is slowed down. A laptop's vault (profile `dev`) is not: its owner restarts it at will, and holds all its keys anyway.

use std::fmt;

use adyton_ledger::{
    Action, ApprovalRecord, GovRecord, PolicyRecord, Profile, Releases, Signer, SignersError, VaultId, VerifiedRequest,
};
use adyton_policy::{Policy, may_follow};

use super::BootError;
use crate::policy::Measured;
use crate::signed::{self, SignedRequestError};
use crate::store::Store;

/// Boots in an hour before they are delayed: upgrades and crashes stay below it, guessing by restarts does not.
const BOOTS_AN_HOUR: usize = 12;
/// How long a boot beyond that waits. At one boot a minute nobody gains a check that waiting would not give
/// (`failed_checks_refill_seconds`).
pub(super) const DELAY_SECONDS: u64 = 60;

/// The release that this boot is of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    pub(super) number: u64,
    /// What the public log must show before it shows this boot.
    pub(super) records: Vec<GovRecord>,
}

/// Why an approval does not hold. Everything here is public.
#[derive(Debug, PartialEq, Eq)]
pub enum ApprovalError {
    /// It cannot be read.
    Form(SignedRequestError),
    /// It approves something else: another action, signer, release or policy.
    Other,
    /// The policy in force has no owners, so none can be approved.
    NoOwners,
    /// It is not signed by enough of the owners.
    Signers(SignersError),
}

impl fmt::Display for ApprovalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the policy's approval: ")?;
        match self {
            Self::Form(error) => error.fmt(f),
            Self::Other => {
                f.write_str(
                    "it is of another policy or release: approve this one with `adyton policy approve --data DIR --key OWNER-KEY`",
                )
            }
            Self::NoOwners => f.write_str("the policy in force has no owners, so it stays for ever"),
            Self::Signers(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ApprovalError {}

/// Admits this boot's policy: it is in force, or the host has an approval of it.
pub(super) async fn admit(
    store: &mut Store,
    vault: &VaultId,
    releases: &Releases,
    measured: &Measured,
) -> Result<Admitted, BootError> {
    // Public values.
    if releases.policy_hash() == measured.hash {
        return Ok(in_force(releases, measured));
    }
    let release = releases.number().saturating_add(1);
    // A policy that the log does not show yet must boot itself first.
    let (Some(first), Some(policy)) = (releases.first_policy(), releases.policy()) else {
        return Err(BootError::OtherPolicy { release });
    };
    // 4. First, because no approval changes it.
    may_follow(&Policy::parse(first)?, &measured.policy)?;
    let approval = store.approval(release).await?.ok_or(BootError::OtherPolicy { release })?;
    let verified = approve(&approval, vault, (release, releases.policy_hash()), &Policy::parse(policy)?, measured)
        .map_err(BootError::Approval)?;
    let approval = ApprovalRecord {
        release,
        old: releases.policy_hash(),
        new: verified.body_hash(),
        signatures: verified.signatures(),
    };
    let shown = PolicyRecord { release, policy: verified.request().body.clone().into_bytes() };
    Ok(Admitted { number: release, records: vec![GovRecord::Approval(approval), GovRecord::Policy(shown)] })
}

/// A boot under the policy in force shows it, if none before it did.
fn in_force(releases: &Releases, measured: &Measured) -> Admitted {
    let release = releases.number();
    let shown = PolicyRecord { release, policy: measured.bytes.clone() };
    let records = if releases.policy().is_some() { Vec::new() } else { vec![GovRecord::Policy(shown)] };
    Admitted { number: release, records }
}

/// Steps 2 and 3 of the page.
fn approve(
    approval: &[u8],
    vault: &VaultId,
    (release, replaces): (u64, [u8; 32]),
    in_force: &Policy,
    measured: &Measured,
) -> Result<VerifiedRequest, ApprovalError> {
    let signed = signed::parse(approval).map_err(ApprovalError::Form)?;
    // 2.
    let request = signed.unverified();
    let this = request.body.as_bytes() == measured.bytes && request.sequence == release;
    if !this || (request.action, request.signer) != (Action::Policy, Signer::Owners) {
        return Err(ApprovalError::Other);
    }
    // 3. What is signed names the policy in force too: what looked like a small step from another one is not approved. The
    //    keys of a parsed policy are keys.
    let signers = in_force.owners.as_ref().and_then(|owners| owners.signers().ok());
    let signed = signed.replacing(replaces);
    signed.verify(vault, &signers.ok_or(ApprovalError::NoOwners)?).map_err(ApprovalError::Signers)
}

/// Boots in the hour before `now`, this one included, if they are too many for the profile. A boot that a wrong clock dated ahead
/// counts.
pub(super) fn too_many_boots(profile: Profile, boots: &[u64], now: u64) -> Option<u64> {
    if profile == Profile::Dev {
        return None;
    }
    let recent = 1 + boots.iter().filter(|time| time.saturating_add(3600) > now).count();
    (recent > BOOTS_AN_HOUR).then_some(recent as u64)
}

#[cfg(test)]
mod tests;
