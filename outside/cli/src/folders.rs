//! Where things are kept: the vault's folder, the tenant's and the pretend one's, which stand outside it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use adyton_host::make_folder;

/// The three folders of a laptop's vault.
pub(crate) struct Folders {
    /// What the host keeps: ciphertext and public records.
    pub(crate) data: PathBuf,
    /// What the tenant keeps: its secrets.
    pub(crate) client: PathBuf,
    /// What plays the platform keeps: the test root, the KMS's key.
    pub(crate) pretend: PathBuf,
}

impl Folders {
    /// Resolves and makes them (0700).
    pub(crate) fn open(
        data: Option<&Path>,
        client: Option<&Path>,
        pretend: Option<&Path>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let data = match data {
            Some(data) => data.to_path_buf(),
            None => home()?.join("vault"),
        };
        let beside = |suffix: &str| {
            let mut name = data.file_name().unwrap_or("vault".as_ref()).to_os_string();
            name.push(suffix);
            data.with_file_name(name)
        };
        let folders = Self {
            client: client.map_or_else(|| beside(".client"), Path::to_path_buf),
            pretend: pretend.map_or_else(|| beside(".pretend"), Path::to_path_buf),
            data,
        };
        Ok(Self { data: make(&folders.data)?, client: make(&folders.client)?, pretend: make(&folders.pretend)? })
    }
}

fn home() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let home = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")));
    Ok(home.ok_or("neither XDG_DATA_HOME nor HOME is set: name a folder with --data DIR")?.join("adyton"))
}

/// Makes a folder of mode 0700. An empty one is closed to others. One that holds something and stands open is refused:
/// what is in it may have been read already, or others are meant to use it.
fn make(path: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    make_folder(path).map_err(failed)?;
    let path = path.canonicalize().map_err(failed)?;
    let mode = fs::metadata(&path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 && fs::read_dir(&path).map_err(failed)?.next().is_none() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    } else if mode & 0o077 != 0 {
        let path = path.display();
        return Err(
            format!("{path}: others may enter this folder (mode {mode:04o}): chmod 700 it, or name another").into()
        );
    }
    Ok(path)
}

/// Writes a file of mode 0600, whole or not at all, and has it on the disk before it returns: a tenant that the vault
/// knows must not be one whose token a power failure took.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_os_string();
    temporary.push(".new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    fs::File::open(path.parent().unwrap_or(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn folders_are_closed_to_others_before_anything_is_in_them() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path().canonicalize().unwrap();
        let data = parent.join("vault");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        Folders::open(Some(&data), None, None).map(drop).unwrap();
        for name in ["vault", "vault.client", "vault.pretend"] {
            let path = parent.join(name);
            assert_eq!(mode(&path), 0o700);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            Folders::open(Some(&data), None, None).map(drop).unwrap();
            assert_eq!(mode(&path), 0o700);
            write_private(&path.join("secret"), b"kept").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
            let refused = Folders::open(Some(&data), None, None).err().unwrap().to_string();
            let named = path.display();
            assert_eq!(
                refused,
                format!("{named}: others may enter this folder (mode 0750): chmod 700 it, or name another")
            );
            assert_eq!(mode(&path), 0o750);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        Folders::open(Some(&data), None, None).map(drop).unwrap();
    }
}
