//! What cargo says of the workspace and its dependencies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::{Error, root};

/// What an enclave runs on.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// `cargo metadata`, as much as is needed.
#[derive(Clone, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    pub(crate) workspace_root: PathBuf,
    pub(crate) target_directory: PathBuf,
}

/// A package.
#[derive(Clone, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a package's manifest.
#[derive(Clone, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for a normal dependency.
    pub(crate) kind: Option<String>,
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self, Error> {
        let text = output("cargo", &["metadata", "--format-version", "1", "--all-features", "--locked"])?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Our own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The package's manifest, from the root of the workspace.
    pub(crate) fn manifest<'a>(&self, package: &'a Package) -> &'a Path {
        package.manifest_path.strip_prefix(&self.workspace_root).unwrap_or(&package.manifest_path)
    }
}

/// Where release binaries are.
pub(crate) fn binaries() -> Result<PathBuf, Error> {
    Ok(Metadata::load()?.target_directory.join("release"))
}

/// Names and versions of everything that is built for Linux, of one package or of all.
pub(crate) fn built(package: Option<&str>) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let mut arguments =
        vec!["tree", "--edges", "normal,build", "--target", TARGET, "--prefix", "none", "--locked", "--format", "{p}"];
    match package {
        Some(package) => arguments.extend(["--package", package]),
        // What only a feature brings is built too, by somebody who asks for it.
        None => arguments.extend(["--workspace", "--all-features"]),
    }
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in output("cargo", &arguments)?.lines() {
        let mut words = line.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else { continue };
        let versions = found.entry(name.into()).or_default();
        let version = version.trim_start_matches('v').to_owned();
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    Ok(found)
}

pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String, Error> {
    let done = Command::new(program).current_dir(root()).args(arguments).output()?;
    if !done.status.success() {
        return Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr)).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}
