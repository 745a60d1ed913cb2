//! `cargo xtask regressions`: end-to-end tests of a mended fault must fail on binaries from before it was mended.
//!
//! 1. unpack the base commit under `target/regressions/<commit>` and build its debug binaries there;
//! 2. build today's debug binaries;
//! 3. run each test that carries `@pytest.mark.regression` against both, one process a test, each with a time limit;
//! 4. demand that it failed there and passes here.
//!
//! "Failed there" means that the test itself failed: an assertion, or an exception that the product's answer caused. A
//! vault that did not start, and a fixture that failed, do not count, as an old binary may only lack an option. The marker
//! can declare that this is the fault: `@pytest.mark.regression(starts=False)`. A skipped test, or one without a verdict
//! in its time, never counts. A test that calls a command with a new option fails there whatever it asserts: the table's
//! reasons are there to be read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::ci::{Outcome, command};
use crate::metadata::{Metadata, output};
use crate::python::Environment;
use crate::{Error, VAULT, nitro, python, root};

/// The commit from before the first faults with such tests were mended.
const BASE: &str = "ffac2b8";
/// Minutes that one test may take.
const PATIENCE: u64 = 5;

/// One line of what `e2e/python/conftest.py` writes: a phase of a test.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Phase {
    /// `setup`, `call` or `teardown`.
    when: String,
    /// `passed`, `failed` or `skipped`.
    outcome: String,
    /// The first line of what went wrong.
    why: String,
    /// The vault did not start.
    not_started: bool,
    /// What the marker declares.
    starts: bool,
}

/// What a run of one test means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed(String),
    /// Neither: with the reason.
    None(String),
}

/// Runs the comparison.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let (base, only) = options(arguments)?;
    let commit = output("git", &["rev-parse", "--verify", "--quiet", &format!("{base}^{{commit}}")])
        .map_err(|_| format!("regressions: there is no commit {base} in this clone"))?;
    let commit = commit.trim();
    let python = python::environment()?;
    let tests = collect(&python, only.as_deref())?;
    println!("regressions: {} tests, base {commit}", tests.len());
    // 1. and 2.
    let folder = root().join("target/regressions").join(commit.get(..12).unwrap_or(commit));
    let (there, here) = (base_binaries(&folder, commit)?, binaries(&root(), None)?);
    // 3.
    let (mut rows, mut faults) = (Vec::new(), 0);
    for test in &tests {
        let old = verdict(&phases(&python, test, &there, &folder)?);
        let new = verdict(&phases(&python, test, &here, &folder)?);
        let good = matches!(old, Verdict::Failed(_)) && new == Verdict::Passed;
        faults += usize::from(!good);
        let row = row(test, &old, &new);
        println!("{row}");
        rows.push(row);
    }
    println!("\n=== regressions against {commit}\n{}\n{}", row_head(), rows.join("\n"));
    // 4.
    if faults == 0 {
        return Ok(());
    }
    Err(format!("regressions: {faults} of {} tests do not fail there and pass here", tests.len()).into())
}

fn options(arguments: &[String]) -> Result<(String, Option<String>), Error> {
    let (mut base, mut only) = (BASE.to_owned(), None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("regressions: {argument} needs a value"));
        match argument.as_str() {
            "--base" => base.clone_from(value?),
            "--only" => only = Some(value?.clone()),
            other => return Err(format!("regressions: {other} is no option: see cargo xtask help").into()),
        }
    }
    if base.starts_with('-') { Err("regressions: --base needs a commit".into()) } else { Ok((base, only)) }
}

/// Whether this clone has the base commit; a shallow one has not.
pub(crate) fn has_base() -> bool {
    output("git", &["cat-file", "-e", &format!("{BASE}^{{commit}}")]).is_ok()
}

/// The source of a commit, without any trace of it in the repository's own folder.
fn base_binaries(folder: &Path, commit: &str) -> Result<PathBuf, Error> {
    let (source, unpacked) = (folder.join("source"), folder.join("unpacked"));
    if !unpacked.exists() {
        let _ = fs::remove_dir_all(&source);
        fs::create_dir_all(&source)?;
        let archive = folder.join("source.tar");
        let text = |path: &Path| path.to_str().map(str::to_owned).ok_or("a path that is not UTF-8");
        output("git", &["archive", "--format=tar", "--output", &text(&archive)?, commit])?;
        output("tar", &["-xf", &text(&archive)?, "-C", &text(&source)?])?;
        fs::remove_file(&archive)?;
        fs::write(&unpacked, commit)?;
    }
    binaries(&source, Some(&folder.join("target")))
}

/// Builds the debug binaries of a source tree. `target` instead of the tree's own folder.
fn binaries(source: &Path, target: Option<&Path>) -> Result<PathBuf, Error> {
    let mut build = Command::new("sh");
    // A shell, as `command` always runs in this tree.
    build.args(["-c", "cd \"$1\" && shift && exec \"$@\"", "sh"]).arg(source).args(["cargo", "build", "--locked"]);
    build.args(VAULT.iter().flat_map(|package| ["-p", package]));
    let folder = match target {
        Some(target) => {
            build.env("CARGO_TARGET_DIR", target);
            target.to_path_buf()
        }
        None => Metadata::load()?.target_directory,
    };
    match command(&mut build, 30) {
        Outcome::Pass => Ok(folder.join("debug")),
        _ => Err(format!("regressions: {} was not built", source.display()).into()),
    }
}

fn pytest(python: &Environment) -> Command {
    let mut pytest = python.command();
    pytest.current_dir(root());
    pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "-m", "regression"]);
    pytest
}

fn collect(python: &Environment, only: Option<&str>) -> Result<Vec<String>, Error> {
    let mut pytest = pytest(python);
    // Nothing is run, but the tests' common part wants to know where binaries are.
    pytest.args(["--collect-only", "e2e/python"]).env("ADYTON_BIN_DIR", ".");
    pytest.args(nitro::SUITES.map(|suite| format!("--ignore={suite}")));
    pytest.args(only.map(|only| format!("-k={only}")));
    let done = pytest.output()?;
    let text = String::from_utf8_lossy(&done.stdout);
    let tests: Vec<String> = text.lines().filter(|line| line.contains("::")).map(str::to_owned).collect();
    if tests.is_empty() {
        return Err(format!("regressions: no test carries the marker:\n{text}").into());
    }
    Ok(tests)
}

fn phases(python: &Environment, test: &str, binaries: &Path, folder: &Path) -> Result<Vec<Phase>, Error> {
    let (results, log) = (folder.join("results"), fs::File::create(folder.join("log"))?);
    let _ = fs::remove_file(&results);
    let mut pytest = pytest(python);
    pytest.arg(test).env("ADYTON_BIN_DIR", binaries).env("ADYTON_RESULTS", &results);
    pytest.stdout(log.try_clone()?).stderr(log);
    // What it says is in the results; one that was killed has none.
    let _ = command(&mut pytest, PATIENCE);
    let text = fs::read_to_string(&results).unwrap_or_default();
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn verdict(phases: &[Phase]) -> Verdict {
    let done = |when: &str| phases.iter().find(|phase| phase.when == when);
    let wrong = phases.iter().find(|phase| phase.outcome != "passed");
    match wrong {
        Some(phase) if phase.outcome == "skipped" => Verdict::None(format!("skipped: {}", phase.why)),
        Some(phase) if !phase.starts && phase.when != "teardown" => Verdict::Failed(phase.why.clone()),
        Some(phase) if phase.not_started => Verdict::None(format!("did not start: {}", phase.why)),
        Some(phase) if phase.when == "call" => Verdict::Failed(phase.why.clone()),
        Some(phase) => Verdict::None(format!("{} failed: {}", phase.when, phase.why)),
        None if done("call").is_some() && done("teardown").is_some() => Verdict::Passed,
        None => Verdict::None(format!("no verdict within {PATIENCE} minutes")),
    }
}

fn row_head() -> String {
    format!("{:10} {:10} test", "there", "here")
}

fn row(test: &str, old: &Verdict, new: &Verdict) -> String {
    let word = |verdict: &Verdict| match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed(_) => "failed",
        Verdict::None(_) => "NO VERDICT",
    };
    let mut text = format!("{:10} {:10} {test}", word(old), word(new));
    for (place, verdict) in [("there", old), ("here", new)] {
        if let Verdict::Failed(why) | Verdict::None(why) = verdict {
            text += &format!("\n             {place}: {why}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn phase(when: &str, outcome: &str) -> Phase {
        let why = if outcome == "passed" { "" } else { "assert 1 == 2" };
        Phase { when: when.into(), outcome: outcome.into(), why: why.into(), not_started: false, starts: true }
    }

    fn run_of(call: Phase) -> Vec<Phase> {
        vec![phase("setup", "passed"), call, phase("teardown", "passed")]
    }

    #[test]
    fn only_failure_of_the_test_itself_counts() {
        assert_eq!(verdict(&run_of(phase("call", "passed"))), Verdict::Passed);
        assert_eq!(verdict(&run_of(phase("call", "failed"))), Verdict::Failed("assert 1 == 2".into()));
        let skipped = [phase("setup", "skipped"), phase("teardown", "passed")];
        assert_eq!(verdict(&skipped), Verdict::None("skipped: assert 1 == 2".into()));
        let fixture = [phase("setup", "failed"), phase("teardown", "passed")];
        assert_eq!(verdict(&fixture), Verdict::None("setup failed: assert 1 == 2".into()));
        let parting = [phase("setup", "passed"), phase("call", "passed"), phase("teardown", "failed")];
        assert_eq!(verdict(&parting), Verdict::None("teardown failed: assert 1 == 2".into()));
        for killed in [&[][..], &[phase("setup", "passed")], &run_of(phase("call", "passed"))[..2]] {
            assert_eq!(verdict(killed), Verdict::None("no verdict within 5 minutes".into()));
        }
    }

    #[test]
    fn vault_that_does_not_start_counts_only_if_the_marker_declares_it() {
        let not_started = Phase { not_started: true, ..phase("call", "failed") };
        assert_eq!(verdict(&run_of(not_started.clone())), Verdict::None("did not start: assert 1 == 2".into()));
        let declared = Phase { starts: false, ..not_started };
        assert_eq!(verdict(&run_of(declared)), Verdict::Failed("assert 1 == 2".into()));
        let fixture = [Phase { starts: false, ..phase("setup", "failed") }, phase("teardown", "passed")];
        assert_eq!(verdict(&fixture), Verdict::Failed("assert 1 == 2".into()));
    }

    #[test]
    fn options_are_read_or_refused_by_name() {
        let given = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            options(&words).map_err(|error| error.to_string())
        };
        assert_eq!(given(&[]), Ok((BASE.to_owned(), None)));
        assert_eq!(given(&["--only", "mail", "--base", "HEAD~1"]), Ok(("HEAD~1".into(), Some("mail".into()))));
        assert_eq!(given(&["--base"]), Err("regressions: --base needs a value".into()));
        assert_eq!(given(&["--base", "--all"]), Err("regressions: --base needs a commit".into()));
        assert_eq!(given(&["--all", "x"]), Err("regressions: --all is no option: see cargo xtask help".into()));
    }

    #[test]
    fn table_names_both_verdicts_and_their_reasons() {
        let text = row("e2e/python/test_x.py::test_y", &Verdict::Failed("assert 1 == 2".into()), &Verdict::Passed);
        assert_eq!(text, "failed     passed     e2e/python/test_x.py::test_y\n             there: assert 1 == 2");
        assert!(
            row("t", &Verdict::None("skipped: no tool".into()), &Verdict::Passed).starts_with("NO VERDICT passed ")
        );
    }
}
