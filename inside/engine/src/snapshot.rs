//! Snapshots: the state that survives a restart, in sealed chunks (`docs/spec/04-snapshots.md`).

use alloc::vec;
use alloc::vec::Vec;

use adyton_ledger::{Frontier, Hash, LogId, VaultId, sha256};
use adyton_seal::{AeadKey, KeyTree, Label, Nonce, Opaque, Plaintext};
use adyton_wire::{Put, Reader, WireError};

use crate::sealing::BodyError;
use crate::{Machine, SectionReader, Sections};

/// Plaintext bytes of a chunk.
const CHUNK: usize = 262_144;
/// Plaintext bytes of a chunk that is alone: one of these, so that its length does not tell the state's. Of several chunks each
/// is whole.
const ALONE: [usize; 3] = [4096, 16_384, 65_536];
/// Roots that a snapshot names at the most.
const MAX_ROOTS: usize = 2;
const VERSION: u8 = 1;

/// A root of a log, as another log recorded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownRoot {
    /// Entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Where a snapshot stands in its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// The tree over what is covered.
    pub frontier: Frontier,
    /// The last roots that were given to another log when the snapshot was taken, at most two: the last one may
    /// not have become durable there.
    pub roots: Vec<KnownRoot>,
}

impl From<Frontier> for Base {
    fn from(frontier: Frontier) -> Self {
        Self { frontier, roots: Vec::new() }
    }
}

impl Base {
    fn encode(&self, out: &mut Plaintext) {
        out.put_u64(self.frontier.size());
        let mut encoded = Vec::new();
        self.frontier.encode(&mut encoded);
        out.put(&encoded);
        let roots = &self.roots[self.roots.len().saturating_sub(MAX_ROOTS)..];
        out.put_u8(u8::try_from(roots.len()).unwrap_or_default());
        for KnownRoot { size, root } in roots {
            out.put_u64(*size);
            out.put(&root.0);
        }
    }

    /// Takes what [`Base::encode`] wrote off the front.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, BodyError> {
        let covered = reader.u64()?;
        let (frontier, taken) = Frontier::decode(reader.rest()).map_err(|_| BodyError)?;
        reader.take(taken)?;
        let count = usize::from(reader.u8()?);
        if frontier.size() != covered || count > MAX_ROOTS {
            return Err(BodyError);
        }
        let root = |_| Ok(KnownRoot { size: reader.u64()?, root: Hash(reader.array()?) });
        let roots = (0..count).map(root).collect::<Result<_, WireError>>()?;
        Ok(Self { frontier, roots })
    }
}

/// Length of a plaintext of so many bytes with its zeros.
fn padded(length: usize) -> usize {
    ALONE.into_iter().find(|size| *size >= length).unwrap_or(length.next_multiple_of(CHUNK))
}

/// The manifest of a snapshot, the one record of its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Id of the snapshot.
    pub id: [u8; 16],
    /// Entries below this index are covered.
    pub covered: u64,
    /// SHA-256 of each sealed chunk.
    pub chunks: Vec<Hash>,
}

impl Manifest {
    /// Encodes the record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&self.covered.to_be_bytes());
        out.extend_from_slice(&u32::try_from(self.chunks.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.chunks.iter().for_each(|chunk| out.extend_from_slice(&chunk.0));
        out
    }

    /// Decodes a record, which is the whole input.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn decode(record: &[u8]) -> Result<Self, BodyError> {
        let mut reader = Reader::new(record);
        if reader.u8()? != VERSION {
            return Err(BodyError);
        }
        let (id, covered, count) = (reader.array()?, reader.u64()?, reader.u32()?);
        let chunks = (0..count).map(|_| reader.array().map(Hash)).collect::<Result<_, WireError>>()?;
        reader.finish()?;
        Ok(Self { id, covered, chunks })
    }
}

/// Which log and boot a snapshot belongs to.
pub struct SnapshotContext<'a> {
    /// The key tree.
    pub keys: &'a KeyTree,
    /// The vault.
    pub vault: VaultId,
    /// The log.
    pub log: LogId,
    /// The boot that took it.
    pub boot_id: [u8; 16],
}

impl SnapshotContext<'_> {
    /// Seals the frozen state of a machine and the base at whose size it was frozen, and passes
    /// each chunk on as soon as it is full: at most one is held here. The state is written twice,
    /// for lengths stand before what they count.
    ///
    /// The caller draws `id` at random and never uses it twice: the key is derived from it, and
    /// chunks are numbered from 0 under it.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses, or `store_chunk` takes no more, which it says by `false`.
    pub fn seal<M: Machine>(
        &self,
        id: [u8; 16],
        frozen: &M::Frozen,
        base: &Base,
        store_chunk: impl FnMut(Vec<u8>) -> bool,
    ) -> Result<Manifest, Opaque> {
        let covered = base.frontier.size();
        let mut begin = Plaintext::with_capacity(4096);
        base.encode(&mut begin);
        let mut lengths = Vec::new();
        M::save(frozen, &mut Sections::lengths(&mut lengths));
        let used = begin.len() + Sections::total(&lengths);
        let total = padded(used);
        let count = u32::try_from(total.div_ceil(CHUNK)).map_err(|_| Opaque)?;
        let mut chunks = Chunks {
            scope: self,
            key: self.key(&id)?,
            id,
            covered,
            count,
            piece: Plaintext::with_capacity(CHUNK),
            hashes: Vec::new(),
            store_chunk,
            stopped: false,
        };
        chunks.put(begin.as_bytes());
        M::save(frozen, &mut Sections::pieces(&lengths, &mut |piece| chunks.put(piece)));
        chunks.put(&vec![0; total - used]);
        Ok(Manifest { id, covered, chunks: chunks.end()? })
    }

    /// Opens the chunks that a manifest names.
    ///
    /// # Errors
    /// [`BodyError`], whatever is wrong.
    pub fn open<M: Machine>(&self, manifest: &Manifest, chunks: &[Vec<u8>]) -> Result<(M, Base), BodyError> {
        let count = u32::try_from(chunks.len()).map_err(|_| BodyError)?;
        if chunks.iter().map(|chunk| sha256(chunk)).ne(manifest.chunks.iter().copied()) {
            return Err(BodyError);
        }
        let key = self.key(&manifest.id)?;
        let mut plaintext = Plaintext::with_capacity(CHUNK);
        for (number, chunk) in (0..count).zip(chunks) {
            let aad = self.aad(&manifest.id, manifest.covered, number, count);
            plaintext.put(key.open(Nonce::counter(u64::from(number)), &aad, chunk)?.as_bytes());
        }
        let mut reader = plaintext.reader();
        let base = Base::decode(&mut reader)?;
        if base.frontier.size() != manifest.covered {
            return Err(BodyError);
        }
        let mut sections = SectionReader::padded(reader.rest());
        let machine = M::load(&mut sections)?;
        // A section that the machine did not read is of another version.
        if sections.section()?.is_some() {
            return Err(BodyError);
        }
        // One state has one length.
        if padded(plaintext.len() - sections.padding()) != plaintext.len() {
            return Err(BodyError);
        }
        Ok((machine, base))
    }

    fn key(&self, id: &[u8; 16]) -> Result<AeadKey, Opaque> {
        AeadKey::new(&self.keys.derive(Label::Snapshot, &[self.log.name().as_bytes(), &self.boot_id, id])?)
    }

    fn aad(&self, id: &[u8; 16], covered: u64, number: u32, count: u32) -> Vec<u8> {
        let mut aad = Vec::new();
        aad.put_lp(b"adyton snapshot v3");
        aad.extend_from_slice(&self.vault.0);
        aad.put_lp(self.log.name().as_bytes());
        aad.extend_from_slice(id);
        aad.extend_from_slice(&covered.to_be_bytes());
        aad.extend_from_slice(&number.to_be_bytes());
        aad.extend_from_slice(&count.to_be_bytes());
        aad
    }
}

/// Cuts a plaintext into chunks and seals them.
struct Chunks<'a, F> {
    scope: &'a SnapshotContext<'a>,
    key: AeadKey,
    id: [u8; 16],
    covered: u64,
    /// Chunks in all.
    count: u32,
    /// The plaintext of the next chunk, as far as it is there.
    piece: Plaintext,
    /// Of those that were passed on.
    hashes: Vec<Hash>,
    store_chunk: F,
    stopped: bool,
}

impl<F: FnMut(Vec<u8>) -> bool> Chunks<'_, F> {
    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.stopped {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.piece.len()));
            self.piece.put(now);
            bytes = later;
            if self.piece.len() == CHUNK {
                self.stopped = self.seal().is_err();
            }
        }
    }

    fn seal(&mut self) -> Result<(), Opaque> {
        let number = u32::try_from(self.hashes.len()).map_err(|_| Opaque)?;
        let aad = self.scope.aad(&self.id, self.covered, number, self.count);
        let piece = core::mem::replace(&mut self.piece, Plaintext::with_capacity(CHUNK));
        let mut chunk = Vec::new();
        self.key.seal(Nonce::counter(u64::from(number)), &aad, piece, &mut chunk)?;
        self.hashes.push(sha256(&chunk));
        if (self.store_chunk)(chunk) { Ok(()) } else { Err(Opaque) }
    }

    /// The last chunk, which is shorter if it is alone and small; the hashes of all.
    fn end(mut self) -> Result<Vec<Hash>, Opaque> {
        if !self.stopped && !self.piece.is_empty() {
            self.seal()?;
        }
        let is_whole = !self.stopped && u32::try_from(self.hashes.len()) == Ok(self.count);
        if is_whole { Ok(self.hashes) } else { Err(Opaque) }
    }
}
