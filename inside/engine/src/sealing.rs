//! Entries of one log in one boot: made and opened (`docs/spec/02-entries.md`).
//!
//! To seal:
//! 1. the records' plaintext, padded to a size class;
//! 2. the commitments of its events and their root;
//! 3. the header, which 4. is associated data of the body's seal, with the index as nonce.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use adyton_decider::{Corrupt, Record as Event};
use adyton_ledger::{Entry, Header, Keep, Kind, LogId, Record, VaultId, commitment, commitments_root, size_class};
use adyton_seal::{AeadKey, HmacKey, KeyTree, Label, Nonce, Opaque, Plaintext, Reader, TAG_LEN, keyed_hash_16, put_lp};

/// Why a stored body does not open. The store is untrusted, so this refuses a boot and says no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyError;

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a body of the log does not open")
    }
}

impl core::error::Error for BodyError {}

impl From<Opaque> for BodyError {
    fn from(_: Opaque) -> Self {
        Self
    }
}

impl From<Corrupt> for BodyError {
    fn from(_: Corrupt) -> Self {
        Self
    }
}

/// Bytes that a stored entry takes in a frame when its records, each with its length before it, have `length` bytes: header
/// and hash, the body's length, the padded plaintext, the tag. `None`: no size class holds them.
pub fn stored_size(length: usize) -> Option<usize> {
    let class = size_class(length.checked_add(PLAINTEXT_HEAD)?)?;
    Some(ENTRY_LEN + BODY_LENGTH + class + TAG_LEN)
}

/// Bytes of a plaintext before its records: their length and their count.
const PLAINTEXT_HEAD: usize = 8;
/// Bytes of an entry.
const ENTRY_LEN: usize = 160;
/// Bytes of a body's length in a frame.
const BODY_LENGTH: usize = 4;

/// Records of one entry before sealing: `lp(event) || …`, and how many.
pub struct Records {
    bytes: Plaintext,
    count: u32,
}

impl Default for Records {
    fn default() -> Self {
        Self { bytes: Plaintext::with_capacity(1024), count: 0 }
    }
}

impl Records {
    /// Adds an event.
    pub fn push(&mut self, event: &impl Event) {
        self.bytes.put_nested(|out| event.encode(out));
        self.count += 1;
    }

    /// Adds a record: an encoded event, or a snapshot's manifest.
    pub fn push_bytes(&mut self, record: &[u8]) {
        self.bytes.put_lp(record);
        self.count += 1;
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// What stands in a header besides what sealing computes.
pub struct Place {
    /// What the entry holds.
    pub kind: Kind,
    /// How long its body is kept.
    pub keep: Keep,
    /// Where it stands.
    pub index: u64,
    /// Unix seconds / 10.
    pub time_bucket: u64,
    /// Whose it is.
    pub tenant: Option<String>,
}

/// Seals the entries of one log in one boot. It is the only holder of K_boot.
pub struct Sealer {
    vault: VaultId,
    log: LogId,
    log_name: String,
    boot_id: [u8; 16],
    release: u64,
    body: AeadKey,
    commitment: HmacKey,
    pseudonym: HmacKey,
    /// Pseudonyms of today, so that each is computed once a day.
    today: (u32, BTreeMap<String, [u8; 16]>),
}

impl Sealer {
    /// Derives the keys of one log and one boot.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses.
    pub fn new(keys: &KeyTree, vault: VaultId, log: LogId, boot_id: [u8; 16], release: u64) -> Result<Self, Opaque> {
        let log_name = log.name();
        let parts: [&[u8]; 2] = [log_name.as_bytes(), &boot_id];
        Ok(Self {
            body: AeadKey::new(&keys.derive(Label::Log, &parts)?)?,
            commitment: HmacKey::new(&keys.derive(Label::Commitment, &parts)?),
            pseudonym: HmacKey::new(&keys.derive(Label::Pseudonym, &[])?),
            vault,
            log,
            log_name,
            boot_id,
            release,
            today: (0, BTreeMap::new()),
        })
    }

    /// The log it seals for.
    pub fn log(&self) -> LogId {
        self.log
    }

    /// Seals one entry. The caller must never seal two things at one index.
    ///
    /// # Errors
    /// [`Opaque`] if the records are over the largest size class or the library refuses.
    pub fn seal(&mut self, place: &Place, records: &Records) -> Result<Record, Opaque> {
        // 1.
        let length = 4 + records.bytes.len();
        let class = size_class(4 + length).ok_or(Opaque)?;
        let mut plaintext = Plaintext::with_capacity(class);
        plaintext.put_u32(u32::try_from(length).map_err(|_| Opaque)?);
        plaintext.put_u32(records.count);
        plaintext.put(records.bytes.as_bytes());
        plaintext.pad_to(class);
        // 2.
        let mut commitments = Vec::with_capacity(usize::try_from(records.count).unwrap_or_default());
        let mut events = records.bytes.reader();
        for number in 0..records.count {
            commitments.push(commitment(&self.salt(place.index, number), events.lp()?));
        }
        // 3.
        let header = Header {
            kind: place.kind,
            keep: place.keep,
            body_len: u32::try_from(class + TAG_LEN).map_err(|_| Opaque)?,
            index: place.index,
            time_bucket: place.time_bucket,
            tenant: place.tenant.as_deref().map_or([0; 16], |tenant| self.pseudonym(tenant, place.time_bucket)),
            boot_id: self.boot_id,
            release: self.release,
            commitments: commitments_root(&commitments),
        };
        // 4.
        let mut body = Vec::with_capacity(class + TAG_LEN);
        let aad = aad(&self.vault, &self.log_name, place.index, &header.encode());
        self.body.seal(Nonce::counter(place.index), &aad, plaintext, &mut body)?;
        Ok(Record { entry: Entry::new(&header, &body), body })
    }

    fn salt(&self, index: u64, number: u32) -> [u8; 16] {
        let mut message = [0; 12];
        message[..8].copy_from_slice(&index.to_be_bytes());
        message[8..].copy_from_slice(&number.to_be_bytes());
        self.commitment.tag_16(&message)
    }

    fn pseudonym(&mut self, tenant: &str, time_bucket: u64) -> [u8; 16] {
        let day = u32::try_from(time_bucket / 8640).unwrap_or(u32::MAX);
        if self.today.0 != day {
            self.today = (day, BTreeMap::new());
        }
        if let Some(known) = self.today.1.get(tenant) {
            return *known;
        }
        let pseudonym = keyed_hash_16(&self.pseudonym, &[tenant.as_bytes(), &day.to_be_bytes()]);
        self.today.1.insert(tenant.into(), pseudonym);
        pseudonym
    }
}

/// Opens the bodies of one log, whichever boot sealed them.
pub struct Opener<'a> {
    keys: &'a KeyTree,
    vault: VaultId,
    log_name: String,
    /// The boot that the key is of; logs are read in order, so one is enough.
    boot: Option<([u8; 16], AeadKey)>,
}

impl<'a> Opener<'a> {
    /// Opens bodies of `log`.
    pub fn new(keys: &'a KeyTree, vault: VaultId, log: LogId) -> Self {
        Self { keys, vault, log_name: log.name(), boot: None }
    }

    /// Opens a body and hands each of its records to `each`.
    ///
    /// # Errors
    /// [`BodyError`] if it does not open, or `each` refuses.
    pub fn open(
        &mut self,
        entry: &Entry,
        header: &Header,
        body: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), BodyError>,
    ) -> Result<(), BodyError> {
        if self.boot.as_ref().is_none_or(|(boot_id, _)| *boot_id != header.boot_id) {
            let key = self.keys.derive(Label::Log, &[self.log_name.as_bytes(), &header.boot_id])?;
            self.boot = Some((header.boot_id, AeadKey::new(&key)?));
        }
        let (_, key) = self.boot.as_ref().ok_or(BodyError)?;
        let aad = aad(&self.vault, &self.log_name, header.index, &entry.header_bytes());
        let plaintext = key.open(Nonce::counter(header.index), &aad, body)?;
        let mut reader = plaintext.reader();
        let mut records = Reader::new(reader.lp()?);
        // Padding is zeros; it was authentic, so anything else is a bug of the writer.
        if reader.rest().iter().any(|byte| *byte != 0) {
            return Err(BodyError);
        }
        for _ in 0..records.u32()? {
            each(records.lp()?)?;
        }
        Ok(records.finish()?)
    }
}

fn aad(vault: &VaultId, log_name: &str, index: u64, header: &[u8; 128]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(224);
    put_lp(&mut aad, b"adyton entry v1");
    aad.extend_from_slice(&vault.0);
    put_lp(&mut aad, log_name.as_bytes());
    aad.extend_from_slice(&index.to_be_bytes());
    aad.extend_from_slice(header);
    aad
}
