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

/// The text is neither `unix:PATH` nor `vsock:CID:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressError;

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address is unix:PATH or vsock:CID:PORT")
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':').ok_or(AddressError)? {
            ("unix", path) if !path.is_empty() => Ok(Self::Unix(path.into())),
            ("vsock", rest) => {
                let (cid, port) = rest.split_once(':').ok_or(AddressError)?;
                let number = |text: &str| text.parse().map_err(|_| AddressError);
                Ok(Self::Vsock { cid: number(cid)?, port: number(port)? })
            }
            _ => Err(AddressError),
        }
    }
}
