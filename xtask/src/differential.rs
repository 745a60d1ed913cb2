//! The verifier of attestation documents against an independent one (`bench/evervault`), which has a tree of its own.

use std::path::PathBuf;
use std::process::Command;

use crate::ci::{Outcome, command};
use crate::{Error, root, tools};

/// Builds the peer and has both judge every real document and thousands of changes of each.
pub(crate) fn step() -> Outcome {
    tools::install();
    if !tools::is_there("faketime") {
        return Outcome::NotRun("faketime cannot be installed: the peer judges by the machine's clock".into());
    }
    let documents = match documents() {
        Ok(documents) => documents,
        Err(error) => return Outcome::Fail(error.to_string()),
    };
    let target = root().join("target/evervault");
    let mut run = Command::new("cargo");
    run.args(["run", "--release", "--locked", "--quiet", "--manifest-path", "bench/evervault/Cargo.toml", "--"]);
    run.arg("check").args(documents).env("CARGO_TARGET_DIR", target);
    command(&mut run, 15)
}

fn documents() -> Result<Vec<PathBuf>, Error> {
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(root().join("vectors/nitro"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "cbor") {
            documents.push(path);
        }
    }
    documents.sort();
    if documents.is_empty() { Err("vectors/nitro holds no documents".into()) } else { Ok(documents) }
}
