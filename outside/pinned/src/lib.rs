//! Other people's sources, by hash: fetched, kept and built.
//!
//! 1. a *pin* names a file, its version and its SHA-256, in a TOML file beside what is done with it;
//! 2. the file is fetched from where this machine gets its packages, and refused if its hash is another one;
//! 3. what is built from it is kept outside the checkout, in a folder whose name is a hash of everything that went in
//!    (`Recipe`), so that a change of any of it builds anew;
//! 4. a version that has vanished is said to have; `repin` moves a pin to the newest in its range.
//!
//! Why a crate of its own: the kernel of an image ([`kernel`]) and the emulated machine of the tests ([`emulator`]) both
//! come from pinned sources, and neither is ours.
//!
//! Limits: Debian 12 on x86-64, as root for packages that a build needs. What it is not: nothing of it runs in an enclave,
//! and what is fetched is never committed.

mod cache;
mod command;
pub mod emulator;
pub mod kernel;
mod packages;
mod pin;
mod source;

pub use cache::folder as cache_folder;
pub use command::stop_builds;
pub use source::find as find_source;

use std::fmt;

/// Who is told of what takes long, and asked before packages are installed.
pub struct Console<'a> {
    /// Hears one line.
    pub tell: &'a dyn Fn(&str),
    /// Whether this command may be run.
    pub may_install: &'a dyn Fn(&str) -> bool,
}

/// Why something could not be had: a sentence that says what to do.
#[derive(Debug)]
pub struct PinnedError(String);

impl PinnedError {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl fmt::Display for PinnedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PinnedError {}

impl From<std::io::Error> for PinnedError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}
