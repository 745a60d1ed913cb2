//! Freshness classes (DESIGN §6).

/// Freshness class of an event: where it is kept, and when an answer that follows it may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Hot: matters within one boot; its body goes at the next snapshot.
    H,
    /// Spent: survives a restart by its sum, which a snapshot holds; its body goes at the next one
    /// too.
    P,
    /// Sync: survives everything.
    S,
    /// Async: audit; kept for the retention period, matters to no decision.
    A,
}
