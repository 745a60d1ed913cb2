//! Licences, duplicate versions, and the committed list of what the enclave is built of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::Deserialize;

use crate::metadata::{Metadata, built};
use crate::tcb::snapshot;
use crate::{Error, root};

/// `licences.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    allowed: Vec<String>,
    banned: Vec<String>,
    decisions: BTreeMap<String, String>,
    duplicates: BTreeMap<String, String>,
}

/// Checks.
pub(crate) fn run() -> Result<(), Error> {
    let rules: Rules = toml::from_str(&fs::read_to_string(root().join("licences.toml"))?)?;
    let (metadata, everything) = (Metadata::load()?, built(None)?);
    let mut faults = check(&rules, &metadata, &everything);
    let inside: BTreeSet<String> = built(Some("adyton-enclave"))?
        .iter()
        .filter(|(name, _)| !name.starts_with("adyton-"))
        .flat_map(|(name, versions)| versions.iter().map(move |version| format!("{name} {version}")))
        .collect();
    let known = snapshot::parse(&fs::read_to_string(root().join(snapshot::FILE))?)?;
    let known =
        known.iter().filter(|line| line.foreign()).map(|line| format!("{} {}", line.name, line.version)).collect();
    faults.extend(unreviewed(&known, &inside));
    if !faults.is_empty() {
        return Err(format!("\n  {}", faults.join("\n  ")).into());
    }
    println!("licences: {} crates built, {} of them inside", everything.len(), inside.len());
    Ok(())
}

/// What differs between the committed list and what cargo would build; the list's figures are for `cargo xtask tcb`.
fn unreviewed(known: &BTreeSet<String>, inside: &BTreeSet<String>) -> Vec<String> {
    let mut faults: Vec<String> = inside.difference(known).map(|line| format!("{}: +{line}", snapshot::FILE)).collect();
    faults.extend(known.difference(inside).map(|line| format!("{}: -{line}", snapshot::FILE)));
    if !faults.is_empty() {
        faults.push("the enclave is built of other crates: review them, then `cargo xtask tcb --accept`".into());
    }
    faults
}

fn check(rules: &Rules, metadata: &Metadata, everything: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, versions) in everything {
        if rules.banned.contains(name) {
            faults.push(format!("{name} is banned"));
        }
        if versions.len() > 1 && !rules.duplicates.contains_key(name) {
            faults.push(format!("{name}: versions {} are built; name one reason in [duplicates]", versions.join(", ")));
        }
        for version in versions {
            let package = metadata.packages.iter().find(|found| found.name == *name && found.version == *version);
            let licence = package.and_then(|package| package.license.as_deref()).unwrap_or("no licence");
            if !satisfied(licence, &rules.allowed) && !rules.decisions.contains_key(name) {
                faults.push(format!("{name} {version}: {licence} is not allowed"));
            }
        }
    }
    let stale = |name: &&String| everything.get(*name).is_none_or(|versions| versions.len() < 2);
    faults.extend(rules.duplicates.keys().filter(stale).map(|name| format!("[duplicates] {name}: only one is built")));
    faults
}

/// Whether an SPDX expression can be satisfied: OR over AND over names, with parentheses.
fn satisfied(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ");
    let parts = |text: &str, operator: &str| -> Vec<String> {
        let (mut depth, mut parts, mut part) = (0, Vec::new(), Vec::new());
        for word in text.replace('(', " ( ").replace(')', " ) ").split_whitespace() {
            depth += i32::from(word == "(") - i32::from(word == ")");
            if depth == 0 && word == operator {
                parts.push(part.join(" "));
                part = Vec::new();
            } else {
                part.push(word.to_owned());
            }
        }
        parts.push(part.join(" "));
        parts
    };
    parts(&expression, "OR").iter().any(|choice| {
        parts(choice, "AND").iter().all(|one| {
            let inner = one.trim().strip_prefix('(').and_then(|one| one.strip_suffix(')'));
            inner.map_or_else(|| allowed.iter().any(|name| name == one.trim()), |inner| satisfied(inner, allowed))
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn rules() -> Rules {
        toml::from_str(&fs::read_to_string(root().join("licences.toml")).unwrap()).unwrap()
    }

    #[test]
    fn the_workspace_keeps_the_rules_and_the_snapshot() {
        run().unwrap();
    }

    #[test]
    fn planted_crates_are_refused() {
        let (mut metadata, mut everything) = (Metadata::load().unwrap(), built(None).unwrap());
        let mut package = metadata.packages[0].clone();
        (package.name, package.version, package.license) = ("planted".into(), "1.0.0".into(), Some("AGPL-3.0".into()));
        metadata.packages.push(package);
        everything.insert("planted".into(), vec!["1.0.0".into()]);
        let refusal = "planted 1.0.0: AGPL-3.0 is not allowed";
        assert_eq!(check(&rules(), &metadata, &everything), [refusal]);
        let mut decided = rules();
        decided.decisions.insert("planted".into(), "why".into());
        assert_eq!(check(&decided, &metadata, &everything), Vec::<String>::new());
        everything.insert("ring".into(), Vec::new());
        everything.remove("syn");
        assert_eq!(check(&decided, &metadata, &everything), ["ring is banned", "[duplicates] syn: only one is built"]);
    }

    #[test]
    fn an_unreviewed_crate_is_named() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            unreviewed(&set(&["a 1.0.0", "b 1.0.0"]), &set(&["a 1.0.0", "b 1.0.1"])),
            [
                "inside/enclave/dependencies.txt: +b 1.0.1",
                "inside/enclave/dependencies.txt: -b 1.0.0",
                "the enclave is built of other crates: review them, then `cargo xtask tcb --accept`",
            ]
        );
    }

    #[test]
    fn a_second_version_needs_a_reason() {
        let (mut rules, metadata, everything) = (rules(), Metadata::load().unwrap(), built(None).unwrap());
        rules.duplicates.remove("syn");
        let refused = check(&rules, &metadata, &everything);
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].starts_with("syn: versions ") && refused[0].ends_with("name one reason in [duplicates]"));
    }

    #[test]
    fn expressions() {
        let allowed = ["MIT".to_owned(), "ISC".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("MIT/Apache-2.0", true),
            ("ISC AND (GPL-2.0 OR ISC)", true),
            ("ISC AND (GPL-2.0 OR AGPL-3.0)", false),
            ("MIT AND GPL-2.0", false),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0", true),
            ("no licence", false),
        ] {
            assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
        }
    }
}
