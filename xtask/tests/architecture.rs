//! ARCHITECTURE.md follows a request through the code name by name: every name in it stands in the sources.
#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use std::fs;
use std::path::Path;

/// Every source of the vault, as one text.
fn sources(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// Whether a name is declared: an item, a variant or a field's type would do for nobody who looks for it.
fn declared(name: &str, sources: &str) -> bool {
    let items = ["fn", "struct", "enum", "mod", "trait", "const", "type"];
    let item = items.iter().any(|word| {
        let wanted = format!("{word} {name}");
        sources.match_indices(&wanted).any(|(at, _)| {
            let after = sources[at + wanted.len()..].chars().next();
            after.is_none_or(|after| !after.is_alphanumeric() && after != '_')
        })
    });
    let variant = ["(", " {", ",", " =>"].iter().any(|after| sources.contains(&format!("    {name}{after}")));
    item || variant
}

#[test]
fn every_name_of_the_walk_stands_in_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut code = String::new();
    for folder in ["inside", "between", "outside"] {
        sources(&root.join(folder), &mut code);
    }
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let (_, walk) = text.split_once("## One request, name by name").unwrap();
    let names: Vec<&str> = walk.split('`').skip(1).step_by(2).collect();
    assert!(names.len() > 30, "the walk has names");
    for name in names {
        let plain = name.chars().all(|char| char.is_alphanumeric() || char == '_' || char == ':');
        // Commands, files and paths of the API are not names of the code.
        if !plain || !name.chars().any(char::is_alphabetic) {
            continue;
        }
        for part in name.split("::") {
            assert!(declared(part, &code), "{name}: {part} is declared nowhere");
        }
    }
}
