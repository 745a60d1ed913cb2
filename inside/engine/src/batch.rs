//! An open batch: what is decided and not sealed yet, and how large it will be once it is.
//!
//! Padding makes a small record large: each entry is padded to a size class, and there is an entry for each tenant. So sizes
//! are counted as they will be stored, and what does not fit is told before anything is changed.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use adyton_frame::MAX_FRAME;
use adyton_ledger::{Keep, Kind};
use adyton_seal::Plaintext;

use crate::Machine;
use crate::sealing::{Records, stored_size};
use crate::shard::Held;

/// Entries of one batch at the most.
const MAX_ENTRIES: usize = 512;
/// Bytes of a frame besides its entries: kind and id, log, expected size, count, the head and its length. A head has less than
/// 1 KiB: an origin, a number, a root and a signature.
const FRAME_ROOM: usize = 2048;
/// Padded bytes of one batch's entries at the most.
const MAX_PADDED: usize = MAX_FRAME - FRAME_ROOM;
/// Padded bytes from which on a batch takes no more: what one command adds seldom needs a further batch then.
const ENOUGH: usize = MAX_PADDED / 2;

/// Bytes of a record's length before it.
const RECORD_HEAD: usize = 4;

/// A record that wants to join a batch.
pub(crate) struct NewRecord {
    /// What its entry holds.
    pub(crate) kind: Kind,
    /// How long its body must be kept at least.
    pub(crate) keep: Keep,
    /// Whose it is.
    pub(crate) tenant: Option<String>,
    /// Its bytes.
    pub(crate) bytes: Plaintext,
}

/// An entry that records still join.
pub(crate) struct OpenEntry {
    pub(crate) kind: Kind,
    pub(crate) keep: Keep,
    pub(crate) tenant: Option<String>,
    pub(crate) records: Records,
    /// Bytes that it takes in a frame.
    stored: usize,
}

/// Entries that are sealed together, and what waits for them.
pub(crate) struct Batch<M: Machine, T> {
    pub(crate) entries: Vec<OpenEntry>,
    pub(crate) held: Held<M, T>,
    /// Bytes that the entries take in a frame.
    stored: usize,
}

impl<M: Machine, T> Default for Batch<M, T> {
    fn default() -> Self {
        Self { entries: Vec::new(), held: Held::default(), stored: 0 }
    }
}

impl<M: Machine, T> Batch<M, T> {
    /// Whether no further command should be decided into it.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_ENTRIES || self.stored >= ENOUGH
    }

    /// Adds records, if all of them fit; otherwise nothing changes.
    pub(crate) fn add(&mut self, records: &[NewRecord]) -> bool {
        let Some((places, stored)) = self.places(records) else { return false };
        for (record, place) in records.iter().zip(places) {
            if place == self.entries.len() {
                let NewRecord { kind, keep, ref tenant, .. } = *record;
                let tenant = tenant.clone();
                self.entries.push(OpenEntry { kind, keep, tenant, records: Records::default(), stored: 0 });
            }
            let entry = &mut self.entries[place];
            if record.keep == Keep::Retention {
                entry.keep = Keep::Retention;
            }
            entry.records.push_bytes(record.bytes.as_bytes());
            entry.stored = stored_size(entry.records.len()).unwrap_or(MAX_PADDED);
        }
        self.stored = stored;
        true
    }

    /// The entry that each record joins, new ones counted on, and the bytes that all entries take then; `None` if that is too
    /// much.
    fn places(&self, records: &[NewRecord]) -> Option<(Vec<usize>, usize)> {
        let mut places = Vec::with_capacity(records.len());
        let mut new: Vec<(Kind, Option<&str>)> = Vec::new();
        let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
        for record in records {
            let place = self.place(record, &new).unwrap_or_else(|| {
                new.push((record.kind, record.tenant.as_deref()));
                self.entries.len() + new.len() - 1
            });
            let before = self.entries.get(place).map_or(0, |entry| entry.records.len());
            *lengths.entry(place).or_insert(before) += RECORD_HEAD + record.bytes.len();
            places.push(place);
        }
        let mut stored = self.stored;
        for (place, length) in lengths {
            stored -= self.entries.get(place).map_or(0, |entry| entry.stored);
            stored += stored_size(length)?;
        }
        let fits = self.entries.len() + new.len() <= MAX_ENTRIES && stored <= MAX_PADDED;
        fits.then_some((places, stored))
    }

    /// One entry per tenant and batch; whatever concerns no tenant has one of its own.
    fn place(&self, record: &NewRecord, new: &[(Kind, Option<&str>)]) -> Option<usize> {
        if record.kind != Kind::Ops {
            return None;
        }
        let same = |kind: Kind, tenant: Option<&str>| (kind, tenant) == (record.kind, record.tenant.as_deref());
        let open = self.entries.iter().rposition(|entry| same(entry.kind, entry.tenant.as_deref()));
        open.or_else(|| Some(self.entries.len() + new.iter().position(|(kind, tenant)| same(*kind, *tenant))?))
    }
}
