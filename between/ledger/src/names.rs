//! Names of vaults and of their logs (`docs/spec/00-conventions.md`, "Names").

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use data_encoding::HEXLOWER;

use crate::{Entry, sha256};

/// A log of a vault: 0 is `gov`, n from 1 is `ops-<n−1>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(u16);

impl LogId {
    /// The public log.
    pub const GOV: Self = Self(0);

    /// The operations log of a shard; shards end at 65 534.
    pub fn ops(shard: u16) -> Self {
        Self(shard.saturating_add(1))
    }

    /// From the number on the wire.
    pub const fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// The number on the wire.
    pub fn number(self) -> u16 {
        self.0
    }

    /// `gov` or `ops-<shard>`.
    pub fn name(self) -> String {
        match self.0.checked_sub(1) {
            None => "gov".into(),
            Some(shard) => format!("ops-{shard}"),
        }
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// The text is not `gov` or `ops-<shard>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogIdError;

impl fmt::Display for LogIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected gov or ops-SHARD")
    }
}

impl core::error::Error for LogIdError {}

impl FromStr for LogId {
    type Err = LogIdError;

    fn from_str(text: &str) -> Result<Self, LogIdError> {
        if text == "gov" {
            return Ok(Self::GOV);
        }
        let shard = text.strip_prefix("ops-").and_then(|shard| shard.parse().ok()).ok_or(LogIdError)?;
        // One spelling: no sign, no leading zeros, no shard beyond the last.
        Some(Self::ops(shard)).filter(|log| log.name() == text).ok_or(LogIdError)
    }
}

/// SHA-256 of a vault's genesis entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultId(pub [u8; 32]);

impl VaultId {
    /// The id of the vault that begins with this entry.
    pub fn of_genesis(entry: &Entry) -> Self {
        Self(sha256(entry.as_bytes()).0)
    }
}

impl fmt::Display for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultIdError;

impl fmt::Display for VaultIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a vault id is 64 lower-case hexadecimal digits")
    }
}

impl core::error::Error for VaultIdError {}

impl FromStr for VaultId {
    type Err = VaultIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| VaultIdError)?;
        bytes.try_into().map(Self).map_err(|_| VaultIdError)
    }
}
