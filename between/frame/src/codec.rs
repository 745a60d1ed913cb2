//! Bytes to messages and back, strictly.

use core::fmt;

use adyton_wire::WireError;

mod decode;
mod encode;

pub use encode::encode_append;

/// Most bytes that may follow a frame's length.
pub const MAX_FRAME: usize = 1_048_576;

/// Bytes of a frame's length.
const LENGTH: usize = 4;
/// Bytes of kind and id, which follow it.
const HEAD: usize = 9;
/// Bits of a record's bodies that follow.
const HOT: u8 = 1;
const KEPT: u8 = 2;
const NONE: u64 = u64::MAX;

/// Why bytes are not a frame, or a message does not fit one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The length is below 9 or above 1 048 576.
    Length,
    /// The kind is unknown.
    Kind {
        /// What stands there.
        got: u8,
    },
    /// Bytes are missing.
    Truncated,
    /// Bytes are left over.
    TrailingBytes,
    /// A value is not one that the page allows.
    Value,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "a frame's length is {HEAD} to {MAX_FRAME}"),
            Self::Kind { got } => write!(f, "unknown frame kind {got:#04x}"),
            Self::Truncated => f.write_str("the frame ends early"),
            Self::TrailingBytes => f.write_str("bytes follow the message in its frame"),
            Self::Value => f.write_str("a field of the frame has a value that is not allowed"),
        }
    }
}

impl core::error::Error for FrameError {}

impl From<WireError> for FrameError {
    fn from(error: WireError) -> Self {
        match error {
            // A frame bounds all its fields at once.
            WireError::Truncated | WireError::TooLong => Self::Truncated,
            WireError::TrailingBytes => Self::TrailingBytes,
            WireError::Utf8 => Self::Value,
        }
    }
}
