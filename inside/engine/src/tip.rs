//! Where a log ends, and what is signed of it: the same for every log.

use alloc::string::String;
use alloc::vec::Vec;

use adyton_decider::Seconds;
use adyton_frame::{MAX_FRAME, encode_append};
use adyton_ledger::{Frontier, Head, LogId, Record, VaultId, origin};
use adyton_seal::{Opaque, SigningKey};

/// The end of a log whose entries this process signs.
pub struct LogTip {
    origin: String,
    signer: SigningKey,
    frontier: Frontier,
    bucket: u64,
}

/// An entry with its signed head: the bytes to append, and to append again if the store fails.
pub struct Sealed {
    /// Size that the log must have.
    pub expected_size: u64,
    /// Size that it has then.
    pub size: u64,
    /// The entry and its bodies.
    pub record: Record,
    /// The signed head after it.
    pub head: String,
}

impl Sealed {
    /// The `Append` frame, length first.
    ///
    /// # Errors
    /// [`Opaque`] if it does not fit a frame, which a batch's limits rule out.
    pub fn frame(&self, id: u64, log: u16) -> Result<Vec<u8>, Opaque> {
        let mut out = Vec::with_capacity(4096);
        let Record { entry, hot, kept } = &self.record;
        let record = (entry.as_bytes(), hot.as_deref(), kept.as_deref());
        encode_append(id, log, self.expected_size, record, &self.head, &mut out).map_err(|_| Opaque)?;
        debug_assert!(out.len() <= MAX_FRAME + 4);
        Ok(out)
    }
}

impl LogTip {
    /// The end that replay found, with its last time bucket.
    pub fn new(vault: &VaultId, log: LogId, signer: SigningKey, frontier: Frontier, bucket: u64) -> Self {
        Self { origin: origin(vault, log), signer, frontier, bucket }
    }

    /// Entries up to here, signed ones that are not durable yet included.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The frontier at [`LogTip::size`].
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The time bucket of an entry that is made now. The log's time does not fall, whatever the clock does.
    pub fn bucket_at(&mut self, now: Seconds) -> u64 {
        self.bucket = self.bucket.max(now / 10);
        self.bucket
    }

    /// The entry as the next one of the log. Nothing is changed before [`LogTip::advance`].
    pub fn sign(&self, record: Record) -> Sealed {
        let mut frontier = self.frontier.clone();
        frontier.push(record.entry.leaf_hash());
        let size = frontier.size();
        let head = Head { origin: self.origin.clone(), size, root: frontier.root() };
        let head = head.sign(&self.signer.public_key(), |text| self.signer.sign(text));
        Sealed { expected_size: self.frontier.size(), size, record, head }
    }

    /// The log ends after this entry: from here on these bytes are the only ones that its index will ever see in this boot.
    pub fn advance(&mut self, sealed: &Sealed) {
        debug_assert_eq!(sealed.expected_size, self.frontier.size());
        self.frontier.push(sealed.record.entry.leaf_hash());
    }
}
