//! `cargo xtask ci`: everything, in order, each step with a time limit; what was not run is printed and counted.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::metadata::output;
use crate::{Error, layers, licences, root};

enum Outcome {
    Pass,
    Fail(String),
    NotRun(String),
}

/// Runs every step; stops at the first that fails.
pub(crate) fn run() -> Result<(), Error> {
    let before = output("git", &["status", "--porcelain"]).ok();
    let steps: [(&str, &dyn Fn() -> Outcome); 10] = [
        ("fmt", &|| cargo(&["fmt", "--all", "--check"], 2)),
        ("layers", &|| outcome(layers::run())),
        ("licences", &|| outcome(licences::run(false))),
        ("advisories", &|| Outcome::NotRun("the advisory database is not reachable from here".into())),
        ("clippy", &|| cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], 20)),
        ("docs", &docs),
        ("tests", &|| cargo(&["test", "--workspace", "--locked"], 30)),
        ("release build", &|| cargo(&["build", "--release", "--workspace", "--locked"], 30)),
        ("end to end", &end_to_end),
        ("clean tree", &|| clean(before.as_deref())),
    ];
    let began = Instant::now();
    let mut table = Vec::new();
    for (name, step) in steps {
        println!("\n=== {name}");
        let began = Instant::now();
        let outcome = step();
        let (word, detail) = match &outcome {
            Outcome::Pass => ("PASS", String::new()),
            Outcome::Fail(why) => ("FAIL", why.clone()),
            Outcome::NotRun(why) => ("NOT RUN", why.clone()),
        };
        table.push((word, format!("{word:8} {name:14} {:6.1} s  {detail}", began.elapsed().as_secs_f64())));
        if word == "FAIL" {
            break;
        }
    }
    println!("\n=== summary");
    table.iter().for_each(|(_, line)| println!("{line}"));
    let count = |wanted: &str| table.iter().filter(|(word, _)| *word == wanted).count();
    println!("{} passed, {} failed, {} skipped", count("PASS"), count("FAIL"), count("NOT RUN"));
    println!("{:.0} s in all", began.elapsed().as_secs_f64());
    if count("FAIL") > 0 { Err("a check failed".into()) } else { Ok(()) }
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
fn command(command: &mut Command, minutes: u64) -> Outcome {
    let started = command.current_dir(root()).stdin(Stdio::null()).process_group(0).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Outcome::Fail(format!("does not start: {error}")),
    };
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Outcome::Pass,
            Ok(Some(status)) => return Outcome::Fail(status.to_string()),
            Ok(None) if began.elapsed() < Duration::from_secs(60 * minutes) => {
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(None) | Err(_) => {
                let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
                let _ = child.wait();
                return Outcome::Fail(format!("not done after {minutes} minutes"));
            }
        }
    }
}

/// The official SDK against the release binaries, from a virtual environment keyed by what it holds.
fn end_to_end() -> Outcome {
    let requirements = root().join("e2e/requirements.txt");
    let Ok(wanted) = std::fs::read_to_string(&requirements) else {
        return Outcome::Fail("e2e/requirements.txt is missing".into());
    };
    let mut hasher = DefaultHasher::new();
    wanted.hash(&mut hasher);
    let environment = root().join(format!("target/e2e-venv-{:016x}", hasher.finish()));
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    if !ready.exists() {
        let made = command(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment), 5);
        if !matches!(made, Outcome::Pass) {
            println!("python3 -m venv is missing: installing python3-venv");
            let script = format!(
                "apt-get update -q && apt-get install -yq python3-venv && python3 -m venv --clear {}",
                environment.display()
            );
            let made = command(Command::new("sh").args(["-c", &script]), 10);
            if !matches!(made, Outcome::Pass) {
                return Outcome::Fail("no virtual environment can be made".into());
            }
        }
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements);
        let installed = command(&mut pip, 10);
        if !matches!(installed, Outcome::Pass) {
            return installed;
        }
        if let Err(error) = std::fs::write(&ready, "") {
            return Outcome::Fail(error.to_string());
        }
    }
    let mut tests = Command::new(&python);
    tests
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "e2e/python"])
        .env("ADYTON_BIN_DIR", root().join("target/release"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command(&mut tests, 15)
}

fn clean(before: Option<&str>) -> Outcome {
    let Some(before) = before else { return Outcome::NotRun("not a git checkout".into()) };
    match output("git", &["status", "--porcelain"]) {
        Ok(after) if after == before => Outcome::Pass,
        Ok(after) => Outcome::Fail(format!("the checks changed the tree:\n{after}")),
        Err(error) => Outcome::Fail(error.to_string()),
    }
}
