//! The logs as C2SP tlog-tiles (`docs/spec/03-heads.md`, "Publication"): tiles are built behind the writer, read beside it, and
//! served over HTTP.
//!
//! 1. `build`: after an append was answered, the writing thread stores the full tiles that it completed;
//! 2. `read`: a tile or an entry bundle of any width, from stored tiles and entries. What is not built yet is computed;
//! 3. `serve`: HTTP, for reading only.
//!
//! A stored tile of level 0 is full. A row of a higher level grows by one hash for each full tile below it, so a partial tile of
//! such a level is the beginning of its row. Partial tiles of level 0 and entry bundles come from the entries.
//!
//! What it is not: trusted. Readers of a log check it against its signed head.

mod build;
mod read;
mod request;
mod serve;

use adyton_ledger::{LogId, TILE_WIDTH};
use redb::{ReadableTable, StorageError};

pub use read::TileLookup;
pub use request::{Resource, TileRequest, TileRequestError};
pub use serve::{Published, serve_tiles};

/// Bytes of a hash.
const HASH: usize = 32;
/// Hashes in a full tile.
const WIDTH: u64 = TILE_WIDTH as u64;
/// Bytes of a full tile.
pub(crate) const FULL: usize = TILE_WIDTH * HASH;

/// How many full tiles of level 0 are stored. They are stored in order.
fn built(tiles: &impl ReadableTable<(u16, u8, u64), &'static [u8]>, log: LogId) -> Result<u64, StorageError> {
    let level_0 = (log.number(), 0, 0)..=(log.number(), 0, u64::MAX);
    let newest = tiles.range(level_0)?.next_back().transpose()?;
    Ok(newest.map_or(0, |(key, _)| key.value().2 + 1))
}
