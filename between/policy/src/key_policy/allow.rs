//! What a statement that allows may allow, so that nobody but this enclave gets the key.
//!
//! 0. its principals are such as AWS knows: accounts, roles, users, sessions, services, unique ids, or everybody. Another name may do
//!    nothing: AWS refuses the policy, or somebody counts on a principal that is not there;
//! 1. its actions are spelt out: all administrative ones of a closed list, or all of those that release;
//! 2. it lets nobody change the key who is not spelt out;
//! 3. one that releases pins register 0 and register 16, each by `StringEquals` or `StringEqualsIgnoreCase` with one value. AWS
//!    demands all of a condition, so further entries only narrow it.
//!
//! Everything else that gives a secret or passes the right on is missing from the lists and so refused: wildcards, `CreateGrant`,
//! `ReEncrypt*` (which carries a ciphertext to a key without conditions), `Encrypt`, `ReplicateKey`, `ImportKeyMaterial`.

use super::statement::{Effect, Entry, Principal, Statement};
use super::{Pins, StatementFault, quoted};

/// Actions that give the secret.
pub(super) const RELEASES: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];
/// Actions that change or show a key, and give nothing of what it protects.
const ADMINISTERS: [&str; 19] = [
    "kms:CancelKeyDeletion",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
];
/// How the actions begin that only show something.
const SHOWS: [&str; 3] = ["kms:Describe", "kms:Get", "kms:List"];
/// Operators that pin, and whether they compare case.
const OPERATORS: [(&str, bool); 2] = [("StringEquals", true), ("StringEqualsIgnoreCase", false)];
/// Condition keys of register 0. Only documents of enclaves have the first.
pub(super) const IMAGE: [&str; 2] = ["kms:RecipientAttestation:ImageSha384", "kms:RecipientAttestation:PCR0"];
/// Condition key of register 16.
pub(super) const POLICY: [&str; 1] = ["kms:RecipientAttestation:PCR16"];

pub(super) fn check(statement: &Statement<'_>, pins: &Pins) -> Result<(), StatementFault> {
    if statement.effect == Effect::Deny {
        return Ok(());
    }
    // 0. A wildcard is told as what it would be.
    let unknown = |principal: &&Principal| principal.is_unknown();
    if let Some(other) = statement.principals.iter().find(|other| unknown(other) && !other.is_anybody()) {
        return Err(StatementFault::UnknownPrincipal(other.text()));
    }
    allowed(statement, pins)?;
    match statement.principals.iter().find(unknown) {
        Some(other) => Err(StatementFault::UnknownPrincipal(other.text())),
        None => Ok(()),
    }
}

fn allowed(statement: &Statement<'_>, pins: &Pins) -> Result<(), StatementFault> {
    // 1.
    let actions = &statement.actions;
    let administers = |action: &&&str| ADMINISTERS.contains(*action);
    if let Some(other) = actions.iter().find(|action| !administers(action) && !RELEASES.contains(action)) {
        return Err(StatementFault::Action(quoted(other)));
    }
    match actions.iter().filter(administers).count() {
        0 => {}
        count if count == actions.len() => {
            // 2.
            let shows = |action: &&str| SHOWS.iter().any(|verb| action.starts_with(verb));
            let anybody = statement.principals.iter().any(|principal| principal.is_anybody());
            return if anybody && !actions.iter().all(shows) { Err(StatementFault::Everybody) } else { Ok(()) };
        }
        _ => return Err(StatementFault::Mixed),
    }
    // 3.
    pinned(&statement.condition, &IMAGE, 0, pins.register(0))?;
    pinned(&statement.condition, &POLICY, 16, pins.register(16))
}

fn pinned(entries: &[Entry<'_>], keys: &[&str], register: u8, expected: &str) -> Result<(), StatementFault> {
    let mut other = None;
    for Entry { operator, key, values } in entries {
        let operator = OPERATORS.iter().find(|(name, _)| name == operator);
        let (Some((_, compares_case)), true) = (operator, keys.contains(key)) else { continue };
        match values.single() {
            Some(value) if value == expected || !compares_case && value.eq_ignore_ascii_case(expected) => return Ok(()),
            Some(value) => other = Some(quoted(value)),
            None => other = Some("more than one value".into()),
        }
    }
    let expected = expected.to_owned();
    Err(match other {
        Some(got) => StatementFault::OtherPin { register, expected, got },
        None => StatementFault::NoPin { register, expected },
    })
}
