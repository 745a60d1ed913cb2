//! Cost of a command, known before it is decided.

/// Who pays for a command: payers take turns in the queue, and what one has waiting refuses no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Payer {
    /// One whose credentials are right.
    Id([u8; 16]),
    /// All whose credentials are not, together.
    Unauthenticated,
    /// Those who sign for the machine as a whole.
    Owners,
    /// The machine's own shell, which is never refused: what it asks is bounded by what was decided before.
    Internal,
}

/// The price of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Who pays.
    pub payer: Payer,
    /// Bytes of both bodies, padded, of an entry that holds what the command may log and nothing else; at the most.
    pub bytes: usize,
}
