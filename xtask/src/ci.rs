//! `cargo xtask ci`: everything, in order, each step with a time limit; what was not run is printed and counted.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::metadata::{binaries, output};
use crate::{Error, advisories, differential, layers, licences, nitro, node, phones, python, root, tcb, tools};

/// How a step ended.
pub(crate) enum Outcome {
    Pass,
    Fail(String),
    NotRun(String),
}

/// Runs every step; stops at the first that fails.
pub(crate) fn run() -> Result<(), Error> {
    let not_run = not_run_file();
    std::fs::create_dir_all(not_run.with_file_name(""))?;
    let before = output("git", &["status", "--porcelain"]).ok();
    let steps: [(&str, &dyn Fn() -> Outcome); 20] = [
        ("fmt", &|| cargo(&["fmt", "--all", "--check"], 2)),
        ("clippy", &|| cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], 20)),
        ("layers", &|| outcome(layers::run())),
        ("licences", &|| outcome(licences::run())),
        ("phones", &|| outcome(phones::run(true))),
        ("advisories", &advisories::step),
        ("docs", &docs),
        ("tests", &|| cargo(&["test", "--workspace", "--locked"], 30)),
        ("vectors", &vectors),
        ("differential", &differential::step),
        ("release build", &|| cargo(&["build", "--release", "--workspace", "--locked"], 30)),
        ("tcb", &tcb_step),
        ("fuzz smoke", &fuzz),
        ("end to end", &end_to_end),
        ("npm SDK", &node::step),
        ("image", &nitro::image),
        ("emulator", &|| nitro::prepare(false)),
        ("nitro", &nitro::smoke),
        ("reproducible", &reproducible_step),
        ("clean tree", &|| clean(before.as_deref())),
    ];
    let began = Instant::now();
    let rows = run_steps(&steps, &not_run);
    println!("\n{}", summary(&rows, began.elapsed()));
    if rows.iter().any(|row| matches!(row.outcome, Outcome::Fail(_))) { Err("a check failed".into()) } else { Ok(()) }
}

/// A line of the summary.
struct Row {
    name: &'static str,
    outcome: Outcome,
    time: Duration,
}

/// Where a test that cannot run on this machine says so, a line for each.
pub(crate) fn not_run_file() -> PathBuf {
    root().join("target/not-run")
}

/// Runs steps until one fails; the others are not run. What tests of a step wrote to the file is counted beside it.
fn run_steps(steps: &[(&'static str, &dyn Fn() -> Outcome)], not_run: &Path) -> Vec<Row> {
    let (mut failed, mut rows) = (None, Vec::new());
    let _ = std::fs::remove_file(not_run);
    for (name, step) in steps {
        let began = Instant::now();
        let outcome = if let Some(failed) = failed {
            Outcome::NotRun(format!("{failed} failed"))
        } else {
            println!("\n=== {name}");
            step()
        };
        if matches!(outcome, Outcome::Fail(_)) {
            failed = Some(name);
        }
        rows.push(Row { name, outcome, time: began.elapsed() });
        let said = std::fs::read_to_string(not_run).unwrap_or_default();
        rows.extend(said.lines().map(|why| Row { name, outcome: Outcome::NotRun(why.into()), time: Duration::ZERO }));
        let _ = std::fs::remove_file(not_run);
    }
    rows
}

fn summary(rows: &[Row], total: Duration) -> String {
    let (mut text, mut counts) = (String::from("=== summary\n"), [0; 3]);
    for Row { name, outcome, time } in rows {
        let (at, word, detail) = match outcome {
            Outcome::Pass => (0, "PASS", ""),
            Outcome::Fail(why) => (1, "FAIL", why.as_str()),
            Outcome::NotRun(why) => (2, "NOT RUN", why.as_str()),
        };
        counts[at] += 1;
        text += format!("{word:8} {name:14} {:6.1} s  {detail}", time.as_secs_f64()).trim_end();
        text.push('\n');
    }
    let [passed, failed, not_run] = counts;
    text + &format!("{passed} PASS, {failed} FAIL, {not_run} NOT RUN, {:.1} s in all", total.as_secs_f64())
}

fn outcome(done: Result<(), Error>) -> Outcome {
    match done {
        Ok(()) => Outcome::Pass,
        Err(error) => {
            eprintln!("{error}");
            Outcome::Fail("see above".into())
        }
    }
}

fn cargo(arguments: &[&str], minutes: u64) -> Outcome {
    command(Command::new("cargo").args(arguments), minutes)
}

fn docs() -> Outcome {
    let mut docs = Command::new("cargo");
    docs.args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings");
    command(&mut docs, 15)
}

/// Runs in a process group of its own, which is killed when its time is up.
pub(crate) fn command(command: &mut Command, minutes: u64) -> Outcome {
    command.env("ADYTON_NOT_RUN", not_run_file());
    let started = command.current_dir(root()).stdin(Stdio::null()).process_group(0).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Outcome::Fail(format!("does not start: {error}")),
    };
    let began = Instant::now();
    let kill = |group: u32| {
        let mut kill = Command::new("kill");
        let _ = kill.args(["-KILL", "--", &format!("-{group}")]).stderr(Stdio::null()).status();
    };
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                // What it left running.
                kill(child.id());
                return if status.success() { Outcome::Pass } else { Outcome::Fail(status.to_string()) };
            }
            Ok(None) if began.elapsed() < Duration::from_secs(60 * minutes) => {
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(None) | Err(_) => {
                kill(child.id());
                let _ = child.wait();
                return Outcome::Fail(format!("not done after {minutes} minutes"));
            }
        }
    }
}

/// The enclave as for an image, and what it is built of; as a command of its own, so that it has a time limit.
fn tcb_step() -> Outcome {
    match (tcb::elsewhere(), std::env::current_exe()) {
        (Ok(None), Ok(program)) => command(Command::new(program).arg("tcb"), 20),
        (Ok(Some(why)), _) => Outcome::NotRun(why),
        (Err(error), _) => Outcome::Fail(error.to_string()),
        (_, Err(error)) => Outcome::Fail(error.to_string()),
    }
}

/// Two builds of the image from nothing; as a command of its own, so that it has a time limit.
fn reproducible_step() -> Outcome {
    match std::env::current_exe() {
        Ok(program) => command(Command::new(program).arg("reproducible"), 30),
        Err(error) => Outcome::Fail(error.to_string()),
    }
}

fn fuzz() -> Outcome {
    match binaries() {
        Ok(folder) => fuzz_smoke(&folder.join("adyton-fuzz")),
        Err(error) => Outcome::Fail(error.to_string()),
    }
}

fn fuzz_smoke(binary: &Path) -> Outcome {
    if !binary.exists() {
        return Outcome::Fail(format!("{} is missing: the release build makes it", binary.display()));
    }
    command(Command::new(binary).args(["--seconds", "20"]), 5)
}

/// The files of vectors are what the second implementation of the spec pages writes.
fn vectors() -> Outcome {
    match python::environment() {
        Ok(python) => command(python.command().args(["vectors/generate.py", "--check"]), 5),
        Err(why) => Outcome::Fail(why),
    }
}

/// The official Python SDK, curl, a browser and the drill against the release binaries. The first time it also builds the
/// enclave that leaks (`e2e/leaky`), which takes minutes.
fn end_to_end() -> Outcome {
    let (python, binaries) = match (python::environment(), binaries()) {
        (Ok(python), Ok(binaries)) => (python, binaries),
        (Err(why), _) => return Outcome::Fail(why),
        (_, Err(error)) => return Outcome::Fail(error.to_string()),
    };
    tools::install();
    let mut tests = python.command();
    tests.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "e2e/python"]);
    // They need an image: `nitro`.
    tests.args(nitro::SUITES.map(|suite| format!("--ignore={suite}"))).env("ADYTON_BIN_DIR", binaries);
    command(&mut tests, 25)
}

fn clean(before: Option<&str>) -> Outcome {
    let Some(before) = before else { return Outcome::NotRun("not a git checkout".into()) };
    match output("git", &["status", "--porcelain"]) {
        Ok(after) if after == before => Outcome::Pass,
        Ok(after) => Outcome::Fail(format!("the checks changed the tree:\n{after}")),
        Err(error) => Outcome::Fail(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn the_first_failure_stops_the_rest_and_all_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let not_run = folder.path().join("not-run");
        std::fs::write(&not_run, "left by another run\n").unwrap();
        let said = || {
            std::fs::write(&not_run, "a_test: no device\nanother: no mount\n").unwrap();
            Outcome::Pass
        };
        let steps: [(&str, &dyn Fn() -> Outcome); 4] = [
            ("one", &said),
            ("two", &|| Outcome::NotRun("no tool".into())),
            ("three", &|| Outcome::Fail("exit status: 1".into())),
            ("four", &|| unreachable!()),
        ];
        let mut rows = run_steps(&steps, &not_run);
        rows.iter_mut().for_each(|row| row.time = Duration::from_millis(1500));
        assert_eq!(
            summary(&rows, Duration::from_secs(6)),
            "=== summary\n\
             PASS     one               1.5 s\n\
             NOT RUN  one               1.5 s  a_test: no device\n\
             NOT RUN  one               1.5 s  another: no mount\n\
             NOT RUN  two               1.5 s  no tool\n\
             FAIL     three             1.5 s  exit status: 1\n\
             NOT RUN  four              1.5 s  three failed\n\
             1 PASS, 1 FAIL, 4 NOT RUN, 6.0 s in all"
        );
    }

    #[test]
    fn without_its_binary_the_fuzz_smoke_fails() {
        let Outcome::Fail(why) = fuzz_smoke(Path::new("no/adyton-fuzz")) else { unreachable!() };
        assert_eq!(why, "no/adyton-fuzz is missing: the release build makes it");
    }

    #[test]
    fn a_step_that_takes_too_long_is_killed() {
        let Outcome::Fail(why) = command(Command::new("sleep").arg("600"), 0) else { unreachable!() };
        assert_eq!(why, "not done after 0 minutes");
    }
}
