//! `cargo xtask fuzz`: every fuzz target under libFuzzer, guided by coverage.
//!
//! 1. build `adyton-fuzz-guided` with the sanitizer-coverage flags of stable rustc, in a target folder of its own;
//! 2. run each target for its share of the time, from its committed corpus and from what earlier runs kept;
//! 3. with `--keep`, merge into `fuzz/corpus` the fewest inputs that together reach what the committed seeds do not;
//! 4. an input that fails is in `fuzz/failures`, and the line that runs it again is printed. Other targets still run;
//! 5. a run without coverage, or in which nothing was mutated, has fuzzed nothing: its target fails too, whatever libFuzzer's exit
//!    code is.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ci::{Outcome, command};
use crate::metadata::TARGET;
use crate::{Error, root};

/// What libFuzzer needs: a counter for each edge, the places they belong to, and the operands of comparisons.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Minutes of a run that names none.
pub(crate) const MINUTES: u64 = 10;
/// Seconds that one input may run, as in the smoke run.
const PATIENCE: u64 = 20;
/// Memory of the whole process. Inputs are at most 64 KiB, so this is far more than a parser may need.
const MEMORY_MIB: u64 = 1024;
const MAX_INPUT: u64 = 64 * 1024;
/// Longest input that is kept, and the most bytes that are kept for a target. `fuzz/tests/corpora.rs` has the same bounds.
const MAX_KEPT: usize = 4096;
const MAX_KEPT_OF_TARGET: usize = 32 * 1024;
/// What names of kept inputs begin with; every other file of a corpus was made or named by hand and stays.
const KEPT: &str = "found_";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    minutes: u64,
    target: Option<String>,
    keep: bool,
    blind: bool,
}

/// What a target's run reports.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    runs: u64,
    /// Of these, the inputs of the corpus; `None` if the run did not get through it.
    corpus: Option<u64>,
    /// Edges that the corpus reached, and edges at the end.
    edges: (u64, u64),
}

/// Runs the targets.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let options = options(arguments)?;
    let targets = targets(options.target.as_deref())?;
    // 1.
    let program = build()?;
    let seconds = (options.minutes * 60 / targets.len() as u64).max(1);
    println!("fuzz: {} targets, {seconds} s for each", targets.len());
    println!("{:18} {:>10} {:>7} {:>7} {:>7}", "target", "runs", "edges", "gained", "inputs");
    let (mut failures, mut total) = (Vec::new(), Report::default());
    for target in &targets {
        let (report, failure) = one(&program, target, seconds, &options)?;
        let inputs = files(&work(target, options.blind))?.len();
        let gained = report.edges.1.saturating_sub(report.edges.0);
        println!("{target:18} {:10} {:7} {gained:7} {inputs:7}", report.runs, report.edges.1);
        total.runs += report.runs;
        total.edges = (total.edges.0 + report.edges.0, total.edges.1 + report.edges.1);
        failures.extend(failure);
    }
    let gained = total.edges.1.saturating_sub(total.edges.0);
    println!("{:18} {:10} {:7} {gained:7}", "all", total.runs, total.edges.1);
    if options.keep {
        // 3.
        for target in &targets {
            keep(&program, target)?;
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(format!("targets that fail:\n  {}", failures.join("\n  ")).into()) }
}

fn options(arguments: &[String]) -> Result<Options, Error> {
    let mut options = Options { minutes: MINUTES, target: None, keep: false, blind: false };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("fuzz: {argument} needs a value"));
        match argument.as_str() {
            "--minutes" => {
                let text = value()?;
                let minutes = text.parse().ok().filter(|minutes| (1..=10_000).contains(minutes));
                options.minutes = minutes.ok_or_else(|| format!("fuzz: --minutes {text}: give 1 to 10000"))?;
            }
            "--target" => options.target = Some(value()?.clone()),
            "--keep" => options.keep = true,
            "--blind" => options.blind = true,
            other => return Err(format!("fuzz: {other} is no option: see cargo xtask help").into()),
        }
    }
    if options.keep && options.blind {
        return Err("fuzz: --blind is for comparison and keeps nothing".into());
    }
    Ok(options)
}

/// The names of the corpora, which are those of the targets (`fuzz/tests/corpora.rs`).
fn targets(only: Option<&str>) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("fuzz/corpus"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| only.is_none_or(|only| only == name));
    names.sort();
    if names.is_empty() { Err("fuzz: there is no such target: see adyton-fuzz --list".into()) } else { Ok(names) }
}

fn build() -> Result<PathBuf, Error> {
    let folder = root().join("target/fuzz/build");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--locked", "-p", "adyton-fuzz-guided", "--features", "guided", "--profile", "fuzz"]);
    // With a target named, build scripts and derive macros are built without the flags.
    cargo.args(["--target", TARGET]).env("RUSTFLAGS", COVERAGE).env("CARGO_TARGET_DIR", &folder);
    match command(&mut cargo, 30) {
        Outcome::Pass => Ok(folder.join(TARGET).join("fuzz/adyton-fuzz-guided")),
        _ => Err("fuzz: the build failed; it needs a C++ compiler for libFuzzer".into()),
    }
}

/// Where a target's new inputs are until they are kept.
fn work(target: &str, blind: bool) -> PathBuf {
    root().join(if blind { "target/fuzz/blind" } else { "target/fuzz/inputs" }).join(target)
}

fn committed(target: &str) -> PathBuf {
    root().join("fuzz/corpus").join(target)
}

fn failures() -> PathBuf {
    root().join("fuzz/failures")
}

fn fuzzer(program: &Path, target: &str, log: &Path) -> Result<Command, Error> {
    let log = File::create(log)?;
    let mut fuzzer = Command::new(program);
    fuzzer.env("ADYTON_FUZZ_TARGET", target).env("RUST_BACKTRACE", "0").stdout(log.try_clone()?).stderr(log);
    fuzzer.args([
        format!("-timeout={PATIENCE}"),
        format!("-report_slow_units={PATIENCE}"),
        format!("-rss_limit_mb={MEMORY_MIB}"),
        format!("-max_len={MAX_INPUT}"),
        // Inputs grow only once short ones find nothing more.
        "-len_control=100".to_owned(),
    ]);
    Ok(fuzzer)
}

/// 2., 4. and 5.
fn one(program: &Path, target: &str, seconds: u64, options: &Options) -> Result<(Report, Option<String>), Error> {
    let (work, log) = (work(target, options.blind), root().join("target/fuzz").join(format!("{target}.log")));
    if options.blind {
        let _ = fs::remove_dir_all(&work);
    }
    for folder in [&work, &failures()] {
        fs::create_dir_all(folder)?;
    }
    let before = artifacts(target)?;
    let mut fuzzer = fuzzer(program, target, &log)?;
    fuzzer.args([format!("-max_total_time={seconds}"), "-print_final_stats=1".to_owned()]);
    fuzzer.arg(format!("-artifact_prefix={}/{target}-", failures().display()));
    if options.blind {
        fuzzer.env("ADYTON_FUZZ_BLIND", "1");
    }
    fuzzer.arg(&work).arg(committed(target));
    let outcome = command(&mut fuzzer, seconds / 60 + 3);
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let report = report(&text);
    let Outcome::Fail(why) = outcome else {
        let failure = idle(&report).map(|why| format!("{target}: {why}: see {}", log.display()));
        return Ok((report, failure));
    };
    let how = artifacts(target)?.difference(&before).next().map_or_else(
        || format!("no input was written: see {}", log.display()),
        |name| format!("run it again: {}", again(program, target, name)),
    );
    let said = reason(&text).unwrap_or(&why);
    Ok((report, Some(format!("{target}: {said}\n    {how}"))))
}

/// 5.
fn idle(report: &Report) -> Option<&'static str> {
    match report.corpus {
        _ if report.runs == 0 => Some("no input ran"),
        None => Some("libFuzzer did not say INITED: the corpus was not run"),
        Some(_) if report.edges.1 == 0 => Some("no edge was counted: the program has no coverage"),
        Some(corpus) if report.runs <= corpus => {
            Some("the time was over before a mutation ran: give it more --minutes")
        }
        Some(_) => None,
    }
}

/// The line that runs a failing input once more. Only libFuzzer measures memory.
fn again(program: &Path, target: &str, name: &str) -> String {
    if name.starts_with(&format!("{target}-oom-")) {
        let program = program.strip_prefix(root()).unwrap_or(program).display();
        return format!("ADYTON_FUZZ_TARGET={target} {program} -rss_limit_mb={MEMORY_MIB} fuzz/failures/{name}");
    }
    format!("cargo run -p adyton-fuzz -- {target} fuzz/failures/{name}")
}

/// The failing inputs of a target. Another target's name may begin with this one's: what libFuzzer adds has no `_`.
fn artifacts(target: &str) -> Result<BTreeSet<String>, Error> {
    let of = |name: &String| name.strip_prefix(target).is_some_and(|rest| rest.starts_with('-'));
    Ok(files(&failures())?.into_iter().filter(of).collect())
}

fn files(folder: &Path) -> Result<BTreeSet<String>, Error> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// What libFuzzer printed of itself: `#123 INITED cov: 45 ft: 67 …`, and last `stat::number_of_executed_units: 890`.
fn report(log: &str) -> Report {
    let after = |line: &str, word: &str| line.split(word).nth(1)?.split_whitespace().next()?.parse::<u64>().ok();
    let mut edges = log.lines().filter(|line| line.starts_with('#')).filter_map(|line| {
        let count = after(line, " cov: ")?;
        Some((line.contains("INITED"), count))
    });
    let (mut first, mut last) = (0, 0);
    for (inited, count) in edges.by_ref() {
        last = count;
        if inited {
            first = count;
        }
    }
    let of_line = |line: &str| line.strip_prefix('#')?.split_whitespace().next()?.parse().ok();
    let inited = log.lines().find(|line| line.starts_with('#') && line.contains("INITED"));
    let runs = log
        .lines()
        .rev()
        .find_map(|line| after(line, "stat::number_of_executed_units:").or_else(|| of_line(line)))
        .unwrap_or(0);
    Report { runs, corpus: inited.and_then(of_line), edges: (first, last) }
}

/// The line of a log that tells why it failed: the panic's text, or libFuzzer's summary.
fn reason(log: &str) -> Option<&str> {
    let mut lines = log.lines();
    let panic = lines.by_ref().find(|line| line.contains("panicked at ")).and_then(|_| lines.next());
    panic.or_else(|| log.lines().find_map(|line| line.strip_prefix("SUMMARY: ")))
}

/// Step 3. What was kept before stays, so that a run changes little; where there is no room left, all are chosen anew.
fn keep(program: &Path, target: &str) -> Result<(), Error> {
    let committed = committed(target);
    let (mut kept, mut dropped) = bounded(merge(program, target, true)?);
    if dropped > 0 {
        (kept, dropped) = bounded(merge(program, target, false)?);
    }
    for name in files(&committed)?.iter().filter(|name| name.starts_with(KEPT)) {
        fs::remove_file(committed.join(name))?;
    }
    let bytes: usize = kept.iter().map(|(_, input)| input.len()).sum();
    for (name, input) in &kept {
        fs::write(committed.join(name), input)?;
    }
    println!("{target:18} keeps {} inputs, {bytes} bytes; {dropped} are over the bound", kept.len());
    Ok(())
}

/// The inputs that reach what the committed ones do not, and with `stay` those that were kept before; each with the name
/// that it is kept by. A feature is an edge here, not how often it was taken: the corpus stays small.
fn merge(program: &Path, target: &str, stay: bool) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let (committed, merged) = (committed(target), root().join("target/fuzz/merged").join(target));
    let _ = fs::remove_dir_all(&merged);
    fs::create_dir_all(&merged)?;
    let is_seed = |name: &String| !name.starts_with(KEPT);
    let seeds: BTreeSet<String> = files(&committed)?.into_iter().filter(is_seed).collect();
    for name in files(&committed)?.iter().filter(|name| stay || is_seed(name)) {
        fs::copy(committed.join(name), merged.join(name))?;
    }
    let log = root().join("target/fuzz").join(format!("{target}-merge.log"));
    let mut fuzzer = fuzzer(program, target, &log)?;
    fuzzer.args(["-set_cover_merge=1", "-use_counters=0"]).arg(&merged).arg(&committed).arg(work(target, false));
    if let Outcome::Fail(why) = command(&mut fuzzer, 15) {
        return Err(format!("fuzz: the inputs of {target} were not merged: {why}: see {}", log.display()).into());
    }
    let mut found = Vec::new();
    for name in files(&merged)?.difference(&seeds) {
        // libFuzzer names a new input by its SHA-1.
        let kept = name.strip_prefix(KEPT).unwrap_or(name);
        found.push((format!("{KEPT}{}", kept.get(..16).unwrap_or(kept)), fs::read(merged.join(name))?));
    }
    Ok(found)
}

/// The smallest inputs within the bounds of a committed corpus, and how many are not.
fn bounded(mut found: Vec<(String, Vec<u8>)>) -> (Vec<(String, Vec<u8>)>, usize) {
    found.sort_by(|a, b| (a.1.len(), &a.0).cmp(&(b.1.len(), &b.0)));
    let (all, mut total) = (found.len(), 0);
    found.retain(|(_, input)| {
        total += input.len();
        input.len() <= MAX_KEPT && total <= MAX_KEPT_OF_TARGET
    });
    let dropped = all - found.len();
    (found, dropped)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    fn given(text: &str) -> Result<Options, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        options(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_read_or_refused_by_name() {
        let expected = Options { minutes: 3, target: Some("frame".into()), keep: true, blind: false };
        assert_eq!(given("--minutes 3 --target frame --keep"), Ok(expected));
        assert_eq!(given("").unwrap().minutes, MINUTES);
        for (text, refusal) in [
            ("--minutes", "fuzz: --minutes needs a value"),
            ("--minutes 0", "fuzz: --minutes 0: give 1 to 10000"),
            ("--minutes x", "fuzz: --minutes x: give 1 to 10000"),
            ("--seconds 3", "fuzz: --seconds is no option: see cargo xtask help"),
            ("--keep --blind", "fuzz: --blind is for comparison and keeps nothing"),
        ] {
            assert_eq!(given(text), Err(refusal.to_owned()), "{text}");
        }
    }

    #[test]
    fn target_that_does_not_exist_is_refused() {
        assert!(targets(None).unwrap().len() > 40);
        assert_eq!(targets(Some("frame")).unwrap(), ["frame"]);
        let refused = targets(Some("no such")).unwrap_err().to_string();
        assert_eq!(refused, "fuzz: there is no such target: see adyton-fuzz --list");
    }

    #[test]
    fn coverage_and_reason_are_read_from_the_log() {
        let log = "INFO: seed corpus: files: 80\n#81\tINITED cov: 120 ft: 300 corp: 40/1k\n\
                   #999\tNEW    cov: 133 ft: 350 corp: 41/1k\n#5000\tDONE   cov: 140 ft: 400 corp: 50/1k\n\
                   stat::number_of_executed_units: 5001\n";
        assert_eq!(report(log), Report { runs: 5001, corpus: Some(81), edges: (120, 140) });
        assert_eq!(idle(&report(log)), None);
        assert_eq!(reason(log), None);
        let crashed = "#81\tINITED cov: 120 ft: 300\n#90\tNEW    cov: 121 ft: 301\n\n\
                       thread '<unnamed>' (1) panicked at fuzz/src/x.rs:3:1:\na byte more\n\
                       SUMMARY: libFuzzer: deadly signal\n";
        assert_eq!(report(crashed), Report { runs: 90, corpus: Some(81), edges: (120, 121) });
        assert_eq!(reason(crashed), Some("a byte more"));
        assert_eq!(reason("x\nSUMMARY: libFuzzer: timeout\n"), Some("libFuzzer: timeout"));
    }

    /// libFuzzer ends each of these with exit code 0.
    #[test]
    fn run_without_coverage_or_mutation_fails() {
        let end = "Done 700 runs in 2 second(s)\nstat::number_of_executed_units: 700\n";
        let without_coverage = "INFO: A corpus is not provided, starting from an empty corpus\n\
                                #2\tINITED exec/s: 0 rss: 30Mb\n\
                                WARNING: no interesting inputs were found so far. Is the code instrumented for coverage?\n\
                                This may also happen if the target rejected all inputs we tried so far\n\
                                #700\tDONE   exec/s: 350 rss: 30Mb\n";
        let read = "#81\tINITED cov: 120 ft: 300 corp: 40/1k\n";
        for (log, why) in [
            (format!("{without_coverage}{end}"), "no edge was counted"),
            (format!("#81\tINITED cov: 0 ft: 0\n{end}"), "no edge was counted"),
            (format!("#700\tDONE   cov: 120 ft: 300\n{end}"), "did not say INITED"),
            (String::new(), "no input ran"),
            ("INFO: Seed: 1\nstat::number_of_executed_units: 0\n".into(), "no input ran"),
            (format!("{read}stat::number_of_executed_units: 81\n"), "before a mutation ran"),
        ] {
            let said = idle(&report(&log)).unwrap_or_default();
            assert!(said.contains(why), "{said}: {log}");
        }
        assert_eq!(idle(&report(&format!("{read}{end}"))), None);
    }

    #[test]
    fn failing_input_has_the_line_that_shows_its_fault_again() {
        let program = root().join("target/guided");
        let plain = again(&program, "code", "code-crash-01");
        assert_eq!(plain, "cargo run -p adyton-fuzz -- code fuzz/failures/code-crash-01");
        let memory = again(&program, "code", "code-oom-01");
        assert_eq!(memory, "ADYTON_FUZZ_TARGET=code target/guided -rss_limit_mb=1024 fuzz/failures/code-oom-01");
    }

    #[test]
    fn kept_inputs_are_the_smallest_within_the_bounds() {
        let input = |name: &str, length| (name.to_owned(), vec![0; length]);
        let (kept, dropped) = bounded(vec![input("c", MAX_KEPT + 1), input("b", 3), input("a", 3), input("d", 1)]);
        assert_eq!(kept.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["d", "a", "b"]);
        assert_eq!(dropped, 1);
        let (kept, dropped) = bounded((0..20).map(|number| input(&number.to_string(), MAX_KEPT)).collect());
        assert_eq!((kept.len(), dropped), (8, 12));
    }
}
