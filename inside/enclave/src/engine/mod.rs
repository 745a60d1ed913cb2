//! The engine: one writer per shard over a sealed log (DESIGN §4).
//!
//! - [`Shard`] is the writer without its IO: commands in, sealed batches out, replies held until a batch is durable. It
//!   has no clock and no socket, so tests drive it against a store with faults.
//! - [`sealing`] makes entries and opens them; [`replay`] rebuilds state from a store.
//! - [`writer`] and [`appender`] are the shell: queue, time, the *append* channel, retry of the same sealed bytes.
//! - [`stop`] ends the process when a writer has stopped.
//! - [`follower`] takes snapshots behind the writer; [`gov`] writes the public log.

pub mod appender;
mod batch;
pub mod follower;
pub mod gov;
pub mod replay;
pub mod sealing;
mod shard;
pub mod snapshot;
pub mod stop;
pub mod writer;

pub use shard::{Held, Release, Sealed, Shard};
pub use stop::{Stop, Stopped};
pub use writer::{Engine, Failure};
