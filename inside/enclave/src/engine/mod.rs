//! The shell around `adyton-engine`: what its machine, the vault, needs of the world (DESIGN §4).
//!
//! - `handle` is what everybody else has: it charges a command to its payer (`queue`) and gives out the view (`lease`).
//! - [`writer`] decides and commits in groups; [`log_writer`] and [`appender`] bring the entries of a log, one at a time and
//!   the same sealed bytes each time, to the host.
//! - [`replay`] reads the host's store into a machine; [`snapshots`] reads it back and takes snapshots behind the
//!   writer.
//! - [`stop`] ends the process when a writer has stopped; [`gov`] writes the public log.

pub mod appender;
pub mod gov;
mod handle;
mod lease;
pub mod log_writer;
mod queue;
pub mod replay;
pub mod snapshots;
pub mod stop;
pub mod writer;

pub use handle::{Engine, Failure, Ticket};
pub use stop::{StopReporter, WriterStopped};
