//! What the vault is asked.

use crate::{Rules, services, tenancy, verification};

/// Everything a decider may know besides its state and the command.
pub type Context<'a> = adyton_decider::Context<'a, Rules>;

/// One request, parsed and normalised.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every command is a verification's; a box for each would cost more"
)]
pub enum Command {
    /// About tenants.
    Tenancy(tenancy::Command),
    /// About services.
    Services(services::Command),
    /// About verifications.
    Verification(verification::Command),
    /// See [`Tick`].
    Tick(Tick),
}

/// Time passed: erase what has expired, begin what is due.
pub struct Tick;
