//! Modules of a crate depend on each other in one direction (`docs/DESIGN.md`, §2): between the top-level modules of a library
//! inside the wall, or between its sides, there is no circle.
//!
//! 1. A file and its folder are one module. Tests do not count.
//! 2. `crate::name` is a dependency on the module `name`, or on the one that `lib.rs` re-exports `name` from.
//! 3. Modules that reach each other are a circle.
//!
//! Circles that stand are listed in `layers.toml` under `[circles]`, by crate folder and with how many modules they have. A
//! circle that grew, and one that is not listed, is a fault; so is one that is listed and larger than what there is.
//!
//! Limits: paths through `self::` and `super::` inside a module's own folder do not count, and neither do names that a macro makes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, root};

/// Modules, and which of the crate's others each names.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Faults of every library in these folders.
pub(crate) fn check(allowed: &BTreeMap<String, usize>) -> Result<Vec<String>, Error> {
    let mut found = BTreeMap::new();
    for side in ["inside", "between"] {
        for source in libraries(&root().join(side))? {
            let folder = source.parent().unwrap_or(&source);
            let name = crate::layers::relative(folder, &root());
            let circles = circles(&graph(&source)?);
            let modules: usize = circles.iter().map(BTreeSet::len).sum();
            if modules > 0 {
                found.insert(name, (modules, circles));
            }
        }
    }
    let mut faults = Vec::new();
    for (name, (modules, circles)) in &found {
        let expected = allowed.get(name).copied().unwrap_or_default();
        if *modules != expected {
            let names: Vec<String> =
                circles.iter().map(|circle| circle.iter().map(String::as_str).collect::<Vec<_>>().join(" ")).collect();
            faults.push(format!(
                "{name}: {modules} modules stand in circles, and layers.toml [circles] has {expected}: {}",
                names.join("; ")
            ));
        }
    }
    let gone = allowed.keys().filter(|name| !found.contains_key(*name));
    faults.extend(gone.map(|name| format!("{name}: layers.toml [circles] lists it, and it has no circle")));
    Ok(faults)
}

/// Folders that have a `lib.rs`.
fn libraries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.join("lib.rs").is_file() {
            found.push(path);
        } else if path.is_dir() {
            found.extend(libraries(&path)?);
        }
    }
    found.sort();
    Ok(found)
}

fn graph(source: &Path) -> Result<Graph, Error> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    collect(source, source, &mut texts)?;
    let exports = exports(&code(&fs::read_to_string(source.join("lib.rs"))?));
    let modules: BTreeSet<String> = texts.keys().cloned().collect();
    let of = |name: &str| modules.get(name).or_else(|| modules.get(exports.get(name)?)).cloned();
    let named = |module: &str, text: &str| {
        named(text).iter().filter_map(|name| of(name)).filter(|other| other != module).collect()
    };
    Ok(texts.iter().map(|(module, text)| (module.clone(), named(module, text))).collect())
}

/// The code of each module, without comments and tests.
fn collect(source: &Path, folder: &Path, texts: &mut BTreeMap<String, String>) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name == "tests" {
            continue;
        }
        if path.is_dir() {
            collect(source, &path, texts)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let within = path.strip_prefix(source)?;
            let first = within.iter().next().and_then(|first| first.to_str()).unwrap_or_default();
            let module = first.trim_end_matches(".rs");
            if module != "lib" && module != "main" {
                texts.entry(module.to_owned()).or_default().push_str(&code(&fs::read_to_string(&path)?));
            }
        }
    }
    Ok(())
}

/// A file without its comments and its module of tests, which stands at its end. What else is for tests counts.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Names that stand first behind `crate::`, in braces or not.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, path) in text.match_indices("crate::") {
        if text[..at].ends_with(is_name) {
            continue;
        }
        let rest = &text[at + path.len()..];
        let first = |item: &str| item.trim_start().split(|c| !is_name(c)).next().unwrap_or_default().to_owned();
        match rest.strip_prefix('{') {
            None => drop(found.insert(first(rest))),
            Some(group) => found.extend(items(group).iter().map(|item| first(item))),
        }
    }
    found
}

/// The items of a group up to its closing brace.
fn items(group: &str) -> Vec<String> {
    let (mut depth, mut found, mut item) = (0, Vec::new(), String::new());
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => found.push(std::mem::take(&mut item)),
            other => {
                depth += i32::from(other == '{') - i32::from(other == '}');
                item.push(other);
            }
        }
    }
    found.push(item);
    found
}

/// Names that a `lib.rs` re-exports, and the module of each.
fn exports(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in text.split(';') {
        let Some((_, path)) = line.split_once("use ") else { continue };
        let Some((module, names)) = path.split_once("::") else { continue };
        let names = names.split(|c| !is_name(c)).filter(|name| !name.is_empty());
        found.extend(names.map(|name| (name.to_owned(), module.trim().to_owned())));
    }
    found
}

/// Groups of modules of which each reaches the others.
fn circles(graph: &Graph) -> Vec<BTreeSet<String>> {
    let reached = |from: &String| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            let others = graph.get(module).into_iter().flatten().filter(|other| seen.insert((*other).clone()));
            next.extend(others);
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = graph.keys().map(|module| (module, reached(module))).collect();
    let mut found = BTreeSet::new();
    for (module, others) in &reached {
        let circle: BTreeSet<String> =
            others.iter().filter(|other| reached[other].contains(*module)).cloned().collect();
        if !circle.is_empty() {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn planted_circle_is_found_through_an_export() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("lib.rs", "mod a;\nmod b;\nmod c;\npub use b::{Thing, other::More};\n");
        write("a.rs", "use crate::{Thing, std_only};\n");
        write("b/mod.rs", "use crate::c::{self, x};\n// use crate::a;\n");
        write("b/inner.rs", "fn f() { crate::c::g() }\n#[cfg(test)]\nmod tests { use crate::a; }\n");
        write("c.rs", "#[cfg(test)]\nfn only() {}\nuse mycrate::a;\n");
        assert_eq!(circles(&graph(folder.path()).unwrap()), Vec::<BTreeSet<String>>::new());
        write("c/deep/down.rs", "struct S;\n#[cfg(test)]\nimpl S {}\nuse crate::{x::y, a::{b, c}};\n");
        let circle: BTreeSet<String> = ["a", "b", "c"].map(String::from).into();
        assert_eq!(circles(&graph(folder.path()).unwrap()), [circle]);
    }
}
