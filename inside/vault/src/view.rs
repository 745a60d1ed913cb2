//! What readers see.

use crate::{State, services, tenancy, verification};

/// Everything that is read of a vault: what passed its gate and nothing else.
#[derive(Default)]
pub struct View {
    /// Tenants, keys, settings.
    pub tenancy: tenancy::State,
    /// Services.
    pub services: services::State,
    /// Verifications.
    pub verification: verification::View,
}

impl State {
    /// What readers see of this state.
    pub fn view(&self) -> View {
        View { tenancy: self.tenancy.clone(), services: self.services.clone(), verification: self.verification.view() }
    }
}
