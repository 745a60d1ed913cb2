//! What comes out of the vault: a closed list, without a code in it but for messages to people.

use crate::{Effect, Event, services, tenancy, verification};

/// The predefined outputs.
pub enum Reply {
    /// About tenants.
    Tenancy(tenancy::Reply),
    /// About services.
    Services(services::Reply),
    /// About verifications.
    Verification(verification::Reply),
    /// Nothing to say.
    Done,
}

/// Why a command was refused. Nothing changed but what counts against the caller, such as a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// By tenancy.
    Tenancy(tenancy::Refusal),
    /// By services.
    Services(services::Refusal),
    /// By verification.
    Verification(verification::Refusal),
    /// What happens by this command is larger than the log's largest batch.
    TooLarge,
}

/// What a caller receives.
pub type Answer = Result<Reply, Refusal>;
/// What [`crate::decide`] makes of a command.
pub type Decision = adyton_decider::Decision<Event, Effect, Answer>;

impl From<tenancy::Refusal> for Refusal {
    fn from(refusal: tenancy::Refusal) -> Self {
        Self::Tenancy(refusal)
    }
}

impl From<services::Refusal> for Refusal {
    fn from(refusal: services::Refusal) -> Self {
        Self::Services(refusal)
    }
}

impl From<verification::Refusal> for Refusal {
    fn from(refusal: verification::Refusal) -> Self {
        Self::Verification(refusal)
    }
}
