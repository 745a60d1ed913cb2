//! Which requirements of a service the vault can prove.

use crate::services::{Prover, Requirement};

/// The workflows as a [`Prover`]. A workflow that proves something changes its line here.
pub(crate) struct VaultProver;

impl Prover for VaultProver {
    fn proves(&self, requirement: Requirement) -> bool {
        match requirement {
            // By a check of the code, in verification.
            Requirement::Code => true,
            Requirement::Lock
            | Requirement::DeviceApproval
            | Requirement::Factor
            | Requirement::Passkey
            | Requirement::SessionBinding => false,
        }
    }
}
