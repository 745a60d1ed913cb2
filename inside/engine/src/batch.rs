//! An open batch: operations that are decided and not sealed yet. It becomes one entry.

use adyton_decider::Gate;
use adyton_frame::MAX_FRAME;
use adyton_ledger::{ENTRY_LEN, Kind};

use crate::Machine;
use crate::pending::Pending;
use crate::sealing::{Operation, Operations};

/// Soft limit of the bytes of a body's parts: a batch this large takes no further command, so that
/// the last one rarely overflows it.
const BATCH_SOFT_LIMIT: usize = 192 * 1024;

// Two bodies of the largest sealed size, their entry and a head, which has less than 1 KiB (an origin, a number, a root and a
// signature), fit a frame.
const _: () = assert!(2 * (256 * 1024 + 16) + ENTRY_LEN + 2048 <= MAX_FRAME);

/// Operations that are sealed together, and the answers and effects that wait for them.
pub(crate) struct Batch<M: Machine, T> {
    pub(crate) kind: Kind,
    pub(crate) operations: Operations,
    /// The latest gate of its events.
    pub(crate) gate: Gate,
    pub(crate) pending: Pending<M, T>,
    /// The view published with it, once it is closed.
    pub(crate) view: Option<M::View>,
    /// Frozen state of the same moment, if a snapshot was asked for.
    pub(crate) frozen: Option<M::Frozen>,
}

impl<M: Machine, T> Batch<M, T> {
    /// An empty batch.
    pub(crate) fn new(kind: Kind) -> Self {
        let (operations, gate) = Default::default();
        Self { kind, operations, gate, pending: Pending::default(), view: None, frozen: None }
    }

    /// Whether no further command should be decided into it.
    pub(crate) fn is_full(&self) -> bool {
        self.operations.used() >= BATCH_SOFT_LIMIT || self.operations.count() == u16::MAX
    }

    /// Adds an operation of a kind, if it fits; otherwise nothing changes. Only one kind has entries with several operations.
    pub(crate) fn add(&mut self, kind: Kind, operation: &Operation) -> bool {
        let has_room = self.operations.count() == 0 || kind == Kind::Ops;
        let added = has_room && kind == self.kind && self.operations.add(operation);
        if added {
            self.gate = self.gate.max(operation.gate());
        }
        added
    }
}
