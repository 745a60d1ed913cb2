//! The one doorway between host and enclave: a stream that is vsock on hardware and a Unix socket on a laptop, or before
//! an emulated machine.
//!
//! Why it does IO although `between/` otherwise does not: it *is* what both sides have in common, and one type for both
//! kinds of stream means that the enclave runs the same code on a laptop and in an enclave image.
//!
//! Scope: addresses, the ports of an image, streams, the gate that opens them, listeners, places for connections, frames over a
//! stream, opening a channel (`docs/spec/01-frames.md`). What it is
//! not: it knows no message beyond `Hello` and `Welcome` and keeps no state.

mod address;
mod bridge;
mod channel;
mod frames;
pub mod gate;
mod places;
mod stream;

pub use address::{Address, AddressError, HEARTBEAT, HEARTBEAT_PORT, INGRESS_PORT, PARENT, SERVICE_PORT};
pub use channel::{OpenError, accept_channel, open_channel};
pub use frames::{FrameIoError, FrameReader, FrameWriter};
pub use places::{Place, Places};
pub use stream::{Listener, ReadHalf, Stream, WriteHalf};
