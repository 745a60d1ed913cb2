//! Events and effects of one operation.

use alloc::vec::Vec;

/// Events and effects of one operation, kept as one part of the log. Each workflow fills a draft of
/// its own, which the composition absorbs or drops as a whole.
#[must_use]
pub struct Draft<E, F> {
    /// Events, in order; they change the state.
    pub events: Vec<E>,
    /// Effects, in order; they run once the events are durable.
    pub effects: Vec<F>,
}

impl<E, F> Default for Draft<E, F> {
    fn default() -> Self {
        Self { events: Vec::new(), effects: Vec::new() }
    }
}

impl<E, F> Draft<E, F> {
    /// Adds an event.
    pub fn log(&mut self, event: E) {
        self.events.push(event);
    }

    /// Adds an effect.
    pub fn effect(&mut self, effect: F) {
        self.effects.push(effect);
    }

    /// Adds what another workflow drafted for the same operation, converted to this draft's types.
    pub fn absorb<E2, F2>(&mut self, other: Draft<E2, F2>, event: impl FnMut(E2) -> E, effect: impl FnMut(F2) -> F) {
        self.events.extend(other.events.into_iter().map(event));
        self.effects.extend(other.effects.into_iter().map(effect));
    }
}

/// Result of a decision. A refusal is an answer too; its draft holds what is logged of the refusal,
/// such as the charge of a check.
#[must_use]
pub struct Decision<E, F, A> {
    /// Events and effects.
    pub draft: Draft<E, F>,
    /// Sent to the caller once the draft has passed its gate.
    pub answer: A,
}

impl<E, F, A> Decision<E, F, A> {
    /// An answer by which nothing changes.
    pub fn answer(answer: A) -> Self {
        Self { draft: Draft::default(), answer }
    }
}
