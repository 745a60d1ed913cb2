//! `cargo xtask nitro`: the real image on the emulated machine.
//!
//! 1. release binaries, the emulator's parts, the kernel and the enclave's image: each is built unless it was before;
//! 2. the suites of verification, delivery and the drill, and those of the image itself, with every vault's inside in the emulator;
//! 3. what was skipped is counted, and fails the run: a release has none.
//!
//! `cargo xtask ci` does less (`SMOKE`): one machine, a verification through it, evidence with the computed registers.

use std::process::Command;

use crate::ci::{Outcome, command, not_run_file};
use crate::metadata::binaries;
use crate::{Error, VAULT, build, python, root, tools};

/// What CI boots.
const SMOKE: [&str; 1] = ["e2e/python/test_nitro.py"];
/// What needs an image, wherever the inside of other suites runs.
pub(crate) const SUITES: [&str; 2] = ["e2e/python/test_nitro.py", "e2e/python/test_nitro_drill.py"];
/// Everything that is run with the inside in the emulator.
const ALL: [&str; 4] = [
    "e2e/python/test_nitro.py",
    "e2e/python/test_verification.py",
    "e2e/python/test_delivery.py",
    "e2e/python/test_nitro_drill.py",
];

/// The whole run; `suites` instead of all of them, if any are named.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let (options, suites): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| argument.starts_with("--"));
    let repin = options.iter().any(|option| **option == "--repin");
    if options.iter().any(|option| **option != "--repin") {
        return Err("nitro: the only option is --repin; other arguments are test files".into());
    }
    build(&VAULT)?;
    for outcome in [prepare(repin), image()] {
        succeeded(outcome)?;
    }
    let suites: Vec<&str> =
        if suites.is_empty() { ALL.into() } else { suites.into_iter().map(String::as_str).collect() };
    let skipped = not_run_file();
    let _ = std::fs::remove_file(&skipped);
    let mut tests = tests(&suites)?;
    succeeded(command(tests.env("ADYTON_ENCLAVE", "nitro-qemu"), 90))?;
    let skipped = std::fs::read_to_string(skipped).unwrap_or_default();
    if skipped.is_empty() {
        return Ok(());
    }
    Err(format!("{} tests were skipped, and a release has none:\n{skipped}", skipped.lines().count()).into())
}

/// A step of CI: the emulator's parts.
pub(crate) fn prepare(repin: bool) -> Outcome {
    adyton(&["emulator", "--yes"], repin, 40)
}

/// A step of CI: the kernel (with the pinned toolchain its bytes are the pin's), the enclave, and an image of both.
pub(crate) fn image() -> Outcome {
    let policy = "outside/image/tests/kms.toml";
    adyton(&["image", "build", "--policy", policy, "--out", "target/image.eif", "--yes"], false, 60)
}

/// A step of CI.
pub(crate) fn smoke() -> Outcome {
    match tests(&SMOKE) {
        Ok(mut tests) => command(&mut tests, 20),
        Err(error) => Outcome::Fail(error.to_string()),
    }
}

fn adyton(arguments: &[&str], repin: bool, minutes: u64) -> Outcome {
    match binaries() {
        Ok(folder) => {
            let mut adyton = Command::new(folder.join("adyton"));
            adyton.args(arguments).args(repin.then_some("--repin"));
            command(adyton.arg("--source").arg(root()), minutes)
        }
        Err(error) => Outcome::Fail(error.to_string()),
    }
}

fn tests(suites: &[&str]) -> Result<Command, Error> {
    let (python, binaries) = (python::environment()?, binaries()?);
    tools::install();
    let mut tests = python.command();
    tests.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).args(suites).env("ADYTON_BIN_DIR", binaries);
    Ok(tests)
}

fn succeeded(outcome: Outcome) -> Result<(), Error> {
    match outcome {
        Outcome::Pass => Ok(()),
        Outcome::Fail(why) | Outcome::NotRun(why) => Err(why.into()),
    }
}
