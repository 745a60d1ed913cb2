//! Where things are kept: the vault's folder, the tenant's and the pretend one's, which stand outside it.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

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
        let named = Self {
            client: client.map_or_else(|| beside(".client"), Path::to_path_buf),
            pretend: pretend.map_or_else(|| beside(".pretend"), Path::to_path_buf),
            data,
        };
        named.stand_apart()?;
        Ok(named)
    }

    /// None of the three is another one or in it: a copy of one must not be a copy of two.
    fn stand_apart(&self) -> Result<(), Box<dyn std::error::Error>> {
        let named = [("--data", &self.data), ("--client-dir", &self.client), ("--pretend-dir", &self.pretend)];
        let resolved = [resolve(&self.data)?, resolve(&self.client)?, resolve(&self.pretend)?];
        for ((option, folder), path) in named.iter().zip(&resolved) {
            for ((other, outer), above) in named.iter().zip(&resolved).filter(|((other, _), _)| other != option) {
                if path.starts_with(above) {
                    return Err(format!(
                        "{option}: {} is {other}'s folder, {}, or in it: the three are kept apart, so that a backup of one \
                         is not one of another",
                        folder.display(),
                        outer.display()
                    )
                    .into());
                }
            }
        }
        Ok(())
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

    /// Whether no vault was begun there.
    pub(crate) fn are_new(&self) -> bool {
        !self.data.join("adyton.toml").exists()
    }

    /// What a new vault makes: it is removed with the value, unless it is kept. Of a vault that exists, and of a folder that holds something,
    /// nothing is ever removed.
    pub(crate) fn made_by_a_new_vault(&self) -> MadeFolders {
        let is_empty = |folder: &Path| std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        let folders = [&self.data, &self.client, &self.pretend].map(|folder| {
            let made = if folder.exists() { is_empty(folder).then_some(Made::Content) } else { Some(Made::Folder) };
            made.map(|made| (folder.clone(), made))
        });
        MadeFolders(if self.are_new() { folders.into_iter().flatten().collect() } else { Vec::new() })
    }
}

/// What of a folder was made.
enum Made {
    Folder,
    /// It was there, and empty.
    Content,
}

/// Folders of a vault that is not finished.
pub(crate) struct MadeFolders(Vec<(PathBuf, Made)>);

impl MadeFolders {
    /// The vault is finished, or somebody else's: its folders stay.
    pub(crate) fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for (folder, made) in &self.0 {
            let _ = match made {
                Made::Folder => std::fs::remove_dir_all(folder),
                Made::Content => empty(folder),
            };
        }
    }
}

fn empty(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }?;
    }
    Ok(())
}

/// Where a path leads, whether it exists or not: links are followed as far as they go.
fn resolve(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut resolved = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(resolved.pop()),
            component => resolved.push(component),
        }
        // What does not exist leads nowhere else.
        if let Ok(canonical) = resolved.canonicalize() {
            resolved = canonical;
        }
    }
    Ok(resolved)
}

/// Where vaults are kept by default.
fn home() -> Result<PathBuf, String> {
    home_of(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))
}

/// By the XDG Base Directory Specification: a variable that is empty or no absolute path counts as unset.
fn home_of(data: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, String> {
    let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    let found = absolute(data).or_else(|| Some(absolute(home)?.join(".local/share")));
    let found = found.ok_or("neither XDG_DATA_HOME nor HOME names a folder: name one with --data DIR")?;
    Ok(found.join("adyton"))
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

    #[test]
    fn an_empty_variable_is_none() {
        let home = |data: &str, home: &str| home_of(Some(data.into()), Some(home.into()));
        assert_eq!(home("/data", "/home/jo").unwrap(), Path::new("/data/adyton"));
        for data in ["", "relative"] {
            assert_eq!(home(data, "/home/jo").unwrap(), Path::new("/home/jo/.local/share/adyton"), "{data}");
            assert!(home(data, "").unwrap_err().contains("--data DIR"));
        }
        assert!(home_of(None, None).is_err());
    }

    #[test]
    fn the_three_are_apart() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        fs::create_dir_all(path("vault/within")).unwrap();
        std::os::unix::fs::symlink(path("vault/within"), path("link")).unwrap();
        let named = |data: &str, client: &str, pretend: &str| {
            Folders::named(Some(&path(data)), Some(&path(client)), Some(&path(pretend))).map(drop)
        };
        named("vault", "vault.client", "vault.pretend").unwrap();
        named("new", "other", "third").unwrap();
        for (data, client, pretend, option) in [
            ("vault", "vault", "p", "--data"),
            ("vault", "vault/new", "p", "--client-dir"),
            ("vault", "c", "vault/within", "--pretend-dir"),
            ("vault", "c", "link/new", "--pretend-dir"),
            ("vault", "c", "new/../vault/x", "--pretend-dir"),
            ("vault", "c", "c/x", "--pretend-dir"),
            ("c/x", "c", "p", "--data"),
        ] {
            let refused = named(data, client, pretend).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("{option}: ")) && refused.contains("kept apart"), "{refused}");
        }
        assert!(!path("new").exists());
    }

    #[test]
    fn an_unfinished_new_vault_leaves_nothing_and_an_old_one_loses_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path().canonicalize().unwrap();
        let named = || Folders::named(Some(&parent.join("vault")), None, None).unwrap();
        let names = || {
            let mut names: Vec<_> = fs::read_dir(&parent).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let begin = || {
            let made = named().made_by_a_new_vault();
            let folders = named().made().unwrap();
            fs::create_dir(folders.data.join("approvals")).unwrap();
            fs::write(folders.data.join("lock"), "").unwrap();
            fs::write(folders.client.join("owner"), "").unwrap();
            made
        };
        drop(begin());
        assert!(names().is_empty());
        // An empty folder that was there stays, and is empty again.
        fs::create_dir(parent.join("vault")).unwrap();
        drop(begin());
        assert_eq!((names(), fs::read_dir(parent.join("vault")).unwrap().count()), (vec!["vault".into()], 0));
        // What held something stays as it is, and so does a finished vault.
        fs::create_dir(parent.join("vault.client")).unwrap();
        fs::write(parent.join("vault.client/mine"), "").unwrap();
        fs::set_permissions(parent.join("vault.client"), fs::Permissions::from_mode(0o700)).unwrap();
        drop(begin());
        assert_eq!(names(), ["vault", "vault.client"]);
        assert_eq!(fs::read_dir(parent.join("vault.client")).unwrap().count(), 2);
        let mut made = begin();
        made.keep();
        drop(made);
        assert_eq!(names(), ["vault", "vault.client", "vault.pretend"]);
        fs::write(parent.join("vault/adyton.toml"), "").unwrap();
        fs::remove_dir(parent.join("vault.pretend")).unwrap();
        let made = named().made_by_a_new_vault();
        named().made().unwrap();
        drop(made);
        assert_eq!(names(), ["vault", "vault.client", "vault.pretend"]);
    }
}
