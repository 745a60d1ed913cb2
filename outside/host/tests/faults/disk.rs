//! A disk in memory under redb, with the faults of a real one: it is full, or the power fails while writes that no sync
//! has followed are on their way.
//!
//! Sectors of 512 bytes are written whole or not at all; everything else about an unsynced write is free: it may be
//! there, missing, or there in part, whatever came before or after it.

use std::fmt;
use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adyton_host::{RedbStore, StoreError};
use redb::{Builder, Database, DatabaseError, StorageBackend};

const SECTOR: usize = 512;

/// A disk; clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Content>>);

#[derive(Clone, Default)]
struct Content {
    /// Content that a process reads.
    cached: Vec<u8>,
    /// Content after the last sync.
    durable: Vec<u8>,
    /// Changes since then.
    unsynced: Vec<Change>,
    full: bool,
    /// Operations until the power fails.
    power: Option<u64>,
}

#[derive(Clone)]
enum Change {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl Disk {
    /// Opens, or makes, the store on this disk.
    pub(crate) fn store(&self) -> Result<RedbStore, StoreError> {
        let disk = self.clone();
        RedbStore::over(self.database()?, move || disk.database())
    }

    fn database(&self) -> Result<Database, DatabaseError> {
        Builder::new().create_with_backend(self.clone())
    }

    /// Whether writes find no room.
    pub(crate) fn set_full(&self, full: bool) {
        self.content().full = full;
    }

    /// Lets the power fail after so many more operations that change something.
    pub(crate) fn fail_power_after(&self, operations: u64) {
        self.content().power = Some(operations);
    }

    /// What is found when the power is back: all that was synced, and of the rest whatever `coin` says.
    pub(crate) fn after_power_failure(&self, mut coin: impl FnMut() -> bool) -> Self {
        let content = self.content();
        let mut found = content.durable.clone();
        for change in &content.unsynced {
            let (wanted, torn) = (coin(), coin());
            match change {
                Change::Length(length) if wanted => found.resize(*length, 0),
                Change::Bytes(at, bytes) if torn => {
                    let mut from = 0;
                    while from < bytes.len() {
                        let to = (from + SECTOR - (at + from) % SECTOR).min(bytes.len());
                        if coin() {
                            put(&mut found, at + from, &bytes[from..to]);
                        }
                        from = to;
                    }
                }
                Change::Bytes(at, bytes) if wanted => put(&mut found, *at, bytes),
                Change::Length(_) | Change::Bytes(..) => {}
            }
        }
        Self(Arc::new(Mutex::new(Content { cached: found.clone(), durable: found, ..Content::default() })))
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file grows to hold what is written behind its end.
fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Content {
    fn change(&mut self, change: Change) -> Result<(), Error> {
        self.use_power()?;
        let grows = !matches!(change, Change::Length(length) if length <= self.cached.len());
        if self.full && grows {
            return Err(ErrorKind::StorageFull.into());
        }
        change.apply(&mut self.cached);
        self.unsynced.push(change);
        Ok(())
    }

    fn use_power(&mut self) -> Result<(), Error> {
        match &mut self.power {
            Some(0) => Err(Error::other("no power")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Length(length) => file.resize(*length, 0),
            Self::Bytes(at, bytes) => put(file, *at, bytes),
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.content().cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let offset = usize::try_from(offset).map_err(Error::other)?;
        let content = self.content();
        let found = content.cached.get(offset..offset + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.content().change(Change::Length(usize::try_from(len).map_err(Error::other)?))
    }

    fn sync_data(&self) -> Result<(), Error> {
        let mut content = self.content();
        content.use_power()?;
        let Content { durable, unsynced, .. } = &mut *content;
        unsynced.drain(..).for_each(|change| change.apply(durable));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.content().change(Change::Bytes(usize::try_from(offset).map_err(Error::other)?, data.to_vec()))
    }
}
