//! The Enclave Image Format, version 4: `docs/spec/11-image.md`, "File".
//!
//! 1. the header's fixed fields have the only values that there are;
//! 2. its table has one entry for each section: kernel, command line, metadata, ramdisks, and a signature or none;
//! 3. the sections stand one behind the other, without gaps and without overlap, to the end of the file;
//! 4. the sum over all of it is the header's.
//!
//! Readers of this format differ: some go by the table, some from one section to the next, and what the one measures the other
//! may not load. A file that is accepted here is the same to all of them.

mod error;

use core::fmt;

pub use error::EifError;

/// `.eif`.
const MAGIC: [u8; 4] = *b".eif";
const VERSION: u16 = 4;
/// Entries of the header's table.
const TABLE: usize = 32;
/// Magic, version, flags, memory, processors, reserved, count, offsets, sizes, unused, sum.
const HEADER: usize = 548;
/// Where the sum over the others stands.
const SUM: usize = HEADER - 4;
/// Kind, flags, size.
const SECTION_HEADER: usize = 12;
/// Kernel, command line, metadata and a ramdisk.
const LEAST: usize = 4;
/// Linux on x86-64 takes no longer command line (`COMMAND_LINE_SIZE`), its zero byte included.
const MAX_COMMAND_LINE: usize = 2047;

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Linux, as a bzImage.
    Kernel,
    /// Its command line.
    CommandLine,
    /// Who built it; not measured.
    Metadata,
    /// A ramdisk.
    Ramdisk,
    /// Who signed it; not measured but for the certificate.
    Signature,
}

impl Section {
    fn number(self) -> u16 {
        match self {
            Self::Kernel => 1,
            Self::CommandLine => 2,
            Self::Ramdisk => 3,
            Self::Signature => 4,
            Self::Metadata => 5,
        }
    }

    /// What may stand at a place of the table.
    fn at(entry: usize, count: usize, kind: u16) -> Result<Self, EifError> {
        let expected = match entry {
            0 => Self::Kernel,
            1 => Self::CommandLine,
            2 => Self::Metadata,
            last if last + 1 == count && last > 3 && kind == Self::Signature.number() => Self::Signature,
            _ => Self::Ramdisk,
        };
        if expected.number() == kind { Ok(expected) } else { Err(EifError::Kind { entry, expected, got: kind }) }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "kernel",
            Self::CommandLine => "command line",
            Self::Metadata => "metadata",
            Self::Ramdisk => "ramdisk",
            Self::Signature => "signature",
        })
    }
}

/// An enclave image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eif {
    /// Memory that an enclave gets unless its starter says otherwise, in bytes.
    pub memory: u64,
    /// Processors, likewise.
    pub processors: u64,
    /// The kernel.
    pub kernel: Vec<u8>,
    /// Its command line.
    pub command_line: String,
    /// JSON ([`crate::Metadata`]).
    pub metadata: Vec<u8>,
    /// Ramdisks, one at least.
    pub ramdisks: Vec<Vec<u8>>,
    /// CBOR: [`crate::sign`] makes it, [`crate::Measurements::of`] checks it.
    pub signature: Option<Vec<u8>>,
}

impl Eif {
    /// Reads an image; the whole input is one.
    ///
    /// # Errors
    /// [`EifError`], the first rule that is broken.
    pub fn parse(file: &[u8]) -> Result<Self, EifError> {
        // 1.
        let header = file.first_chunk::<HEADER>().ok_or(EifError::Header { got: file.len() })?;
        let magic = [header[0], header[1], header[2], header[3]];
        if magic != MAGIC {
            return Err(EifError::Magic { got: magic });
        }
        let version = u16_at(header, 4);
        if version != VERSION {
            return Err(EifError::Version { got: version });
        }
        let zero = [("flags", u16_at(header, 6).into()), ("reserved", u16_at(header, 24).into())];
        let unused = ("unused", u64_at(header, SUM - 8) & u64::from(u32::MAX));
        if let Some((field, _)) = zero.into_iter().chain([unused]).find(|(_, value)| *value != 0) {
            return Err(EifError::NotZero { field });
        }
        // 2.
        let count = usize::from(u16_at(header, 26));
        if !(LEAST..=TABLE).contains(&count) {
            return Err(EifError::Count { got: count });
        }
        let table = |entry: usize| (u64_at(header, 28 + 8 * entry), u64_at(header, 28 + 8 * (TABLE + entry)));
        if let Some(entry) = (count..TABLE).find(|entry| table(*entry) != (0, 0)) {
            return Err(EifError::Unused { entry });
        }
        // 3.
        let (mut at, mut sections) = (HEADER, Vec::with_capacity(count));
        for entry in 0..count {
            let (offset, size) = table(entry);
            if offset != wide(at) {
                return Err(EifError::Offset { entry, expected: wide(at), got: offset });
            }
            let (section, content) = section(file, at, entry, count, size)?;
            at += SECTION_HEADER + content.len();
            sections.push((section, content));
        }
        if at != file.len() {
            return Err(EifError::TrailingBytes { got: wide(file.len() - at) });
        }
        // 4.
        let (expected, got) = (u32_at(header, SUM), checksum(file).unwrap_or_default());
        if expected != got {
            return Err(EifError::Sum { expected, got });
        }
        let all =
            |kind| sections.iter().filter(move |(section, _)| *section == kind).map(|(_, content)| content.to_vec());
        let image = Self {
            memory: u64_at(header, 8),
            processors: u64_at(header, 16),
            kernel: all(Section::Kernel).next().unwrap_or_default(),
            command_line: String::from_utf8(all(Section::CommandLine).next().unwrap_or_default())
                .map_err(|_| EifError::CommandLine)?,
            metadata: all(Section::Metadata).next().unwrap_or_default(),
            ramdisks: all(Section::Ramdisk).collect(),
            signature: all(Section::Signature).next(),
        };
        image.check()?;
        Ok(image)
    }

    /// Writes it, as [`Eif::parse`] reads it.
    ///
    /// # Errors
    /// [`EifError::Count`], [`EifError::Empty`] and [`EifError::CommandLine`]: what no image has.
    pub fn write(&self) -> Result<Vec<u8>, EifError> {
        self.check()?;
        let sections = self.sections();
        let count = u16::try_from(sections.len()).map_err(|_| EifError::Count { got: sections.len() })?;
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&VERSION.to_be_bytes());
        header.extend_from_slice(&[0; 2]);
        header.extend_from_slice(&self.memory.to_be_bytes());
        header.extend_from_slice(&self.processors.to_be_bytes());
        header.extend_from_slice(&[0; 2]);
        header.extend_from_slice(&count.to_be_bytes());
        let mut at = HEADER;
        for (_, content) in &sections {
            header.extend_from_slice(&wide(at).to_be_bytes());
            at += SECTION_HEADER + content.len();
        }
        header.resize(28 + 8 * TABLE, 0);
        for (_, content) in &sections {
            header.extend_from_slice(&wide(content.len()).to_be_bytes());
        }
        header.resize(HEADER, 0);
        let mut file = header;
        file.reserve_exact(at - HEADER);
        for (section, content) in sections {
            file.extend_from_slice(&section.number().to_be_bytes());
            file.extend_from_slice(&[0; 2]);
            file.extend_from_slice(&wide(content.len()).to_be_bytes());
            file.extend_from_slice(content);
        }
        let sum = checksum(&file).unwrap_or_default();
        file[SUM..HEADER].copy_from_slice(&sum.to_be_bytes());
        Ok(file)
    }

    /// Its sections, in the order of the file.
    pub fn sections(&self) -> Vec<(Section, &[u8])> {
        let first = [
            (Section::Kernel, &self.kernel[..]),
            (Section::CommandLine, self.command_line.as_bytes()),
            (Section::Metadata, &self.metadata),
        ];
        let ramdisks = self.ramdisks.iter().map(|ramdisk| (Section::Ramdisk, &ramdisk[..]));
        let signature = self.signature.iter().map(|signature| (Section::Signature, &signature[..]));
        first.into_iter().chain(ramdisks).chain(signature).collect()
    }

    /// What its parts must be.
    fn check(&self) -> Result<(), EifError> {
        let sections = self.sections();
        if self.ramdisks.is_empty() || sections.len() > TABLE {
            return Err(EifError::Count { got: sections.len() });
        }
        let empty = sections.iter().find(|(section, content)| *section != Section::CommandLine && content.is_empty());
        if let Some((section, _)) = empty {
            return Err(EifError::Empty { section: *section });
        }
        let printable = self.command_line.bytes().all(|byte| (0x20..0x7F).contains(&byte));
        if printable && self.command_line.len() <= MAX_COMMAND_LINE { Ok(()) } else { Err(EifError::CommandLine) }
    }
}

/// The CRC-32 (IEEE) over all of a file but the four bytes that hold it; `None` if it has no header.
pub fn checksum(file: &[u8]) -> Option<u32> {
    let mut sum = crc32fast::Hasher::new();
    sum.update(file.get(..SUM)?);
    sum.update(file.get(HEADER..)?);
    Some(sum.finalize())
}

/// The section at `at`, which the table says has `size` bytes.
fn section(file: &[u8], at: usize, entry: usize, count: usize, size: u64) -> Result<(Section, &[u8]), EifError> {
    let rest = file.get(at..).unwrap_or_default();
    let truncated = |expected: u64, got: usize| EifError::Truncated { entry, expected, got: wide(got) };
    let (header, rest) =
        rest.split_first_chunk::<SECTION_HEADER>().ok_or(truncated(wide(SECTION_HEADER), rest.len()))?;
    let section = Section::at(entry, count, u16_at(header, 0))?;
    let flags = u16_at(header, 2);
    if flags != 0 {
        return Err(EifError::SectionFlags { entry, got: flags });
    }
    let own = u64_at(header, 4);
    if own != size {
        return Err(EifError::Size { entry, table: size, got: own });
    }
    let content = usize::try_from(size).ok().and_then(|size| rest.get(..size));
    Ok((section, content.ok_or(truncated(size, rest.len()))?))
}

/// Big-endian numbers of a header, at places that it has.
fn u16_at(header: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([header[at], header[at + 1]])
}

fn u32_at(header: &[u8], at: usize) -> u32 {
    u32::from(u16_at(header, at)) << 16 | u32::from(u16_at(header, at + 2))
}

fn u64_at(header: &[u8], at: usize) -> u64 {
    u64::from(u32_at(header, at)) << 32 | u64::from(u32_at(header, at + 4))
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
