//! Big-endian integers and `lp` fields: how every binary format here is read and written
//! (`docs/spec/00-conventions.md`, "Notation").
//!
//! Why: each format would otherwise bring its own reader, and each reader its own mistakes.
//!
//! Scope: [`Reader`] takes fields off the front of a slice, [`Put`] appends them to a buffer. What this
//! crate is *not*: it does no IO, knows no format, and never copies what it reads. Buffers of secrets
//! implement [`Put`] themselves (`adyton_seal::Plaintext`).

#![no_std]

extern crate alloc;

mod put;
mod reader;

pub use put::{Put, length, length_of};
pub use reader::Reader;

/// Why bytes do not have the form that was asked for.
///
/// It carries no values: what is read may be secret. A format's own error names the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Bytes are missing.
    Truncated,
    /// A field is longer than its bound.
    TooLong,
    /// Bytes are left over.
    TrailingBytes,
    /// A text is not UTF-8.
    Utf8,
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end early",
            Self::TooLong => "a field is longer than its bound",
            Self::TrailingBytes => "bytes are left over",
            Self::Utf8 => "a text is not UTF-8",
        })
    }
}

impl core::error::Error for WireError {}
