//! Log entries: a public header and the hashes of two bodies (`docs/spec/02-entries.md`).

use alloc::vec::Vec;
use core::fmt;

use adyton_wire::length;

use crate::hash::hash_parts;
use crate::{Hash, leaf_hash, node_hash, sha256};

/// Length of an entry in bytes.
pub const ENTRY_LEN: usize = 176;
/// Length of its header in bytes.
pub const HEADER_LEN: usize = 112;

const VERSION: u8 = 2;
/// The largest size of a body.
const MAX_SIZE_CLASS: u8 = 6;
/// Leaves of a body at the least, so that the path of a proof does not tell how few operations there were.
const MIN_LEAVES: usize = 16;

/// Kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The operations of one batch.
    Ops,
    /// A boot began.
    Boot,
    /// A snapshot was taken.
    Snapshot,
    /// A public record.
    Gov,
}

/// One of the two bodies of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Body {
    /// Events of classes H and P; it may be deleted after the next snapshot.
    Hot,
    /// Events of classes S and A; it stays for the retention period.
    Kept,
}

impl Body {
    /// Both, in the format's order.
    pub const ALL: [Self; 2] = [Self::Hot, Self::Kept];

    /// Its number in nonces, salts and associated data.
    pub const fn number(self) -> u8 {
        match self {
            Self::Hot => 0,
            Self::Kept => 1,
        }
    }
}

/// The size of a body as a header tells it: a class, or that there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u8);

impl Size {
    /// There is no such body.
    pub const ABSENT: Self = Self(0);

    /// The smallest class that holds `length` bytes; `None` above the largest, 1 MiB.
    pub fn holding(length: usize) -> Option<Self> {
        (1..=MAX_SIZE_CLASS).map(Self).find(|size| length <= size.bytes())
    }

    /// Whether there is no such body.
    pub const fn is_absent(self) -> bool {
        self.0 == 0
    }

    /// Bytes of the class: 1 KiB · 4^(size−1), or none.
    pub const fn bytes(self) -> usize {
        match self.0 {
            0 => 0,
            size => 1024 << (2 * (size - 1)),
        }
    }

    /// Its number in the header.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// The public part of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its content.
    pub kind: Kind,
    /// Size of the hot body.
    pub hot_size: Size,
    /// Size of the kept body.
    pub kept_size: Size,
    /// Place in its log.
    pub index: u64,
    /// Unix seconds / 10.
    pub time_bucket: u64,
    /// The boot that wrote it.
    pub boot_id: [u8; 16],
    /// The release that wrote it.
    pub release: u64,
    /// Root of the hot body's leaves; zeros if it is absent, and for `gov`.
    pub hot_root: Hash,
    /// Root of the kept body's leaves; zeros if it is absent, and for `gov`.
    pub kept_root: Hash,
}

/// Why 112 bytes are not a header. All fields are public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// The version is another one.
    Version {
        /// The value found.
        got: u8,
    },
    /// The kind is unknown.
    Kind {
        /// The value found.
        got: u8,
    },
    /// The size of a body is unknown.
    Size {
        /// Of which body.
        body: Body,
        /// The value found.
        got: u8,
    },
    /// The key period is not 0.
    KeyPeriod {
        /// The value found.
        got: u8,
    },
    /// A reserved byte is not zero.
    Reserved,
    /// A body that is absent has a root.
    Root {
        /// Which body.
        body: Body,
    },
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { got } => write!(f, "entry version: expected {VERSION}, got {got}"),
            Self::Kind { got } => write!(f, "entry kind: expected 1 to 4, got {got}"),
            Self::Size { body, got } => {
                write!(f, "size of the entry's {} body: expected 0 to {MAX_SIZE_CLASS}, got {got}", body.word())
            }
            Self::KeyPeriod { got } => write!(f, "key period of the entry: expected 0, got {got}"),
            Self::Reserved => f.write_str("a reserved byte of the entry is not zero"),
            Self::Root { body } => write!(f, "the entry has no {} body, but a root of one", body.word()),
        }
    }
}

impl core::error::Error for EntryError {}

impl Body {
    fn word(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Kept => "kept",
        }
    }
}

impl Header {
    /// The size of one of the bodies.
    pub fn size(&self, body: Body) -> Size {
        match body {
            Body::Hot => self.hot_size,
            Body::Kept => self.kept_size,
        }
    }

    /// The bytes.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let Self { kind, hot_size, kept_size, index, time_bucket, boot_id, release, hot_root, kept_root } = self;
        let mut out = [0; HEADER_LEN];
        out[0] = VERSION;
        out[1] = match kind {
            Kind::Ops => 1,
            Kind::Boot => 2,
            Kind::Snapshot => 3,
            Kind::Gov => 4,
        };
        out[2] = hot_size.0;
        out[3] = kept_size.0;
        out[8..16].copy_from_slice(&index.to_be_bytes());
        out[16..24].copy_from_slice(&time_bucket.to_be_bytes());
        out[24..40].copy_from_slice(boot_id);
        out[40..48].copy_from_slice(&release.to_be_bytes());
        out[48..80].copy_from_slice(&hot_root.0);
        out[80..112].copy_from_slice(&kept_root.0);
        out
    }

    /// Reads the bytes, strictly.
    ///
    /// # Errors
    /// [`EntryError`], the first rule that is broken.
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, EntryError> {
        if bytes[0] != VERSION {
            return Err(EntryError::Version { got: bytes[0] });
        }
        let kind = match bytes[1] {
            1 => Kind::Ops,
            2 => Kind::Boot,
            3 => Kind::Snapshot,
            4 => Kind::Gov,
            got => return Err(EntryError::Kind { got }),
        };
        for (body, got) in [(Body::Hot, bytes[2]), (Body::Kept, bytes[3])] {
            if got > MAX_SIZE_CLASS {
                return Err(EntryError::Size { body, got });
            }
        }
        if bytes[4] != 0 {
            return Err(EntryError::KeyPeriod { got: bytes[4] });
        }
        if bytes[5..8] != [0; 3] {
            return Err(EntryError::Reserved);
        }
        let header = Self {
            kind,
            hot_size: Size(bytes[2]),
            kept_size: Size(bytes[3]),
            index: u64::from_be_bytes(field(bytes, 8)),
            time_bucket: u64::from_be_bytes(field(bytes, 16)),
            boot_id: field(bytes, 24),
            release: u64::from_be_bytes(field(bytes, 40)),
            hot_root: Hash(field(bytes, 48)),
            kept_root: Hash(field(bytes, 80)),
        };
        for (body, root) in [(Body::Hot, header.hot_root), (Body::Kept, header.kept_root)] {
            if header.size(body).is_absent() && root != Hash::default() {
                return Err(EntryError::Root { body });
            }
        }
        Ok(header)
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

/// A leaf of a log: `header || SHA-256(hot body) || SHA-256(kept body)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry([u8; ENTRY_LEN]);

impl Entry {
    /// The entry of a header and its bodies, of which those are there that the header has a size of.
    pub fn new(header: &Header, hot: Option<&[u8]>, kept: Option<&[u8]>) -> Self {
        let mut bytes = [0; ENTRY_LEN];
        bytes[..HEADER_LEN].copy_from_slice(&header.encode());
        for (at, body) in [(HEADER_LEN, hot), (HEADER_LEN + 32, kept)] {
            bytes[at..at + 32].copy_from_slice(&body.map_or(Hash::default(), sha256).0);
        }
        Self(bytes)
    }

    /// Takes the bytes as they came; [`Entry::header`] says whether they mean something.
    pub fn from_bytes(bytes: [u8; ENTRY_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; ENTRY_LEN] {
        &self.0
    }

    /// The header's bytes, as they enter the associated data of the bodies' seals.
    pub fn header_bytes(&self) -> [u8; HEADER_LEN] {
        field(&self.0, 0)
    }

    /// The header.
    ///
    /// # Errors
    /// As [`Header::decode`].
    pub fn header(&self) -> Result<Header, EntryError> {
        Header::decode(&self.header_bytes())
    }

    /// SHA-256 of a body; zeros if it is absent.
    pub fn body_hash(&self, body: Body) -> Hash {
        Hash(field(&self.0, HEADER_LEN + 32 * usize::from(body.number())))
    }

    /// RFC 9162 leaf hash of the whole entry.
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.0)
    }
}

/// The leaf of one operation's part of a body.
pub fn part_leaf(salt: &[u8; 16], part: &[u8]) -> Hash {
    hash_parts(&[&[0], salt, &length(part), part])
}

/// Leaves of a body with `operations` parts: a power of two, and 16 at the least.
pub fn leaves_of(operations: usize) -> usize {
    operations.max(MIN_LEAVES).next_power_of_two()
}

/// The RFC 9162 root over leaves; of none, SHA-256 of nothing.
pub fn leaves_root(leaves: &[Hash]) -> Hash {
    let mut level: Vec<Hash> = leaves.to_vec();
    if level.is_empty() {
        return sha256(&[]);
    }
    // Pairing level by level and carrying an odd last one up gives the same tree as RFC 9162's split.
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                [odd, ..] => *odd,
                [] => Hash::default(),
            })
            .collect();
    }
    level[0]
}
