//! What waits for a batch to pass its gate.

use alloc::vec::Vec;

use adyton_ledger::Frontier;

use crate::Machine;

/// An answer that may leave.
pub struct Release<M: Machine, T> {
    /// The waiting caller.
    pub ticket: T,
    /// The answer.
    pub answer: M::Answer,
    /// Whether the operation logged events, so that their append is what the answer waited for.
    pub logged: bool,
}

/// Answers and effects that wait until a batch passes its gate, in order.
pub struct Pending<M: Machine, T> {
    /// Answers.
    pub releases: Vec<Release<M, T>>,
    /// Effects.
    pub effects: Vec<M::Effect>,
    /// The callers that wait for the manifest of a snapshot.
    pub snapshots: Vec<T>,
    /// The view published from then on: everything up to this batch, and nothing after it. `None`
    /// only if no batch was in flight.
    pub view: Option<M::View>,
    /// The state of the same moment and the frontier behind this batch, if a snapshot was asked for
    /// ([`crate::Shard::freeze_next`]).
    pub frozen: Option<(M::Frozen, Frontier)>,
}

impl<M: Machine, T> Default for Pending<M, T> {
    fn default() -> Self {
        Self { releases: Vec::new(), effects: Vec::new(), snapshots: Vec::new(), view: None, frozen: None }
    }
}

impl<M: Machine, T> Pending<M, T> {
    /// Adds what waited for a later batch.
    pub(crate) fn append(&mut self, later: Self) {
        let Self { releases, effects, snapshots, view, frozen } = later;
        self.releases.extend(releases);
        self.effects.extend(effects);
        self.snapshots.extend(snapshots);
        self.view = view.or(self.view.take());
        self.frozen = frozen.or(self.frozen.take());
    }
}
