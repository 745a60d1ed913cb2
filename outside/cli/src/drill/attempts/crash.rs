//! To come.
use super::Attempt;
/// The attempts.
pub(super) const ATTEMPTS: [Attempt; 0] = [];
