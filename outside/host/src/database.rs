//! The log store over redb: one file, one writer, every append one durable transaction.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use adyton_ledger::{
    AppendOutcome, Entry, Kind, LogId, LogReader, LogStore, Record, Retirement, Status, StoredRecord, TileBuilder,
    head_is_kept, is_repeat, retires,
};
use redb::{Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, ReadableTable, StorageError};

use crate::tables::{BODIES, CHUNKS, ENTRIES, HEADS, SNAPSHOTS, TILES, builder, size};

/// Why a folder's store cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it open.
    Locked(PathBuf),
    /// The folder or the file cannot be used.
    Io(PathBuf, io::Error),
    /// The file is not one of ours, or is damaged.
    Database(PathBuf, Box<redb::Error>),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(path) => {
                write!(f, "{} is in use by another process: stop it, or name another folder", path.display())
            }
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Database(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why the store could not do something; it changed nothing.
#[derive(Debug)]
pub enum StoreError {
    /// No room on the disk.
    Full,
    /// Anything else.
    Io(Box<redb::Error>),
    /// The store was opened for reading only.
    ReadOnly,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the disk is full"),
            Self::Io(error) => error.fmt(f),
            Self::ReadOnly => f.write_str("the store was opened for reading only"),
        }
    }
}

impl std::error::Error for StoreError {}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Io(error)
                if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                Self::Full
            }
            error => Self::Io(Box::new(error)),
        }
    }
}

enum Handle {
    ReadWrite(Database),
    ReadOnly(ReadOnlyDatabase),
    /// A failed write may leave redb unusable; it is opened again before the next use.
    Broken,
}

/// Logs in `DIR/log.redb`.
pub struct RedbStore {
    path: PathBuf,
    handle: Handle,
    /// Builders of the logs written since opening, by log, with the size that they stand at.
    builders: BTreeMap<LogId, (u64, TileBuilder)>,
}

impl RedbStore {
    /// Opens or makes the store of a folder, which is made (0700) if it is missing.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        use std::os::unix::fs::DirBuilderExt;
        let io = |error| OpenError::Io(folder.into(), error);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        let path = folder.join("log.redb");
        let database = open_database(&path, folder)?;
        // The tables exist from the start, so that readers need not care.
        let made = || -> Result<(), redb::Error> {
            let write = database.begin_write()?;
            write.open_table(ENTRIES)?;
            write.open_table(BODIES)?;
            write.open_table(HEADS)?;
            write.open_table(TILES)?;
            write.open_table(CHUNKS)?;
            write.open_table(SNAPSHOTS)?;
            Ok(write.commit()?)
        };
        made().map_err(|error| OpenError::Database(path.clone(), Box::new(error)))?;
        Ok(Self { path, handle: Handle::ReadWrite(database), builders: BTreeMap::new() })
    }

    /// Opens the store of a stopped vault for reading.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::Locked`] while a host has it open.
    pub fn open_read_only(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join("log.redb");
        let database = match ReadOnlyDatabase::open(&path) {
            Ok(database) => Handle::ReadOnly(database),
            // After a crash redb must repair the file, for which it has to write.
            Err(DatabaseError::RepairAborted) => Handle::ReadWrite(open_database(&path, folder)?),
            Err(error) => return Err(opened(error, &path, folder)),
        };
        Ok(Self { path, handle: database, builders: BTreeMap::new() })
    }

    fn read_transaction(&self) -> Result<ReadTransaction, StoreError> {
        match &self.handle {
            Handle::ReadWrite(database) => Ok(database.begin_read()?),
            Handle::ReadOnly(database) => Ok(database.begin_read()?),
            Handle::Broken => Err(redb::Error::DatabaseAlreadyOpen.into()),
        }
    }

    /// Runs one write; whatever fails, the database is opened again before the next.
    fn write<T>(&mut self, work: impl FnOnce(&mut Self, &Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let database = match std::mem::replace(&mut self.handle, Handle::Broken) {
            Handle::ReadWrite(database) => database,
            Handle::Broken => Database::create(&self.path)?,
            read_only @ Handle::ReadOnly(_) => {
                self.handle = read_only;
                return Err(StoreError::ReadOnly);
            }
        };
        let done = work(self, &database);
        match &done {
            Ok(_) => self.handle = Handle::ReadWrite(database),
            Err(_) => {
                self.builders.clear();
                drop(database);
                if let Ok(database) = Database::create(&self.path) {
                    self.handle = Handle::ReadWrite(database);
                }
            }
        }
        done
    }
}

fn open_database(path: &Path, folder: &Path) -> Result<Database, OpenError> {
    Database::create(path).map_err(|error| opened(error, path, folder))
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
        let read = self.read_transaction()?;
        let number = log.number();
        let size = size(&read.open_table(ENTRIES)?, log)?;
        let latest_snapshot = read.open_table(SNAPSHOTS)?.get(number)?.map(|index| index.value());
        let heads = read.open_table(HEADS)?;
        let newest = heads.range((number, 0)..=(number, u64::MAX))?.next_back().transpose()?;
        Ok(Status { size, latest_snapshot, head: newest.map(|(_, head)| head.value().into()).unwrap_or_default() })
    }

    fn read(&self, log: LogId, from: u64, max: u32, max_bytes: usize) -> Result<Vec<StoredRecord>, StoreError> {
        let read = self.read_transaction()?;
        let number = log.number();
        let (entries, bodies) = (read.open_table(ENTRIES)?, read.open_table(BODIES)?);
        let mut bodies = bodies.range((number, from)..=(number, u64::MAX))?.peekable();
        let mut records = Vec::new();
        let mut bytes = 0;
        for entry in entries.range((number, from)..=(number, u64::MAX))?.take(usize::try_from(max).unwrap_or(usize::MAX))
        {
            let (key, entry) = entry?;
            let here = |found: &Result<(redb::AccessGuard<'_, (u16, u64)>, _), StorageError>| {
                found.as_ref().map_or(true, |(found, _)| found.value() == key.value())
            };
            let body = bodies.next_if(here).transpose()?.map(|(_, body)| body.value().to_vec());
            bytes += entry.value().len() + 8 + body.as_ref().map_or(0, Vec::len);
            if !records.is_empty() && bytes > max_bytes {
                break;
            }
            records.push(StoredRecord { entry: Entry::from_bytes(*entry.value()), body });
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
        let tile = read.open_table(TILES)?.get((log.number(), level, number))?.map(|tile| tile.value().to_vec());
        Ok(tile)
    }
}

impl LogStore for RedbStore {
    fn append(
        &mut self,
        log: LogId,
        expected_size: u64,
        records: &[Record],
        head: &str,
    ) -> Result<AppendOutcome, StoreError> {
        self.write(|store, database| {
            let write = database.begin_write()?;
            let number = log.number();
            let new = expected_size + records.len() as u64;
            let builder = {
                let (mut entries, mut tiles) = (write.open_table(ENTRIES)?, write.open_table(TILES)?);
                let size = size(&entries, log)?;
                if size != expected_size || records.is_empty() {
                    let stored = |index| {
                        let entry = entries.get((number, index))?;
                        Ok::<_, StoreError>(entry.map(|entry| Entry::from_bytes(*entry.value())))
                    };
                    let repeat = is_repeat(size, expected_size, records, stored)?;
                    return Ok(if repeat { AppendOutcome::Appended { size } } else { AppendOutcome::Conflict { size } });
                }
                let mut builder = match store.builders.remove(&log) {
                    Some((at, builder)) if at == size => builder,
                    _ => builder(&entries, &tiles, log, size)?,
                };
                let mut bodies = write.open_table(BODIES)?;
                let mut full = Vec::new();
                for (index, Record { entry, body }) in (size..).zip(records) {
                    entries.insert((number, index), entry.as_bytes())?;
                    bodies.insert((number, index), &body[..])?;
                    if entry.header().is_ok_and(|header| header.kind == Kind::Snapshot) {
                        write.open_table(SNAPSHOTS)?.insert(number, index)?;
                    }
                    builder.push(entry.leaf_hash(), &mut |level, tile, bytes| full.push((level, tile, bytes)));
                }
                for (level, tile, bytes) in full {
                    tiles.insert((number, level, tile), &bytes[..])?;
                }
                let mut heads = write.open_table(HEADS)?;
                if !head_is_kept(size, new) {
                    heads.remove((number, size))?;
                }
                heads.insert((number, new), head)?;
                builder
            };
            write.commit()?;
            store.builders.insert(log, (new, builder));
            Ok(AppendOutcome::Appended { size: new })
        })
    }

    fn put_chunk(&mut self, log: LogId, snapshot: [u8; 16], number: u32, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(|_, database| {
            let write = database.begin_write()?;
            write.open_table(CHUNKS)?.insert((log.number(), snapshot, number), bytes)?;
            Ok(write.commit()?)
        })
    }

    fn chunk(&self, log: LogId, snapshot: [u8; 16], number: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self.read_transaction()?;
        let chunks = read.open_table(CHUNKS)?;
        let chunk = chunks.get((log.number(), snapshot, number))?;
        Ok(chunk.map(|chunk| chunk.value().to_vec()))
    }

    fn retire(&mut self, log: LogId, retirement: Retirement) -> Result<(), StoreError> {
        self.write(|_, database| {
            let write = database.begin_write()?;
            let number = log.number();
            {
                let entries = write.open_table(ENTRIES)?;
                let mut bodies = write.open_table(BODIES)?;
                // Walks the bodies that are still there, so it costs what it frees.
                let mut gone = Vec::new();
                for body in bodies.range((number, 0)..(number, retirement.below))? {
                    let key = body?.0.value();
                    let entry = entries.get(key)?.map(|entry| Entry::from_bytes(*entry.value()));
                    if entry.is_some_and(|entry| retires(&retirement, &entry)) {
                        gone.push(key);
                    }
                }
                for key in gone {
                    bodies.remove(key)?;
                }
                let mut chunks = write.open_table(CHUNKS)?;
                chunks.retain(|(log, snapshot, _), _| log != number || snapshot == retirement.snapshot)?;
            }
            Ok(write.commit()?)
        })
    }
}
