//! What `nitro-cli` waits for: one byte to the parent's port 9000, and the same byte back. AWS's own init does the same.

use std::io::{Read, Write};
use std::time::Duration;

use adyton_transport::{HEARTBEAT, HEARTBEAT_PORT, PARENT};
use vsock::VsockStream;

use super::GuestError;

/// Longest wait for the byte to come back.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// Tells the parent that the image runs.
pub(super) fn beat() -> Result<(), GuestError> {
    let mut parent = VsockStream::connect_with_cid_port(PARENT, HEARTBEAT_PORT)?;
    parent.set_read_timeout(Some(HEARTBEAT_TIMEOUT))?;
    parent.write_all(&[HEARTBEAT])?;
    let mut back = [0];
    parent.read_exact(&mut back)?;
    if back == [HEARTBEAT] { Ok(()) } else { Err(GuestError::Heartbeat) }
}
