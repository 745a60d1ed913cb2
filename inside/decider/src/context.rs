//! Inputs of a decision besides state and command.

use crate::{Fresh, Seconds};

/// Time, randomness, and the rules `R` of policy and settings.
pub struct Context<'a, R> {
    /// The platform's time, never below the last logged one.
    pub now: Seconds,
    /// Fresh randomness.
    pub fresh: &'a mut Fresh,
    /// The rules of policy and settings.
    pub rules: &'a R,
}

impl<'a, R> Context<'a, R> {
    /// The same moment under a part of the rules: a composition hands each workflow its own.
    pub fn under<S: 'a>(&mut self, part: impl FnOnce(&'a R) -> &'a S) -> Context<'_, S> {
        Context { now: self.now, fresh: self.fresh, rules: part(self.rules) }
    }
}
