//! Reading tiles and entry bundles, of any width that the log has.

use adyton_ledger::{ENTRY_LEN, LogId, TILE_WIDTH, TileKind, TilePath, leaf_hash, tile_root};
use redb::ReadOnlyTable;

use super::{FULL, HASH, WIDTH};
use crate::row::Row;
use crate::tables::{BATCHES, Batches, TILES, size};
use crate::{RedbReader, StoreError};

/// Full tiles of level 0 that one request may have computed. The builder is rarely behind by more than one.
const MAX_COMPUTED_TILES: u32 = 64;

/// Bytes before an entry of a bundle.
#[allow(clippy::cast_possible_truncation, reason = "asserted below")]
const ENTRY_PREFIX: [u8; 2] = (ENTRY_LEN as u16).to_be_bytes();
const _: () = assert!(ENTRY_LEN <= u16::MAX as usize);

/// The content of a log's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TileLookup {
    /// These bytes, which never change.
    Bytes(Vec<u8>),
    /// Nothing: the log is not that long.
    Nothing,
    /// Something that would take too long to compute; the builder comes to it soon.
    NotBuilt,
}

impl RedbReader {
    /// A tile, or an entry bundle.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn published(&self, log: LogId, path: &TilePath) -> Result<TileLookup, StoreError> {
        let read = self.read_transaction()?;
        let mut log = Log {
            number: log.number(),
            batches: read.open_table(BATCHES)?,
            tiles: read.open_table(TILES)?,
            computed: 0,
        };
        let size = size(&log.batches, LogId::from_number(log.number))?;
        let Some(first) = path.first().filter(|_| path.exists(size)) else { return Ok(TileLookup::Nothing) };
        let bytes = match path.kind {
            TileKind::Entries => Some(log.bundle(first, path.width)?),
            TileKind::Hashes(level) => log.tile(level, path.number, path.width.into())?,
        };
        Ok(bytes.map_or(TileLookup::NotBuilt, TileLookup::Bytes))
    }
}

/// One log in one state.
struct Log {
    number: u16,
    batches: Batches,
    tiles: ReadOnlyTable<(u16, u8, u64), &'static [u8]>,
    /// Full tiles of level 0 that were computed.
    computed: u32,
}

impl Log {
    fn bundle(&self, first: u64, width: u16) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::with_capacity(usize::from(width) * (ENTRY_PREFIX.len() + ENTRY_LEN));
        for row in self.batches.range((self.number, first)..(self.number, first + u64::from(width)))? {
            bytes.extend_from_slice(&ENTRY_PREFIX);
            bytes.extend_from_slice(Row::decode(row?.1.value())?.entry_bytes());
        }
        Ok(bytes)
    }

    /// The first `width` hashes of a tile that exists; `None` if too many of them would have to be computed.
    fn tile(&mut self, level: u8, number: u64, width: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let stored = self.tiles.get((self.number, level, number))?;
        let mut tile = stored.map(|stored| stored.value().to_vec()).unwrap_or_default();
        tile.truncate(width * HASH);
        let first = number * WIDTH;
        let missing = first + (tile.len() / HASH) as u64..first + width as u64;
        let Some(below) = level.checked_sub(1) else {
            if width == TILE_WIDTH && !missing.is_empty() {
                self.computed += 1;
                if self.computed > MAX_COMPUTED_TILES {
                    return Ok(None);
                }
            }
            for row in self.batches.range((self.number, missing.start)..(self.number, missing.end))? {
                tile.extend_from_slice(&leaf_hash(Row::decode(row?.1.value())?.entry_bytes()).0);
            }
            return Ok(Some(tile));
        };
        tile.reserve(FULL - tile.len());
        for number in missing {
            let Some(full) = self.tile(below, number, TILE_WIDTH)? else { return Ok(None) };
            tile.extend_from_slice(&tile_root(&full).0);
        }
        Ok(Some(tile))
    }
}
