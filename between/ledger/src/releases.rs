//! Which release a vault's public log puts in force (`docs/spec/03-heads.md`, "Releases").
//!
//! Both the enclave that boots and the check of a log follow the records by the same rules. Whether an approval's
//! signatures are the owners' needs the owners' keys, which stand in the policy: the enclave verifies them before it
//! writes the record, `adyton log check` afterwards.

use alloc::vec::Vec;
use core::fmt;

use crate::{ApprovalRecord, Genesis, GovRecord, PolicyRecord, sha256};

/// The release in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Releases {
    number: u64,
    policy_hash: [u8; 32],
    policy: Option<Vec<u8>>,
    first_policy: Option<Vec<u8>>,
    settings_sequence: u64,
}

/// The rule that a record of the public log breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseError {
    /// A policy that is not the one in force, or that stands there already.
    Policy,
    /// An approval that does not follow the release in force, or whose policy is not shown.
    Approval,
    /// A boot under another release or policy than the one in force, or before its policy is shown.
    Boot,
    /// Settings of an earlier sequence than the last.
    Settings,
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "the policy is not the one in force, or stands there twice",
            Self::Approval => "the approval does not follow the release in force",
            Self::Boot => "the boot is not one under the release in force",
            Self::Settings => "the settings are older than the last ones",
        })
    }
}

impl core::error::Error for ReleaseError {}

impl Releases {
    /// Release 1, whose policy the genesis names.
    pub fn new(genesis: &Genesis) -> Self {
        Self { number: 1, policy_hash: genesis.policy_hash, policy: None, first_policy: None, settings_sequence: 0 }
    }

    /// Follows a record.
    ///
    /// # Errors
    /// [`ReleaseError`]; then nothing changed. Public values, all of them.
    pub fn follow(&mut self, record: &GovRecord) -> Result<(), ReleaseError> {
        match record {
            GovRecord::Genesis(_) | GovRecord::OpsRoot(_) | GovRecord::Certificate(_) | GovRecord::Order(_) => {}
            GovRecord::Policy(PolicyRecord { release, policy }) => {
                let shown = self.policy.is_some();
                if shown || *release != self.number || sha256(policy).0 != self.policy_hash {
                    return Err(ReleaseError::Policy);
                }
                self.policy = Some(policy.clone());
                if *release == 1 {
                    self.first_policy = Some(policy.clone());
                }
            }
            GovRecord::Approval(ApprovalRecord { release, old, new, .. }) => {
                let next = self.policy.is_some() && self.number.checked_add(1) == Some(*release);
                if !next || *old != self.policy_hash || old == new {
                    return Err(ReleaseError::Approval);
                }
                (self.number, self.policy_hash, self.policy) = (*release, *new, None);
            }
            GovRecord::Boot(boot) => {
                let in_force = (boot.release, boot.policy_hash) == (self.number, self.policy_hash);
                if !in_force || self.policy.is_none() {
                    return Err(ReleaseError::Boot);
                }
            }
            GovRecord::Settings(settings) => {
                if settings.sequence < self.settings_sequence {
                    return Err(ReleaseError::Settings);
                }
                self.settings_sequence = settings.sequence;
            }
        }
        Ok(())
    }

    /// The number of the release in force.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// SHA-256 of its policy.
    pub fn policy_hash(&self) -> [u8; 32] {
        self.policy_hash
    }

    /// Its policy; `None` if a boot ended before it was shown.
    pub fn policy(&self) -> Option<&[u8]> {
        self.policy.as_deref()
    }

    /// The policy of release 1, which fixes what no later one changes; `None` if no boot has shown it.
    pub fn first_policy(&self) -> Option<&[u8]> {
        self.first_policy.as_deref()
    }
}
