//! Requests of the edge and their typed answers: what [`Engine::submit`] and [`Engine::view`]
//! answer, in the request's own types.

use std::convert::Infallible;

use adyton_vault::{Ask, Read, Refusal};

use crate::clock::Clock;
use crate::engine::{Engine, Failure};
use crate::policy::Watch;

/// Why a request has no reply; `R` is why it may be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskError<R> {
    /// The decider refused.
    Refused(R),
    /// The command's events are larger than the log's largest batch.
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

/// Answers a read from the published view, once the view may answer and, if operations leave records, once that of this read is
/// durable.
///
/// # Errors
/// [`AskError::Refused`], [`AskError::Unavailable`] if the view may not answer, or why there is no record.
pub async fn read<R: Read>(
    engine: &Engine,
    request: &R,
    effective: &Watch,
    clock: &Clock,
) -> Result<R::Reply, AskError<R::Refusal>> {
    let view = engine.view().await.map_err(|_| AskError::Unavailable)?;
    let rules = &effective.now().rules;
    let answer = request.answer(&view, rules, clock.now());
    let Some(note) = request.record(&answer).filter(|_| rules.records_operations) else {
        return answer.map_err(AskError::Refused);
    };
    ask(engine, note).await.map_err(AskError::of_record)?;
    // The append may have taken longer than the lease, within which that view could answer.
    read_more(engine, request, effective, clock).await
}

/// Goes on with a read whose record is durable: answers from the published view, once it may answer.
///
/// # Errors
/// [`AskError::Refused`], or [`AskError::Unavailable`] if the view may not answer.
pub async fn read_more<R: Read>(
    engine: &Engine,
    request: &R,
    effective: &Watch,
    clock: &Clock,
) -> Result<R::Reply, AskError<R::Refusal>> {
    let view = engine.view().await.map_err(|_| AskError::Unavailable)?;
    request.answer(&view, &effective.now().rules, clock.now()).map_err(AskError::Refused)
}

impl<R> AskError<R> {
    /// Why there is no record of a read.
    fn of_record(error: AskError<Infallible>) -> Self {
        match error {
            AskError::Refused(never) => match never {},
            AskError::TooLarge => Self::TooLarge,
            AskError::Busy => Self::Busy,
            AskError::Unavailable => Self::Unavailable,
        }
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
