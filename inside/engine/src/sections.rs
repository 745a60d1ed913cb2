//! The sections of a snapshot: one for each workflow, with a version of its own (`docs/spec/04-snapshots.md`).

use alloc::vec::Vec;
use core::slice;

use adyton_decider::{Corrupt, SectionOut};
use adyton_seal::Plaintext;
use adyton_wire::{Put, Reader, length_of};

/// Bytes of a section before its body: `u16 workflow || u16 version || u32 length`.
const HEAD: usize = 8;
/// Bytes of parts that are collected before they go on.
const PARTS: usize = 16 * 1024;

/// Writes sections.
pub struct Sections<'a> {
    out: Out<'a>,
    last: Option<u16>,
}

/// Where sections go.
enum Out<'a> {
    /// Into one buffer.
    Whole(&'a mut Plaintext),
    /// Nowhere: the length of each body is counted.
    Lengths(&'a mut Vec<usize>),
    /// On in pieces. Lengths stand before bodies, so they were counted before.
    Pieces { lengths: slice::Iter<'a, usize>, piece: &'a mut dyn FnMut(&[u8]) },
}

impl<'a> Sections<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Plaintext) -> Self {
        Self { out: Out::Whole(out), last: None }
    }

    /// Counts the bytes of each section's body.
    pub(crate) fn lengths(out: &'a mut Vec<usize>) -> Self {
        Self { out: Out::Lengths(out), last: None }
    }

    /// Hands on, piece by piece, what [`Sections::new`] would write. The lengths are those of the
    /// same sections.
    pub(crate) fn pieces(lengths: &'a [usize], piece: &'a mut dyn FnMut(&[u8])) -> Self {
        Self { out: Out::Pieces { lengths: lengths.iter(), piece }, last: None }
    }

    /// Bytes of all sections whose bodies have these lengths.
    pub(crate) fn total(lengths: &[usize]) -> usize {
        lengths.iter().map(|length| HEAD + length).sum()
    }

    /// Writes the section of a workflow. Workflows ascend, and each has at most one.
    pub fn put(&mut self, workflow: u16, version: u16, write: impl FnOnce(&mut SectionWriter<'_>)) {
        debug_assert!(self.last < Some(workflow), "sections ascend by workflow");
        self.last = Some(workflow);
        match &mut self.out {
            Out::Whole(out) => {
                out.put(&workflow.to_be_bytes());
                out.put(&version.to_be_bytes());
                out.put_nested(|out| write(&mut SectionWriter(Body::Whole(out))));
            }
            Out::Lengths(lengths) => {
                let mut length = 0;
                let mut pass = |bytes: &[u8]| length += bytes.len();
                SectionWriter::in_pieces(&mut pass, write);
                lengths.push(length);
            }
            Out::Pieces { lengths, piece } => {
                let expected = lengths.next().copied().unwrap_or_default();
                let mut head = Plaintext::with_capacity(HEAD);
                head.put(&workflow.to_be_bytes());
                head.put(&version.to_be_bytes());
                head.put(&length_of(expected));
                piece(head.as_bytes());
                let mut written = 0;
                let mut pass = |bytes: &[u8]| {
                    written += bytes.len();
                    piece(bytes);
                };
                SectionWriter::in_pieces(&mut pass, write);
                debug_assert_eq!(written, expected, "the state is the one that was counted");
            }
        }
    }
}

/// Writes the body of a section.
pub struct SectionWriter<'a>(Body<'a>);

enum Body<'a> {
    Whole(&'a mut Plaintext),
    Pieces { collected: Plaintext, piece: &'a mut dyn FnMut(&[u8]) },
}

impl SectionWriter<'_> {
    fn in_pieces(piece: &mut dyn FnMut(&[u8]), write: impl FnOnce(&mut SectionWriter<'_>)) {
        let mut writer = SectionWriter(Body::Pieces { collected: Plaintext::with_capacity(2 * PARTS), piece });
        write(&mut writer);
        if let Body::Pieces { collected, piece } = writer.0 {
            piece(collected.as_bytes());
        }
    }
}

impl SectionOut for SectionWriter<'_> {
    fn part(&mut self, write: impl FnOnce(&mut Plaintext)) {
        match &mut self.0 {
            Body::Whole(out) => write(out),
            Body::Pieces { collected, piece } => {
                write(collected);
                if collected.len() >= PARTS {
                    let full = core::mem::replace(collected, Plaintext::with_capacity(2 * PARTS));
                    piece(full.as_bytes());
                }
            }
        }
    }
}

/// Reads sections.
pub struct SectionReader<'a> {
    rest: Reader<'a>,
    last: Option<u16>,
    /// Zeros may stand behind the last section.
    is_padded: bool,
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
        Self { rest: Reader::new(bytes), last: None, is_padded: false }
    }

    /// Reads what [`Sections`] wrote and zeros behind it. No workflow has the number 0.
    pub fn padded(bytes: &'a [u8]) -> Self {
        Self { is_padded: true, ..Self::new(bytes) }
    }

    /// Bytes behind the last section that was read.
    pub fn padding(&self) -> usize {
        self.rest.rest().len()
    }

    /// The next section, if there is one.
    ///
    /// # Errors
    /// [`Corrupt`] if its bytes end early, or it does not ascend.
    pub fn section(&mut self) -> Result<Option<Section<'a>>, Corrupt> {
        let rest = self.rest.rest();
        if rest.is_empty() || (self.is_padded && rest.iter().all(|byte| *byte == 0)) {
            return Ok(None);
        }
        let (workflow, version) = (u16::from_be_bytes(self.rest.array()?), u16::from_be_bytes(self.rest.array()?));
        if self.last >= Some(workflow) {
            return Err(Corrupt);
        }
        self.last = Some(workflow);
        Ok(Some(Section { workflow, version, bytes: self.rest.lp()? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(sections: &[(u16, u16, &[u8])]) -> Plaintext {
        let mut out = Plaintext::with_capacity(64);
        let mut all = Sections::new(&mut out);
        sections
            .iter()
            .for_each(|(workflow, version, bytes)| all.put(*workflow, *version, |out| out.part(|out| out.put(bytes))));
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
    fn pieces_are_the_whole() {
        // Parts of many sizes, more than are collected at once, and a section of nothing.
        let write = |mut out: Sections<'_>| {
            out.put(1, 2, |out| out.list((0..5000u32).map(|n| n % 300), |out, n| out.pad_to(out.len() + n as usize)));
            out.put(2, 1, |_| {});
            out.put(7, 1, |out| out.part(|out| out.put(&[9; 3 * PARTS])));
        };
        let mut whole = Plaintext::with_capacity(64);
        write(Sections::new(&mut whole));
        let (mut lengths, mut pieces) = (Vec::new(), Vec::new());
        write(Sections::lengths(&mut lengths));
        write(Sections::pieces(&lengths, &mut |piece| {
            assert!(piece.len() < 4 * PARTS);
            pieces.extend_from_slice(piece);
        }));
        assert_eq!(Sections::total(&lengths), whole.len());
        assert!(pieces == whole.as_bytes());
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
    fn zeros_behind_the_last_section_are_padding_where_they_may_be() {
        let padded = [written(&[(1, 1, b"state")]).as_bytes(), &[0; 20]].concat();
        let mut reader = SectionReader::padded(&padded);
        assert!(matches!(reader.section(), Ok(Some(Section { workflow: 1, .. }))));
        assert_eq!((reader.section(), reader.padding()), (Ok(None), 20));
        let mut reader = SectionReader::new(&padded);
        assert!(matches!(reader.section(), Ok(Some(_))));
        assert_eq!(reader.section(), Err(Corrupt), "no padding is expected here");
        for at in padded.len() - 20..padded.len() {
            let mut stained = padded.clone();
            stained[at] = 1;
            let mut reader = SectionReader::padded(&stained);
            assert!(matches!(reader.section(), Ok(Some(_))));
            assert_ne!(reader.section(), Ok(None), "byte {at}");
        }
    }
}
