//! Programs that tests use: those that are missing are installed, where that is possible.

use std::process::Command;

use crate::ci::{Outcome, command};

/// A program, and the Debian package that has it.
const TOOLS: [(&str, &str); 3] = [("chromium", "chromium"), ("curl", "curl"), ("faketime", "faketime")];

/// Installs what is missing. Without it tests say themselves that they could not run, and are counted.
pub(crate) fn install() {
    for (program, package) in TOOLS {
        if is_there(program) {
            continue;
        }
        println!("{program} is missing: installing {package}");
        let script = format!("apt-get update -q && apt-get install -yq --no-install-recommends {package}");
        if let Outcome::Fail(why) = command(Command::new("sh").args(["-c", &script]), 10) {
            println!("{package} cannot be installed: {why}");
        }
    }
}

pub(crate) fn is_there(program: &str) -> bool {
    let found = |folder: std::path::PathBuf| folder.join(program).is_file();
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(found))
}
