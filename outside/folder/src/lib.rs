//! Folders (0700) and files (0600) that other users cannot enter, and whose names are as durable as what is in them.
//!
//! Why: what is synced into a file is lost with a name that was not, and a key that stood open for a moment may have been
//! read. Host, command and pretend peers keep things and must not differ in how.
//!
//! What it is not: it keeps nothing from root on this machine, and encrypts nothing.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Names that are tried for a temporary file.
const TRIES: u32 = 8;

/// Makes a folder (0700), and those above it that are missing, and has their names on the disk before it returns.
///
/// # Errors
/// The file system's.
pub fn make(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for made in missing {
        let above = made.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(above)?.sync_all()?;
    }
    Ok(())
}

/// Opens or [makes](make) a folder that is closed to others; gives its canonical path.
///
/// An empty folder is closed to others here. One that holds something and stands open is refused: what is in it may have
/// been read already, or others are meant to use it.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] if others may enter the folder, or the file system's. Both name the folder.
pub fn open_private(folder: &Path) -> io::Result<PathBuf> {
    let open = || {
        make(folder)?;
        let path = folder.canonicalize()?;
        let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
        if mode & 0o077 == 0 {
            return Ok(path);
        }
        if fs::read_dir(&path)?.next().is_some() {
            let reason = format!("others may enter this folder (mode {mode:04o}): chmod 700 it, or name another");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        Ok(path)
    };
    open().map_err(|error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))
}

/// Writes a file of mode 0600, whole or not at all, and has it on the disk before it returns.
///
/// # Errors
/// The file system's; it names the file.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let (temporary, mut file) = create_beside(path)?;
    let mut fill = || {
        // Whatever the umask and the folder's access lists made of the mode.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    if let Err(error) = fill() {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

/// A new file in the same folder, under a name that nobody could foresee. Whoever may write in the folder may have put something
/// under any name, so what is there is never opened, and a link never followed (`O_EXCL`, which `create_new` is).
fn create_beside(path: &Path) -> io::Result<(PathBuf, fs::File)> {
    let mut tries = TRIES;
    loop {
        let mut temporary = path.as_os_str().to_os_string();
        temporary.push(format!(".{:016x}.new", RandomState::new().build_hasher().finish()));
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        match opened {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries > 1 => tries -= 1,
            opened => return Ok((temporary.into(), opened?)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_is_closed_to_others_before_anything_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().canonicalize().unwrap().join("new/kept");
        assert_eq!(open_private(&path).unwrap(), path);
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o700, 0o700));
        set_mode(&path, 0o755);
        open_private(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn one_that_stands_open_with_something_in_it_is_refused_and_left_as_it_is() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().canonicalize().unwrap().join("kept");
        open_private(&path).unwrap();
        write_private(&path.join("secret"), b"kept").unwrap();
        for open in [0o755, 0o710, 0o701, 0o740] {
            set_mode(&path, open);
            let refused = open_private(&path).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
            let named = path.display();
            assert_eq!(
                refused.to_string(),
                format!("{named}: others may enter this folder (mode {open:04o}): chmod 700 it, or name another")
            );
            assert_eq!(mode(&path), open);
        }
        set_mode(&path, 0o700);
        open_private(&path).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("missing/file");
        let refused = write_private(&path, b"kept").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::NotFound);
        assert!(refused.to_string().starts_with(&format!("{}: ", path.display())), "{refused}");
    }

    #[test]
    fn what_the_file_system_refuses_names_the_folder() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "precious").unwrap();
        let refused = open_private(&file).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert!(refused.to_string().starts_with(&format!("{}: ", file.display())), "{refused}");
        assert_eq!(fs::read(&file).unwrap(), b"precious");
    }

    #[test]
    fn a_file_is_written_anew_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for content in [&b"one"[..], b"another"] {
            write_private(&path, content).unwrap();
            assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (content, 0o600));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Another user of the folder has put something under the name that was the temporary one once, or under the file's own.
    #[test]
    fn what_others_put_there_is_neither_used_nor_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, foreseen, victim) =
            (folder.path().join("key"), folder.path().join("key.new"), folder.path().join("victim"));
        fs::write(&victim, "keep").unwrap();
        set_mode(&victim, 0o644);
        let is_private = |content: &[u8]| {
            write_private(&path, content).unwrap();
            assert!(fs::symlink_metadata(&path).unwrap().is_file());
            assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (content, 0o600));
            assert_eq!((fs::read(&victim).unwrap().as_slice(), mode(&victim)), (&b"keep"[..], 0o644));
        };
        fs::write(&foreseen, "").unwrap();
        set_mode(&foreseen, 0o666);
        let mut opened_before = fs::File::open(&foreseen).unwrap();
        is_private(b"one");
        let mut read = Vec::new();
        io::Read::read_to_end(&mut opened_before, &mut read).unwrap();
        assert!(read.is_empty());
        fs::remove_file(&foreseen).unwrap();
        std::os::unix::fs::symlink(&victim, &foreseen).unwrap();
        is_private(b"two");
        assert_eq!(fs::read_link(&foreseen).unwrap(), victim);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        is_private(b"three");
        set_mode(&path, 0o666);
        is_private(b"four");
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder");
        fs::create_dir(&path).unwrap();
        write_private(&path, b"kept").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
