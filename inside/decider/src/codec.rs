//! Parts of events and snapshots as bytes.

use alloc::vec::Vec;

use adyton_seal::Plaintext;
use adyton_wire::{Put, Reader};

use crate::{BootId, Corrupt, Id, KeyedHash, TokenHash};

impl<K> Id<K> {
    /// Reads 16 bytes.
    ///
    /// # Errors
    /// [`Corrupt`] if there are fewer.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(Self::from_bytes(reader.array()?))
    }
}

impl<P> KeyedHash<P> {
    /// Reads 16 bytes.
    ///
    /// # Errors
    /// [`Corrupt`] if there are fewer.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(Self::from_bytes(reader.array()?))
    }
}

impl TokenHash {
    /// Reads 32 bytes.
    ///
    /// # Errors
    /// [`Corrupt`] if there are fewer.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(Self::from_bytes(reader.array()?))
    }
}

impl BootId {
    /// Reads 16 bytes.
    ///
    /// # Errors
    /// [`Corrupt`] if there are fewer.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(Self(reader.array()?))
    }
}

/// Reads a flag: one byte, 0 or 1.
///
/// # Errors
/// [`Corrupt`] for anything else.
pub fn read_flag(reader: &mut Reader<'_>) -> Result<bool, Corrupt> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Corrupt),
    }
}

/// Writes the number of values, then each of them.
pub fn put_list<T>(
    out: &mut Plaintext,
    things: impl ExactSizeIterator<Item = T>,
    mut put: impl FnMut(&mut Plaintext, T),
) {
    // Deciders bound lists far below this; a longer one would not decode.
    out.put_u32(u32::try_from(things.len()).unwrap_or(u32::MAX));
    things.for_each(|thing| put(out, thing));
}

/// Takes a section of a snapshot part by part, so that no buffer has to hold all of it.
pub trait SectionOut {
    /// Takes what `write` writes: a record, or a few fields.
    fn part(&mut self, write: impl FnOnce(&mut Plaintext));

    /// Takes what [`put_list`] would write, each value as a part of its own.
    fn list<T>(&mut self, things: impl ExactSizeIterator<Item = T>, mut put: impl FnMut(&mut Plaintext, T)) {
        self.part(|out| out.put_u32(u32::try_from(things.len()).unwrap_or(u32::MAX)));
        things.for_each(|thing| self.part(|out| put(out, thing)));
    }
}

/// Reads what [`put_list`] wrote, one by one.
///
/// # Errors
/// [`Corrupt`] if there are fewer values, or for what `read` refuses.
pub fn read_each(
    reader: &mut Reader<'_>,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<(), Corrupt>,
) -> Result<(), Corrupt> {
    for _ in 0..reader.u32()? {
        read(reader)?;
    }
    Ok(())
}

/// Reads what [`put_list`] wrote as a list.
///
/// # Errors
/// As [`read_each`].
pub fn read_list<T>(
    reader: &mut Reader<'_>,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, Corrupt>,
) -> Result<Vec<T>, Corrupt> {
    let mut things = Vec::new();
    read_each(reader, |reader| {
        things.push(read(reader)?);
        Ok(())
    })?;
    Ok(things)
}
