//! C2SP tlog-tiles: full tiles of 256 hashes, as the host stores them (`docs/spec/03-heads.md`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{Frontier, Hash};

/// Hashes in a full tile.
pub const TILE_WIDTH: usize = 256;

/// The C2SP path of a tile: three digits an element, `x` before all but the last, `.p/W` for a partial one.
pub fn tile_path(level: u8, number: u64, width: u16) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if usize::from(width) == TILE_WIDTH {
        format!("tile/{level}/{path}")
    } else {
        format!("tile/{level}/{path}.p/{width}")
    }
}

/// Collects leaf hashes into tiles of every level.
#[derive(Clone, Debug, Default)]
pub struct TileBuilder {
    /// For each level: how many tiles are full, and the hashes of the next one.
    levels: Vec<(u64, Vec<Hash>)>,
}

impl TileBuilder {
    /// Begins with the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rebuilds the builder of a tree of `size` leaves from stored tiles, and leaf hashes after the last full one.
    ///
    /// # Errors
    /// Whatever the two readers say.
    pub fn resume<E>(
        size: u64,
        mut leaf: impl FnMut(u64) -> Result<Hash, E>,
        mut tile: impl FnMut(u8, u64) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let width = TILE_WIDTH as u64;
        let mut builder = Self::new();
        let (mut count, mut level) = (size, 0u8);
        while count > 0 {
            let full = count / width;
            let mut partial = Vec::new();
            for number in full * width..count {
                partial.push(match level.checked_sub(1) {
                    None => leaf(number)?,
                    Some(below) => tile_root(&tile(below, number)?),
                });
            }
            builder.levels.push((full, partial));
            count = full;
            level += 1;
        }
        Ok(builder)
    }

    /// Adds a leaf hash and gives out every tile that it completes: level, number, 8192 bytes.
    pub fn push(&mut self, leaf: Hash, full: &mut impl FnMut(u8, u64, Vec<u8>)) {
        let mut hash = leaf;
        for level in 0u8.. {
            let place = usize::from(level);
            if self.levels.len() == place {
                self.levels.push((0, Vec::with_capacity(TILE_WIDTH)));
            }
            let (number, partial) = &mut self.levels[place];
            partial.push(hash);
            if partial.len() < TILE_WIDTH {
                return;
            }
            let bytes: Vec<u8> = partial.iter().flat_map(|hash| hash.0).collect();
            hash = tile_root(&bytes);
            partial.clear();
            full(level, *number, bytes);
            *number += 1;
        }
    }
}

/// The root of the subtree whose lowest hashes these are.
fn tile_root(bytes: &[u8]) -> Hash {
    let mut frontier = Frontier::new();
    bytes.as_chunks::<32>().0.iter().for_each(|hash| frontier.push(Hash(*hash)));
    frontier.root()
}
