//! The log store over redb: one file, one writer, every append one durable transaction.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use adyton_ledger::{AppendOutcome, Kind, LogId, LogReader, LogStore, Record, Retirement, Status, is_repeat};
use redb::{Builder, Database, DatabaseError, ReadOnlyDatabase, StorageError};

use crate::reader::{Handle, RedbReader};
use crate::row::Row;
use crate::tables::{self, BATCHES, CHUNKS, FORMAT, MARKS, SNAPSHOT};
use crate::{OpenError, StoreError};

/// Bytes of the file that are kept in memory.
const CACHE: usize = 256 * 1024 * 1024;

/// Batches that a retirement looks at in one transaction.
const RETIRED_PER_TRANSACTION: u64 = 1024;

/// Logs in `DIR/log.redb`.
pub struct RedbStore {
    reader: RedbReader,
}

impl RedbStore {
    /// Opens or makes the store of a folder, which is made (0700) if it is missing.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let io = |error| OpenError::Io(folder.into(), error);
        adyton_folder::make(folder).map_err(io)?;
        let path = folder.join("log.redb");
        let (database, again) = (open_database(&path, folder)?, path.clone());
        // Opened again, never made anew: an empty file in its place would look like a log that lost everything.
        let store = Self::over(database, move || cached().open(&again)).map_err(|error| error.at(&path))?;
        // The file's name must be as durable as what is in it.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        Ok(store)
    }

    /// A store over any database of redb's, one on a disk with faults included; `reopen` opens it again after a write
    /// that failed.
    ///
    /// # Errors
    /// [`StoreError::Format`] if the tables are of another format, or redb's error.
    pub fn over(
        database: Database,
        reopen: impl Fn() -> Result<Database, DatabaseError> + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let write = database.begin_write()?;
        is_ours(tables::make(&write)?)?;
        write.commit()?;
        Ok(Self { reader: RedbReader::new(reopen, Handle::ReadWrite(Arc::new(database))) })
    }

    /// Opens the store of a stopped vault for reading.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::Locked`] while a host has it open.
    pub fn open_read_only(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join("log.redb");
        let database = match ReadOnlyDatabase::open(&path) {
            Ok(database) => Handle::ReadOnly(database),
            // After a crash redb must repair the file, for which it has to write; then it is closed again.
            Err(DatabaseError::RepairAborted) => {
                drop(Database::open(&path).map_err(|error| opened(error, &path, folder))?);
                Handle::ReadOnly(ReadOnlyDatabase::open(&path).map_err(|error| opened(error, &path, folder))?)
            }
            Err(error) => return Err(opened(error, &path, folder)),
        };
        let again = path.clone();
        let reader = RedbReader::new(move || Database::open(&again), database);
        let found = reader.read_transaction().and_then(|read| Ok(tables::format(&read)?));
        found.and_then(|found| is_ours(found.unwrap_or_default())).map_err(|error| error.at(&path))?;
        Ok(Self { reader })
    }

    /// A reader for other threads.
    pub fn reader(&self) -> RedbReader {
        self.reader.clone()
    }

    /// Runs one write; whatever fails, the database is opened again before the next use.
    pub(crate) fn write<T>(&mut self, work: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let database = self.reader.database()?;
        let done = work(&database);
        // Before anyone opens the file again: two handles exclude each other, in one process too.
        drop(database);
        if done.is_err() {
            self.reader.mark_broken();
        }
        done
    }
}

fn is_ours(got: u64) -> Result<(), StoreError> {
    if got == FORMAT { Ok(()) } else { Err(StoreError::Format { expected: FORMAT, got }) }
}

fn open_database(path: &Path, folder: &Path) -> Result<Database, OpenError> {
    cached().create(path).map_err(|error| opened(error, path, folder))
}

/// The library's own default would fill a pod's memory.
fn cached() -> Builder {
    let mut database = Builder::new();
    database.set_cache_size(CACHE);
    database
}

fn opened(error: DatabaseError, path: &Path, folder: &Path) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::Locked(folder.into()),
        DatabaseError::Storage(StorageError::Io(error)) => OpenError::Io(path.into(), error),
        error => OpenError::Database(path.into(), Box::new(error.into())),
    }
}

impl LogReader for RedbStore {
    type Error = StoreError;

    fn status(&self, log: LogId) -> Result<Status, StoreError> {
        self.reader.status(log)
    }

    fn read(&self, log: LogId, from: u64, max: u32, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        self.reader.read(log, from, max, max_bytes)
    }

    fn heads(&self, log: LogId, from: u64, max: u32) -> Result<Vec<String>, StoreError> {
        self.reader.heads(log, from, max)
    }

    fn tile(&self, log: LogId, level: u8, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader.tile(log, level, number)
    }
}

impl LogStore for RedbStore {
    fn append(
        &mut self,
        log: LogId,
        expected_size: u64,
        record: &Record,
        head: &str,
    ) -> Result<AppendOutcome, StoreError> {
        self.write(|database| {
            let write = database.begin_write()?;
            let number = log.number();
            let new;
            {
                let mut batches = write.open_table(BATCHES)?;
                let newest = tables::newest(&batches, log, |index, row| (index + 1, row.entry()))?;
                let (size, newest) = newest.map_or((0, None), |(size, entry)| (size, Some(entry)));
                if size != expected_size {
                    let repeat = is_repeat(size, newest.as_ref(), expected_size, record);
                    return Ok(if repeat {
                        AppendOutcome::Appended { size }
                    } else {
                        AppendOutcome::Conflict { size }
                    });
                }
                new = size + 1;
                batches.insert((number, size), &Row::of(record, head).encode()?[..])?;
                if record.entry.header().is_ok_and(|header| header.kind == Kind::Snapshot) {
                    write.open_table(MARKS)?.insert((number, SNAPSHOT), size)?;
                }
            }
            write.commit()?;
            Ok(AppendOutcome::Appended { size: new })
        })
    }

    fn put_chunk(&mut self, log: LogId, snapshot: [u8; 16], number: u32, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(|database| {
            let write = database.begin_write()?;
            write.open_table(CHUNKS)?.insert((log.number(), snapshot, number), bytes)?;
            Ok(write.commit()?)
        })
    }

    fn chunk(&self, log: LogId, snapshot: [u8; 16], number: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader.chunk(log, snapshot, number)
    }

    fn retire(&mut self, log: LogId, retirement: Retirement) -> Result<(), StoreError> {
        while self.retire_some(log, &retirement, RETIRED_PER_TRANSACTION)? {}
        Ok(())
    }
}
