//! What readers and snapshots see of the state: parts of it that are shared and do not change.

use crate::{services, tenancy, verification};

/// Published view: the state at one size of the log.
#[derive(Clone, Default)]
pub struct View {
    /// Tenants, keys and the owners' settings.
    pub tenancy: tenancy::State,
    /// Services.
    pub services: services::State,
    /// Live verifications, and why others ended.
    pub verification: verification::View,
}

/// Frozen state, from which a snapshot is written.
pub struct Frozen {
    pub(crate) tenancy: tenancy::State,
    pub(crate) services: services::State,
    pub(crate) verification: verification::Frozen,
}
