//! The shell around `adyton-engine`: what its machine, the vault, needs of the world (DESIGN §4).
//!
//! - [`writer`] and [`appender`]: queue, time, the *append* channel, retry of the same sealed bytes.
//! - [`replay`] reads the host's store into a machine; [`snapshots`] reads it back and takes snapshots behind the
//!   writer.
//! - [`stop`] ends the process when a writer has stopped; [`gov`] writes the public log.

pub mod appender;
pub mod gov;
pub mod replay;
pub mod snapshots;
pub mod stop;
pub mod writer;

pub use stop::{Stop, Stopped};
pub use writer::{Engine, Failure};
