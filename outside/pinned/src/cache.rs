//! What was built before, by everything that went into it.

use std::fs;
use std::path::{Path, PathBuf};

use adyton_ledger::sha256;
use data_encoding::HEXLOWER;
use rustix::fs::{FlockOperation, flock};

use crate::PinnedError;

/// Where things are kept: `ADYTON_CACHE`, or `adyton` in the user's cache folder.
///
/// # Errors
/// If this user has neither.
pub fn folder() -> Result<PathBuf, PinnedError> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let folder = variable("ADYTON_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|path| path.join("adyton")))
        .or_else(|| variable("HOME").map(|path| path.join(".cache/adyton")));
    folder.ok_or_else(|| PinnedError::new("there is no folder for what is fetched and built: set ADYTON_CACHE"))
}

/// Everything that goes into something that is built, so that a change of any of it has another name.
pub(crate) struct Recipe {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Recipe {
    /// Of something with this name.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, bytes: Vec::new() }
    }

    /// With this ingredient; each is preceded by its length.
    pub(crate) fn with(mut self, ingredient: &[u8]) -> Self {
        self.bytes.extend_from_slice(&(ingredient.len() as u64).to_be_bytes());
        self.bytes.extend_from_slice(ingredient);
        self
    }

    /// The folder of what comes of it.
    pub(crate) fn folder(&self) -> Result<PathBuf, PinnedError> {
        let hash = HEXLOWER.encode(&sha256(&self.bytes).0[..16]);
        Ok(folder()?.join(format!("{}-{hash}", self.name)))
    }

    /// The folder of what comes of it, built if it was not before. `build` gets an empty folder to work in and one for what
    /// is to be kept; nothing is kept of a build that fails.
    pub(crate) fn made(
        &self,
        build: impl FnOnce(&Path, &Path) -> Result<(), PinnedError>,
    ) -> Result<PathBuf, PinnedError> {
        let kept = self.folder()?;
        let home = folder()?;
        fs::create_dir_all(&home)?;
        // Two at once would do the same work twice.
        let lock = fs::File::create(home.join(format!("{}.lock", self.name)))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(std::io::Error::from)?;
        if kept.is_dir() {
            return Ok(kept);
        }
        let work = tempfile::Builder::new().prefix("building-").tempdir_in(&home)?;
        let (scratch, result) = (work.path().join("work"), work.path().join("kept"));
        fs::create_dir(&scratch)?;
        fs::create_dir(&result)?;
        build(&scratch, &result)?;
        fs::rename(&result, &kept)?;
        Ok(kept)
    }
}

/// SHA-256 of a file, in hexadecimal.
pub(crate) fn hash_of(path: &Path) -> Result<String, PinnedError> {
    Ok(HEXLOWER.encode(&sha256(&fs::read(path)?).0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn ingredients_do_not_run_together() {
        let folder = |ingredients: &[&[u8]]| {
            let recipe = ingredients.iter().fold(Recipe::new("x"), |recipe, ingredient| recipe.with(ingredient));
            recipe.folder().unwrap()
        };
        assert_eq!(folder(&[b"ab", b"c"]), folder(&[b"ab", b"c"]));
        assert_ne!(folder(&[b"ab", b"c"]), folder(&[b"a", b"bc"]));
        assert_ne!(folder(&[b"ab"]), folder(&[b"ab", b""]));
    }
}
