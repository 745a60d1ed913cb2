//! RFC 9162's tree: hashes, a growing frontier, inclusion and consistency proofs (§2.1).

use alloc::vec::Vec;
use core::fmt;

use adyton_wire::{Put, Reader, WireError};

use crate::hash::hash_parts;
use crate::{Hash, sha256};

/// `SHA-256(0x00 || bytes)`.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    hash_parts(&[&[0], bytes])
}

/// `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash_parts(&[&[1], &left.0, &right.0])
}

/// The roots of the full subtrees of a tree, largest first: all that is needed to grow it and to know its root.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

/// Why bytes are not a frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontierError;

impl fmt::Display for FrontierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a frontier has as many hashes as its size has one bits")
    }
}

impl core::error::Error for FrontierError {}

impl From<WireError> for FrontierError {
    fn from(_: WireError) -> Self {
        Self
    }
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root; of the empty tree SHA-256 of nothing.
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let Some(smallest) = roots.next() else { return sha256(&[]) };
        roots.fold(*smallest, |right, left| node_hash(left, &right))
    }

    /// Writes `u64 size || u8 n || n × [32]`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.size);
        // At most 64: one for each bit of the size.
        out.put_u8(u8::try_from(self.roots.len()).unwrap_or(u8::MAX));
        self.roots.iter().for_each(|root| out.put(&root.0));
    }

    /// Reads a frontier from the front of `bytes`; also says how many bytes it took.
    ///
    /// # Errors
    /// [`FrontierError`] if bytes are missing or the count does not fit the size.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), FrontierError> {
        let mut reader = Reader::new(bytes);
        let (size, count) = (reader.u64()?, reader.u8()?);
        if u32::from(count) != size.count_ones() {
            return Err(FrontierError);
        }
        let mut roots = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            roots.push(Hash(reader.array()?));
        }
        Ok((Self { size, roots }, bytes.len() - reader.rest().len()))
    }
}

/// Why a proof does not hold. Everything here is public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// The index is not below the size, or the old size is above the new one.
    OutOfRange,
    /// The proof has too few or too many hashes.
    Length,
    /// The recomputed root is another one.
    Root {
        /// The root that was to be proven.
        expected: Hash,
        /// The root that the proof leads to.
        got: Hash,
    },
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange => f.write_str("the proof is for a place outside the tree"),
            Self::Length => f.write_str("the proof has the wrong number of hashes"),
            Self::Root { expected, got } => write!(f, "the proof leads to root {got}, expected {expected}"),
        }
    }
}

impl core::error::Error for ProofError {}

/// The largest power of two below `n` (n ≥ 2).
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// `PATH(index, D[size])` of RFC 9162 §2.1.3.1. `range(start, end)` gives the Merkle tree hash of those leaves.
///
/// # Errors
/// [`ProofError::OutOfRange`].
pub fn inclusion_proof(
    index: u64,
    size: u64,
    range: &mut impl FnMut(u64, u64) -> Hash,
) -> Result<Vec<Hash>, ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange);
    }
    let (mut start, mut end) = (0, size);
    let mut path = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range(middle, end));
            end = middle;
        } else {
            path.push(range(start, middle));
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// RFC 9162 §2.1.3.2.
///
/// # Errors
/// [`ProofError`], exactly what is wrong.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    expect(root, hash)
}

/// `PROOF(old, D[new])` of RFC 9162 §2.1.4.1; empty for an old size of 0 or of `new`.
///
/// # Errors
/// [`ProofError::OutOfRange`].
pub fn consistency_proof(
    old: u64,
    new: u64,
    range: &mut impl FnMut(u64, u64) -> Hash,
) -> Result<Vec<Hash>, ProofError> {
    if old > new {
        return Err(ProofError::OutOfRange);
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut start, mut end, mut whole) = (0, new, true);
    let mut path = Vec::new();
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range(middle, end));
            end = middle;
        } else {
            path.push(range(start, middle));
            start = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(range(start, end));
    }
    path.reverse();
    Ok(path)
}

/// RFC 9162 §2.1.4.2. An old size of 0 is a prefix of everything and takes no proof.
///
/// # Errors
/// [`ProofError`], exactly what is wrong.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::OutOfRange);
    }
    if old == 0 || old == new {
        if !proof.is_empty() {
            return Err(ProofError::Length);
        }
        return if old == new { expect(new_root, *old_root) } else { expect(old_root, sha256(&[])) };
    }
    let mut hashes = proof.iter();
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let first = if old.is_power_of_two() { *old_root } else { *hashes.next().ok_or(ProofError::Length)? };
    let (mut from_old, mut from_new) = (first, first);
    for sibling in hashes {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    expect(old_root, from_old)?;
    expect(new_root, from_new)
}

fn expect(expected: &Hash, got: Hash) -> Result<(), ProofError> {
    if *expected == got { Ok(()) } else { Err(ProofError::Root { expected: *expected, got }) }
}
