//! `adyton-fuzz`: runs the corpora, then mutations of them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use adyton_fuzz::corpus::{self, Seed};
use adyton_fuzz::run::{Budget, Count, Failure, Options, fresh_seed, run};
use adyton_fuzz::{TARGETS, Target, target};
use lexopt::prelude::{Long, Value, ValueExt};

const USAGE: &str = "adyton-fuzz [--seconds N] [--seed N] [--trace]           every target: its corpus, then mutations
adyton-fuzz TARGET [--seconds N] [--seed N] [--trace]    one target
adyton-fuzz TARGET FILE...                               these inputs, once
adyton-fuzz --list                                       the targets' names
adyton-fuzz --write-corpus                               make the seeds anew from vectors and encoders
--seconds is for all targets together; 20 if not given. --trace keeps each input in fuzz/failures/current before it
runs, so that an abort leaves it behind.";

type Error = Box<dyn std::error::Error>;

/// How long one input may run. Most take microseconds.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("adyton-fuzz: {error}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Result<(), Error> {
    let (mut seconds, mut seed, mut trace) = (20, fresh_seed(), false);
    let mut values: Vec<OsString> = Vec::new();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("seconds") => seconds = parser.value()?.parse()?,
            Long("seed") => seed = parser.value()?.parse()?,
            Long("trace") => trace = true,
            Long("list") => {
                TARGETS.iter().for_each(|target| println!("{}", target.name));
                return Ok(());
            }
            Long("write-corpus") => {
                println!("{} seeds", corpus::write(&corpus::folder())?);
                return Ok(());
            }
            Value(value) => values.push(value),
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    let options = Options {
        budget: Budget::Time(Duration::from_secs(seconds)),
        seed,
        patience: PATIENCE,
        trace: trace.then(|| failures().join("current")),
    };
    if trace {
        fs::create_dir_all(failures())?;
    }
    match values.split_first() {
        None => fuzz(TARGETS, &options),
        Some((name, files)) => {
            let name = name.to_string_lossy();
            let target = target(&name).ok_or_else(|| format!("no target {name}: see --list\n{USAGE}"))?;
            if files.is_empty() { fuzz(&[*target], &options) } else { replay(target, files, &options) }
        }
    }
}

fn fuzz(targets: &[Target], options: &Options) -> Result<(), Error> {
    println!("seed {}", options.seed);
    let mut work = Vec::with_capacity(targets.len());
    for target in targets {
        let seeds = corpus::load(&corpus::folder(), target);
        work.push((*target, seeds.map_err(|error| format!("corpus of {}: {error}", target.name))?));
    }
    let counts = run(work, options).map_err(report)?;
    for count in counts {
        let Count { target, runs, mutations, accepted } = count;
        println!("{target:18} {runs:9} runs {mutations:9} mutations {accepted:9} accepted");
    }
    Ok(())
}

fn replay(target: &Target, files: &[OsString], options: &Options) -> Result<(), Error> {
    let read = |file: &OsString| -> Result<Seed, Error> {
        let input = fs::read(file).map_err(|error| format!("{}: {error}", Path::new(file).display()))?;
        Ok(Seed { name: file.to_string_lossy().into_owned(), input })
    };
    let seeds = files.iter().map(read).collect::<Result<_, _>>()?;
    let counts = run(vec![(*target, seeds)], &Options { budget: Budget::Runs(0), ..options.clone() });
    for count in counts.map_err(report)? {
        println!("{}: {} runs, {} accepted, nothing failed", count.target, count.runs, count.accepted);
    }
    Ok(())
}

/// Keeps the input and says how to run it again.
fn report(failure: Failure) -> Error {
    match failure.write(&failures()) {
        Ok(path) => {
            let here = std::env::current_dir().unwrap_or_default();
            let path = path.strip_prefix(here).unwrap_or(&path);
            format!("{failure}\nrun it again: adyton-fuzz {} {}", failure.target, path.display()).into()
        }
        Err(error) => format!("{failure}\nthe input cannot be kept: {error}").into(),
    }
}

fn failures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("failures")
}
