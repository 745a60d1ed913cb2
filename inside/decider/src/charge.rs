//! Slow secret comparisons (DESIGN §4): the try is spent before the comparison begins.
//!
//! 1. A command *charges*: [`Draft::charge`] logs the event that spends a try and gives a
//!    [`Charge`], which goes into the answer.
//! 2. Once that event has passed its gate, the engine makes the answer's [`Charge`] a [`Charged`].
//! 3. The comparison runs outside the decider, as long as it takes.
//! 4. A second command *concludes*: it carries the [`Charged`] and uses it up.
//!
//! Why: a caller that goes away, or a host that cuts the power, between 1 and 4 has spent the try.
//! A lost token is never given back.

use crate::Draft;

/// A try that is drafted. It can be used once its event has passed its gate. A decider answers with it
/// only beside the draft that it came from: the types do not hold a decider that drops the draft.
#[must_use]
pub struct Charge<T>(T);

/// A try that is spent for good, and what it was spent on. It is used once: there is no copy.
#[must_use]
pub struct Charged<T>(T);

/// Says that what an answer waited for has passed its gate. The engine makes it, and nothing else
/// does (`cargo xtask layers`).
pub struct Passed(());

impl<E, F> Draft<E, F> {
    /// Adds the event that spends a try.
    pub fn charge<T>(&mut self, event: E, on: T) -> Charge<T> {
        self.log(event);
        Charge(on)
    }
}

impl Passed {
    /// For the engine, where it releases answers.
    pub fn gate() -> Self {
        Self(())
    }
}

impl<T> Charge<T> {
    /// What comes of it at its gate.
    pub fn pass(self, _: &Passed) -> Charged<T> {
        Charged(self.0)
    }
}

impl<T> Charged<T> {
    /// Uses it up.
    pub fn conclude(self) -> T {
        self.0
    }
}
