//! The tables of `log.redb`. Everything in them is public or sealed.

use adyton_ledger::{ENTRY_LEN, Entry, LogId};
use redb::{ReadableTable, StorageError, TableDefinition};

/// (log, index) to entry.
pub(crate) const ENTRIES: TableDefinition<'_, (u16, u64), &[u8; ENTRY_LEN]> = TableDefinition::new("entries");
/// (log, index) to hot body, until it is retired.
pub(crate) const HOT: TableDefinition<'_, (u16, u64), &[u8]> = TableDefinition::new("hot");
/// (log, index) to kept body, until it is retired.
pub(crate) const KEPT: TableDefinition<'_, (u16, u64), &[u8]> = TableDefinition::new("kept");
/// (log, size) to signed head.
pub(crate) const HEADS: TableDefinition<'_, (u16, u64), &str> = TableDefinition::new("heads");
/// (log, level, number) to a tile: of level 0 a full one, above that as many hashes as there are full tiles below (`tiles`).
pub(crate) const TILES: TableDefinition<'_, (u16, u8, u64), &[u8]> = TableDefinition::new("tiles");
/// (log, snapshot, number) to a sealed chunk.
pub(crate) const CHUNKS: TableDefinition<'_, (u16, [u8; 16], u32), &[u8]> = TableDefinition::new("chunks");
/// log to index of its newest snapshot entry.
pub(crate) const SNAPSHOTS: TableDefinition<'_, u16, u64> = TableDefinition::new("snapshots");

/// Number of entries of a log.
pub(crate) fn size(
    entries: &impl ReadableTable<(u16, u64), &'static [u8; ENTRY_LEN]>,
    log: LogId,
) -> Result<u64, StorageError> {
    let log = log.number();
    let last = entries.range((log, 0)..=(log, u64::MAX))?.next_back().transpose()?;
    Ok(last.map_or(0, |(key, _)| key.value().1 + 1))
}

/// The newest entry of a log.
pub(crate) fn newest(
    entries: &impl ReadableTable<(u16, u64), &'static [u8; ENTRY_LEN]>,
    log: LogId,
) -> Result<Option<Entry>, StorageError> {
    let log = log.number();
    let last = entries.range((log, 0)..=(log, u64::MAX))?.next_back().transpose()?;
    Ok(last.map(|(_, entry)| Entry::from_bytes(*entry.value())))
}
