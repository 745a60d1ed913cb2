//! Project automation: `cargo xtask help`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks")]

mod ci;
mod layers;
mod licences;
mod metadata;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "cargo xtask COMMAND
  up [ARGUMENTS]     build every binary in release and run `adyton up`
  ci                 set up what is needed, run every check
  layers             check the import law (layers.toml)
  licences           check licences, duplicate versions and the enclave's dependencies (licences.toml)
  licences --accept  write the enclave's dependencies anew
  help               this";

type Error = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let done = match (command.as_str(), &rest[..]) {
        ("up", rest) => up(rest),
        ("ci", []) => ci::run(),
        ("layers", []) => layers::run(),
        ("licences", []) => licences::run(false),
        ("licences", [accept]) if accept == "--accept" => licences::run(true),
        ("help", []) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

fn up(arguments: &[String]) -> Result<(), Error> {
    let packages = ["adyton-cli", "adyton-enclave", "adyton-host", "adyton-pretend"];
    let built = Command::new("cargo")
        .current_dir(root())
        .args(["build", "--release", "--locked"])
        .args(packages.iter().flat_map(|package| ["-p", package]))
        .status()?;
    if !built.success() {
        return Err("the build failed".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    // Becomes the command, so signals and exit code are its own.
    Err(Command::new(target.join("release/adyton")).arg("up").args(arguments).exec().into())
}
