//! Parsed paths of the published logs.

use std::fmt;
use std::str::FromStr;

use adyton_ledger::{LogId, TilePath};

/// `/<log>/checkpoint` or `/<log>/<tile>`: C2SP tlog-tiles under one prefix for each log. A request has one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileRequest {
    /// Of which log.
    pub log: LogId,
    /// The resource.
    pub resource: Resource,
}

/// A resource of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The newest signed head.
    Checkpoint,
    /// A tile or an entry bundle.
    Tile(TilePath),
}

/// The path names nothing that a log could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileRequestError;

impl fmt::Display for TileRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected /LOG/checkpoint, /LOG/tile/LEVEL/NUMBER or /LOG/tile/entries/NUMBER")
    }
}

impl std::error::Error for TileRequestError {}

impl fmt::Display for TileRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.resource {
            Resource::Checkpoint => write!(f, "/{}/checkpoint", self.log),
            Resource::Tile(path) => write!(f, "/{}/{path}", self.log),
        }
    }
}

impl FromStr for TileRequest {
    type Err = TileRequestError;

    fn from_str(path: &str) -> Result<Self, TileRequestError> {
        let (log, resource) = path.strip_prefix('/').and_then(|path| path.split_once('/')).ok_or(TileRequestError)?;
        let resource = match resource {
            "checkpoint" => Resource::Checkpoint,
            tile => Resource::Tile(tile.parse().map_err(|_| TileRequestError)?),
        };
        Ok(Self { log: log.parse().map_err(|_| TileRequestError)?, resource })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_path_is_written_as_it_was_read() {
        for path in [
            "/gov/checkpoint",
            "/ops-0/checkpoint",
            "/gov/tile/0/000",
            "/ops-12/tile/1/x001/x234/067.p/17",
            "/gov/tile/entries/x002/000.p/255",
        ] {
            assert_eq!(path.parse::<TileRequest>().unwrap().to_string(), path);
        }
    }

    #[test]
    fn a_path_of_another_form_is_refused() {
        for path in [
            "",
            "/",
            "/gov",
            "/gov/",
            "gov/checkpoint",
            "/checkpoint",
            "/gov/checkpoint/",
            "//gov/checkpoint",
            "/gov/Checkpoint",
            "/gov/../ops-0/checkpoint",
            "/ops-00/checkpoint",
            "/ops-65535/checkpoint",
            "/gov/tile/0/000.p/256",
            "/gov/tile/%30/000",
            "/gov/tile/entries",
        ] {
            assert_eq!(path.parse::<TileRequest>(), Err(TileRequestError), "{path}");
        }
    }
}
