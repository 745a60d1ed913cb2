//! Files that a person names for what a command makes. What is there already may be the only copy of something, so it stays.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

type Error = Box<dyn std::error::Error>;

/// Refuses a name under which there is anything, a link that leads nowhere included.
pub(crate) fn free(file: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(file) {
        Ok(_) => Err(format!("{}: is there already; name another file", file.display()).into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("{}: {error}", file.display()).into()),
    }
}

/// Refuses one file for two options: the second would take the place of the first.
pub(crate) fn distinct([(one, first), (other, second)]: [(&str, &Path); 2]) -> Result<(), Error> {
    if place(first) == place(second) {
        return Err(format!("{one} and {other} name the same file, {}: name two", second.display()).into());
    }
    Ok(())
}

/// A file's canonical name, also of one that is not there.
fn place(file: &Path) -> PathBuf {
    let named = || {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.canonicalize().ok()?.join(file.file_name()?))
    };
    file.canonicalize().ok().or_else(named).unwrap_or_else(|| file.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_there_is_refused_whatever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let name = |name: &str| folder.path().join(name);
        free(&name("new")).unwrap();
        // Which folder is missing is said by what writes there.
        free(&name("missing/new")).unwrap();
        fs::write(name("key"), "secret").unwrap();
        symlink(name("nowhere"), name("link")).unwrap();
        for there in [name("key"), name("link"), folder.path().into()] {
            let refused = free(&there).unwrap_err().to_string();
            assert_eq!(refused, format!("{}: is there already; name another file", there.display()));
        }
        assert!(free(&name("key/new")).is_err());
    }

    #[test]
    fn one_file_is_known_by_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let name = |name: &str| folder.path().join(name);
        let same = |a: &Path, b: &Path| distinct([("--tenant", a), ("--request", b)]);
        fs::create_dir(name("under")).unwrap();
        symlink(name("under"), name("link")).unwrap();
        for [a, b] in [["x", "x"], ["x", "./x"], ["x", "under/../x"], ["under/x", "link/x"], ["no/x", "no/x"]] {
            let (a, b) = (name(a), name(b));
            let refused = same(&a, &b).unwrap_err().to_string();
            assert_eq!(refused, format!("--tenant and --request name the same file, {}: name two", b.display()));
        }
        same(&name("x"), &name("y")).unwrap();
        same(&name("x"), &name("under/x")).unwrap();
        assert!(same(Path::new("x"), Path::new("./x")).is_err());
        fs::write(name("under/x"), "").unwrap();
        symlink(name("under/x"), name("x")).unwrap();
        assert!(same(&name("x"), &name("under/x")).is_err());
    }
}
