//! The import law: which crate may depend on which, and what sources may name. The law is `layers.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::metadata::{Metadata, Package};
use crate::{Error, root};

/// `layers.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Law {
    edges: BTreeMap<String, Vec<String>>,
    crypto: BTreeMap<String, Vec<String>>,
    sources: Sources,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sources {
    no_std: Vec<PathBuf>,
    pure: Vec<PathBuf>,
    pure_forbids: Vec<String>,
    vault_may_use: Vec<String>,
}

/// Checks the workspace.
pub(crate) fn run() -> Result<(), Error> {
    let law: Law = toml::from_str(&fs::read_to_string(root().join("layers.toml"))?)?;
    let metadata = Metadata::load()?;
    let members: Vec<&Package> = metadata.members().collect();
    let mut faults = check_edges(&law, &members);
    faults.extend(check_sources(&law.sources, &root())?);
    if faults.is_empty() {
        println!("layers: {} crates keep the import law", members.len());
        return Ok(());
    }
    Err(format!("layers.toml is broken:\n  {}", faults.join("\n  ")).into())
}

fn check_edges(law: &Law, members: &[&Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for package in members {
        let Some(allowed) = law.edges.get(&package.name) else {
            faults.push(format!("{}: not in [edges]", package.name));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|found| found.kind.as_deref() != Some("dev")) {
            let ours = members.iter().any(|member| member.name == dependency.name);
            if ours && !allowed.contains(&dependency.name) {
                faults.push(format!("{} may not depend on {} ([edges])", package.name, dependency.name));
            }
            if law.crypto.get(&dependency.name).is_some_and(|users| !users.contains(&package.name)) {
                faults.push(format!("{} may not depend on {} ([crypto])", package.name, dependency.name));
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
    for (file, text) in rust_files(&root.join("inside/vault/src"))? {
        for name in seal_names(&text).into_iter().filter(|name| !sources.vault_may_use.contains(name)) {
            faults.push(format!("{}: names adyton_seal::{name} ([sources] vault_may_use)", relative(&file, root)));
        }
    }
    Ok(faults)
}

fn relative(file: &Path, root: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

fn rust_files(folder: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
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
    use crate::metadata::Dependency;

    fn law() -> Law {
        toml::from_str(&fs::read_to_string(root().join("layers.toml")).unwrap()).unwrap()
    }

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        let dependency =
            |(name, kind): &(&str, Option<&str>)| Dependency { name: (*name).into(), kind: kind.map(Into::into) };
        Package {
            id: name.into(),
            name: name.into(),
            version: "0.0.0".into(),
            license: None,
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    #[test]
    fn a_planted_edge_is_refused() {
        let host = package("adyton-host", &[("adyton-vault", None), ("adyton-frame", None), ("aws-lc-rs", None)]);
        let (vault, frame) = (package("adyton-vault", &[]), package("adyton-frame", &[]));
        assert_eq!(
            check_edges(&law(), &[&host, &vault, &frame]),
            [
                "adyton-host may not depend on adyton-vault ([edges])",
                "adyton-host may not depend on aws-lc-rs ([crypto])",
            ]
        );
    }

    #[test]
    fn a_new_crate_must_be_listed_and_tests_may_reach_further() {
        let new = package("adyton-new", &[]);
        assert_eq!(check_edges(&law(), &[&new]), ["adyton-new: not in [edges]"]);
        let vault = package("adyton-vault", &[("adyton-host", Some("dev"))]);
        let host = package("adyton-host", &[]);
        assert!(check_edges(&law(), &[&vault, &host]).is_empty());
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
            "use adyton_seal::{Code, AeadKey};\nuse std::time::Duration;\n// SystemTime\n",
        );
        let vault = vec![PathBuf::from("inside/vault")];
        let sources = Sources { no_std: vault.clone(), pure: vault, ..law().sources };
        assert_eq!(
            check_sources(&sources, folder.path()).unwrap(),
            [
                "inside/vault: not #![no_std] ([sources] no_std)",
                "inside/vault/src/lib.rs: names std::time ([sources] pure)",
                "inside/vault/src/lib.rs: names adyton_seal::AeadKey ([sources] vault_may_use)",
            ]
        );
    }
}
