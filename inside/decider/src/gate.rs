//! Gates: what must be true of an event before anything that follows from it leaves (DESIGN §6).

use crate::Class;

/// How far the log must be. The later one includes the earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// The store has it.
    #[default]
    Durable,
    /// The register holds its head. Without a register this is the same as durable.
    Certified,
}

impl Class {
    /// The gate of an event of this class.
    pub const fn gate(self) -> Gate {
        match self {
            Self::H | Self::A => Gate::Durable,
            Self::P | Self::S => Gate::Certified,
        }
    }
}
