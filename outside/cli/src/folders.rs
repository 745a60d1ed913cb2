//! Where things are kept: the vault's folder, the tenant's and the pretend one's, which stand outside it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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

fn make(path: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path).and_then(|()| path.canonicalize());
    made.map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Writes a file of mode 0600, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_os_string();
    temporary.push(".new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}
