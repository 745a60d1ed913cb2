//! docs/THREATS.md names the test or row of the drill that would fail if it were wrong: each of them exists.
//!
//! 1. what stands in backquotes with an underscore is a test, of Rust's or Python's;
//! 2. every row of `adyton drill` is named.
//!
//! What it is not: it does not know whether the test shows what the sentence says.

use std::collections::BTreeSet;
use std::fs;

use crate::layers::rust_files;
use crate::{Error, root};

const PAGE: &str = "docs/THREATS.md";
const ATTEMPTS: &str = "outside/cli/src/drill/attempts";

/// Names that the page has and nothing defines, and rows that it has not.
pub(crate) fn check() -> Result<Vec<String>, Error> {
    let page = fs::read_to_string(root().join(PAGE))?;
    let mut sources = Vec::new();
    for folder in ["inside", "between", "outside", "xtask"] {
        sources.extend(rust_files(&root().join(folder))?.into_iter().map(|(_, text)| text));
    }
    for entry in fs::read_dir(root().join("e2e/python"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "py") {
            sources.push(fs::read_to_string(path)?);
        }
    }
    let attempts: Vec<String> = rust_files(&root().join(ATTEMPTS))?.into_iter().map(|(_, text)| text).collect();
    Ok(faults(&page, &sources, &attempts))
}

fn faults(page: &str, sources: &[String], attempts: &[String]) -> Vec<String> {
    let quoted: BTreeSet<&str> = page.split('`').skip(1).step_by(2).collect();
    let defined = |name: &str| {
        let heads = [format!("fn {name}("), format!("def {name}(")];
        sources.iter().any(|text| heads.iter().any(|head| text.contains(head)))
    };
    let unknown = quoted.iter().filter(|name| is_test(name) && !defined(name));
    let unknown = unknown.map(|name| format!("{PAGE}: no test `{name}`"));
    let rows = attempts
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.trim().strip_prefix("id: \"")?.strip_suffix("\","));
    // One name may stand for those that begin so: `stolen-key-…`.
    let named = |row: &str| {
        quoted
            .iter()
            .any(|name| *name == row || name.strip_suffix('…').is_some_and(|beginning| row.starts_with(beginning)))
    };
    let unnamed = rows.filter(|row| !named(row)).map(|row| format!("{PAGE}: the drill's row `{row}` is not named"));
    unknown.chain(unnamed).collect()
}

fn is_test(name: &str) -> bool {
    name.contains('_') && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn the_page_names_what_there_is() {
        assert_eq!(check().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_name_that_nothing_defines_and_a_row_without_one_are_found() {
        let sources = ["fn a_rule_holds() {}\ndef test_it(up):".to_owned()];
        let attempts = ["    id: \"pipes\",\n    id: \"egress-redirect\",\n    id: \"clock\",\n".to_owned()];
        let page = "`a_rule_holds` and `test_it`, `pipes`, `egress-…`, `--pcr`, `test_gone`";
        let expected =
            ["docs/THREATS.md: no test `test_gone`", "docs/THREATS.md: the drill's row `clock` is not named"];
        assert_eq!(faults(page, &sources, &attempts), expected);
    }
}
