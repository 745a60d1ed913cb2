//! Freshness classes (DESIGN §6).

/// Freshness class of an event: where it is kept, and when an answer that follows it may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Hot: matters within one boot; its body may be deleted after the next snapshot.
    H,
    /// Spent: its total is in the snapshot and survives a restart; its body may be deleted after
    /// the next snapshot.
    P,
    /// Sync: survives everything.
    S,
    /// Async: audit; kept for the retention period, matters to no decision.
    A,
}
