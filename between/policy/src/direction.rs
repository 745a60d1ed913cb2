//! Whether a change of a policy or of settings gives or takes.

/// Whether a change gives or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Something is allowed that was not.
    Loosens,
    /// Something is no longer allowed.
    Tightens,
    /// It is another trust or another place: whether it is worse, only people can say.
    Changes,
}
