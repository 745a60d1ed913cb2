//! Where the source tree is.

use std::path::{Path, PathBuf};

use crate::PinnedError;

/// The source tree: `given`, or the folder that this process is in, or one above it.
///
/// # Errors
/// If there is none.
pub fn find(given: Option<&Path>) -> Result<PathBuf, PinnedError> {
    let is_tree = |folder: &Path| folder.join("inside/enclave/Cargo.toml").is_file();
    if let Some(folder) = given {
        let missing = || PinnedError::new(format!("{}: this is not Adyton's source tree", folder.display()));
        return if is_tree(folder) { Ok(folder.canonicalize()?) } else { Err(missing()) };
    }
    let here = std::env::current_dir()?;
    let found = here.ancestors().find(|folder| is_tree(folder));
    found
        .map(Path::to_path_buf)
        .ok_or_else(|| PinnedError::new("this needs Adyton's source tree: run it there, or name it with --source DIR"))
}
