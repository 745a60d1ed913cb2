//! Known faults of what is built: RustSec's database, read where `cargo audit` keeps its copy.
//!
//! Nothing is fetched. Without a copy the step is not run and says so; with an old one it knows only what was known then.
//! An advisory that only informs (unmaintained, unsound, notice) is printed and fails nothing, as in `cargo audit`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use semver::{Version, VersionReq};
use serde::Deserialize;

use crate::Error;
use crate::ci::Outcome;
use crate::metadata::built;

/// The front matter of an advisory; what is not needed is passed over.
#[derive(Deserialize)]
struct Advisory {
    advisory: About,
    versions: Versions,
}

#[derive(Deserialize)]
struct About {
    id: String,
    withdrawn: Option<String>,
    informational: Option<String>,
}

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<VersionReq>,
    #[serde(default)]
    unaffected: Vec<VersionReq>,
}

/// The step of `cargo xtask ci`.
pub(crate) fn step() -> Outcome {
    let folder = database();
    if !folder.join("crates").is_dir() {
        return Outcome::NotRun(format!("{}: no copy of RustSec's advisory-db", folder.display()));
    }
    match built(None).and_then(|everything| check(&folder, &everything)) {
        Ok(faults) if faults.is_empty() => Outcome::Pass,
        Ok(faults) => Outcome::Fail(faults.join("; ")),
        Err(error) => Outcome::Fail(error.to_string()),
    }
}

/// Where `cargo audit` keeps its copy.
fn database() -> PathBuf {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    cargo.or_else(home).unwrap_or_default().join("advisory-db")
}

/// Every advisory that a built crate's version is in, as `crate version: id`.
fn check(database: &Path, everything: &BTreeMap<String, Vec<String>>) -> Result<Vec<String>, Error> {
    let (mut faults, mut read) = (Vec::new(), 0);
    for (name, versions) in everything {
        let Ok(files) = fs::read_dir(database.join("crates").join(name)) else { continue };
        let mut files: Vec<PathBuf> = files.map(|file| Ok(file?.path())).collect::<Result<_, Error>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
        files.sort();
        for file in files {
            let advisory = advisory(&fs::read_to_string(&file)?);
            let advisory = advisory.map_err(|error| format!("{}: {error}", file.display()))?;
            read += 1;
            for version in versions {
                if !advisory.concerns(&Version::parse(version)?) {
                    continue;
                }
                let found = format!("{name} {version}: {}", advisory.advisory.id);
                match &advisory.advisory.informational {
                    Some(kind) => println!("{found} ({kind})"),
                    None => faults.push(found),
                }
            }
        }
    }
    println!("advisories: {read} of the crates built were read");
    Ok(faults)
}

fn advisory(text: &str) -> Result<Advisory, Error> {
    let (_, rest) = text.split_once("```toml\n").ok_or("no front matter")?;
    let (front, _) = rest.split_once("\n```").ok_or("the front matter does not end")?;
    Ok(toml::from_str(front)?)
}

impl Advisory {
    fn concerns(&self, version: &Version) -> bool {
        let Versions { patched, unaffected } = &self.versions;
        self.advisory.withdrawn.is_none() && !patched.iter().chain(unaffected).any(|safe| safe.matches(version))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn planted(more: &str, patched: &str, unaffected: &str) -> tempfile::TempDir {
        let database = tempfile::tempdir().unwrap();
        let folder = database.path().join("crates/planted");
        fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-2026-9999\"\npackage = \"planted\"\ndate = \"2026-01-02\"\n{more}\n\n\
             [versions]\npatched = {patched}\nunaffected = {unaffected}\n```\n\n# A planted fault\n"
        );
        fs::write(folder.join("RUSTSEC-2026-9999.md"), text).unwrap();
        fs::write(folder.join("notes.txt"), "not an advisory").unwrap();
        database
    }

    fn built_of(versions: &[&str]) -> BTreeMap<String, Vec<String>> {
        let other = ("other".to_owned(), vec!["1.0.0".to_owned()]);
        let versions = versions.iter().map(|version| (*version).to_owned()).collect();
        BTreeMap::from([("planted".to_owned(), versions), other])
    }

    #[test]
    fn a_version_that_is_neither_patched_nor_unaffected_is_named() {
        let database = planted("", "[\"^1.2.3\", \">= 2.0.1\"]", "[\"< 1.1.0\"]");
        let everything = built_of(&["1.0.9", "1.1.0", "1.2.3", "2.0.0", "2.0.1"]);
        assert_eq!(
            check(database.path(), &everything).unwrap(),
            ["planted 1.1.0: RUSTSEC-2026-9999", "planted 2.0.0: RUSTSEC-2026-9999"]
        );
    }

    #[test]
    fn what_only_informs_or_was_withdrawn_fails_nothing() {
        for more in ["informational = \"unmaintained\"", "withdrawn = \"2026-02-03\""] {
            let database = planted(more, "[]", "[]");
            assert_eq!(check(database.path(), &built_of(&["1.0.0"])).unwrap(), Vec::<String>::new(), "{more}");
        }
    }

    #[test]
    fn an_advisory_that_cannot_be_read_is_not_passed_over() {
        let database = planted("", "[\"not a version\"]", "[]");
        let refused = check(database.path(), &built_of(&["1.0.0"])).unwrap_err().to_string();
        assert!(refused.contains("RUSTSEC-2026-9999.md: ") && refused.contains("not a version"), "{refused}");
    }
}
