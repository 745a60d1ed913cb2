//! Every line `adyton …` between backticks that any program prints is a whole one: a person can run it once its words in capitals
//! are replaced. The sources are searched, so that a new one cannot be forgotten.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::Arguments;

/// What the environment gives, as `adyton up` prints it.
const EXPORTED: [&str; 3] = ["--api <URL>", "--vault-id <ID>", "--tenant <FILE>"];

/// The sources of what is printed.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !["tests", "target", "node_modules"].contains(&name) {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// Lines between backticks in the strings of a source. Comments are no output; a string may go on in the next line.
fn lines(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().map(str::trim_start).filter(|line| !line.starts_with("//")).collect();
    let text = code.join("\n").replace("\\\n", "");
    let spans = text.split('`').skip(1);
    spans.filter(|span| span.starts_with("adyton ")).map(str::to_owned).collect()
}

/// A line with something in place of `{…}`. What is formatted there is one word, or the option that names the tenant's file.
fn filled(line: &str) -> Vec<String> {
    let Some(start) = line.find('{') else { return vec![line.to_owned()] };
    let end = start + line[start..].find('}').unwrap();
    let with = |word: &str| filled(&format!("{}{word}{}", &line[..start], &line[end + 1..]));
    ["X", "--tenant X"].into_iter().flat_map(with).collect()
}

fn is_whole(line: &str) -> bool {
    match Arguments::try_parse_from(line.split_whitespace()) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::Strings(missing)) => missing.iter().all(|one| EXPORTED.contains(&&one[..])),
            _ => false,
        },
        Err(_) => false,
    }
}

#[test]
fn every_printed_command_is_a_whole_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    ["inside", "between", "outside"].iter().for_each(|folder| sources(&root.join(folder), &mut found));
    let mut count = 0;
    for path in found {
        // The rows of docs/verify-parameters.md, which nothing prints.
        if path.ends_with("http/parameters/table.rs") {
            continue;
        }
        for line in lines(&fs::read_to_string(&path).unwrap()) {
            assert!(filled(&line).iter().any(|line| is_whole(line)), "{}: `{line}`", path.display());
            count += 1;
        }
    }
    assert!(count >= 15, "only {count} lines were found");
    assert!(!is_whole("adyton key create --scope verify") && !is_whole("adyton policy approve"));
    assert!(is_whole("adyton tenant show") && !is_whole("adyton tenant shew"));
}
