//! The tables of `log.redb` (`docs/spec/13-store.md`). Everything in them is public or sealed.

use adyton_ledger::LogId;
use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable, StorageError, TableDefinition, TableError, TableHandle,
    WriteTransaction,
};

use crate::row::Row;

/// The format of these tables. Another one is refused, never converted.
pub(crate) const FORMAT: u64 = 2;
/// The format before tables said theirs: entries, bodies and heads in a table each.
const FIRST_FORMAT: u64 = 1;

/// The format, under its only key.
const FORMATS: TableDefinition<'_, (), u64> = TableDefinition::new("format");
/// (log, index) to a batch: entry, head and bodies in one row ([`Row`]).
pub(crate) const BATCHES: TableDefinition<'_, (u16, u64), &[u8]> = TableDefinition::new("batches");
/// (log, level, number) to a tile: of level 0 a full one, above that as many hashes as there are
/// full tiles below (`tiles`).
pub(crate) const TILES: TableDefinition<'_, (u16, u8, u64), &[u8]> = TableDefinition::new("tiles");
/// (log, snapshot, number) to a sealed chunk.
pub(crate) const CHUNKS: TableDefinition<'_, (u16, [u8; 16], u32), &[u8]> = TableDefinition::new("chunks");
/// (log, mark) to an index.
pub(crate) const MARKS: TableDefinition<'_, (u16, u8), u64> = TableDefinition::new("marks");

/// Mark: the newest entry of kind `snapshot`.
pub(crate) const SNAPSHOT: u8 = 0;
/// Mark: below it every hot body that may be deleted is deleted.
pub(crate) const HOT_RETIRED: u8 = 1;
/// Mark: below it every kept body that may be deleted is deleted.
pub(crate) const KEPT_RETIRED: u8 = 2;

/// Makes the tables of a new file, and says the format of a file that is not new. They exist from
/// the start, so that readers need not care.
///
/// # Errors
/// redb's.
pub(crate) fn make(write: &WriteTransaction) -> Result<u64, redb::Error> {
    let names: Vec<String> = write.list_tables()?.map(|table| table.name().to_owned()).collect();
    let mut formats = write.open_table(FORMATS)?;
    let found = formats.get(())?.map(|format| format.value());
    let format = match found {
        Some(format) => format,
        None if names.is_empty() => FORMAT,
        None => FIRST_FORMAT,
    };
    if found.is_none() && format == FORMAT {
        formats.insert((), FORMAT)?;
        write.open_table(BATCHES)?;
        write.open_table(TILES)?;
        write.open_table(CHUNKS)?;
        write.open_table(MARKS)?;
    }
    Ok(format)
}

/// The format of a file; `None` if it has no tables yet.
///
/// # Errors
/// redb's.
pub(crate) fn format(read: &ReadTransaction) -> Result<Option<u64>, redb::Error> {
    match read.open_table(FORMATS) {
        Ok(formats) => Ok(Some(formats.get(())?.map_or(FIRST_FORMAT, |format| format.value()))),
        Err(TableError::TableDoesNotExist(_)) => Ok(read.list_tables()?.next().map(|_| FIRST_FORMAT)),
        Err(error) => Err(error.into()),
    }
}

/// Reads the newest row of a log, with its index.
pub(crate) fn newest<T>(
    batches: &impl ReadableTable<(u16, u64), &'static [u8]>,
    log: LogId,
    read: impl FnOnce(u64, Row<'_>) -> T,
) -> Result<Option<T>, StorageError> {
    let log = log.number();
    let last = batches.range((log, 0)..=(log, u64::MAX))?.next_back().transpose()?;
    last.map(|(key, row)| Ok(read(key.value().1, Row::decode(row.value())?))).transpose()
}

/// Number of entries of a log.
pub(crate) fn size(batches: &impl ReadableTable<(u16, u64), &'static [u8]>, log: LogId) -> Result<u64, StorageError> {
    let log = log.number();
    let last = batches.range((log, 0)..=(log, u64::MAX))?.next_back().transpose()?;
    Ok(last.map_or(0, |(key, _)| key.value().1 + 1))
}

/// Batches as a reader has them.
pub(crate) type Batches = ReadOnlyTable<(u16, u64), &'static [u8]>;
