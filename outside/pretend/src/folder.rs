//! The folder that keeps what must outlive a run: the test root, the TLS CA, the KMS's key.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A folder of mode 0700 whose files have mode 0600.
pub struct Folder(PathBuf);

impl Folder {
    /// Opens or makes the folder.
    ///
    /// An empty folder is closed to others. One that holds something and stands open is refused: what is in it may have
    /// been read already, or others are meant to use it.
    ///
    /// # Errors
    /// The file system's, or [`io::ErrorKind::PermissionDenied`] if others may enter the folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let path = path.canonicalize()?;
        let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 && fs::read_dir(&path)?.next().is_none() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        } else if mode & 0o077 != 0 {
            let path = path.display();
            let reason =
                format!("{path}: others may enter this folder (mode {mode:04o}): chmod 700 it, or name another");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        Ok(Self(path))
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
        let temporary = self.path(&format!("{name}.new"));
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(temporary, self.path(name))?;
        fs::File::open(&self.0)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn a_folder_is_closed_to_others_before_anything_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().canonicalize().unwrap().join("new/kept");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        Folder::open(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Folder::open(&path).unwrap().write("secret", b"kept").unwrap();
        assert_eq!(mode(&path), 0o700);
        for open in [0o755, 0o710, 0o701, 0o740] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
            let Err(error) = Folder::open(&path) else { unreachable!("opened with mode {open:o}") };
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            let (path, named) = (path.display(), error.to_string());
            assert_eq!(
                named,
                format!("{path}: others may enter this folder (mode {open:04o}): chmod 700 it, or name another")
            );
        }
        assert_eq!(mode(&path), 0o740);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Folder::open(&path).unwrap();
    }
}
