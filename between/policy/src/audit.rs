//! `[audit]`: what the log says of operations besides what they change.

use serde::Deserialize;

use crate::Direction;

/// `[audit]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Whether every operation of an authenticated caller, reads and refused ones included, leaves a
    /// record in the operations log: its credential, service, kind and object, and no destination.
    pub operations: bool,
}

/// The keys of the section.
pub(crate) const KEYS: &[&str] = &["operations"];

impl Default for Audit {
    fn default() -> Self {
        Self { operations: true }
    }
}

impl Audit {
    /// The change from `old`, if there is one.
    pub(crate) fn diff(self, old: Self) -> Option<(Direction, &'static str)> {
        // Destructured, so that a new key cannot be forgotten here.
        let Self { operations } = self;
        (operations != old.operations).then_some(match operations {
            true => (Direction::Tightens, "audit.operations: each operation leaves a record"),
            false => (Direction::Loosens, "audit.operations: operations leave no record any more"),
        })
    }
}
