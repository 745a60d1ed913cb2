//! Replies of the vault: a closed list. Codes are in messages to people only.

use crate::{Effect, Event, services, tenancy, verification};

/// The predefined outputs.
pub enum Reply {
    /// About tenants.
    Tenancy(tenancy::Reply),
    /// About services.
    Services(services::Reply),
    /// About verifications.
    Verification(verification::Reply),
    /// No content.
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
    /// The command's events are larger than the log's largest batch.
    TooLarge,
}

/// Answer to a command.
pub type Answer = Result<Reply, Refusal>;
/// Result of [`crate::decide`].
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
