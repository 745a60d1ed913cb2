//! The virtual environment of the steps that are written in Python, keyed by what it holds.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;

use crate::ci::{Outcome, command};
use crate::root;

/// What it holds: the packages of the test vectors and of the end-to-end tests, with their versions.
const REQUIREMENTS: [&str; 2] = ["vectors/requirements.txt", "e2e/requirements.txt"];

/// An environment with everything in it.
pub(crate) struct Environment(PathBuf);

impl Environment {
    /// Its interpreter, which leaves nothing in the tree.
    pub(crate) fn command(&self) -> Command {
        let mut python = Command::new(self.0.join("bin/python"));
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python
    }
}

/// Makes the environment unless a run before did; the error says what failed.
pub(crate) fn environment() -> Result<Environment, String> {
    let mut hasher = DefaultHasher::new();
    for file in REQUIREMENTS {
        let wanted = std::fs::read_to_string(root().join(file)).map_err(|error| format!("{file}: {error}"))?;
        wanted.hash(&mut hasher);
    }
    let environment = Environment(root().join(format!("target/venv-{:016x}", hasher.finish())));
    let ready = environment.0.join("ready");
    if !ready.exists() {
        make(&environment)?;
        let mut pip = environment.command();
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(REQUIREMENTS.iter().flat_map(|file| ["--requirement", file]));
        if let Outcome::Fail(why) = command(&mut pip, 10) {
            return Err(format!("pip install: {why}"));
        }
        std::fs::write(&ready, "").map_err(|error| format!("{}: {error}", ready.display()))?;
    }
    Ok(environment)
}

fn make(environment: &Environment) -> Result<(), String> {
    let made = command(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment.0), 5);
    if matches!(made, Outcome::Pass) {
        return Ok(());
    }
    println!("python3 -m venv is missing: installing python3-venv");
    let script = format!(
        "apt-get update -q && apt-get install -yq python3-venv && python3 -m venv --clear {}",
        environment.0.display()
    );
    match command(Command::new("sh").args(["-c", &script]), 10) {
        Outcome::Pass => Ok(()),
        _ => Err("no virtual environment can be made".into()),
    }
}
