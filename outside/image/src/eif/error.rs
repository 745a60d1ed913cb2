//! Why bytes are no image.

use core::fmt;

use super::{HEADER, LEAST, MAX_COMMAND_LINE, Section, TABLE, VERSION};

/// Why bytes are no image, or an image cannot be written. `entry` is a place in the header's table, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EifError {
    /// The file is shorter than a header.
    Header {
        /// Its length.
        got: usize,
    },
    /// It does not begin with `.eif`.
    Magic {
        /// What it begins with.
        got: [u8; 4],
    },
    /// Another version of the format.
    Version {
        /// Which.
        got: u16,
    },
    /// A field that is always zero is not.
    NotZero {
        /// Its name.
        field: &'static str,
    },
    /// Too few sections, or too many.
    Count {
        /// So many.
        got: usize,
    },
    /// An entry of the table behind the last section is not zero.
    Unused {
        /// Which.
        entry: usize,
    },
    /// A section does not begin where the one before it ends.
    Offset {
        /// Which.
        entry: usize,
        /// Where it should begin.
        expected: u64,
        /// Where the table says it does.
        got: u64,
    },
    /// The file ends inside of a section.
    Truncated {
        /// Which.
        entry: usize,
        /// Bytes that it needs.
        expected: u64,
        /// Bytes that are left.
        got: u64,
    },
    /// A section of another kind should stand here.
    Kind {
        /// Which.
        entry: usize,
        /// The kind that may.
        expected: Section,
        /// The number of the kind that does.
        got: u16,
    },
    /// A section has flags.
    SectionFlags {
        /// Which.
        entry: usize,
        /// They.
        got: u16,
    },
    /// The table and the section's own header give two sizes.
    Size {
        /// Which.
        entry: usize,
        /// The table's.
        table: u64,
        /// The section's.
        got: u64,
    },
    /// Something follows the last section.
    TrailingBytes {
        /// So many.
        got: u64,
    },
    /// The sum over the file is another: it was damaged.
    Sum {
        /// What the header says.
        expected: u32,
        /// What it is.
        got: u32,
    },
    /// A section has no content.
    Empty {
        /// Which.
        section: Section,
    },
    /// The command line is too long, or has other than printable ASCII.
    CommandLine,
}

impl fmt::Display for EifError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { got } => write!(f, "not an enclave image: {got} bytes, and its header alone has {HEADER}"),
            Self::Magic { got } => write!(f, "not an enclave image: it begins with {}", got.escape_ascii()),
            Self::Version { got } => write!(f, "version {got} of the image format; only {VERSION} is read"),
            Self::NotZero { field } => write!(f, "the header's field `{field}` is not 0"),
            Self::Count { got } => write!(f, "{got} sections; an image has {LEAST} to {TABLE}"),
            Self::Unused { entry } => write!(f, "entry {entry} of the table belongs to no section and is not 0"),
            Self::Offset { entry, expected, got } => {
                write!(f, "section {entry} should begin at byte {expected}, and the table says {got}")
            }
            Self::Truncated { entry, expected, got } => {
                write!(f, "the file ends in section {entry}: {expected} bytes expected, {got} left")
            }
            Self::Kind { entry, expected, got } => {
                write!(f, "section {entry} should be a {expected}, and is of kind {got}")
            }
            Self::SectionFlags { entry, got } => write!(f, "section {entry} has flags {got:#06x}; there are none"),
            Self::Size { entry, table, got } => {
                write!(f, "section {entry} has {table} bytes by the table and {got} by its own header")
            }
            Self::TrailingBytes { got } => write!(f, "{got} bytes after the last section"),
            Self::Sum { expected, got } => write!(f, "damaged: its CRC-32 should be {expected:08x} and is {got:08x}"),
            Self::Empty { section } => write!(f, "the {section} is empty"),
            Self::CommandLine => {
                write!(f, "the command line is not printable ASCII of at most {MAX_COMMAND_LINE} bytes")
            }
        }
    }
}

impl core::error::Error for EifError {}
