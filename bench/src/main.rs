//! `adyton-bench`: what a vault does on this machine, beside its limit and a peer, all from one run.
//!
//! Rows are `name, unit, ours, limit, peer, p99_ms`, the peer's own p99 where it is known, and which peer it is. *Limit* is what the same machine does when the part that is ours
//! is taken away; *peer* is what a team would use instead. What a row compares is said in `docs/SPEED.md`.
//!
//! The load generator runs on the same cores as what it measures; nothing is pinned and nothing is warmed beyond what
//! a row says. A number from another machine, or from a busy one, says little.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks")]
#![allow(clippy::cast_precision_loss, reason = "rates are printed with few digits")]

mod audit;
mod boot;
mod disk;
mod evidence;
mod http;
mod load;
mod log;
mod nitro;
mod peers;
mod phone;
mod postgres;
mod privacyidea;
mod redis;
mod requests;
mod tenants;
mod vault;

use std::process::ExitCode;

use lexopt::prelude::{Long, ValueExt};
use peers::Unavailable;
use serde_json::json;

const USAGE: &str = "adyton-bench [--json] [--quick] [--no-peers] [--only PART]
  --json      one line of JSON for each row instead of a table
  --quick     shorter runs
  --no-peers  only ours and its limits; peers are installed if they are missing
  --only      one part of the rows: requests, audit, evidence, tenants, log, or nitro, which only runs when it is named";

pub(crate) type Error = Box<dyn std::error::Error>;

/// What was asked for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    json: bool,
    quick: bool,
    peers: bool,
    only: Option<Part>,
}

/// Rows that are measured together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Requests,
    Audit,
    Evidence,
    Tenants,
    Log,
    /// Only when it is named.
    Nitro,
}

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "requests" => Ok(Self::Requests),
            "audit" => Ok(Self::Audit),
            "evidence" => Ok(Self::Evidence),
            "tenants" => Ok(Self::Tenants),
            "log" => Ok(Self::Log),
            "nitro" => Ok(Self::Nitro),
            other => Err(format!("{other} is no part\n{USAGE}")),
        }
    }
}

impl Options {
    /// How much of a row's full work is done.
    pub(crate) fn scale(self, full: usize) -> usize {
        if self.quick { full / 4 } else { full }
    }

    fn has(self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

/// One measured thing.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    pub(crate) limit: Option<f64>,
    pub(crate) peer: Beside,
    pub(crate) p99_ms: Option<f64>,
}

impl Row {
    pub(crate) fn new(name: &'static str, unit: &'static str, ours: f64) -> Self {
        Self { name, unit, ours, limit: None, peer: Beside::Nothing, p99_ms: None }
    }
}

/// What a row is held against.
pub(crate) enum Beside {
    /// It has no peer, or peers were not asked for.
    Nothing,
    /// What the peer did, in this run.
    Peer {
        /// With its version.
        name: String,
        rate: f64,
        p99_ms: Option<f64>,
    },
    /// Why the peer did nothing.
    NotRun(Unavailable),
}

impl Beside {
    fn rate(&self) -> Option<f64> {
        if let Self::Peer { rate, .. } = self { Some(*rate) } else { None }
    }

    fn p99_ms(&self) -> Option<f64> {
        if let Self::Peer { p99_ms, .. } = self { *p99_ms } else { None }
    }

    /// Which peer it is, or why it did not run.
    fn words(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Peer { name, .. } => Some(name),
            Self::NotRun(Unavailable(reason)) => Some(reason),
        }
    }
}

fn main() -> ExitCode {
    match parse().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("adyton-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<Options, Error> {
    let mut options = Options { peers: true, ..Options::default() };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("json") => options.json = true,
            Long("quick") => options.quick = true,
            Long("no-peers") => options.peers = false,
            Long("only") => options.only = Some(parser.value()?.parse()?),
            other => return Err(format!("{}\n{USAGE}", other.unexpected()).into()),
        }
    }
    Ok(options)
}

fn run(options: Options) -> Result<(), Error> {
    // Beside the binaries, so that it is on a disk and not in memory.
    let beside = std::env::current_exe()?.parent().ok_or("no folder")?.to_path_buf();
    let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(beside)?;
    if !options.json {
        println!(
            "{:30} {:12} {:>12} {:>12} {:>6} {:>12} {:>9} {:>9}  peer is",
            "name", "unit", "ours", "limit", "ratio", "peer", "p99 ms", "peer p99"
        );
    }
    let mut print = |row: Row| print(options, &row);
    // One thread: the generator takes as little of the cores as it can.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    if options.has(Part::Requests) {
        local.block_on(&runtime, requests::run(options, folder.path(), &mut print))?;
    }
    if options.has(Part::Audit) {
        local.block_on(&runtime, audit::run(options, folder.path(), &mut print))?;
    }
    if options.has(Part::Evidence) {
        local.block_on(&runtime, evidence::run(options, folder.path(), &mut print))?;
    }
    if options.has(Part::Tenants) {
        local.block_on(&runtime, tenants::run(folder.path(), &mut print))?;
    }
    if options.only == Some(Part::Nitro) {
        local.block_on(&runtime, nitro::run(options, folder.path(), &mut print))?;
    }
    if options.has(Part::Log) {
        runtime.block_on(log::run(options, folder.path(), &mut print))?;
    }
    Ok(())
}

fn print(options: Options, row: &Row) {
    let Row { name, unit, ours, limit, peer, p99_ms } = row;
    if options.json {
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        println!(
            "{}",
            json!({
                "name": name, "unit": unit, "ours": rounded(*ours), "limit": limit.map(rounded),
                "ratio": limit.map(|limit| rounded(ours / limit)),
                "peer": peer.rate().map(rounded), "p99_ms": p99_ms.map(rounded),
                "peer_p99_ms": peer.p99_ms().map(rounded), "peer_is": peer.words(),
                "peer_not_run": matches!(peer, Beside::NotRun(_)),
            })
        );
        return;
    }
    let text = |value: Option<f64>| match value {
        None => String::from("-"),
        // Ours is measured with its peer only.
        Some(value) if value.is_nan() => String::from("-"),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.2}"),
    };
    let beside = if matches!(peer, Beside::NotRun(_)) { String::from("NOT RUN") } else { text(peer.rate()) };
    println!(
        "{name:30} {unit:12} {:>12} {:>12} {:>6} {beside:>12} {:>9} {:>9}  {}",
        text(Some(*ours)),
        text(*limit),
        text(limit.map(|limit| ours / limit)),
        text(*p99_ms),
        text(peer.p99_ms()),
        peer.words().unwrap_or("-"),
    );
}
