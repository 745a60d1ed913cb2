//! Rules of the policy and the settings in force.

use crate::{services, tenancy, verification};

/// Everything a decision depends on besides state, command, time and randomness. The policy is
/// measured and the settings are logged, so both are parsed at the edge. By default everything is
/// closed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Of tenants.
    pub tenancy: tenancy::Rules,
    /// Of services.
    pub services: services::Rules,
    /// Of verifications.
    pub verification: verification::Rules,
    /// Whether every operation of an authenticated caller leaves a record.
    pub records_operations: bool,
}
