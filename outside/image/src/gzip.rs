//! One gzip member (RFC 1952) with a fixed header: no time, no name, no word on the system that wrote it.

use core::fmt;
use std::io::{Read, Write};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};

/// Deflate, no flags, time 0, best compression, unknown system (RFC 1952 §2.3).
const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 255];

/// Why bytes are no member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GzipError {
    /// The header is another.
    Header,
    /// What is compressed is damaged, or ends early.
    Damaged,
    /// It unpacks to more than is allowed.
    TooLarge {
        /// What is allowed, in bytes.
        limit: u64,
    },
    /// Something follows it.
    TrailingBytes {
        /// So many.
        got: usize,
    },
}

impl fmt::Display for GzipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the gzip header is not in the one form"),
            Self::Damaged => f.write_str("the gzip data is damaged or ends early"),
            Self::TooLarge { limit } => write!(f, "it unpacks to more than {limit} bytes"),
            Self::TrailingBytes { got } => write!(f, "{got} bytes after the gzip data's end"),
        }
    }
}

impl core::error::Error for GzipError {}

/// Packs bytes; the same on every machine with this version of the compressor.
pub(crate) fn pack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Unpacks one member, which is all of the input.
pub(crate) fn unpack(packed: &[u8], limit: u64) -> Result<Vec<u8>, GzipError> {
    if !packed.starts_with(&HEADER) {
        return Err(GzipError::Header);
    }
    let mut decoder = GzDecoder::new(packed);
    let mut out = Vec::new();
    // The sum over the content is checked at its end, so it is read to there.
    let read = decoder.by_ref().take(limit.saturating_add(1)).read_to_end(&mut out);
    read.map_err(|_| GzipError::Damaged)?;
    if u64::try_from(out.len()).unwrap_or(u64::MAX) > limit {
        return Err(GzipError::TooLarge { limit });
    }
    match decoder.into_inner().len() {
        0 => Ok(out),
        got => Err(GzipError::TrailingBytes { got }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn packs_and_unpacks_within_the_limit() {
        let bytes = [7; 1000];
        let packed = pack(&bytes).unwrap();
        assert_eq!(packed[..10], HEADER);
        assert_eq!(unpack(&packed, 1000).unwrap(), bytes);
        assert_eq!(unpack(&packed, 999), Err(GzipError::TooLarge { limit: 999 }));
        assert!(unpack(&pack(&[]).unwrap(), 0).unwrap().is_empty());
    }

    #[test]
    fn nothing_else_is_unpacked() {
        let packed = pack(b"content").unwrap();
        let two = [&packed[..], &packed].concat();
        assert_eq!(unpack(&two, 99), Err(GzipError::TrailingBytes { got: packed.len() }));
        for length in 10..packed.len() {
            assert_eq!(unpack(&packed[..length], 99), Err(GzipError::Damaged), "{length}");
        }
        let mut named = packed.clone();
        named[3] = 8;
        assert_eq!(unpack(&named, 99), Err(GzipError::Header));
        let mut other = packed;
        let sum = other.len() - 8;
        other[sum] ^= 1;
        assert_eq!(unpack(&other, 99), Err(GzipError::Damaged));
    }
}
