//! Debian's packages: what a build needs installed, and files of a named version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::command::run;
use crate::{Console, PinnedError, cache};

/// Longest wait for what is fetched.
pub(crate) const FETCHING: Duration = Duration::from_secs(600);
const QUICK: Duration = Duration::from_secs(30);

/// A binary package of Debian's, at one version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) package: String,
    /// What every version that `repin` may choose begins with.
    pub(crate) range: String,
    /// Its version.
    pub(crate) version: String,
    /// SHA-256 of its file.
    pub(crate) sha256: String,
}

impl Package {
    /// Fetches the package's file, and unpacks it into `folder`.
    pub(crate) fn unpack(&self, folder: &Path, repin: &str) -> Result<(), PinnedError> {
        let file = self.fetch(repin)?;
        run(Command::new("dpkg-deb").arg("-x").arg(&file).arg(folder), FETCHING)?;
        Ok(())
    }

    /// The package's file, in the cache.
    fn fetch(&self, repin: &str) -> Result<PathBuf, PinnedError> {
        let kept = cache::folder()?.join(format!("{}-{}.deb", self.package, self.sha256));
        if kept.is_file() && cache::hash_of(&kept)? == self.sha256 {
            return Ok(kept);
        }
        let (folder, file) = download(&self.package, &self.version).map_err(|error| {
            PinnedError::new(format!(
                "{} {} cannot be had: {error}\nDebian drops old versions. Run `{repin}` to move the pin, and look at what \
                 changes",
                self.package, self.version
            ))
        })?;
        expect(&file, &self.sha256)?;
        fs::rename(&file, &kept).or_else(|_| fs::copy(&file, &kept).map(drop))?;
        drop(folder);
        Ok(kept)
    }

    /// The newest version in the range, and its hash.
    pub(crate) fn newest(&self) -> Result<(String, String), PinnedError> {
        let listed = run(Command::new("apt-cache").args(["madison", &self.package]), QUICK)?;
        let versions = listed.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
        let version = versions.into_iter().find(|version| version.starts_with(&self.range));
        let version = version
            .ok_or_else(|| PinnedError::new(format!("no version of {} begins with {}", self.package, self.range)))?;
        let (_folder, file) = download(&self.package, version)?;
        Ok((version.to_owned(), cache::hash_of(&file)?))
    }
}

/// The file of a package, in a folder that goes with the first value.
fn download(package: &str, version: &str) -> Result<(tempfile::TempDir, PathBuf), PinnedError> {
    fs::create_dir_all(cache::folder()?)?;
    let folder = tempfile::Builder::new().prefix("fetching-").tempdir_in(cache::folder()?)?;
    let mut apt = Command::new("apt-get");
    apt.args(["download", "-qq", &format!("{package}={version}")]).current_dir(folder.path());
    run(&mut apt, FETCHING)?;
    let file = fs::read_dir(folder.path())?.find_map(|entry| entry.ok().map(|entry| entry.path()));
    Ok((folder, file.ok_or_else(|| PinnedError::new("apt-get fetched nothing"))?))
}

/// Refuses a file with another hash.
pub(crate) fn expect(file: &Path, sha256: &str) -> Result<(), PinnedError> {
    let got = cache::hash_of(file)?;
    if got == sha256 {
        return Ok(());
    }
    Err(PinnedError::new(format!("{}: expected SHA-256 {sha256}, got {got}", file.display())))
}

/// Installs what is missing, if that is allowed; only root can. What it would run is in every refusal.
pub(crate) fn need(packages: &[&str], console: &Console<'_>) -> Result<(), PinnedError> {
    let is_there = |package: &&&str| {
        let mut dpkg = Command::new("dpkg-query");
        let status = run(dpkg.args(["--show", "--showformat=${db:Status-Status}", package]), QUICK);
        !status.is_ok_and(|status| status == "installed")
    };
    let missing: Vec<&str> = packages.iter().filter(is_there).copied().collect();
    install(&missing, rustix::process::geteuid().is_root(), console)
}

fn install(missing: &[&str], is_root: bool, console: &Console<'_>) -> Result<(), PinnedError> {
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if !is_root {
        return Err(PinnedError::new(format!("packages are missing: `sudo {line}`")));
    }
    if !(console.may_install)(&line) {
        return Err(PinnedError::new(format!(
            "packages are missing, and nothing was installed: `{line}`, or give --yes"
        )));
    }
    (console.tell)(&format!("installing {}", missing.join(" ")));
    let install = || {
        let mut apt = Command::new("apt-get");
        apt.args(["install", "-y", "-qq", "--no-install-recommends"]).args(missing);
        run(apt.env("DEBIAN_FRONTEND", "noninteractive"), FETCHING)
    };
    // The lists of a fresh machine are empty, or old.
    if install().is_err() {
        run(Command::new("apt-get").args(["update", "-qq"]), FETCHING)?;
        install()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use std::cell::RefCell;

    use super::*;

    #[test]
    fn nothing_is_installed_without_consent_and_the_line_is_named() {
        let asked = RefCell::new(Vec::new());
        let may_install = |line: &str| {
            asked.borrow_mut().push(line.to_owned());
            false
        };
        let console = Console { tell: &|_| {}, may_install: &may_install };
        install(&[], true, &console).unwrap();
        let line = "apt-get install --no-install-recommends bc flex";
        let refused = install(&["bc", "flex"], false, &console).unwrap_err().to_string();
        assert_eq!(refused, format!("packages are missing: `sudo {line}`"));
        assert!(asked.borrow().is_empty());
        let refused = install(&["bc", "flex"], true, &console).unwrap_err().to_string();
        assert_eq!(refused, format!("packages are missing, and nothing was installed: `{line}`, or give --yes"));
        assert_eq!(*asked.borrow(), [line]);
    }
}
