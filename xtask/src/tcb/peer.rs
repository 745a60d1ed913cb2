//! The same figures of another project, from its sources in a folder: they are counted anew each time and never stored.
//!
//! 1. A folder with `Cargo.toml` is Rust, one with `go.mod` Go; any other is refused.
//! 2. Every source below is counted but those of tests, benches, examples, vendored code and hidden folders; in Rust also not
//!    what `#[cfg(test)]` keeps for tests, in files of their own too; in Go not `_test.go` and not modules of their own.
//! 3. Dependencies of Rust are what cargo resolves offline for Linux over normal edges; if it cannot, all packages of
//!    `Cargo.lock`. Those of Go are what `go.mod` requires. The row says which.
//!
//! Nothing of the peer is built or run. So what it links is not known: lines are those of its whole source tree, tools and
//! host side included.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Error;
use crate::metadata::{TARGET, output};
use crate::tcb::rust::{self, Unsafe};
use crate::tcb::text::{self, Language};

/// What was counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) lines: usize,
    pub(crate) unsafety: Unsafety,
    /// `None` for Go, which has none.
    pub(crate) scripts: Option<usize>,
    pub(crate) dependencies: usize,
    /// What the dependencies were read from.
    pub(crate) origin: &'static str,
}

/// Where a language's own checks end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unsafety {
    Rust(Unsafe),
    /// Files that import `unsafe` or `C`.
    Go(usize),
}

/// Folders that hold no code of the product.
const APART: [&str; 9] =
    ["target", "tests", "benches", "examples", "example", "fuzz", "vendor", "testdata", "node_modules"];

/// Counts a folder.
pub(crate) fn count(folder: &Path) -> Result<Peer, Error> {
    let mut files = Vec::new();
    if folder.join("Cargo.toml").is_file() {
        walk(folder, "rs", None, &mut files)?;
        rust(folder, &files)
    } else if folder.join("go.mod").is_file() {
        walk(folder, "go", Some("go.mod"), &mut files)?;
        go(folder, &files)
    } else {
        Err(format!("{}: neither Cargo.toml nor go.mod is in it", folder.display()).into())
    }
}

/// Sources below a folder; a folder below that has the file `apart` is another project.
fn walk(folder: &Path, extension: &str, apart: Option<&str>, into: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() {
            let other = apart.is_some_and(|file| path.join(file).is_file());
            if !name.starts_with('.') && !APART.contains(&name.as_str()) && !other {
                walk(&path, extension, apart, into)?;
            }
        } else if kind.is_file() && path.extension().is_some_and(|found| found == extension) {
            into.push(path);
        }
    }
    into.sort();
    Ok(())
}

fn rust(folder: &Path, files: &[PathBuf]) -> Result<Peer, Error> {
    let (mut counted, mut tests) = (Vec::new(), Vec::new());
    for file in files {
        let text = String::from_utf8_lossy(&fs::read(file)?).into_owned();
        let source = rust::count(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        tests.extend(source.test_modules.iter().map(|name| beside(file).join(name)));
        counted.push((file, source));
    }
    let (mut lines, mut uses, mut scripts) = (0, Unsafe::default(), 0);
    for (file, source) in counted {
        if tests.iter().any(|test| file.starts_with(test) || *file == test.with_extension("rs")) {
            continue;
        }
        if file.file_name().is_some_and(|name| name == "build.rs") && file.with_file_name("Cargo.toml").is_file() {
            scripts += 1;
        } else {
            lines += source.lines;
            uses = uses + source.uses;
        }
    }
    let (dependencies, origin) = match resolved(folder) {
        Ok(found) => (found, "normal edges on Linux, default features"),
        Err(_) => (locked(folder)?, "all of Cargo.lock: every platform, build and tests too"),
    };
    Ok(Peer { lines, unsafety: Unsafety::Rust(uses), scripts: Some(scripts), dependencies, origin })
}

/// Where modules of a file have theirs.
fn beside(file: &Path) -> PathBuf {
    let root = file.file_stem().is_some_and(|stem| stem == "lib" || stem == "main" || stem == "mod");
    if root { file.with_file_name("") } else { file.with_extension("") }
}

/// What `cargo metadata` resolves.
#[derive(Deserialize)]
struct Resolved {
    workspace_members: BTreeSet<String>,
    resolve: Graph,
}

#[derive(Deserialize)]
struct Graph {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

/// Packages over normal edges. It runs in our folder, so that no configuration of the peer's is read.
fn resolved(folder: &Path) -> Result<usize, Error> {
    let manifest = fs::canonicalize(folder.join("Cargo.toml"))?;
    let manifest = manifest.to_str().ok_or("a path that is no text")?;
    let arguments = ["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", TARGET];
    let text = output("cargo", &[&arguments[..], &["--manifest-path", manifest]].concat())?;
    Ok(reached(&serde_json::from_str(&text)?))
}

fn reached(resolved: &Resolved) -> usize {
    let mut waiting: Vec<&str> = resolved.workspace_members.iter().map(String::as_str).collect();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            let edges = resolved.resolve.nodes.iter().filter(|node| node.id == id).flat_map(|node| &node.deps);
            let normal = edges.filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            waiting.extend(normal.map(|edge| edge.pkg.as_str()));
        }
    }
    seen.iter().filter(|id| !resolved.workspace_members.contains(**id)).count()
}

/// Packages of `Cargo.lock` that come from elsewhere.
fn locked(folder: &Path) -> Result<usize, Error> {
    let text = fs::read_to_string(folder.join("Cargo.lock")).map_err(|error| {
        format!("{}: cargo resolves nothing offline, and {error}", folder.join("Cargo.lock").display())
    })?;
    let lock: toml::Table = toml::from_str(&text)?;
    let packages = lock.get("package").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(packages.iter().filter(|package| package.get("source").is_some()).count())
}

fn go(folder: &Path, files: &[PathBuf]) -> Result<Peer, Error> {
    let (mut lines, mut importing) = (0, 0);
    for file in files {
        if file.to_string_lossy().ends_with("_test.go") {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(file)?).into_owned();
        lines += text::lines(&text, Language::Go);
        importing += usize::from(text::imports(&text, "unsafe") || text::imports(&text, "C"));
    }
    let dependencies = required(&fs::read_to_string(folder.join("go.mod"))?);
    let unsafety = Unsafety::Go(importing);
    Ok(Peer { lines, unsafety, scripts: None, dependencies, origin: "go.mod, indirect ones too" })
}

/// Modules that a `go.mod` requires.
fn required(text: &str) -> usize {
    let (mut block, mut found) = (false, 0);
    for line in text.lines().map(|line| line.split("//").next().unwrap_or_default().trim()) {
        match line {
            "require (" => block = true,
            ")" => block = false,
            _ => found += usize::from(line.starts_with("require ") || (block && !line.is_empty())),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_rust_tree_without_its_tests() {
        let folder = tree(&[
            ("Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\nnot-to-be-had-offline = \"1\"\n"),
            ("Cargo.lock", "[[package]]\nname = \"a\"\n[[package]]\nname = \"b\"\nsource = \"elsewhere\"\n"),
            ("build.rs", "fn main() {}\n"),
            ("src/lib.rs", "mod b;\n#[cfg(test)]\nmod checks;\n"),
            ("src/checks.rs", "mod more;\nfn f() { unsafe {} }\n"),
            ("src/checks/more.rs", "fn f() { unsafe {} }\n"),
            ("src/b.rs", "// unsafe\nfn f() { unsafe {} }\n#[cfg(test)]\nmod inner;\n"),
            ("src/b/inner.rs", "fn f() {}\n"),
            ("tests/a.rs", "fn f() {}\n"),
            (".hidden/a.rs", "fn f() {}\n"),
        ]);
        let uses = Unsafe { blocks: 1, ..Unsafe::default() };
        let expected = Peer {
            lines: 2,
            unsafety: Unsafety::Rust(uses),
            scripts: Some(1),
            dependencies: 1,
            origin: "all of Cargo.lock: every platform, build and tests too",
        };
        assert_eq!(count(folder.path()).unwrap(), expected);
    }

    #[test]
    fn a_go_tree_without_its_tests_and_other_modules() {
        let folder = tree(&[
            (
                "go.mod",
                "module a\n\nrequire x v1 // indirect\nrequire (\n\ty v1\n\t// no z v1\n)\n\nexclude (\n\tq v1\n)\n",
            ),
            ("a.go", "package a\n// comment\nimport \"unsafe\"\nfunc f() {}\n"),
            ("b/b.go", "package b\nimport (\n\t\"C\"\n)\n"),
            ("a_test.go", "package a\n"),
            ("other/go.mod", "module b\n"),
            ("other/c.go", "package c\n"),
        ]);
        let origin = "go.mod, indirect ones too";
        let expected = Peer { lines: 7, unsafety: Unsafety::Go(2), scripts: None, dependencies: 2, origin };
        assert_eq!(count(folder.path()).unwrap(), expected);
    }

    #[test]
    fn only_normal_edges_are_followed() {
        let text = r#"{"workspace_members": ["a"], "resolve": {"nodes": [
            {"id": "a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": null}]}, {"pkg": "c", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "b", "deps": [{"pkg": "d", "dep_kinds": [{"kind": "build"}, {"kind": null}]}]},
            {"id": "c", "deps": [{"pkg": "e", "dep_kinds": [{"kind": null}]}]}, {"id": "d", "deps": []}]}}"#;
        assert_eq!(reached(&serde_json::from_str(text).unwrap()), 2);
    }

    #[test]
    fn a_folder_of_neither_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = format!("{}: neither Cargo.toml nor go.mod is in it", folder.path().display());
        assert_eq!(count(folder.path()).unwrap_err().to_string(), refusal);
    }
}
