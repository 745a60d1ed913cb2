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
    /// Seals the frozen state of a machine and the frontier at whose size it was frozen. The caller draws `id` at random and never uses it twice: the key is
    /// derived from it, and chunks are numbered from 0 under it.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses.
    pub fn seal<M: Machine>(
        &self,
        id: [u8; 16],
        frozen: &M::Frozen,
        frontier: &Frontier,
    ) -> Result<(Manifest, Vec<Vec<u8>>), Opaque> {
        let covered = frontier.size();
        let mut plaintext = Plaintext::with_capacity(4096);
        plaintext.put_u64(covered);
        let mut encoded = Vec::new();
        frontier.encode(&mut encoded);
        plaintext.put(&encoded);
        M::save(frozen, &mut Sections::new(&mut plaintext));
        let pieces: Vec<&[u8]> = plaintext.as_bytes().chunks(CHUNK).collect();
        let count = u32::try_from(pieces.len()).map_err(|_| Opaque)?;
        let key = self.key(&id)?;
        let mut sealed = Vec::with_capacity(pieces.len());
        for (number, piece) in (0..count).zip(pieces) {
            let mut bytes = Plaintext::with_capacity(piece.len());
            bytes.put(piece);
            let mut chunk = Vec::new();
            let aad = self.aad(&id, covered, number, count);
            key.seal(Nonce::counter(u64::from(number)), &aad, bytes, &mut chunk)?;
            sealed.push(chunk);
        }
        let chunks = sealed.iter().map(|chunk| sha256(chunk)).collect();
        Ok((Manifest { id, covered, chunks }, sealed))
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
