//! The sections of a snapshot: one for each workflow, with a version of its own (`docs/spec/04-snapshots.md`).

use adyton_decider::Corrupt;
use adyton_seal::Plaintext;
use adyton_wire::{Put, Reader};

/// Writes sections.
pub struct Sections<'a> {
    out: &'a mut Plaintext,
    last: Option<u16>,
}

impl<'a> Sections<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Plaintext) -> Self {
        Self { out, last: None }
    }

    /// Writes the section of a workflow. Workflows ascend, and each has at most one.
    pub fn put(&mut self, workflow: u16, version: u16, write: impl FnOnce(&mut Plaintext)) {
        debug_assert!(self.last < Some(workflow), "sections ascend by workflow");
        self.last = Some(workflow);
        self.out.put(&workflow.to_be_bytes());
        self.out.put(&version.to_be_bytes());
        self.out.put_nested(write);
    }
}

/// Reads sections.
pub struct SectionReader<'a> {
    rest: Reader<'a>,
    last: Option<u16>,
}

/// One section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Number of the workflow.
    pub workflow: u16,
    /// Version of its bytes.
    pub version: u16,
    /// The state, encoded.
    pub bytes: &'a [u8],
}

impl<'a> SectionReader<'a> {
    /// Reads what [`Sections`] wrote.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: Reader::new(bytes), last: None }
    }

    /// The next section, if there is one.
    ///
    /// # Errors
    /// [`Corrupt`] if its bytes end early, or it does not ascend.
    pub fn section(&mut self) -> Result<Option<Section<'a>>, Corrupt> {
        if self.rest.rest().is_empty() {
            return Ok(None);
        }
        let (workflow, version) = (u16::from_be_bytes(self.rest.array()?), u16::from_be_bytes(self.rest.array()?));
        if self.last >= Some(workflow) {
            return Err(Corrupt);
        }
        self.last = Some(workflow);
        Ok(Some(Section { workflow, version, bytes: self.rest.lp()? }))
    }

    /// The one section that a machine of one workflow has.
    ///
    /// # Errors
    /// [`Corrupt`] if there is another one, none or more than one.
    pub fn only(&mut self, workflow: u16, version: u16) -> Result<&'a [u8], Corrupt> {
        match (self.section()?, self.section()?) {
            (Some(found), None) if (found.workflow, found.version) == (workflow, version) => Ok(found.bytes),
            _ => Err(Corrupt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(sections: &[(u16, u16, &[u8])]) -> Plaintext {
        let mut out = Plaintext::with_capacity(64);
        let mut all = Sections::new(&mut out);
        sections.iter().for_each(|(workflow, version, bytes)| all.put(*workflow, *version, |out| out.put(bytes)));
        out
    }

    #[test]
    fn sections_read_back() {
        let out = written(&[(1, 1, b"one"), (3, 2, b""), (u16::MAX, 0, b"last")]);
        let mut reader = SectionReader::new(out.as_bytes());
        for (workflow, version, bytes) in [(1, 1, &b"one"[..]), (3, 2, b""), (u16::MAX, 0, b"last")] {
            assert_eq!(reader.section(), Ok(Some(Section { workflow, version, bytes })));
        }
        assert_eq!(reader.section(), Ok(None));
    }

    #[test]
    fn sections_that_do_not_ascend_or_are_cut_are_refused() {
        let one = written(&[(2, 1, b"two")]);
        for next in [1, 2] {
            let twice = [one.as_bytes(), written(&[(next, 1, b"")]).as_bytes()].concat();
            let mut reader = SectionReader::new(&twice);
            assert!(matches!(reader.section(), Ok(Some(_))));
            assert_eq!(reader.section(), Err(Corrupt));
        }
        for length in 1..one.len() {
            assert_eq!(SectionReader::new(&one.as_bytes()[..length]).section(), Err(Corrupt));
        }
    }

    #[test]
    fn a_machine_of_one_section_takes_no_other() {
        let only = |sections: &[(u16, u16, &[u8])]| {
            let out = written(sections);
            SectionReader::new(out.as_bytes()).only(1, 1).map(<[u8]>::to_vec)
        };
        assert_eq!(only(&[(1, 1, b"state")]), Ok(b"state".to_vec()));
        assert_eq!(only(&[]), Err(Corrupt));
        assert_eq!(only(&[(1, 2, b"state")]), Err(Corrupt));
        assert_eq!(only(&[(2, 1, b"state")]), Err(Corrupt));
        assert_eq!(only(&[(1, 1, b"state"), (2, 1, b"")]), Err(Corrupt));
    }
}
