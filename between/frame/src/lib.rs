//! Outer frames between host and enclave: routing and opaque bytes (`docs/spec/01-frames.md`).
//!
//! Why: both sides must agree on a few messages, and the untrusted side must not be able to name a plaintext type.
//! Everything that matters inside a frame is sealed, signed or public.
//!
//! Scope: bytes to messages and back, strictly; which message may appear on which channel. What this crate is not: it
//! does no IO and trusts nothing it decodes.

#![no_std]

extern crate alloc;

mod codec;
mod event;
mod message;

pub use codec::{FrameError, MAX_FRAME, encode_append};
pub use event::{Ceiling, Counters, DeliveryFailure, Event, StopReason};
pub use message::{Append, Channel, Frame, Message, RecordBytes, StoreFailure, VERSION};
