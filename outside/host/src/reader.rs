//! Reading a store, beside the one writer: redb's readers never wait for it.

use std::iter::Peekable;
use std::sync::{Arc, Mutex, PoisonError};

use adyton_ledger::{Entry, LogId, LogReader, Record, Status};
use redb::{
    AccessGuard, Database, DatabaseError, Range, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, StorageError,
};

use crate::StoreError;
use crate::tables::{CHUNKS, ENTRIES, HEADS, HOT, KEPT, SNAPSHOTS, TILES, size};
use crate::tiles::FULL;

pub(crate) enum Handle {
    ReadWrite(Arc<Database>),
    ReadOnly(ReadOnlyDatabase),
    /// A failed write may leave redb unusable; it is opened again before the next use.
    Broken,
}

type Reopen = dyn Fn() -> Result<Database, DatabaseError> + Send + Sync;

/// Reads the logs of a [`crate::RedbStore`], from any thread.
#[derive(Clone)]
pub struct RedbReader {
    reopen: Arc<Reopen>,
    handle: Arc<Mutex<Handle>>,
}

impl RedbReader {
    pub(crate) fn new(
        reopen: impl Fn() -> Result<Database, DatabaseError> + Send + Sync + 'static,
        handle: Handle,
    ) -> Self {
        Self { reopen: Arc::new(reopen), handle: Arc::new(Mutex::new(handle)) }
    }

    /// The database to write to.
    pub(crate) fn database(&self) -> Result<Arc<Database>, StoreError> {
        match &*self.opened()? {
            Handle::ReadWrite(database) => Ok(Arc::clone(database)),
            Handle::ReadOnly(_) | Handle::Broken => Err(StoreError::ReadOnly),
        }
    }

    /// Lets go of the database after a failure.
    pub(crate) fn mark_broken(&self) {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = Handle::Broken;
    }

    /// The handle, opened again if it was broken.
    fn opened(&self) -> Result<std::sync::MutexGuard<'_, Handle>, StoreError> {
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*handle, Handle::Broken) {
            *handle = Handle::ReadWrite(Arc::new((self.reopen)()?));
        }
        Ok(handle)
    }

    pub(crate) fn read_transaction(&self) -> Result<ReadTransaction, StoreError> {
        match &*self.opened()? {
            Handle::ReadWrite(database) => Ok(database.begin_read()?),
            Handle::ReadOnly(database) => Ok(database.begin_read()?),
            Handle::Broken => Err(redb::Error::PreviousIo.into()),
        }
    }

    /// One sealed chunk of a snapshot.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn chunk(&self, log: LogId, snapshot: [u8; 16], number: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self.read_transaction()?;
        let chunks = read.open_table(CHUNKS)?;
        let chunk = chunks.get((log.number(), snapshot, number))?;
        Ok(chunk.map(|chunk| chunk.value().to_vec()))
    }
}

/// Bytes of a record in a frame besides its entry and bodies: a flag and two lengths.
const RECORD_FRAMING: usize = 9;

/// The body of the row at `key`, if it is the next of these, which ascend.
fn body_at(
    bodies: &mut Peekable<Range<'_, (u16, u64), &'static [u8]>>,
    key: (u16, u64),
) -> Result<Option<Vec<u8>>, StoreError> {
    let here = |found: &Result<(AccessGuard<'_, (u16, u64)>, _), StorageError>| {
        found.as_ref().map_or(true, |(found, _)| found.value() == key)
    };
    Ok(bodies.next_if(here).transpose()?.map(|(_, body)| body.value().to_vec()))
}

impl LogReader for RedbReader {
    type Error = StoreError;

    fn status(&self, log: LogId) -> Result<Status, StoreError> {
        let read = self.read_transaction()?;
        let number = log.number();
        let size = size(&read.open_table(ENTRIES)?, log)?;
        let latest_snapshot = read.open_table(SNAPSHOTS)?.get(number)?.map(|index| index.value());
        let heads = read.open_table(HEADS)?;
        let newest = heads.range((number, 0)..=(number, u64::MAX))?.next_back().transpose()?;
        Ok(Status { size, latest_snapshot, head: newest.map(|(_, head)| head.value().into()).unwrap_or_default() })
    }

    fn read(&self, log: LogId, from: u64, max: u32, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        let read = self.read_transaction()?;
        let range = (log.number(), from)..=(log.number(), u64::MAX);
        let (entries, hot, kept) = (read.open_table(ENTRIES)?, read.open_table(HOT)?, read.open_table(KEPT)?);
        let mut hot = hot.range(range.clone())?.peekable();
        let mut kept = kept.range(range.clone())?.peekable();
        let mut records = Vec::new();
        let mut bytes = 0;
        for entry in entries.range(range)?.take(usize::try_from(max).unwrap_or(usize::MAX)) {
            let (key, entry) = entry?;
            let (hot, kept) = (body_at(&mut hot, key.value())?, body_at(&mut kept, key.value())?);
            let record = Record { entry: Entry::from_bytes(*entry.value()), hot, kept };
            bytes += record.stored_len() + RECORD_FRAMING;
            if !records.is_empty() && bytes > max_bytes {
                break;
            }
            records.push(record);
        }
        Ok(records)
    }

    fn heads(&self, log: LogId, from: u64, max: u32) -> Result<Vec<String>, StoreError> {
        let read = self.read_transaction()?;
        let heads = read.open_table(HEADS)?;
        let range = heads.range((log.number(), from)..=(log.number(), u64::MAX))?;
        range.take(usize::try_from(max).unwrap_or(usize::MAX)).map(|head| Ok(head?.1.value().into())).collect()
    }

    fn tile(&self, log: LogId, level: u8, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self.read_transaction()?;
        let tile = read.open_table(TILES)?.get((log.number(), level, number))?;
        Ok(tile.map(|tile| tile.value().to_vec()).filter(|tile| tile.len() == FULL))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use adyton_ledger::{LogId, LogReader, LogStore};

    use crate::RedbStore;

    #[test]
    fn a_broken_handle_is_opened_again_but_never_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, log) = (RedbStore::open(folder.path()).unwrap(), LogId::from_number(1));
        store.put_chunk(log, [1; 16], 0, b"kept").unwrap();
        store.reader().mark_broken();
        assert_eq!(store.chunk(log, [1; 16], 0).unwrap().unwrap(), b"kept");
        store.reader().mark_broken();
        store.put_chunk(log, [1; 16], 1, b"again").unwrap();
        store.reader().mark_broken();
        std::fs::remove_file(folder.path().join("log.redb")).unwrap();
        assert!(store.status(log).is_err());
        assert!(store.put_chunk(log, [1; 16], 2, b"lost").is_err());
        assert!(!folder.path().join("log.redb").exists());
    }
}
