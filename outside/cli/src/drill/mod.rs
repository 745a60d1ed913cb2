//! `adyton drill`: the promise as a command (DESIGN §10). It plays the insider, with everything that stands outside the
//! wall, against a vault of its own on this machine.
//!
//! 1. fresh folders, which go with this process however it ends, and a limit on the time of the whole;
//! 2. a vault with recording relays on every line (`stack`, `relay`);
//! 3. the workflows, with canaries for every secret and as many decoys (`workflows`, `canary`);
//! 4. the leaky control: a process that leaks every canary in every place and encoding must be caught (`control`);
//! 5. the attempts, one after the other (`attempts`): each ends CLOSED, OPEN or LEAK;
//! 6. the report: a table, JSON, a page (`report`, `table`, `html`). It passes if nothing leaks, exactly the declared rows are
//!    open, and every detector caught the control.
//!
//! Limits: it finds secrets in the encodings of `encoding`, one layer deep, and gzip around those. What is *meant* to hold a
//! secret is not searched: the phone and the carrier, the tenant's own folder, this process.

mod attempts;
mod canary;
pub(crate) mod control;
mod detector;
mod encoding;
mod haystack;
mod html;
mod http;
mod relay;
mod report;
mod setting;
mod stack;
mod table;
mod workflows;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{SignalKind, signal};

use canary::Planted;
use detector::{Detector, Verdict};
use relay::Relays;
use report::{ClosedBy, Expected, Finding, Report, Row};
use setting::Setting;
use stack::{Site, Stack, Unusual};
use workflows::Done;

use crate::emulated::{EnclaveKind, Parts};
use crate::vault::RuntimeDir;

pub(crate) type Error = Box<dyn std::error::Error>;

/// Longest time for everything.
const PATIENCE: Duration = Duration::from_secs(600);

/// Whether the drill is being ended before its time.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Between two tries to remove a folder.
const A_MOMENT: Duration = Duration::from_millis(5);

/// What the drill may be told.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One object of JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Writes a page for an auditor
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Fails if an attempt could not be run on this machine
    #[arg(long)]
    strict: bool,
    /// What the inside is; nitro-qemu plays profile kms, needs the source tree, and builds what it needs the first time
    #[arg(long, value_enum, default_value_t)]
    enclave: EnclaveKind,
    /// Adyton's source tree, for --enclave nitro-qemu [default: this folder, or one above it]
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Installs the packages that --enclave nitro-qemu needs without asking
    #[arg(long)]
    yes: bool,
    /// Runs only this attempt; may be repeated
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
}

/// What attempts work with.
pub(crate) struct Drill {
    /// Everything the drill writes stands here.
    pub(crate) scratch: PathBuf,
    pub(crate) site: Site,
    /// The vault under attack.
    pub(crate) stack: Stack,
    /// Its secrets.
    pub(crate) planted: Planted,
    /// What the workflows left.
    pub(crate) done: Done,
    /// What the control's core held, or why this machine shows no core.
    pub(crate) cores: Result<String, String>,
}

impl Drill {
    /// A search for all canaries so far; `markers` stand in what is searched, or the search is not believed.
    pub(crate) fn detector(&self, markers: &[&str]) -> Result<Detector, Error> {
        Detector::new(&self.planted, markers)
    }

    /// A search's finding: CLOSED if it came to no more canaries than decoys.
    pub(crate) fn judge(&self, verdict: &Verdict, by: ClosedBy) -> Result<Finding, Error> {
        let detail = verdict.describe();
        Ok(if verdict.leaks() { Finding::leak(detail) } else { Finding::closed(by, detail) })
    }

    /// Another vault, for what would spoil this one. Stop it.
    pub(crate) async fn another(&self, name: &str, unusual: Unusual) -> Result<Stack, Error> {
        Stack::start(&self.scratch.join(name), &self.site, unusual).await
    }
}

/// Runs the drill.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Error> {
    let setting = options.setting();
    for id in &options.only {
        if !attempts::all(setting).any(|attempt| attempt.id == *id) {
            let ids: Vec<_> = attempts::all(setting).map(|attempt| attempt.id).collect();
            return Err(format!("--only {id}: there are {}", ids.join(", ")).into());
        }
    }
    // One thread: the children are told to die with the thread that started them.
    let ended = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(drill(options));
    while ENDING.load(Ordering::SeqCst) {
        // The folders are being removed, and then this process ends.
        std::thread::park();
    }
    ended
}

impl Options {
    fn setting(&self) -> Setting {
        match self.enclave {
            EnclaveKind::Process => Setting::Laptop,
            EnclaveKind::NitroQemu => Setting::Emulated,
        }
    }
}

async fn drill(options: &Options) -> Result<ExitCode, Error> {
    let setting = options.setting();
    // 1.
    let (began, started) = (Instant::now(), now());
    let scratch = RuntimeDir::new()?;
    let parts = match options.enclave {
        EnclaveKind::Process => None,
        EnclaveKind::NitroQemu => Some(Arc::new(Parts::prepare(options.source.as_deref(), options.yes)?)),
    };
    let site = Site { relays: Relays::start()?, parts };
    site.relays.spawn(end_in_time(scratch.0.clone()));
    // 2.
    progress("starting a vault in fresh folders");
    let stack = Stack::start(&scratch.0.join("main"), &site, Unusual::default()).await?;
    // 3.
    progress("running the workflows with canaries");
    let mut planted = Planted::default();
    let done = workflows::run(&stack, &mut planted).await?;
    let mut drill =
        Drill { scratch: scratch.0.clone(), site, stack, planted, done, cores: Err("the control was not run".into()) };
    // 4.
    progress("catching the leaky control");
    let caught = control::catch(&drill).await?;
    drill.cores = caught.cores;
    // 5.
    let chosen = |id: &str| options.only.is_empty() || options.only.iter().any(|only| only == id);
    let mut rows = Vec::new();
    for attempt in attempts::all(setting).filter(|attempt| chosen(attempt.id)) {
        progress(&format!("{}: {}", attempt.id, attempt.what));
        let began = Instant::now();
        let expected = setting.expects(attempt.id, attempt.expected);
        let finding = match expected {
            Expected::NotShown { why } => Finding::not_shown(why),
            _ => (attempt.run)(&mut drill).await.unwrap_or_else(|error| Finding::failed(error.to_string())),
        };
        let seconds = began.elapsed().as_secs_f64();
        rows.push(Row { id: attempt.id, what: attempt.what, expected, finding, seconds });
    }
    // 6.
    let report = Report {
        profile: setting.profile(),
        freshness: "none",
        vault_id: drill.stack.serving.vault_id.to_string(),
        began: started,
        seconds: began.elapsed().as_secs_f64(),
        canaries: drill.planted.canaries.len(),
        rows,
        detectors: caught.checks,
        strict: options.strict,
        left_out: attempts::all(setting).filter(|attempt| !chosen(attempt.id)).count(),
    };
    drill.stack.stop();
    if let Some(file) = &options.html {
        std::fs::write(file, html::page(&report)).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if options.json {
        println!("{}", report.json());
    } else {
        print!("{}", table::text(&report));
    }
    Ok(if report.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ends this process, and with it its children, on a signal or when the time is up; the folders go first.
async fn end_in_time(scratch: PathBuf) {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else { return };
    let code = tokio::select! {
        () = tokio::time::sleep(PATIENCE) => {
            eprintln!("adyton: the drill took longer than {} s: ended", PATIENCE.as_secs());
            1
        }
        _ = terminate.recv() => 143,
        _ = interrupt.recv() => 130,
        _ = hangup.recv() => 129,
    };
    ENDING.store(true, Ordering::SeqCst);
    // Whoever still writes there is not stopped yet: under another name nothing new can be made in it by its path.
    let leaving = scratch.with_extension("leaving");
    let _ = std::fs::rename(&scratch, &leaving);
    for folder in [&leaving, &scratch] {
        for _ in 0..100 {
            match std::fs::remove_dir_all(folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => tokio::time::sleep(A_MOMENT).await,
                _ => break,
            }
        }
    }
    std::process::exit(code);
}

fn progress(text: &str) {
    eprintln!("adyton drill: {text}");
}

fn now() -> String {
    adyton_api::timestamp(now_ms() / 1000)
}

/// Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A file of the drill's own, closed to others.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    Ok(adyton_folder::write_private(path, bytes)?)
}
