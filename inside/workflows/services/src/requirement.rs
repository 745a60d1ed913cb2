//! Requirements of a service before it calls a person verified (DESIGN §8), and their provers.

use adyton_decider::Corrupt;

/// A proof that a service demands. The list is closed, and known before all of it can be proven:
/// what has no [`Prover`] is refused, never ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The code that was sent. Every service demands it.
    Code,
    /// The registration lock's PIN.
    Lock,
    /// Approval by a device that the person enrolled before.
    DeviceApproval,
    /// A second factor.
    Factor,
    /// A passkey.
    Passkey,
    /// The session that asked for the code is the one that presents it.
    SessionBinding,
}

/// Whether the vault can prove a requirement. The composition implements it: it knows the workflows
/// above this one.
pub trait Prover {
    /// Whether some workflow proves it.
    fn proves(&self, requirement: Requirement) -> bool;
}

/// A set of requirements; one byte on disk, a bit for each in the order of [`Requirement::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirements(u8);

impl Requirement {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Code, Self::Lock, Self::DeviceApproval, Self::Factor, Self::Passkey, Self::SessionBinding];

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The word for people and in settings.
    pub fn text(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Lock => "lock",
            Self::DeviceApproval => "device_approval",
            Self::Factor => "factor",
            Self::Passkey => "passkey",
            Self::SessionBinding => "session_binding",
        }
    }
}

impl Requirements {
    /// Only the code.
    pub const CODE: Self = Self(Requirement::Code.bit());

    /// These and one more.
    #[must_use]
    pub fn with(self, requirement: Requirement) -> Self {
        Self(self.0 | requirement.bit())
    }

    /// Whether a requirement is in it.
    pub fn contains(self, requirement: Requirement) -> bool {
        self.0 & requirement.bit() != 0
    }

    /// Whether everything that another set demands is demanded here too.
    pub fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The first that nobody proves.
    pub fn unproven(self, prover: &impl Prover) -> Option<Requirement> {
        Requirement::ALL.into_iter().find(|requirement| self.contains(*requirement) && !prover.proves(*requirement))
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    pub(crate) fn from_bits(bits: u8) -> Result<Self, Corrupt> {
        let set = Self(bits);
        if set.contains(Requirement::Code) && bits < 1 << Requirement::ALL.len() { Ok(set) } else { Err(Corrupt) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_byte_must_contain_code() {
        for bits in 0..=u8::MAX {
            let read = Requirements::from_bits(bits).map(Requirements::bits);
            assert_eq!(read, if bits % 2 == 1 && bits < 64 { Ok(bits) } else { Err(Corrupt) }, "{bits}");
        }
        let all = Requirement::ALL.into_iter().fold(Requirements::CODE, Requirements::with);
        assert_eq!(all.bits(), 63);
        assert!(all.covers(Requirements::CODE) && !Requirements::CODE.covers(all));
    }
}
