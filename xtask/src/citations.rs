//! Comments and pages cite `docs/DESIGN.md` by section ("DESIGN §4"): each of these sections is there.

use std::fs;
use std::path::Path;

use crate::layers::relative;
use crate::{Error, root};

const PAGE: &str = "docs/DESIGN.md";
const CITATION: &str = concat!("DESIGN", " §");
const FOLDERS: [&str; 8] = ["inside", "between", "outside", "docs", "e2e", "fuzz", "bench", "xtask"];

/// Citations of sections that the page does not have.
pub(crate) fn check() -> Result<Vec<String>, Error> {
    let page = fs::read_to_string(root().join(PAGE))?;
    let mut faults = Vec::new();
    for folder in FOLDERS {
        check_folder(&root().join(folder), &page, &mut faults)?;
    }
    Ok(faults)
}

fn check_folder(folder: &Path, page: &str, faults: &mut Vec<String>) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            check_folder(&path, page, faults)?;
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "md" || extension == "py")
        {
            let text = fs::read_to_string(&path)?;
            let file = relative(&path, &root());
            let missing = cited(&text).into_iter().filter(|section| !has(page, section));
            faults.extend(missing.map(|section| format!("{file}: {PAGE} has no section {section}")));
        }
    }
    Ok(())
}

/// The sections that a text cites: "DESIGN §3 and §4" is two.
fn cited(text: &str) -> Vec<&str> {
    let number = |rest: &str| rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let mut found = Vec::new();
    for (at, _) in text.match_indices(CITATION) {
        let rest = &text[at + CITATION.len()..];
        let end = number(rest);
        found.push(&rest[..end]);
        if let Some(second) = rest[end..].strip_prefix(" and §") {
            found.push(&second[..number(second)]);
        }
    }
    found
}

fn has(page: &str, section: &str) -> bool {
    page.lines()
        .any(|line| line.strip_prefix("## ").and_then(|rest| rest.split_once(". ")).is_some_and(|(n, _)| n == section))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn every_cited_section_is_there() {
        assert_eq!(check().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn citations_are_found() {
        let text = ["a (DESIGN ", "§3 and §4), b DESIGN ", "§12: c, DESIGN ", "§x"].concat();
        assert_eq!(cited(&text), ["3", "4", "12", ""]);
        assert!(has("## 3. Words\n", "3") && !has("## 3. Words\n", "4") && !has("## 13. Words\n", "3"));
    }
}
