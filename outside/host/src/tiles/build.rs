//! Building tiles behind the writer.

use adyton_ledger::{LogId, leaf_hash, tile_root};
use redb::{Durability, ReadableDatabase, ReadableTable, StorageError, Table};

use super::{FULL, HASH, WIDTH, built};
use crate::row::Row;
use crate::tables::{BATCHES, TILES, size};
use crate::{RedbStore, StoreError};

impl RedbStore {
    /// Stores full tiles of a log that are not stored yet, at most `max` of level 0 and the ones
    /// above them. Returns whether some remain.
    ///
    /// Nothing waits for the disk: tiles that a crash takes away are built again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn build_tiles(&mut self, log: LogId, max: u64) -> Result<bool, StoreError> {
        let (from, end) = {
            let read = self.reader().database()?.begin_read()?;
            (built(&read.open_table(TILES)?, log)?, size(&read.open_table(BATCHES)?, log)? / WIDTH)
        };
        let until = end.min(from.saturating_add(max));
        if from >= until {
            return Ok(false);
        }
        self.write(|database| {
            let mut write = database.begin_write()?;
            write.set_durability(Durability::None)?;
            {
                let batches = write.open_table(BATCHES)?;
                let mut tiles = write.open_table(TILES)?;
                for number in from..until {
                    let mut tile = Vec::with_capacity(FULL);
                    let first = number * WIDTH;
                    for row in batches.range((log.number(), first)..(log.number(), first + WIDTH))? {
                        tile.extend_from_slice(&leaf_hash(Row::decode(row?.1.value())?.entry_bytes()).0);
                    }
                    store(&mut tiles, log, number, tile)?;
                }
            }
            write.commit()?;
            Ok(until < end)
        })
    }
}

/// Stores a full tile of level 0, and its root in the rows above.
fn store(
    tiles: &mut Table<'_, (u16, u8, u64), &'static [u8]>,
    log: LogId,
    mut number: u64,
    mut tile: Vec<u8>,
) -> Result<(), StorageError> {
    let corrupted = || StorageError::Corrupted("an entry or a tile is missing".into());
    if tile.len() != FULL {
        return Err(corrupted());
    }
    for level in 0u8.. {
        tiles.insert((log.number(), level, number), &tile[..])?;
        if tile.len() < FULL {
            break;
        }
        let (root, place) = (tile_root(&tile), number % WIDTH);
        number /= WIDTH;
        let above = tiles.get((log.number(), level + 1, number))?;
        tile = above.map(|above| above.value().to_vec()).unwrap_or_default();
        if tile.len() as u64 != place * HASH as u64 {
            return Err(corrupted());
        }
        tile.extend_from_slice(&root.0);
    }
    Ok(())
}
