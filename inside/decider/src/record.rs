//! Events and snapshots as bytes.

use core::fmt;

use adyton_seal::Plaintext;
use adyton_wire::{Reader, WireError};

use crate::Class;

/// An event as it is logged. There is no serde here on purpose: it may hold secrets, and the spec
/// defines its bytes.
pub trait Record: Sized {
    /// The freshness class.
    fn class(&self) -> Class;

    /// Writes it.
    fn encode(&self, out: &mut Plaintext);

    /// Reads one, and no byte behind it.
    ///
    /// # Errors
    /// [`Corrupt`] for bytes that [`Record::encode`] does not write.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Corrupt>;

    /// Reads one that fills the bytes.
    ///
    /// # Errors
    /// [`Corrupt`], also for bytes behind it.
    fn decode_all(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        let record = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(record)
    }
}

/// Bytes of the log or of a snapshot do not decode. They were authentic, so this is a bug or
/// another version's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record does not decode: written by another version?")
    }
}

impl core::error::Error for Corrupt {}

impl From<WireError> for Corrupt {
    fn from(_: WireError) -> Self {
        Self
    }
}
