//! Where things are kept: the vault's folder, the tenant's and the pretend one's, which stand outside it.

use std::path::{Path, PathBuf};

use adyton_folder::open_private;

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
    /// Where they are, whether they exist or not.
    pub(crate) fn named(
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
        Ok(Self {
            client: client.map_or_else(|| beside(".client"), Path::to_path_buf),
            pretend: pretend.map_or_else(|| beside(".pretend"), Path::to_path_buf),
            data,
        })
    }

    /// Resolves and makes them, closed to others.
    pub(crate) fn open(
        data: Option<&Path>,
        client: Option<&Path>,
        pretend: Option<&Path>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        Self::named(data, client, pretend)?.made()
    }

    /// The same of folders that are named.
    pub(crate) fn made(&self) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self {
            data: open_private(&self.data)?,
            client: open_private(&self.client)?,
            pretend: open_private(&self.pretend)?,
        })
    }

    /// Those of them that do not exist yet: they are removed with the value, unless it is kept.
    pub(crate) fn missing(&self) -> Missing {
        let folders = [&self.data, &self.client, &self.pretend].into_iter();
        Missing(folders.filter(|folder| !folder.exists()).cloned().collect())
    }
}

/// Folders that did not exist when this process began. A vault that was not finished leaves none of them.
pub(crate) struct Missing(Vec<PathBuf>);

impl Missing {
    /// The vault is finished: its folders stay.
    pub(crate) fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for Missing {
    fn drop(&mut self) {
        for folder in &self.0 {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn home() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let home = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")));
    Ok(home.ok_or("neither XDG_DATA_HOME nor HOME is set: name a folder with --data DIR")?.join("adyton"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn each_of_the_three_is_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path().canonicalize().unwrap();
        let open = || Folders::open(Some(&parent.join("vault")), None, None).map(drop);
        open().unwrap();
        for name in ["vault", "vault.client", "vault.pretend"] {
            let path = parent.join(name);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
            fs::write(path.join("kept"), "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
            let refused = open().err().unwrap().to_string();
            assert!(refused.starts_with(&format!("{}: others may enter", path.display())), "{refused}");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        open().unwrap();
    }
}
