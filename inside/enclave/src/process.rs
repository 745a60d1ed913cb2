//! What every enclave does to its own process, on a laptop and in an image.

use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit};

/// No core dumps, and no ptrace by others.
///
/// # Errors
/// The system's.
pub fn harden() -> io::Result<()> {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}
