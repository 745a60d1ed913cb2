//! ARCHITECTURE.md follows one request "name by name": every name that it gives stands in the code.
//!
//! It reads what stands in backquotes below the table and looks for a definition. What it is not: it does not know
//! whether the sentence around a name is still true.

use std::fs;

use crate::layers::{relative, rust_files};
use crate::{Error, root};

const PAGE: &str = "ARCHITECTURE.md";
/// Where the walk begins; the names above it are folders and crates.
const BEGINNING: &str = "## One request, name by name";

/// Names of the page that no source defines.
pub(crate) fn check() -> Result<Vec<String>, Error> {
    let page = fs::read_to_string(root().join(PAGE))?;
    let (_, walk) = page.split_once(BEGINNING).ok_or_else(|| format!("{PAGE}: no section {BEGINNING:?}"))?;
    let mut sources = Vec::new();
    for side in ["inside", "between", "outside"] {
        for (file, text) in rust_files(&root().join(side))? {
            sources.push((relative(&file, &root()), text));
        }
    }
    let unknown = names(walk).into_iter().filter(|name| !sources.iter().any(|source| defines(source, name)));
    Ok(unknown.map(|name| format!("{PAGE}: `{name}` stands nowhere in the code")).collect())
}

/// What stands in backquotes and could be a name of Rust's, or a file's.
fn names(text: &str) -> Vec<&str> {
    let is_name = |name: &&str| {
        let name = name.strip_suffix(".rs").unwrap_or(name);
        name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
    };
    text.split('`').skip(1).step_by(2).filter(is_name).collect()
}

/// Whether a source defines a name; `a::b` is `b` in the file of the module `a`, or of the type `a`.
fn defines((file, text): &(String, String), name: &str) -> bool {
    if name.ends_with(".rs") {
        return file.ends_with(&format!("/{name}"));
    }
    match name.rsplit_once("::") {
        None => defined(text, name) || is_module(file, name),
        Some((of, name)) => {
            let of = of.rsplit("::").next().unwrap_or(of);
            let here = is_module(file, of) || defined(text, of) || implemented(text, of);
            here && (defined(text, name) || is_variant(text, name))
        }
    }
}

fn is_module(file: &str, name: &str) -> bool {
    file.ends_with(&format!("/{name}.rs")) || file.contains(&format!("/{name}/"))
}

fn defined(text: &str, name: &str) -> bool {
    ["fn ", "struct ", "enum ", "trait ", "type ", "mod "].iter().any(|word| {
        text.match_indices(&format!("{word}{name}")).any(|(at, found)| ends_name(&text[at + found.len()..]))
    })
}

fn implemented(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        line.starts_with("impl") && line.match_indices(name).any(|(at, _)| ends_name(&line[at + name.len()..]))
    })
}

fn is_variant(text: &str, name: &str) -> bool {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix(name))
        .any(|rest| matches!(rest.chars().next(), Some(',' | '(')) || rest.starts_with(" {"))
}

fn ends_name(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn every_name_of_the_walk_stands_in_the_code() {
        assert_eq!(check().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn names_are_looked_for_where_they_belong() {
        let walk = "`Shard::seal` of `shard.rs`, but `POST /v2/{service}`, `a.b`, `c(…)` and `x y` are no names: `up`";
        assert_eq!(names(walk), ["Shard::seal", "shard.rs", "up"]);
        let source = (
            "inside/engine/shard.rs".to_owned(),
            "pub struct Shard;\nenum Kind {\n    Hot,\n    Cold { at: u64 },\n}\nimpl<T> Shard<T> {\n    pub fn seal() {}\n}\n"
                .to_owned(),
        );
        for (name, expected) in [
            ("Shard", true),
            ("Shard::seal", true),
            ("shard::seal", true),
            ("Kind::Hot", true),
            ("Kind::Cold", true),
            ("shard.rs", true),
            ("engine", true),
            ("Shar", false),
            ("Shard::sea", false),
            ("Shard::unseal", false),
            ("Other::seal", false),
            ("Kind::Warm", false),
            ("other.rs", false),
        ] {
            assert_eq!(defines(&source, name), expected, "{name}");
        }
    }
}
