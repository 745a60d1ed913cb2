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
const VERSION: u8 = 1;

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
pub struct Scope<'a> {
    /// The key tree.
    pub keys: &'a KeyTree,
    /// The vault.
    pub vault: VaultId,
    /// The log.
    pub log: LogId,
    /// The boot that took it.
    pub boot_id: [u8; 16],
}

impl Scope<'_> {
    /// Seals the frozen state of a machine and the frontier at whose size it was frozen, and gives
    /// each chunk away as soon as it is full: no more than one is held here. The state is written
    /// twice, for lengths stand before what they count.
    ///
    /// The caller draws `id` at random and never uses it twice: the key is derived from it, and
    /// chunks are numbered from 0 under it.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses, or `give` takes no more, which it says by `false`.
    pub fn seal<M: Machine>(
        &self,
        id: [u8; 16],
        frozen: &M::Frozen,
        frontier: &Frontier,
        give: impl FnMut(Vec<u8>) -> bool,
    ) -> Result<Manifest, Opaque> {
        let covered = frontier.size();
        let mut begin = Plaintext::with_capacity(4096);
        begin.put_u64(covered);
        let mut encoded = Vec::new();
        frontier.encode(&mut encoded);
        begin.put(&encoded);
        let mut lengths = Vec::new();
        M::save(frozen, &mut Sections::lengths(&mut lengths));
        let total = begin.len() + Sections::total(&lengths);
        let count = u32::try_from(total.div_ceil(CHUNK)).map_err(|_| Opaque)?;
        let mut chunks = Chunks {
            scope: self,
            key: self.key(&id)?,
            id,
            covered,
            count,
            piece: Plaintext::with_capacity(CHUNK),
            hashes: Vec::new(),
            give,
            stopped: false,
        };
        chunks.put(begin.as_bytes());
        M::save(frozen, &mut Sections::pieces(&lengths, &mut |piece| chunks.put(piece)));
        Ok(Manifest { id, covered, chunks: chunks.end()? })
    }

    /// Opens the chunks that a manifest names.
    ///
    /// # Errors
    /// [`BodyError`], whatever is wrong.
    pub fn open<M: Machine>(&self, manifest: &Manifest, chunks: &[Vec<u8>]) -> Result<(M, Frontier), BodyError> {
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
        let covered = reader.u64()?;
        let (frontier, taken) = Frontier::decode(reader.rest()).map_err(|_| BodyError)?;
        reader.take(taken)?;
        if covered != manifest.covered || frontier.size() != covered {
            return Err(BodyError);
        }
        let mut sections = SectionReader::new(reader.rest());
        let machine = M::load(&mut sections)?;
        // A section that the machine did not read is of another version.
        if sections.section()?.is_some() {
            return Err(BodyError);
        }
        Ok((machine, frontier))
    }

    fn key(&self, id: &[u8; 16]) -> Result<AeadKey, Opaque> {
        AeadKey::new(&self.keys.derive(Label::Snapshot, &[self.log.name().as_bytes(), &self.boot_id, id])?)
    }

    fn aad(&self, id: &[u8; 16], covered: u64, number: u32, count: u32) -> Vec<u8> {
        let mut aad = Vec::new();
        aad.put_lp(b"adyton snapshot v2");
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
    scope: &'a Scope<'a>,
    key: AeadKey,
    id: [u8; 16],
    covered: u64,
    /// Chunks in all.
    count: u32,
    /// The plaintext of the next chunk, as far as it is there.
    piece: Plaintext,
    /// Of those that were given away.
    hashes: Vec<Hash>,
    give: F,
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
        if (self.give)(chunk) { Ok(()) } else { Err(Opaque) }
    }

    /// The last chunk, which may be shorter; the hashes of all.
    fn end(mut self) -> Result<Vec<Hash>, Opaque> {
        if !self.stopped && !self.piece.is_empty() {
            self.seal()?;
        }
        let is_whole = !self.stopped && u32::try_from(self.hashes.len()) == Ok(self.count);
        if is_whole { Ok(self.hashes) } else { Err(Opaque) }
    }
}
