//! Builds the enclave alone, and counts what the compilers read for it.
//!
//! 1. Cargo builds it into a folder of its own, with the profile of an image and for a named target: alone, because with
//!    other packages cargo unites their features; for a target, because then what is linked and what only helps to build
//!    stand in different folders.
//! 2. Cargo's messages say which crates it compiled, for which of the two, and which build scripts it ran.
//! 3. Each compilation left a list of the files it read (dep-info): these are counted, and no others. A module that a
//!    `#[cfg]` leaves out was not read. What a build script wrote for its crate was.
//! 4. C compilers are told to leave such lists too (`-MMD`); of those, the files of the crate itself are counted, headers once.
//!
//! A crate that is both linked and used while building is counted as linked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::metadata::{Metadata, TARGET};
use crate::tcb::rust::{self, Unsafe};
use crate::tcb::text::{self, Language};
use crate::{Error, root};

/// What a crate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Ours,
    Linked,
    Macro,
    Build,
}

/// A crate that the enclave is built of.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) part: Part,
    pub(crate) lines: usize,
    pub(crate) uses: Unsafe,
    /// Lines of its build script, if it has one.
    pub(crate) script: Option<usize>,
    /// Lines of C and assembly.
    pub(crate) foreign: usize,
}

/// The enclave.
pub(crate) struct Image {
    pub(crate) crates: Vec<Crate>,
    pub(crate) bytes: u64,
}

/// A message of cargo's, as much as is needed.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
    out_dir: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
    src_path: PathBuf,
}

/// Files that were read for a package.
#[derive(Default)]
struct Files {
    linked: BTreeSet<PathBuf>,
    built: BTreeSet<PathBuf>,
    script: BTreeSet<PathBuf>,
    foreign: BTreeSet<PathBuf>,
    is_macro: bool,
}

/// Builds and counts.
pub(crate) fn build() -> Result<Image, Error> {
    let metadata = Metadata::load()?;
    let folder = metadata.target_directory.join("tcb");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "-p", "adyton-enclave", "--locked", "--profile", "image", "--target", TARGET]);
    cargo.arg("--message-format=json-render-diagnostics").arg("--target-dir").arg(&folder);
    cargo.env(format!("CFLAGS_{}", TARGET.replace('-', "_")), "-MMD");
    let done = cargo.current_dir(root()).stderr(Stdio::inherit()).output()?;
    if !done.status.success() {
        return Err("the enclave's image was not built".into());
    }
    let (mut packages, mut bytes) = (BTreeMap::<String, Files>::new(), None);
    for line in String::from_utf8(done.stdout)?.lines() {
        let message: Message = serde_json::from_str(line)?;
        let files = match message.reason.as_str() {
            "compiler-artifact" | "build-script-executed" => packages.entry(message.package_id.clone()).or_default(),
            _ => continue,
        };
        if let Some(folder) = &message.out_dir {
            let package = metadata.packages.iter().find(|package| package.id == message.package_id);
            let home =
                package.and_then(|package| package.manifest_path.parent()).ok_or("a package without a folder")?;
            foreign(folder, home, &mut files.foreign)?;
        }
        let Some(target) = &message.target else { continue };
        let read = read(&message, target)?;
        let is = |kind: &str| target.kind.iter().any(|found| found == kind);
        files.is_macro |= is("proc-macro");
        if is("custom-build") {
            files.script.extend(read);
        } else if message.filenames.iter().any(|file| file.starts_with(folder.join(TARGET))) {
            files.linked.extend(read);
        } else {
            files.built.extend(read);
        }
        if let Some(binary) = message.executable.filter(|_| is("bin")) {
            bytes = Some(fs::metadata(binary)?.len());
        }
    }
    let mut crates = Vec::new();
    for (id, files) in &packages {
        let package =
            metadata.packages.iter().find(|package| package.id == *id).ok_or("cargo built what it does not name")?;
        let part = match files {
            _ if metadata.workspace_members.contains(id) => Part::Ours,
            Files { linked, .. } if !linked.is_empty() => Part::Linked,
            Files { is_macro: true, .. } => Part::Macro,
            _ => Part::Build,
        };
        let (lines, uses) = rust_files(if files.linked.is_empty() { &files.built } else { &files.linked })?;
        let script = if files.script.is_empty() { None } else { Some(rust_files(&files.script)?.0) };
        let (name, version) = (package.name.clone(), package.version.clone());
        crates.push(Crate { name, version, part, lines, uses, script, foreign: foreign_lines(&files.foreign)? });
    }
    crates.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(Image { crates, bytes: bytes.ok_or("cargo named no binary")? })
}

/// The Rust sources that one compilation read.
fn read(message: &Message, target: &Target) -> Result<Vec<PathBuf>, Error> {
    let name = target.name.replace('-', "_");
    let mut lists = Vec::new();
    for file in &message.filenames {
        let Some(folder) = file.parent() else { continue };
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if folder.ends_with("deps") {
            // `libNAME-HASH.rlib` has `NAME-HASH.d`.
            lists.push(folder.join(stem.strip_prefix("lib").unwrap_or(stem)).with_extension("d"));
        } else {
            // A build script has its list beside it, a binary among the others, each under a name with a hash.
            lists.extend(named(folder, &name)?);
            lists.extend(named(&folder.join("deps"), &name)?);
        }
    }
    lists.sort_by_key(|list| fs::metadata(list).and_then(|data| data.modified()).ok());
    // The newest that begins at this target: a folder that is used again holds old ones.
    for list in lists.iter().rev() {
        let Ok(text) = fs::read_to_string(list) else { continue };
        let files: Vec<PathBuf> = prerequisites(&text).into_iter().map(|file| root().join(file)).collect();
        if files.contains(&target.src_path) {
            return Ok(files.into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs")).collect());
        }
    }
    Err(format!("{}: the compiler left no list of the files it read", target.src_path.display()).into())
}

/// Lists of a target in a folder, which may be missing.
fn named(folder: &Path, name: &str) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if path.extension().is_some_and(|e| e == "d") && stem.rsplit_once('-').is_some_and(|(before, _)| before == name)
        {
            found.push(path);
        }
    }
    Ok(found)
}

/// The files of a crate that C compilers read, by the lists in its build script's folder.
fn foreign(folder: &Path, home: &Path, into: &mut BTreeSet<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry?.path();
        if path.is_dir() {
            foreign(&path, home, into)?;
        } else if path.extension().is_some_and(|e| e == "d") {
            let files = prerequisites(&fs::read_to_string(&path)?);
            let files = files.iter().filter_map(|file| fs::canonicalize(home.join(file)).ok());
            into.extend(files.filter(|file| file.starts_with(home)));
        }
    }
    Ok(())
}

/// What the first rule of a makefile needs.
fn prerequisites(text: &str) -> Vec<PathBuf> {
    let text = text.replace("\\\n", " ");
    let Some((_, files)) = text.lines().next().and_then(|line| line.split_once(": ")) else { return Vec::new() };
    // A space in a name is escaped.
    let files = files.replace("\\ ", "\0");
    files.split_whitespace().map(|file| PathBuf::from(file.replace('\0', " "))).collect()
}

fn rust_files(files: &BTreeSet<PathBuf>) -> Result<(usize, Unsafe), Error> {
    let mut sum = (0, Unsafe::default());
    for file in files {
        let source = rust::count(&fs::read_to_string(file)?).map_err(|error| format!("{}: {error}", file.display()))?;
        sum = (sum.0 + source.lines, sum.1 + source.uses);
    }
    Ok(sum)
}

fn foreign_lines(files: &BTreeSet<PathBuf>) -> Result<usize, Error> {
    let mut sum = 0;
    for file in files {
        let assembly = file.extension().is_some_and(|e| e == "S" || e == "s" || e == "asm");
        let language = if assembly { Language::Assembly } else { Language::C };
        sum += text::lines(&String::from_utf8_lossy(&fs::read(file)?), language);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_both_compilers_are_read() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let rustc = "/t/a-1.d: src/lib.rs /r/a\\ b.rs\n\n/t/liba.rlib: src/lib.rs\n\nsrc/lib.rs:\n# env-dep:X\n";
        assert_eq!(prerequisites(rustc), paths(&["src/lib.rs", "/r/a b.rs"]));
        assert_eq!(prerequisites("/t/a.o: \\\n /c/a.c \\\n /c/a.h\n"), paths(&["/c/a.c", "/c/a.h"]));
        assert_eq!(prerequisites(""), paths(&[]));
    }
}
