//! Project automation: `cargo xtask help`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks")]

mod advisories;
mod ci;
mod circles;
mod citations;
mod differential;
mod folds;
mod fuzz;
mod layers;
mod licences;
mod metadata;
mod nitro;
mod node;
mod phones;
mod python;
mod regressions;
mod reproducible;
mod tcb;
mod threats;
mod tools;
mod walk;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "cargo xtask COMMAND
  up [ARGUMENTS]     build every binary in release and run `adyton up`
  bench [ARGUMENTS]  build every binary in release and run `adyton-bench`
  ci [--strict] [--long]
                     set up what is needed, run every check; --strict fails on what was not run, --long adds guided
                     fuzzing, the suites on the emulated machine and the regressions
  fuzz [--minutes N] [--target T] [--keep | --blind]
                     fuzz the targets guided by coverage, 10 minutes for all together if not given; --keep merges what
                     reaches new code into fuzz/corpus, --blind only counts coverage, for comparison
  regressions [--base COMMIT] [--only EXPRESSION]
                     run the end-to-end tests of mended faults against binaries of an earlier commit, where each must
                     fail, and against today's, where each must pass; EXPRESSION is pytest's -k
  layers             check the import law (layers.toml), the names of ARCHITECTURE.md and of docs/THREATS.md
  licences           check licences, duplicate versions and the enclave's dependencies (licences.toml)
  tcb [--peer NAME=DIR]...
                     build the enclave alone, count its lines, unsafe code and build scripts, and compare them with
                     the committed list; count peers' sources beside it
  tcb --accept       write the list anew
  nitro [--repin] [TESTS]
                     build the emulated Nitro machine and the image, and run the end-to-end suites on it
  reproducible [BZIMAGE]
                     build the enclave's image twice, as two people would, and compare the bytes
  phones             write the table of numbering plans anew
  phones --check     check that it is what the metadata gives
  folds              write the table of what carriers may put in the place of characters anew
  help               this";

type Error = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let done = match (command.as_str(), &rest[..]) {
        ("up", rest) => up(rest),
        ("bench", rest) => bench(rest),
        ("ci", rest) => match ci::run(rest) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        ("fuzz", rest) => fuzz::run(rest),
        ("regressions", rest) => regressions::run(rest),
        ("layers", []) => layers::run(),
        ("licences", []) => licences::run(),
        ("tcb", rest) => tcb::run(rest),
        ("nitro", rest) => nitro::run(rest),
        ("reproducible", []) => reproducible::run(None),
        ("reproducible", [kernel]) => reproducible::run(Some(Path::new(kernel))),
        ("phones", []) => phones::run(false),
        ("phones", [check]) if check == "--check" => phones::run(true),
        ("folds", []) => folds::run(),
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

/// What a vault on one machine is made of.
const VAULT: [&str; 4] = ["adyton-cli", "adyton-enclave", "adyton-host", "adyton-pretend"];

fn up(arguments: &[String]) -> Result<(), Error> {
    build(&VAULT)?;
    become_program("adyton", &[&["up".to_owned()], arguments].concat())
}

fn bench(arguments: &[String]) -> Result<(), Error> {
    build(&[&VAULT[..], &["adyton-bench"]].concat())?;
    become_program("adyton-bench", arguments)
}

fn build(packages: &[&str]) -> Result<(), Error> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root()).args(["build", "--release", "--locked"]);
    cargo.args(packages.iter().flat_map(|package| ["-p", package]));
    if cargo.status()?.success() { Ok(()) } else { Err("the build failed".into()) }
}

/// Becomes a release binary, so that signals and exit code are its own; returns only if that fails.
fn become_program(name: &str, arguments: &[String]) -> Result<(), Error> {
    let program = metadata::binaries()?.join(name);
    let error = Command::new(&program).args(arguments).exec();
    Err(format!("{} does not start: {error}", program.display()).into())
}
