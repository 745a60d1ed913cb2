//! Reading a store, beside the one writer: redb's readers never wait for it.

use std::sync::{Arc, Mutex, PoisonError};

use adyton_ledger::{LogId, LogReader, Record, Status, head_is_kept};
use redb::{Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase};

use crate::StoreError;
use crate::row::Row;
use crate::tables::{BATCHES, CHUNKS, MARKS, SNAPSHOT, TILES, newest, size};
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

    /// Drops the database after a failure; the next use opens it again.
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

/// Sizes of a log of which the last one's head is kept permanently ([`head_is_kept`]).
const HEAD_BLOCK: u64 = 256;

/// Bytes of a record in a frame besides its entry and bodies: a flag and two lengths.
const RECORD_FRAMING: usize = 9;

impl LogReader for RedbReader {
    type Error = StoreError;

    fn status(&self, log: LogId) -> Result<Status, StoreError> {
        let read = self.read_transaction()?;
        let newest = newest(&read.open_table(BATCHES)?, log, |index, row| (index + 1, row.head.to_owned()))?;
        let (size, head) = newest.unwrap_or_default();
        let latest_snapshot = read.open_table(MARKS)?.get((log.number(), SNAPSHOT))?.map(|index| index.value());
        Ok(Status { size, latest_snapshot, head })
    }

    fn read(&self, log: LogId, from: u64, max: u32, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        let read = self.read_transaction()?;
        let range = (log.number(), from)..=(log.number(), u64::MAX);
        let mut records = Vec::new();
        let mut bytes = 0;
        let batches = read.open_table(BATCHES)?;
        for row in batches.range(range)?.take(usize::try_from(max).unwrap_or(usize::MAX)) {
            let row = row?.1;
            let record = Row::decode(row.value())?.record();
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
        let batches = read.open_table(BATCHES)?;
        let size = size(&batches, log)?;
        let mut heads = Vec::new();
        let mut next = from.max(1);
        while next <= size && heads.len() < usize::try_from(max).unwrap_or(usize::MAX) {
            // The last size of a block, or the newest of all.
            let shown = (next | (HEAD_BLOCK - 1)).min(size);
            debug_assert!(shown == size || head_is_kept(shown, shown + 1), "a head that the log keeps");
            let Some(row) = batches.get((log.number(), shown - 1))? else { break };
            heads.push(Row::decode(row.value())?.head.to_owned());
            next = shown + 1;
        }
        Ok(heads)
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
