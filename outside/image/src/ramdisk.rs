//! A ramdisk: an archive ([`Entry`]), packed by gzip. The kernel unpacks an image's ramdisks one after the other into one
//! tree.

use core::fmt;

use crate::{CpioError, Entry, GzipError, cpio, gzip};

/// Largest archive that is unpacked to look at: a vault's has some 20 MB.
const MAX_ARCHIVE: u64 = 512 << 20;

/// Why bytes are no ramdisk of the one form, or entries cannot become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RamdiskError {
    /// The packing.
    Gzip(GzipError),
    /// The archive.
    Cpio(CpioError),
}

impl fmt::Display for RamdiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gzip(error) => fmt::Display::fmt(error, f),
            Self::Cpio(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl core::error::Error for RamdiskError {}

/// Packs entries, in their order.
///
/// # Errors
/// [`RamdiskError`], if an entry has no place in an archive.
pub fn pack(entries: &[Entry]) -> Result<Vec<u8>, RamdiskError> {
    let archive = cpio::write(entries).map_err(RamdiskError::Cpio)?;
    gzip::pack(&archive).map_err(|_| RamdiskError::Gzip(GzipError::Damaged))
}

/// Unpacks the entries of a ramdisk.
///
/// # Errors
/// [`RamdiskError`].
pub fn unpack(ramdisk: &[u8]) -> Result<Vec<Entry>, RamdiskError> {
    let archive = gzip::unpack(ramdisk, MAX_ARCHIVE).map_err(RamdiskError::Gzip)?;
    cpio::parse(&archive).map_err(RamdiskError::Cpio)
}
