//! C2SP tlog-tiles: where a log's hashes and entries are published, and the hashes that tiles hold
//! (`docs/spec/03-heads.md`, "Tree and tiles" and "Publication").

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::{Frontier, Hash};

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: usize = 256;

/// Levels that a path can name: 0 to 63.
const LEVELS: u8 = 64;

/// The object that a tile's path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileKind {
    /// Hashes of this level: 0 holds leaf hashes, each further one the roots of the tiles below it.
    Hashes(u8),
    /// An entry bundle: the entries whose leaf hashes are in the tile of level 0 with the same number.
    Entries,
}

/// A tile or entry bundle: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`. Each has one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TilePath {
    /// Its content.
    pub kind: TileKind,
    /// Its number within its level.
    pub number: u64,
    /// How many hashes or entries it holds, 1 to 256; fewer than 256 are a partial tile.
    pub width: u16,
}

/// The text is not the path of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TilePathError;

impl fmt::Display for TilePathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected tile/LEVEL/NUMBER or tile/entries/NUMBER, as C2SP tlog-tiles writes them")
    }
}

impl core::error::Error for TilePathError {}

impl TilePath {
    /// Whether it is a full tile.
    pub fn is_full(&self) -> bool {
        usize::from(self.width) == TILE_WIDTH
    }

    /// The first of its hashes or entries, counted within the level; `None` beyond what a log can have.
    pub fn first(&self) -> Option<u64> {
        self.number.checked_mul(TILE_WIDTH as u64)
    }

    /// Whether a log of `size` entries has all of it.
    pub fn exists(&self, size: u64) -> bool {
        let level = match self.kind {
            TileKind::Hashes(level) => level,
            TileKind::Entries => 0,
        };
        let end = self.first().and_then(|first| first.checked_add(self.width.into()));
        end.is_some_and(|end| end <= full_subtrees(size, level))
    }
}

/// How many full subtrees of height 8 × `level` a tree of `size` leaves has: the hashes of that level.
pub fn full_subtrees(size: u64, level: u8) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        // Three digits an element, `x` before all but the last.
        let mut divisor = 1;
        while self.number / divisor >= 1000 {
            divisor *= 1000;
        }
        while divisor > 1 {
            write!(f, "x{:03}/", self.number / divisor % 1000)?;
            divisor /= 1000;
        }
        write!(f, "{:03}", self.number % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for TilePath {
    type Err = TilePathError;

    fn from_str(text: &str) -> Result<Self, TilePathError> {
        let (kind, rest) = text.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(TilePathError)?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(
                decimal(level)
                    .and_then(|level| u8::try_from(level).ok())
                    .filter(|level| *level < LEVELS)
                    .ok_or(TilePathError)?,
            ),
        };
        let (number, width) = match rest.split_once(".p/") {
            None => (rest, TILE_WIDTH as u64),
            Some((number, width)) => {
                (number, decimal(width).filter(|width| (1..TILE_WIDTH as u64).contains(width)).ok_or(TilePathError)?)
            }
        };
        let width = u16::try_from(width).map_err(|_| TilePathError)?;
        Ok(Self { kind, number: tile_number(number).ok_or(TilePathError)?, width })
    }
}

/// A number without sign or leading zeros.
fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// `x001/x234/067`.
fn tile_number(text: &str) -> Option<u64> {
    let mut elements = text.split('/').peekable();
    let first = elements.peek().copied();
    let mut number = 0u64;
    while let Some(element) = elements.next() {
        let is_last = elements.peek().is_none();
        let digits = if is_last { element } else { element.strip_prefix('x')? };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        number = number.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    // More zeros in front would be another spelling.
    if first == Some("x000") { None } else { Some(number) }
}

/// Collects leaf hashes into the full tiles of every level.
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

/// The root of the subtree whose lowest hashes these are: of a full tile, a hash of the tile above it.
pub fn tile_root(hashes: &[u8]) -> Hash {
    let mut frontier = Frontier::new();
    hashes.as_chunks::<32>().0.iter().for_each(|hash| frontier.push(Hash(*hash)));
    frontier.root()
}
