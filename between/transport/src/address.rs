//! `unix:PATH`, `vsock:CID:PORT` and `bridge:PATH:PORT`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The context id of the machine that an enclave runs on (`VMADDR_CID_HOST` of Nitro enclaves).
pub const PARENT: u32 = 3;
/// Where an image takes clients' connections.
pub const INGRESS_PORT: u32 = 8443;
/// Where an image opens channels to its host.
pub const SERVICE_PORT: u32 = 9001;
/// Where `nitro-cli` waits for an enclave to say that it runs.
pub const HEARTBEAT_PORT: u32 = 9000;
/// The byte by which it says so, and which it reads back.
pub const HEARTBEAT: u8 = 0xB7;

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
    /// A guest's vsock port, seen from outside through a bridge of Unix sockets, as `vhost-device-vsock` and Firecracker
    /// have it.
    Bridge {
        /// The bridge's own socket.
        path: PathBuf,
        /// Port.
        port: u32,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Vsock { cid, port } => write!(f, "vsock:{cid}:{port}"),
            Self::Bridge { path, port } => write!(f, "bridge:{}:{port}", path.display()),
        }
    }
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// It begins with neither `unix:`, `vsock:` nor `bridge:`.
    Kind,
    /// There is no path where one belongs.
    NoPath,
    /// There is no second colon where one belongs.
    NoPort,
    /// The context id is not a decimal `u32`.
    Cid,
    /// The port is not a decimal `u32`.
    Port,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "an address is unix:PATH, vsock:CID:PORT or bridge:PATH:PORT",
            Self::NoPath => "unix:PATH and bridge:PATH:PORT need a path",
            Self::NoPort => "vsock:CID:PORT and bridge:PATH:PORT need a port",
            Self::Cid => "in vsock:CID:PORT the context id is a number from 0 to 4294967295",
            Self::Port => "the port of vsock:CID:PORT and bridge:PATH:PORT is a number from 0 to 4294967295",
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
            ("bridge", rest) => {
                let (path, port) = rest.rsplit_once(':').ok_or(AddressError::NoPort)?;
                let port = number(port).ok_or(AddressError::Port)?;
                if path.is_empty() { Err(AddressError::NoPath) } else { Ok(Self::Bridge { path: path.into(), port }) }
            }
            _ => Err(AddressError::Kind),
        }
    }
}

/// A decimal number in its one form: `parse` alone would take `+3` and `003` as well.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}
