//! `cargo xtask ci`: every check, each with a time limit. A failed step does not end the run: only the steps that need it
//! are not run. The summary lists every failure and everything that was not run.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::metadata::{binaries, output};
use crate::{
    Error, advisories, differential, folds, fuzz, layers, licences, nitro, node, phones, python, regressions, root,
    tcb, tools,
};

/// How a step ended.
pub(crate) enum Outcome {
    Pass,
    Fail(String),
    NotRun(String),
}

/// A step: its name, the steps that must have passed before it, and what it does.
type Step<'a> = (&'static str, &'a [&'static str], &'a dyn Fn() -> Outcome);

const RELEASE: &str = "release build";

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    /// A step or test that was not run fails the run.
    strict: bool,
    /// Steps that take long are run too.
    long: bool,
}

/// Runs every step whose needs are met. The last line printed is always the counts.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, Error> {
    let options = options(arguments)?;
    let not_run = not_run_file();
    std::fs::create_dir_all(not_run.with_file_name(""))?;
    let before = output("git", &["status", "--porcelain"]).ok();
    let clean_tree = || clean(before.as_deref());
    let mut steps: Vec<Step> = vec![
        ("fmt", &[], &|| cargo(&["fmt", "--all", "--check"], 2)),
        ("clippy", &[], &|| cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], 20)),
        ("layers", &[], &|| outcome(layers::run())),
        ("licences", &[], &|| outcome(licences::run())),
        ("phones", &[], &|| outcome(phones::run(true))),
        ("folds", &[], &folds::check),
        ("advisories", &[], &advisories::step),
        ("docs", &[], &docs),
        ("tests", &[], &|| cargo(&["test", "--workspace", "--locked", "--no-fail-fast"], 30)),
        ("vectors", &[], &vectors),
        ("differential", &[], &differential::step),
        (RELEASE, &[], &|| cargo(&["build", "--release", "--workspace", "--locked"], 30)),
        ("tcb", &[], &|| match tcb::elsewhere() {
            Ok(None) => this_program(&["tcb"], 20),
            Ok(Some(why)) => Outcome::NotRun(why),
            Err(error) => Outcome::Fail(error.to_string()),
        }),
        ("fuzz smoke", &[RELEASE], &fuzz_smoke),
        ("end to end", &[RELEASE], &end_to_end),
        ("npm SDK", &[RELEASE], &node::step),
        ("image", &[RELEASE], &nitro::image),
        ("emulator", &[RELEASE], &|| nitro::prepare(false)),
        ("nitro", &["image", "emulator"], &nitro::smoke),
        ("reproducible", &[], &|| this_program(&["reproducible"], 30)),
    ];
    if options.long {
        steps.extend(LONG);
    }
    steps.push(("clean tree", &[], &clean_tree));
    let began = Instant::now();
    let rows = run_steps(&steps, &not_run);
    println!("\n{}", summary(&rows, began.elapsed(), options.strict));
    Ok(if passes(&rows, options.strict) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The steps of `--long`.
const LONG: [Step; 4] = [
    ("clippy guided", &[], &|| {
        let package = ["clippy", "-p", "adyton-fuzz-guided", "--features", "guided", "--locked"];
        cargo(&[&package[..], &["--", "-D", "warnings"]].concat(), 20)
    }),
    ("guided fuzzing", &[], &|| this_program(&["fuzz"], fuzz::MINUTES + 60)),
    ("nitro suites", &["image", "emulator"], &|| this_program(&["nitro"], 120)),
    ("regressions", &[], &|| {
        if regressions::has_base() {
            return this_program(&["regressions"], 120);
        }
        Outcome::NotRun("this clone lacks the base commit".into())
    }),
];

fn options(arguments: &[String]) -> Result<Options, Error> {
    let mut options = Options::default();
    for argument in arguments {
        match argument.as_str() {
            "--strict" => options.strict = true,
            "--long" => options.long = true,
            other => return Err(format!("ci: {other} is no option: see cargo xtask help").into()),
        }
    }
    Ok(options)
}

/// A line of the summary.
struct Row {
    name: &'static str,
    outcome: Outcome,
    time: Duration,
}

/// The file to which a test that cannot run on this machine writes a line.
pub(crate) fn not_run_file() -> PathBuf {
    root().join("target/not-run")
}

/// Runs the steps in their order. A step that needs one that did not pass is not run; all others are, whatever failed.
fn run_steps(steps: &[Step], not_run: &Path) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let _ = std::fs::remove_file(not_run);
    for (name, needs, step) in steps {
        let began = Instant::now();
        let outcome = missing(needs, &rows).map_or_else(
            || {
                println!("\n=== {name}");
                step()
            },
            Outcome::NotRun,
        );
        rows.push(Row { name, outcome, time: began.elapsed() });
        let tests = std::fs::read_to_string(not_run).unwrap_or_default();
        rows.extend(tests.lines().map(|why| Row { name, outcome: Outcome::NotRun(why.into()), time: Duration::ZERO }));
        let _ = std::fs::remove_file(not_run);
    }
    rows
}

/// Why a step cannot run: the first of its needs that did not pass.
fn missing(needs: &[&str], rows: &[Row]) -> Option<String> {
    // The first row of a name is the step; the others are its tests.
    let step = |need: &str| rows.iter().find(|row| row.name == need);
    needs.iter().find_map(|need| match step(need).map(|row| &row.outcome) {
        Some(Outcome::Pass) => None,
        Some(Outcome::Fail(_)) => Some(format!("needs {need}, which failed")),
        Some(Outcome::NotRun(_)) | None => Some(format!("needs {need}, which was not run")),
    })
}

fn counts(rows: &[Row]) -> [usize; 3] {
    let count = |which: fn(&Outcome) -> bool| rows.iter().filter(|row| which(&row.outcome)).count();
    [
        count(|outcome| matches!(outcome, Outcome::Pass)),
        count(|outcome| matches!(outcome, Outcome::Fail(_))),
        count(|outcome| matches!(outcome, Outcome::NotRun(_))),
    ]
}

fn passes(rows: &[Row], strict: bool) -> bool {
    let [_, failed, skipped] = counts(rows);
    failed == 0 && (skipped == 0 || !strict)
}

fn summary(rows: &[Row], total: Duration, strict: bool) -> String {
    let mut text = String::from("=== summary\n");
    for Row { name, outcome, time } in rows {
        let (word, detail) = match outcome {
            Outcome::Pass => ("PASS", ""),
            Outcome::Fail(why) => ("FAIL", why.as_str()),
            Outcome::NotRun(why) => ("NOT RUN", why.as_str()),
        };
        text += format!("{word:8} {name:14} {:6.1} s  {detail}", time.as_secs_f64()).trim_end();
        text.push('\n');
    }
    let [passed, failed, skipped] = counts(rows);
    if strict && skipped > 0 {
        text += "--strict: what is NOT RUN fails the run\n";
    }
    text + &format!("{:.1} s in all\n{passed} passed, {failed} failed, {skipped} skipped", total.as_secs_f64())
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

/// A command of xtask as a process of its own, so that it has a time limit.
fn this_program(arguments: &[&str], minutes: u64) -> Outcome {
    match std::env::current_exe() {
        Ok(program) => command(Command::new(program).args(arguments), minutes),
        Err(error) => Outcome::Fail(error.to_string()),
    }
}

/// The corpora and 20 seconds of blind mutation.
fn fuzz_smoke() -> Outcome {
    match binaries() {
        Ok(folder) => fuzz_smoke_with(&folder.join("adyton-fuzz")),
        Err(error) => Outcome::Fail(error.to_string()),
    }
}

fn fuzz_smoke_with(binary: &Path) -> Outcome {
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
    command(&mut tests, 50)
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

    fn pass() -> Outcome {
        Outcome::Pass
    }

    fn rows(steps: &[Step], not_run: &Path) -> Vec<Row> {
        let mut rows = run_steps(steps, not_run);
        rows.iter_mut().for_each(|row| row.time = Duration::from_millis(1500));
        rows
    }

    #[test]
    fn failed_step_stops_only_what_needs_it_and_all_failures_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let not_run = folder.path().join("not-run");
        std::fs::write(&not_run, "left by another run\n").unwrap();
        let tests = || {
            std::fs::write(&not_run, "a_test: no device\nanother: no mount\n").unwrap();
            Outcome::Pass
        };
        let steps: [Step; 8] = [
            ("one", &[], &tests),
            ("two", &[], &|| Outcome::NotRun("no tool".into())),
            ("three", &[], &|| Outcome::Fail("exit status: 1".into())),
            ("four", &["one", "three"], &|| unreachable!()),
            ("five", &["four"], &|| unreachable!()),
            ("six", &["two"], &|| unreachable!()),
            ("seven", &["one"], &pass),
            ("eight", &[], &|| Outcome::Fail("exit status: 2".into())),
        ];
        let rows = rows(&steps, &not_run);
        assert_eq!(
            summary(&rows, Duration::from_secs(6), false),
            "=== summary\n\
             PASS     one               1.5 s\n\
             NOT RUN  one               1.5 s  a_test: no device\n\
             NOT RUN  one               1.5 s  another: no mount\n\
             NOT RUN  two               1.5 s  no tool\n\
             FAIL     three             1.5 s  exit status: 1\n\
             NOT RUN  four              1.5 s  needs three, which failed\n\
             NOT RUN  five              1.5 s  needs four, which was not run\n\
             NOT RUN  six               1.5 s  needs two, which was not run\n\
             PASS     seven             1.5 s\n\
             FAIL     eight             1.5 s  exit status: 2\n\
             6.0 s in all\n\
             2 passed, 2 failed, 6 skipped"
        );
        assert!(!passes(&rows, false));
    }

    #[test]
    fn strict_run_fails_on_what_was_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let not_run = folder.path().join("not-run");
        let good: [Step; 1] = [("one", &[], &pass)];
        assert!(passes(&rows(&good, &not_run), true));
        let lacking: [Step; 2] = [("one", &[], &pass), ("two", &[], &|| Outcome::NotRun("no tool".into()))];
        let rows = rows(&lacking, &not_run);
        assert!(passes(&rows, false) && !passes(&rows, true));
        let text = summary(&rows, Duration::from_secs(6), true);
        let end = "--strict: what is NOT RUN fails the run\n6.0 s in all\n1 passed, 0 failed, 1 skipped";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn options_are_read_or_refused_by_name() {
        let given = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            options(&words).map_err(|error| error.to_string())
        };
        assert_eq!(given(&[]), Ok(Options { strict: false, long: false }));
        assert_eq!(given(&["--long", "--strict"]), Ok(Options { strict: true, long: true }));
        assert_eq!(given(&["--short"]), Err("ci: --short is no option: see cargo xtask help".into()));
    }

    #[test]
    fn without_its_binary_the_fuzz_smoke_fails() {
        let Outcome::Fail(why) = fuzz_smoke_with(Path::new("no/adyton-fuzz")) else { unreachable!() };
        assert_eq!(why, "no/adyton-fuzz is missing: the release build makes it");
    }

    #[test]
    fn a_step_that_takes_too_long_is_killed() {
        let Outcome::Fail(why) = command(Command::new("sleep").arg("600"), 0) else { unreachable!() };
        assert_eq!(why, "not done after 0 minutes");
    }
}
