//! The import law: which crate may depend on which, and what sources may name. The law is `layers.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::metadata::{Dependency, Metadata};
use crate::{Error, circles, citations, root, threats, walk};

/// `layers.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Law {
    edges: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    dev: BTreeMap<String, Vec<String>>,
    reach: Reach,
    crypto: BTreeMap<String, Vec<String>>,
    sources: Sources,
    /// Crate folders that still have circles, and how many modules stand in them.
    circles: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reach {
    from: Vec<String>,
    never: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sources {
    no_std: Vec<PathBuf>,
    pure: Vec<PathBuf>,
    pure_forbids: Vec<String>,
    workflows_may_use: Vec<String>,
    /// What only one folder of `inside/` may name.
    only: BTreeMap<String, PathBuf>,
    seals: Vec<PathBuf>,
}

/// Checks the workspace.
pub(crate) fn run() -> Result<(), Error> {
    let law: Law = toml::from_str(&fs::read_to_string(root().join("layers.toml"))?)?;
    let metadata = Metadata::load()?;
    let mut faults = check_edges(&law, &metadata);
    faults.extend(check_unused(&law, &metadata));
    faults.extend(check_reach(&law.reach, &metadata));
    faults.extend(check_sources(&law.sources, &root())?);
    faults.extend(walk::check()?);
    faults.extend(citations::check()?);
    faults.extend(circles::check(&law.circles)?);
    faults.extend(threats::check()?);
    if faults.is_empty() {
        println!("layers: {} crates keep the import law", metadata.members().count());
        return Ok(());
    }
    Err(format!("layers.toml is broken:\n  {}", faults.join("\n  ")).into())
}

/// Edges between our crates, and from ours to crypto crates. Tests may have more, by name.
fn check_edges(law: &Law, metadata: &Metadata) -> Vec<String> {
    let mut faults = Vec::new();
    let lists = |list: &[String], name: &str| list.iter().any(|found| found == name || found == "*");
    for package in metadata.members() {
        let (name, file) = (&package.name, metadata.manifest(package).display());
        let Some(allowed) = law.edges.get(name) else {
            faults.push(format!("{file}: {name} is not listed in layers.toml [edges]"));
            continue;
        };
        for dependency in &package.dependencies {
            let (to, kind) = (&dependency.name, dependency.kind.as_deref().unwrap_or("normal"));
            if kind == "dev" && law.dev.get(name).is_some_and(|list| list.contains(to)) {
                continue;
            }
            let mut refuse = |rule: &str| {
                faults.push(format!("{file}: {name} -> {to} ({kind}) is not allowed by layers.toml [{rule}]"))
            };
            if metadata.members().any(|member| member.name == *to) && !lists(allowed, to) {
                refuse("edges");
            }
            if law.crypto.get(to).is_some_and(|users| !lists(users, name)) {
                refuse("crypto");
            }
        }
    }
    faults
}

/// What the law allows and nobody uses: an edge that was taken back would be there to be taken again, unreviewed.
fn check_unused(law: &Law, metadata: &Metadata) -> Vec<String> {
    let uses = |from: &str, to: &str, dev: bool| {
        let mut of =
            metadata.members().filter(|package| package.name == from).flat_map(|package| &package.dependencies);
        to == "*" || of.any(|found| found.name == to && (found.kind.as_deref() == Some("dev")) == dev)
    };
    let mut faults = Vec::new();
    for (rule, lists, dev) in [("edges", &law.edges, false), ("dev", &law.dev, true)] {
        for (from, list) in lists {
            if !metadata.members().any(|package| package.name == *from) {
                faults.push(format!("layers.toml [{rule}]: there is no {from}"));
                continue;
            }
            let unused = list.iter().filter(|to| !uses(from, to, dev));
            faults.extend(unused.map(|to| format!("layers.toml [{rule}]: {from} -> {to} is not used")));
        }
    }
    for (to, list) in &law.crypto {
        let unused = list.iter().filter(|from| !uses(from, to, false) && !uses(from, to, true));
        faults.extend(unused.map(|from| format!("layers.toml [crypto]: {from} -> {to} is not used")));
    }
    faults
}

/// What must stay out of reach: over a crate's own edges of every kind, then over what those crates are built of.
fn check_reach(rule: &Reach, metadata: &Metadata) -> Vec<String> {
    let mut faults = Vec::new();
    for package in metadata.members() {
        let file = metadata.manifest(package);
        if !rule.from.iter().any(|folder| file.starts_with(folder)) {
            continue;
        }
        let (mut seen, mut open) = (vec![&package.name], vec![(package, package.name.clone())]);
        while let Some((at, path)) = open.pop() {
            let is_dev = |found: &&Dependency| found.kind.as_deref() == Some("dev");
            for dependency in at.dependencies.iter().filter(|found| at.id == package.id || !is_dev(found)) {
                let next = metadata.members().find(|member| member.name == dependency.name);
                let Some(next) = next.filter(|next| !seen.contains(&&next.name)) else { continue };
                seen.push(&next.name);
                let path = format!("{path} -> {}", next.name);
                if rule.never.contains(&next.name) {
                    faults.push(format!("{}: {path} is not allowed by layers.toml [reach]", file.display()));
                }
                open.push((next, path));
            }
        }
    }
    faults
}

fn check_sources(sources: &Sources, root: &Path) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    for folder in &sources.no_std {
        if !fs::read_to_string(root.join(folder).join("src/lib.rs"))?.contains("#![no_std]") {
            faults.push(format!("{}: not #![no_std] ([sources] no_std)", folder.display()));
        }
    }
    for folder in &sources.pure {
        for (file, text) in rust_files(&root.join(folder).join("src"))? {
            for forbidden in sources.pure_forbids.iter().filter(|forbidden| text.contains(forbidden.as_str())) {
                faults.push(format!("{}: names {forbidden} ([sources] pure)", relative(&file, root)));
            }
        }
    }
    // Everything pure inside but what seals: the decider's words, the workflows and the vault.
    let decides = |folder: &&PathBuf| folder.starts_with("inside") && !sources.seals.contains(folder);
    for folder in sources.pure.iter().filter(decides) {
        for (file, text) in rust_files(&root.join(folder).join("src"))? {
            for name in seal_names(&text).into_iter().filter(|name| !sources.workflows_may_use.contains(name)) {
                faults.push(format!(
                    "{}: names adyton_seal::{name} ([sources] workflows_may_use)",
                    relative(&file, root)
                ));
            }
        }
    }
    for (name, folder) in &sources.only {
        for (file, text) in rust_files(&root.join("inside"))? {
            if text.contains(name.as_str()) && !file.starts_with(root.join(folder)) {
                faults.push(format!("{}: names {name} ([sources] only)", relative(&file, root)));
            }
        }
    }
    Ok(faults)
}

pub(crate) fn relative(file: &Path, root: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

pub(crate) fn rust_files(folder: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            // Comments may name what code may not.
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            files.push((path, code.join("\n")));
        }
    }
    files.sort();
    Ok(files)
}

/// Every name after `adyton_seal::`, in braces or not.
fn seal_names(text: &str) -> Vec<String> {
    let name =
        |text: &str| -> String { text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut names = Vec::new();
    for rest in text.split("adyton_seal::").skip(1) {
        match rest.strip_prefix('{').and_then(|group| group.split_once('}')) {
            Some((group, _)) => names.extend(group.split(',').map(name).filter(|name| !name.is_empty())),
            None => names.push(name(rest)),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn law() -> Law {
        toml::from_str(&fs::read_to_string(root().join("layers.toml")).unwrap()).unwrap()
    }

    /// The real workspace with one more dependency.
    fn planted(from: &str, to: &str, kind: Option<&str>) -> Metadata {
        let mut metadata = Metadata::load().unwrap();
        let package = metadata.packages.iter_mut().find(|package| package.name == from).unwrap();
        package.dependencies.push(Dependency { name: to.into(), kind: kind.map(Into::into) });
        metadata
    }

    #[test]
    fn the_workspace_keeps_the_law() {
        let (law, metadata) = (law(), Metadata::load().unwrap());
        assert_eq!(check_edges(&law, &metadata), Vec::<String>::new());
        assert_eq!(check_unused(&law, &metadata), Vec::<String>::new());
        assert_eq!(check_reach(&law.reach, &metadata), Vec::<String>::new());
        assert_eq!(check_sources(&law.sources, &root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_planted_edge_is_refused() {
        for (to, kind, rule) in [
            ("adyton-vault", None, "adyton-vault (normal) is not allowed by layers.toml [edges]"),
            ("adyton-seal", Some("build"), "adyton-seal (build) is not allowed by layers.toml [edges]"),
            ("adyton-seal", Some("dev"), "adyton-seal (dev) is not allowed by layers.toml [edges]"),
            ("aws-lc-rs", None, "aws-lc-rs (normal) is not allowed by layers.toml [crypto]"),
        ] {
            let expected = format!("outside/host/Cargo.toml: adyton-host -> {rule}");
            assert_eq!(check_edges(&law(), &planted("adyton-host", to, kind)), [expected]);
        }
    }

    #[test]
    fn the_dev_list_is_for_tests_only() {
        let mut law = law();
        law.dev.entry("adyton-host".into()).or_default().push("adyton-seal".into());
        assert!(check_edges(&law, &planted("adyton-host", "adyton-seal", Some("dev"))).is_empty());
        assert_eq!(check_edges(&law, &planted("adyton-host", "adyton-seal", None)).len(), 1);
        law.edges.remove("adyton-frame");
        assert_eq!(
            check_edges(&law, &Metadata::load().unwrap()),
            ["between/frame/Cargo.toml: adyton-frame is not listed in layers.toml [edges]"]
        );
    }

    #[test]
    fn what_is_allowed_and_not_used_is_refused() {
        let mut law = law();
        law.edges.entry("adyton-frame".into()).or_default().push("adyton-api".into());
        law.edges.insert("adyton-gone".into(), Vec::new());
        law.dev.entry("adyton-host".into()).or_default().push("adyton-frame".into());
        law.crypto.entry("rcgen".into()).or_default().push("adyton-host".into());
        assert_eq!(
            check_unused(&law, &Metadata::load().unwrap()),
            [
                "layers.toml [edges]: adyton-frame -> adyton-api is not used",
                "layers.toml [edges]: there is no adyton-gone",
                "layers.toml [dev]: adyton-host -> adyton-frame is not used",
                "layers.toml [crypto]: adyton-host -> rcgen is not used",
            ]
        );
    }

    #[test]
    fn pretend_is_out_of_reach() {
        assert_eq!(
            check_reach(&law().reach, &planted("adyton-ledger", "adyton-pretend", None)),
            [
                "inside/enclave/Cargo.toml: adyton-enclave -> adyton-ledger -> adyton-pretend is not allowed by layers.toml [reach]",
                "inside/engine/Cargo.toml: adyton-engine -> adyton-ledger -> adyton-pretend is not allowed by layers.toml [reach]",
                "outside/host/Cargo.toml: adyton-host -> adyton-ledger -> adyton-pretend is not allowed by layers.toml [reach]",
                "inside/vault/Cargo.toml: adyton-vault -> adyton-engine -> adyton-ledger -> adyton-pretend is not allowed by layers.toml [reach]",
            ]
        );
    }

    #[test]
    fn planted_sources_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "inside/vault/src/lib.rs",
            "use adyton_seal::{Code, AeadKey};\nuse std::time::Duration;\nuse std::{fs};\n// SystemTime\nPassed::gate();\n",
        );
        let vault = vec![PathBuf::from("inside/vault")];
        let sources = Sources { no_std: vault.clone(), pure: vault, ..law().sources };
        assert_eq!(
            check_sources(&sources, folder.path()).unwrap(),
            [
                "inside/vault: not #![no_std] ([sources] no_std)",
                "inside/vault/src/lib.rs: names std::time ([sources] pure)",
                "inside/vault/src/lib.rs: names std::{ ([sources] pure)",
                "inside/vault/src/lib.rs: names adyton_seal::AeadKey ([sources] workflows_may_use)",
                "inside/vault/src/lib.rs: names Passed::gate ([sources] only)",
            ]
        );
    }
}
