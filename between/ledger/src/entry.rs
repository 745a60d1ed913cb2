//! Log entries: a public header and the hash of a body (`docs/spec/02-entries.md`).

use alloc::vec::Vec;
use core::fmt;

use adyton_wire::length;

use crate::hash::hash_parts;
use crate::{Hash, leaf_hash, node_hash, sha256};

/// Length of an entry in bytes.
pub const ENTRY_LEN: usize = 160;
/// Length of its header in bytes.
pub const HEADER_LEN: usize = 128;

const VERSION: u8 = 1;
const SMALLEST_CLASS: usize = 256;
const LARGEST_CLASS: usize = 512 * 1024;

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Events of one tenant in one batch.
    Ops,
    /// A boot began.
    Boot,
    /// A snapshot was taken.
    Snapshot,
    /// A public record.
    Gov,
}

/// How long an entry's body is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Until the next snapshot: only hot events are in it.
    UntilSnapshot,
    /// For the policy's retention.
    Retention,
    /// For ever.
    Forever,
}

/// The public part of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it holds.
    pub kind: Kind,
    /// How long its body is kept.
    pub keep: Keep,
    /// Length of the body in bytes.
    pub body_len: u32,
    /// Place in its log.
    pub index: u64,
    /// Unix seconds / 10.
    pub time_bucket: u64,
    /// Pseudonym of the day; zeros where no tenant is concerned.
    pub tenant: [u8; 16],
    /// The boot that wrote it.
    pub boot_id: [u8; 16],
    /// The release that wrote it.
    pub release: u64,
    /// Root of the commitments of its operations; zeros for `gov`.
    pub commitments: Hash,
}

/// Why 128 bytes are not a header. All fields are public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// The version is another one.
    Version {
        /// What stands there.
        got: u8,
    },
    /// The kind is unknown.
    Kind {
        /// What stands there.
        got: u8,
    },
    /// The keep is unknown.
    Keep {
        /// What stands there.
        got: u8,
    },
    /// A reserved byte is not zero.
    Reserved,
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { got } => write!(f, "entry version: expected {VERSION}, got {got}"),
            Self::Kind { got } => write!(f, "entry kind: expected 1 to 4, got {got}"),
            Self::Keep { got } => write!(f, "entry keep: expected 0 to 2, got {got}"),
            Self::Reserved => f.write_str("a reserved byte of the entry is not zero"),
        }
    }
}

impl core::error::Error for EntryError {}

impl Header {
    /// The bytes.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let Self { kind, keep, body_len, index, time_bucket, tenant, boot_id, release, commitments } = self;
        let mut out = [0; HEADER_LEN];
        out[0] = VERSION;
        out[1] = match kind {
            Kind::Ops => 1,
            Kind::Boot => 2,
            Kind::Snapshot => 3,
            Kind::Gov => 4,
        };
        out[2] = match keep {
            Keep::UntilSnapshot => 0,
            Keep::Retention => 1,
            Keep::Forever => 2,
        };
        out[4..8].copy_from_slice(&body_len.to_be_bytes());
        out[8..16].copy_from_slice(&index.to_be_bytes());
        out[16..24].copy_from_slice(&time_bucket.to_be_bytes());
        out[24..40].copy_from_slice(tenant);
        out[40..56].copy_from_slice(boot_id);
        out[56..64].copy_from_slice(&release.to_be_bytes());
        out[64..96].copy_from_slice(&commitments.0);
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
        let keep = match bytes[2] {
            0 => Keep::UntilSnapshot,
            1 => Keep::Retention,
            2 => Keep::Forever,
            got => return Err(EntryError::Keep { got }),
        };
        if bytes[3] != 0 || bytes[96..].iter().any(|byte| *byte != 0) {
            return Err(EntryError::Reserved);
        }
        Ok(Self {
            kind,
            keep,
            body_len: u32::from_be_bytes(field(bytes, 4)),
            index: u64::from_be_bytes(field(bytes, 8)),
            time_bucket: u64::from_be_bytes(field(bytes, 16)),
            tenant: field(bytes, 24),
            boot_id: field(bytes, 40),
            release: u64::from_be_bytes(field(bytes, 56)),
            commitments: Hash(field(bytes, 64)),
        })
    }
}

fn field<const N: usize>(bytes: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

/// A leaf of a log: `header || SHA-256(body)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry([u8; ENTRY_LEN]);

impl Entry {
    /// The entry of a header (whose `body_len` is set) and its body.
    pub fn new(header: &Header, body: &[u8]) -> Self {
        let mut bytes = [0; ENTRY_LEN];
        bytes[..HEADER_LEN].copy_from_slice(&header.encode());
        bytes[HEADER_LEN..].copy_from_slice(&sha256(body).0);
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

    /// The header's bytes, as they enter the associated data of the body's seal.
    pub fn header_bytes(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out.copy_from_slice(&self.0[..HEADER_LEN]);
        out
    }

    /// The header.
    ///
    /// # Errors
    /// As [`Header::decode`].
    pub fn header(&self) -> Result<Header, EntryError> {
        Header::decode(&self.header_bytes())
    }

    /// SHA-256 of the body.
    pub fn body_hash(&self) -> Hash {
        let mut out = [0; 32];
        out.copy_from_slice(&self.0[HEADER_LEN..]);
        Hash(out)
    }

    /// RFC 9162 leaf hash of the whole entry.
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.0)
    }
}

/// The smallest size class that holds `len` bytes, or `None` above the largest.
pub fn size_class(len: usize) -> Option<usize> {
    let class = len.max(SMALLEST_CLASS).checked_next_power_of_two()?;
    (class <= LARGEST_CLASS).then_some(class)
}

/// The commitment of one event.
pub fn commitment(salt: &[u8; 16], event: &[u8]) -> Hash {
    hash_parts(&[&[0], salt, &length(event), event])
}

/// The RFC 9162 root over commitments; of none, SHA-256 of nothing.
pub fn commitments_root(commitments: &[Hash]) -> Hash {
    let mut level: Vec<Hash> = commitments.to_vec();
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
