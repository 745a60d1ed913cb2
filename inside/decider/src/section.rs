//! Snapshots as sections (`docs/spec/04-snapshots.md`): each workflow writes and reads its own,
//! under a version of its own.

use adyton_seal::{Plaintext, Reader};

use crate::Corrupt;

/// What marks a section: the workflow, and the version of its layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionTag {
    /// Number of the workflow.
    pub workflow: u16,
    /// Version of the layout.
    pub version: u16,
}

impl SectionTag {
    /// Writes a section.
    pub fn put(self, out: &mut Plaintext, write: impl FnOnce(&mut Plaintext)) {
        out.put(&self.workflow.to_be_bytes());
        out.put(&self.version.to_be_bytes());
        out.put_nested(write);
    }

    /// Reads the next section, which must be this one; `read` must use it up.
    ///
    /// # Errors
    /// [`Corrupt`] for another workflow or version, and for bytes that are left.
    pub fn read<T>(
        self,
        reader: &mut Reader<'_>,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, Corrupt>,
    ) -> Result<T, Corrupt> {
        let found =
            Self { workflow: u16::from_be_bytes(reader.array()?), version: u16::from_be_bytes(reader.array()?) };
        if found != self {
            return Err(Corrupt);
        }
        let mut section = Reader::new(reader.lp()?);
        let read = read(&mut section)?;
        section.finish()?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    const TAG: SectionTag = SectionTag { workflow: 7, version: 2 };

    #[test]
    fn only_the_expected_section_is_read_and_used_up() {
        let mut out = Plaintext::with_capacity(64);
        TAG.put(&mut out, |out| out.put_u64(9));
        assert_eq!(out.as_bytes()[..8], [0, 7, 0, 2, 0, 0, 0, 8]);
        let read = |tag: SectionTag| tag.read(&mut out.reader(), |section| Ok(section.u64()?));
        assert_eq!(read(TAG), Ok(9));
        assert_eq!(read(SectionTag { workflow: 8, ..TAG }), Err(Corrupt));
        assert_eq!(read(SectionTag { version: 1, ..TAG }), Err(Corrupt));
        assert_eq!(TAG.read(&mut out.reader(), |section| Ok(section.u32()?)), Err(Corrupt));
        assert_eq!(TAG.read(&mut Reader::new(&out.as_bytes()[..15]), |_| Ok(())), Err(Corrupt));
    }
}
