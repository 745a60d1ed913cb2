//! `unix:PATH` and `vsock:CID:PORT`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a side listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A vsock port.
    Vsock {
        /// Context id; 3 is an enclave's parent.
        cid: u32,
        /// Port.
        port: u32,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Vsock { cid, port } => write!(f, "vsock:{cid}:{port}"),
        }
    }
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// It begins with neither `unix:` nor `vsock:`.
    Kind,
    /// Nothing follows `unix:`.
    NoPath,
    /// A vsock address has no second colon.
    NoPort,
    /// The context id is not a decimal `u32`.
    Cid,
    /// The port is not a decimal `u32`.
    Port,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "an address is unix:PATH or vsock:CID:PORT",
            Self::NoPath => "unix:PATH needs a path",
            Self::NoPort => "vsock:CID:PORT needs a port",
            Self::Cid => "in vsock:CID:PORT the context id is a number from 0 to 4294967295",
            Self::Port => "in vsock:CID:PORT the port is a number from 0 to 4294967295",
        })
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':').ok_or(AddressError::Kind)? {
            ("unix", "") => Err(AddressError::NoPath),
            ("unix", path) => Ok(Self::Unix(path.into())),
            ("vsock", rest) => {
                let (cid, port) = rest.split_once(':').ok_or(AddressError::NoPort)?;
                let cid = number(cid).ok_or(AddressError::Cid)?;
                Ok(Self::Vsock { cid, port: number(port).ok_or(AddressError::Port)? })
            }
            _ => Err(AddressError::Kind),
        }
    }
}

/// A decimal number in its one form: `parse` alone would take `+3` and `003` as well.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}
