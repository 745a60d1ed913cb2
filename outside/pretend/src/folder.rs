//! The folder that keeps what must outlive a run: the test root, the TLS CA, the KMS's key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A folder of mode 0700 whose files have mode 0600.
pub struct Folder(PathBuf);

impl Folder {
    /// Opens or makes the folder.
    ///
    /// # Errors
    /// Those of [`adyton_folder::open_private`].
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(adyton_folder::open_private(path)?))
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Reads a file, or makes it first; a file exists whole or not at all.
    ///
    /// # Errors
    /// The file system's.
    pub fn read_or_make(&self, name: &str, make: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Vec<u8>> {
        match fs::read(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let content = make()?;
                self.write(name, &content)?;
                Ok(content)
            }
            read => read,
        }
    }

    /// Writes a file, and has it on the disk before it returns: what the vault wraps under a key is durable, so the key
    /// must be too.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        adyton_folder::write_private(&self.path(name), content)
    }
}
