//! The rules of a check, and the fault that names the one a log breaks.

use core::fmt;

use crate::{EntryError, GovError, Hash, HeadError, Kind, LogId, ReleaseError};

/// The rule that a log breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The vault has no genesis, or a second one.
    Genesis,
    /// The header does not decode.
    Header(EntryError),
    /// The header's index is not its place.
    Index {
        /// The header's value.
        got: u64,
    },
    /// The kind does not belong in this log.
    Kind(Kind),
    /// The time bucket is lower than the one before.
    TimeBucket,
    /// The body does not have the entry's hash or length.
    Body,
    /// The body is missing where it cannot have been retired.
    BodyMissing,
    /// A kept body is missing that the policy of its time still keeps.
    Retention {
        /// Seconds for which it keeps bodies.
        expected: u64,
        /// Seconds that the body can have been kept at the most.
        got: u64,
    },
    /// A kept body is missing, and how long this release keeps bodies cannot be read.
    Policy {
        /// The release.
        release: u64,
    },
    /// A public record does not decode.
    Record(GovError),
    /// A public record does not follow from the ones before it.
    Release(ReleaseError),
    /// The boot id is not one that `gov` knows.
    BootId,
    /// A boot id that another boot had: a clone, or a forgery.
    BootRepeated {
        /// The entry of `gov` that named it first.
        first: u64,
    },
    /// A stored head does not open.
    Head(HeadError),
    /// A stored head's root is not the recomputed one at its size.
    Root {
        /// The head's.
        expected: Hash,
        /// The recomputed one.
        got: Hash,
    },
    /// The newest head is missing or not of the log's size.
    NewestHead,
    /// An hourly root in `gov` is not the recomputed one, is not of a larger size than the one
    /// before, or the log is shorter.
    OpsRoot,
    /// A stored tile is not the recomputed one.
    Tile {
        /// Its level.
        level: u8,
        /// Its number.
        number: u64,
    },
    /// The store gives fewer entries than it says it has.
    Short,
}

/// The first fault found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In which log.
    pub log: LogId,
    /// At which entry, or after how many.
    pub index: u64,
    /// The fault.
    pub rule: Rule,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log {}, entry {}: ", self.log, self.index)?;
        match &self.rule {
            Rule::Genesis => f.write_str("the genesis record belongs at entry 0 of gov and nowhere else"),
            Rule::Header(error) => write!(f, "{error}"),
            Rule::Index { got } => write!(f, "the header says index {got}"),
            Rule::Kind(kind) => write!(f, "an entry of kind {kind:?} does not belong here"),
            Rule::TimeBucket => f.write_str("the time bucket is lower than the one before"),
            Rule::Body => f.write_str("the body is not the one the entry was made for"),
            Rule::BodyMissing => f.write_str("the body is missing, though nothing may have retired it"),
            Rule::Retention { expected, got } => {
                write!(
                    f,
                    "the body is missing after {got} s at most, and the policy of that time keeps it for {expected} s"
                )
            }
            Rule::Policy { release } => {
                write!(f, "the body is missing, and how long the policy of release {release} keeps it cannot be read")
            }
            Rule::Record(error) => write!(f, "{error}"),
            Rule::Release(error) => write!(f, "{error}"),
            Rule::BootId => f.write_str("the boot id is not one that gov knows"),
            Rule::BootRepeated { first } => write!(f, "a boot has the boot id that entry {first} named"),
            Rule::Head(error) => write!(f, "a stored head: {error}"),
            Rule::Root { expected, got } => write!(f, "a signed head has root {expected}, the entries give {got}"),
            Rule::NewestHead => f.write_str("there is no signed head for the log's size"),
            Rule::OpsRoot => f.write_str(
                "an hourly root in gov is not the root of these entries, or its size is not above the one before",
            ),
            Rule::Tile { level, number } => write!(f, "stored tile {level}/{number} is not the one the entries give"),
            Rule::Short => f.write_str("the store says it has more entries than it gives"),
        }
    }
}

/// Why a check did not pass.
#[derive(Debug)]
pub enum CheckError<E> {
    /// The store could not be read.
    Store(E),
    /// The log is wrong.
    Fault(Fault),
    /// A running vault retired bodies of this log again and again before they were read, so that
    /// nothing can be said.
    Unsettled(LogId),
}

impl<E> From<E> for CheckError<E> {
    fn from(error: E) -> Self {
        Self::Store(error)
    }
}
