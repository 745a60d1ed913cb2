//! Sealing the entries of one log in one boot, and opening those of any boot (`docs/spec/02-entries.md`).
//!
//! To seal an entry:
//! 1. compute the size of each body, and the root over its leaves;
//! 2. make the header, which holds both;
//! 3. encrypt each body with the header as associated data, and body and index as nonce.

use alloc::vec::Vec;
use core::fmt;

use adyton_decider::{Class, Corrupt, Gate, Record as Event};
use adyton_ledger::{Body, Entry, Hash, Header, Kind, LogId, Record, Size, VaultId, leaves_of, leaves_root, part_leaf};
use adyton_seal::{AeadKey, HmacKey, KeyTree, Label, Nonce, Opaque, Plaintext, TAG_LEN};
use adyton_wire::{Put, Reader, WireError};

/// Bytes of a plaintext before its parts: `u32 used || u16 n`.
const PLAINTEXT_HEAD: usize = 6;
/// Bytes of a body's parts at the most, each with its length: the largest size whose bodies fit a frame.
const MAX_USED: usize = 256 * 1024 - PLAINTEXT_HEAD;
/// Bytes of a part's length before it.
const PART_HEAD: usize = 4;

/// A stored body does not open. One value for all reasons: the store is untrusted, and the boot is refused.
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

impl From<WireError> for BodyError {
    fn from(_: WireError) -> Self {
        Self
    }
}

impl From<Corrupt> for BodyError {
    fn from(_: Corrupt) -> Self {
        Self
    }
}

/// The events of one operation, encoded: its parts of the two bodies.
pub struct Operation {
    hot: Plaintext,
    kept: Plaintext,
    gate: Gate,
}

/// Bytes of both bodies, padded, of an entry whose one operation has `hot` and `kept` bytes of
/// events with their lengths. A size that no entry can hold costs `usize::MAX / 2`.
pub fn padded(hot: usize, kept: usize) -> usize {
    let size = |part: usize| match part {
        0 => 0,
        _ => Size::holding(PLAINTEXT_HEAD + PART_HEAD + part).map_or(usize::MAX / 2, Size::bytes),
    };
    size(hot) + size(kept)
}

impl Default for Operation {
    fn default() -> Self {
        Self { hot: Plaintext::with_capacity(256), kept: Plaintext::with_capacity(0), gate: Gate::default() }
    }
}

impl Operation {
    /// Adds an event to the part of its class.
    pub fn push(&mut self, event: &impl Event) {
        self.gate = self.gate.max(event.class().gate());
        self.part(body_of(event.class())).put_nested(|out| event.encode(out));
    }

    /// Adds a record that is no event: a snapshot's manifest.
    pub fn push_bytes(&mut self, body: Body, record: &[u8]) {
        // Bodies go once it has passed.
        self.gate = Gate::Certified;
        self.part(body).put_lp(record);
    }

    /// The latest gate of its events.
    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.hot.is_empty() && self.kept.is_empty()
    }

    fn part(&mut self, body: Body) -> &mut Plaintext {
        match body {
            Body::Hot => &mut self.hot,
            Body::Kept => &mut self.kept,
        }
    }
}

/// The body that holds events of a class.
pub fn body_of(class: Class) -> Body {
    match class {
        Class::H | Class::P => Body::Hot,
        Class::S | Class::A => Body::Kept,
    }
}

/// Operations of one batch before sealing: `n × lp(part)` of each body.
pub struct Operations {
    hot: Plaintext,
    kept: Plaintext,
    count: u16,
    /// Whether any part of the body is not empty; otherwise it will be absent.
    has: [bool; 2],
}

impl Default for Operations {
    fn default() -> Self {
        Self { hot: Plaintext::with_capacity(1024), kept: Plaintext::with_capacity(256), count: 0, has: [false; 2] }
    }
}

impl Operations {
    /// Adds an operation, if both bodies still fit their largest size; otherwise nothing changes.
    pub fn add(&mut self, operation: &Operation) -> bool {
        let fits = |parts: &Plaintext, part: &Plaintext| parts.len() + PART_HEAD + part.len() <= MAX_USED;
        if self.count == u16::MAX || !fits(&self.hot, &operation.hot) || !fits(&self.kept, &operation.kept) {
            return false;
        }
        self.hot.put_lp(operation.hot.as_bytes());
        self.kept.put_lp(operation.kept.as_bytes());
        self.count += 1;
        self.has = [self.has[0] || !operation.hot.is_empty(), self.has[1] || !operation.kept.is_empty()];
        true
    }

    /// Number of operations.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// Bytes of the longer body so far.
    pub fn used(&self) -> usize {
        self.hot.len().max(self.kept.len())
    }

    fn parts(&self, body: Body) -> Option<&Plaintext> {
        let parts = match body {
            Body::Hot => &self.hot,
            Body::Kept => &self.kept,
        };
        self.has[usize::from(body.number())].then_some(parts)
    }
}

/// The fields of a header that sealing does not compute.
pub struct Place {
    /// Kind of the entry's content.
    pub kind: Kind,
    /// Index in its log.
    pub index: u64,
    /// Unix seconds / 10.
    pub time_bucket: u64,
}

/// Seals the entries of one log in one boot. It is the only holder of K_boot.
pub struct Sealer {
    vault: VaultId,
    log: LogId,
    boot_id: [u8; 16],
    release: u64,
    key: AeadKey,
    commitment: HmacKey,
}

impl Sealer {
    /// Derives the keys of one log and one boot.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses.
    pub fn new(keys: &KeyTree, vault: VaultId, log: LogId, boot_id: [u8; 16], release: u64) -> Result<Self, Opaque> {
        let log_name = log.name();
        let parts: [&[u8]; 2] = [log_name.as_bytes(), &boot_id];
        let key = AeadKey::new(&keys.derive(Label::Log, &parts)?)?;
        let commitment = HmacKey::new(&keys.derive(Label::Commitment, &parts)?);
        Ok(Self { vault, log, boot_id, release, key, commitment })
    }

    /// The log it seals for.
    pub fn log(&self) -> LogId {
        self.log
    }

    /// Seals one entry. The caller must never seal two things at one index.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses.
    pub fn seal(&self, place: &Place, operations: &Operations) -> Result<Record, Opaque> {
        // 1.
        let (hot_size, hot_root) = self.size_and_root(place.index, operations, Body::Hot)?;
        let (kept_size, kept_root) = self.size_and_root(place.index, operations, Body::Kept)?;
        // 2.
        let header = Header {
            kind: place.kind,
            hot_size,
            kept_size,
            index: place.index,
            time_bucket: place.time_bucket,
            boot_id: self.boot_id,
            release: self.release,
            hot_root,
            kept_root,
        };
        // 3.
        let encoded = header.encode();
        let seal = |body| {
            let parts = operations.parts(body).map(|parts| {
                let size = header.size(body).bytes();
                let mut plaintext = Plaintext::with_capacity(size);
                plaintext.put_u32(u32::try_from(parts.len()).map_err(|_| Opaque)?);
                plaintext.put_u16(operations.count);
                plaintext.put(parts.as_bytes());
                plaintext.pad_to(size);
                let mut sealed = Vec::with_capacity(size + TAG_LEN);
                let aad = aad(&self.vault, self.log, place.index, body, &encoded);
                self.key.seal(nonce(body, place.index), &aad, plaintext, &mut sealed)?;
                Ok::<_, Opaque>(sealed)
            });
            parts.transpose()
        };
        let (hot, kept) = (seal(Body::Hot)?, seal(Body::Kept)?);
        Ok(Record { entry: Entry::new(&header, hot.as_deref(), kept.as_deref()), hot, kept })
    }

    fn size_and_root(&self, index: u64, operations: &Operations, body: Body) -> Result<(Size, Hash), Opaque> {
        let Some(parts) = operations.parts(body) else { return Ok((Size::ABSENT, Hash::default())) };
        let size = Size::holding(PLAINTEXT_HEAD + parts.len()).ok_or(Opaque)?;
        let count = leaves_of(usize::from(operations.count));
        let mut leaves = Vec::with_capacity(count);
        let mut parts = parts.reader();
        for number in (0u32..).take(count) {
            let part: &[u8] = if leaves.len() < usize::from(operations.count) { parts.lp()? } else { &[] };
            leaves.push(part_leaf(&self.salt(body, index, number), part));
        }
        Ok((size, leaves_root(&leaves)))
    }

    fn salt(&self, body: Body, index: u64, number: u32) -> [u8; 16] {
        let mut message = [0; 16];
        message[3] = body.number();
        message[4..12].copy_from_slice(&index.to_be_bytes());
        message[12..].copy_from_slice(&number.to_be_bytes());
        self.commitment.tag_16(&message)
    }
}

/// Opens the bodies of one log, whichever boot sealed them.
pub struct Opener<'a> {
    keys: &'a KeyTree,
    vault: VaultId,
    log: LogId,
    /// The last key used, and its boot. Entries are read in order, so one is enough.
    boot: Option<([u8; 16], AeadKey)>,
}

/// The bodies of an entry, opened.
pub struct Opened {
    /// The hot body, if there is one.
    pub hot: Option<Parts>,
    /// The kept body, if there is one.
    pub kept: Option<Parts>,
}

/// One opened body.
pub struct Parts {
    plaintext: Plaintext,
    count: u16,
}

impl<'a> Opener<'a> {
    /// Opens bodies of `log`.
    pub fn new(keys: &'a KeyTree, vault: VaultId, log: LogId) -> Self {
        Self { keys, vault, log, boot: None }
    }

    /// Opens the bodies that a header has sizes of.
    ///
    /// # Errors
    /// [`BodyError`], whatever is wrong; also if a body is missing.
    pub fn open(&mut self, record: &Record, header: &Header) -> Result<Opened, BodyError> {
        let mut open = |body| {
            let size = header.size(body);
            let sealed = (!size.is_absent()).then(|| record.body(body).ok_or(BodyError)).transpose()?;
            sealed.map(|sealed| self.open_body(&record.entry, header, body, sealed)).transpose()
        };
        let (hot, kept) = (open(Body::Hot)?, open(Body::Kept)?);
        match (&hot, &kept) {
            (Some(hot), Some(kept)) if hot.count != kept.count => Err(BodyError),
            _ => Ok(Opened { hot, kept }),
        }
    }

    /// Opens one body of an entry.
    ///
    /// # Errors
    /// [`BodyError`], whatever is wrong.
    pub fn open_body(&mut self, entry: &Entry, header: &Header, body: Body, sealed: &[u8]) -> Result<Parts, BodyError> {
        if self.boot.as_ref().is_none_or(|(boot_id, _)| *boot_id != header.boot_id) {
            let key = self.keys.derive(Label::Log, &[self.log.name().as_bytes(), &header.boot_id])?;
            self.boot = Some((header.boot_id, AeadKey::new(&key)?));
        }
        let (_, key) = self.boot.as_ref().ok_or(BodyError)?;
        let aad = aad(&self.vault, self.log, header.index, body, &entry.header_bytes());
        let plaintext = key.open(nonce(body, header.index), &aad, sealed)?;
        let mut reader = plaintext.reader();
        let used = usize::try_from(reader.u32()?).map_err(|_| BodyError)?;
        let count = reader.u16()?;
        let mut parts = Reader::new(reader.take(used)?);
        // The plaintext is authentic, so padding that is not zero is a bug of the writer.
        if reader.rest().iter().any(|byte| *byte != 0) {
            return Err(BodyError);
        }
        for _ in 0..count {
            parts.lp()?;
        }
        parts.finish()?;
        Ok(Parts { plaintext, count })
    }
}

impl Opened {
    /// Calls `each` with every record, operation by operation; of one operation those of the kept body come first.
    ///
    /// # Errors
    /// As [`records`].
    pub fn each(&self, mut each: impl FnMut(&[u8]) -> Result<(), BodyError>) -> Result<(), BodyError> {
        let (mut kept, mut hot) = (self.kept.iter().flat_map(Parts::iter), self.hot.iter().flat_map(Parts::iter));
        loop {
            let parts = [kept.next(), hot.next()];
            if parts == [None, None] {
                return Ok(());
            }
            parts.into_iter().flatten().try_for_each(|part| records(part, &mut each))?;
        }
    }
}

impl Parts {
    /// Number of operations.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// The operations' parts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut reader = Reader::new(self.plaintext.as_bytes().get(PLAINTEXT_HEAD..).unwrap_or_default());
        // `open_body` has checked that they are there.
        (0..self.count).map_while(move |_| reader.lp().ok())
    }
}

/// The records of a part.
///
/// # Errors
/// [`BodyError`] if its bytes are not `lp(record) || …`, or `each` refuses.
pub fn records(part: &[u8], mut each: impl FnMut(&[u8]) -> Result<(), BodyError>) -> Result<(), BodyError> {
    let mut reader = Reader::new(part);
    while !reader.rest().is_empty() {
        each(reader.lp()?)?;
    }
    Ok(())
}

fn nonce(body: Body, index: u64) -> Nonce {
    Nonce::numbered(u32::from(body.number()), index)
}

fn aad(vault: &VaultId, log: LogId, index: u64, body: Body, header: &[u8; 112]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(192);
    aad.put_lp(b"adyton entry v2");
    aad.extend_from_slice(&vault.0);
    aad.put_lp(log.name().as_bytes());
    aad.extend_from_slice(&index.to_be_bytes());
    aad.push(body.number());
    aad.extend_from_slice(header);
    aad
}
