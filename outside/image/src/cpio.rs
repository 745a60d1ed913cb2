//! Archives in `newc` form, as the kernel unpacks them: `docs/spec/11-image.md`, "Archive".
//!
//! Every archive has one spelling: times, owners and devices are zero, inodes count from 1, nothing follows the trailer but
//! padding. What has another is refused, so that a reader of an archive and the kernel cannot see different files in it.

use core::fmt;

/// `c_magic` (`cpio(5)`, "New ASCII Format").
const MAGIC: &[u8; 6] = b"070701";
/// Magic and thirteen numbers of eight digits.
const HEADER: usize = 110;
/// The name that ends an archive.
const TRAILER: &str = "TRAILER!!!";
/// Longest name; the kernel takes no longer path than 4095 bytes, and no name of ours comes near.
const MAX_NAME: usize = 255;
/// Most entries: names are compared with each other.
const MAX_ENTRIES: usize = 1024;

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const PERMISSIONS: u32 = 0o7777;

/// A file or folder of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path from the root, without a slash before it.
    pub name: String,
    /// The lower twelve bits of its mode.
    pub permissions: u32,
    /// What it is.
    pub content: Content,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A folder.
    Folder,
    /// A regular file.
    File(Vec<u8>),
}

/// Why bytes are no archive, or entries cannot become one. `entry` counts from 0; the trailer is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CpioError {
    /// The archive ends inside of an entry.
    Truncated {
        /// Which.
        entry: usize,
        /// Bytes that it needs.
        expected: usize,
        /// Bytes that are left.
        got: usize,
    },
    /// An entry's header is not written as the page says.
    Header {
        /// Which.
        entry: usize,
    },
    /// It is neither a file nor a folder.
    Kind {
        /// Which.
        entry: usize,
        /// Its mode.
        got: u32,
    },
    /// Its name is not a plain path, or has another length.
    Name {
        /// Which.
        entry: usize,
    },
    /// Its name stands twice.
    Twice {
        /// Which.
        entry: usize,
    },
    /// Its folder does not stand before it.
    Parent {
        /// Which.
        entry: usize,
    },
    /// Permissions have more than twelve bits.
    Permissions {
        /// Which.
        entry: usize,
        /// What they are.
        got: u32,
    },
    /// A file's size has more than eight digits.
    Size {
        /// Which.
        entry: usize,
    },
    /// Padding is not zero.
    Padding {
        /// Of which.
        entry: usize,
    },
    /// There are too many entries.
    Entries {
        /// How many there may be.
        limit: usize,
    },
    /// Something follows the trailer.
    TrailingBytes {
        /// So many.
        got: usize,
    },
}

impl fmt::Display for CpioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { entry, expected, got } => {
                write!(f, "the archive ends in entry {entry}: {expected} bytes expected, {got} left")
            }
            Self::Header { entry } => write!(f, "the header of entry {entry} is not in the one form"),
            Self::Kind { entry, got } => write!(f, "entry {entry} is neither file nor folder (mode {got:o})"),
            Self::Name { entry } => write!(f, "the name of entry {entry} is no plain path"),
            Self::Twice { entry } => write!(f, "the name of entry {entry} stands twice"),
            Self::Parent { entry } => write!(f, "the folder of entry {entry} does not stand before it"),
            Self::Permissions { entry, got } => write!(f, "the permissions of entry {entry} are {got:o}"),
            Self::Size { entry } => write!(f, "entry {entry} is larger than 4 GiB"),
            Self::Padding { entry } => write!(f, "the padding of entry {entry} is not zero"),
            Self::Entries { limit } => write!(f, "more than {limit} entries"),
            Self::TrailingBytes { got } => write!(f, "{got} bytes after the archive's end"),
        }
    }
}

impl core::error::Error for CpioError {}

/// Writes an archive of these entries, in their order.
pub(crate) fn write(entries: &[Entry]) -> Result<Vec<u8>, CpioError> {
    let content: usize = entries.iter().map(|entry| entry.bytes().len()).sum();
    let mut out = Vec::with_capacity(content + (entries.len() + 1) * (HEADER + 32));
    for (number, entry) in entries.iter().enumerate() {
        check(entries, number)?;
        let size = u32::try_from(entry.bytes().len()).map_err(|_| CpioError::Size { entry: number })?;
        out.extend_from_slice(&header(inode(number), entry.mode(), entry.links(), size, &entry.name));
        pad(&mut out);
        out.extend_from_slice(entry.bytes());
        pad(&mut out);
    }
    out.extend_from_slice(&header(0, 0, 1, 0, TRAILER));
    pad(&mut out);
    Ok(out)
}

/// Reads an archive; the whole input is one.
pub(crate) fn parse(archive: &[u8]) -> Result<Vec<Entry>, CpioError> {
    let mut cursor = Cursor { archive, at: 0, entry: 0 };
    let mut entries = Vec::new();
    loop {
        cursor.entry = entries.len();
        let entry = cursor.entry;
        // 1. The header's numbers that differ from entry to entry.
        let head = cursor.take(HEADER)?;
        let field = |index: usize| number(head, index).ok_or(CpioError::Header { entry });
        let (mode, size, name_size) = (field(1)?, field(6)?, field(11)?);
        // 2. The name, which its zero byte ends.
        let length = usize::try_from(name_size).unwrap_or(usize::MAX);
        if !(2..=MAX_NAME + 1).contains(&length) {
            return Err(CpioError::Name { entry });
        }
        let name = cursor.take(length)?.strip_suffix(&[0]).and_then(|name| core::str::from_utf8(name).ok());
        let name = name.ok_or(CpioError::Name { entry })?.to_owned();
        cursor.padding()?;
        // 3. The trailer, and nothing after it.
        if name == TRAILER {
            let expected = header(0, 0, 1, 0, TRAILER);
            return match archive.len() - cursor.at {
                _ if !expected.starts_with(head) => Err(CpioError::Header { entry }),
                0 => Ok(entries),
                got => Err(CpioError::TrailingBytes { got }),
            };
        }
        if entry == MAX_ENTRIES {
            return Err(CpioError::Entries { limit: MAX_ENTRIES });
        }
        // 4. What it is; a folder has no content.
        let content = match mode & !PERMISSIONS {
            FOLDER if size == 0 => Content::Folder,
            FILE => Content::File(cursor.take(usize::try_from(size).unwrap_or(usize::MAX))?.to_vec()),
            _ => return Err(CpioError::Kind { entry, got: mode }),
        };
        cursor.padding()?;
        let read = Entry { name, permissions: mode & PERMISSIONS, content };
        // 5. All of its header, as this module writes it.
        if !header(inode(entry), mode, read.links(), size, &read.name).starts_with(head) {
            return Err(CpioError::Header { entry });
        }
        entries.push(read);
        check(&entries, entry)?;
    }
}

impl Entry {
    fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Folder => &[],
            Content::File(bytes) => bytes,
        }
    }

    fn mode(&self) -> u32 {
        self.permissions | if self.content == Content::Folder { FOLDER } else { FILE }
    }

    /// A folder has its own `.` too; folders within are not counted, as the kernel reads none of it.
    fn links(&self) -> u32 {
        if self.content == Content::Folder { 2 } else { 1 }
    }
}

/// An entry among those before it.
fn check(entries: &[Entry], number: usize) -> Result<(), CpioError> {
    let Some((entry, before)) = entries.get(..=number).and_then(<[Entry]>::split_last) else { return Ok(()) };
    if number >= MAX_ENTRIES {
        return Err(CpioError::Entries { limit: MAX_ENTRIES });
    }
    let plain = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(|byte| byte.is_ascii_graphic());
    if entry.name.len() > MAX_NAME || entry.name == TRAILER || !entry.name.split('/').all(plain) {
        return Err(CpioError::Name { entry: number });
    }
    if entry.permissions & !PERMISSIONS != 0 {
        return Err(CpioError::Permissions { entry: number, got: entry.permissions });
    }
    if before.iter().any(|other| other.name == entry.name) {
        return Err(CpioError::Twice { entry: number });
    }
    let parent = entry.name.rsplit_once('/').map(|(parent, _)| parent);
    let is_there = |parent| before.iter().any(|other| other.name == parent && other.content == Content::Folder);
    if parent.is_none_or(is_there) { Ok(()) } else { Err(CpioError::Parent { entry: number }) }
}

fn inode(number: usize) -> u32 {
    u32::try_from(number + 1).unwrap_or(u32::MAX)
}

/// Header and name: inode, mode, owner, group, links, time, size, two devices of two numbers, name's length, check.
fn header(inode: u32, mode: u32, links: u32, size: u32, name: &str) -> Vec<u8> {
    let name_size = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
    let numbers = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0];
    let digits: String = numbers.iter().map(|number| format!("{number:08X}")).collect();
    [MAGIC, digits.as_bytes(), name.as_bytes(), &[0]].concat()
}

fn number(header: &[u8], index: usize) -> Option<u32> {
    let digits = header.get(6 + 8 * index..14 + 8 * index)?;
    u32::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

struct Cursor<'a> {
    archive: &'a [u8],
    at: usize,
    entry: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], CpioError> {
        let rest = self.archive.get(self.at..).unwrap_or_default();
        let truncated = CpioError::Truncated { entry: self.entry, expected: length, got: rest.len() };
        let taken = rest.get(..length).ok_or(truncated)?;
        self.at += length;
        Ok(taken)
    }

    fn padding(&mut self) -> Result<(), CpioError> {
        let padding = self.take(self.at.next_multiple_of(4) - self.at)?;
        if padding.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(CpioError::Padding { entry: self.entry }) }
    }
}

#[cfg(test)]
mod tests;
