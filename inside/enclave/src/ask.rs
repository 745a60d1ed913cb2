//! Requests of the edge and their typed answers: what [`Engine::submit`] answers, in the request's
//! own types.

use adyton_vault::{Ask, Refusal};

use crate::engine::{Engine, Failure};

/// Why a request has no reply; `R` is why a decider refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskError<R> {
    /// The decider refused.
    Refused(R),
    /// What happens by it is larger than the log's largest batch.
    TooLarge,
    /// More wait already than may wait: nothing happened.
    Busy,
    /// The store is away, or the vault is fenced: nothing is known to have happened.
    Unavailable,
}

/// Puts a request to its decider and waits until its answer may leave.
///
/// # Errors
/// [`AskError`].
pub async fn ask<A: Ask>(engine: &Engine, request: A) -> Result<A::Reply, AskError<A::Refusal>> {
    match engine.submit(request.into()).await {
        Ok(reply) => A::reply(reply).ok_or(AskError::Unavailable),
        Err(failure) => Err(match failure.into() {
            AskError::Refused(refusal) => A::refusal(refusal).map_or(AskError::Unavailable, AskError::Refused),
            AskError::TooLarge => AskError::TooLarge,
            AskError::Busy => AskError::Busy,
            AskError::Unavailable => AskError::Unavailable,
        }),
    }
}

impl From<Failure> for AskError<Refusal> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(Refusal::TooLarge) => Self::TooLarge,
            Failure::Refused(refusal) => Self::Refused(refusal),
            Failure::Busy => Self::Busy,
            Failure::Unavailable => Self::Unavailable,
        }
    }
}
