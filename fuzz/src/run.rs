//! Running targets: first their corpora, then mutations of them, until the budget is spent or something fails.
//!
//! 1. a worker thread takes the targets one after the other, each with the same share of the budget, and at least one mutation
//!    however long the others took;
//! 2. before an input runs it is put where the watchdog finds it; a panic is caught and ends the run;
//! 3. the watchdog is the calling thread: if no input ends for a while, the one that runs is a hang.
//!
//! The worker has the usual stack of a thread, as the enclave's have. A thread that hangs cannot be ended: the caller
//! ends the process.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use adyton_ledger::sha256;

use crate::corpus::Seed;
use crate::mutate::{Rng, mutate};
use crate::{Target, accepts};

/// Inputs that a parser accepted and that joined a target's seeds.
const MAX_LEARNED: usize = 256;
/// Longest input that joins the seeds; long ones only make the run slow.
const MAX_LEARNED_LEN: usize = 4096;

/// How long to go on after the corpora.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// This long, over all targets.
    Time(Duration),
    /// So many inputs for each target.
    Runs(u64),
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// When to stop.
    pub budget: Budget,
    /// Which mutations.
    pub seed: u64,
    /// How long one input may run.
    pub patience: Duration,
    /// A file that holds each input before it runs, so that even an abort leaves it behind.
    pub trace: Option<PathBuf>,
}

/// A seed of the generator that was not used before.
pub fn fresh_seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// What a target did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Its name.
    pub target: &'static str,
    /// Inputs that ran.
    pub runs: u64,
    /// Of these, mutations.
    pub mutations: u64,
    /// Accepted by the parser, of all.
    pub accepted: u64,
}

/// Why an input failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The target panicked: place and message.
    Panic(String),
    /// It did not end in this time.
    Hang(Duration),
    /// The input could not be kept for `--trace`.
    Trace(String),
}

/// An input for which a property does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Of which target.
    pub target: &'static str,
    /// Why.
    pub cause: Cause,
    /// The input.
    pub input: Vec<u8>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { target, cause, input } = self;
        match cause {
            Cause::Panic(message) => write!(f, "{target}: {message} ({} bytes)", input.len()),
            Cause::Hang(patience) => write!(f, "{target}: not done after {patience:?} ({} bytes)", input.len()),
            Cause::Trace(error) => write!(f, "{target}: the input cannot be kept: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// Writes the input to `<target>-<hash>` in a folder that is made if need be.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let hash = sha256(&self.input).to_string();
        let path = folder.join(format!("{}-{}", self.target, &hash[..16]));
        fs::write(&path, &self.input)?;
        Ok(path)
    }
}

/// What the watchdog sees of the worker.
#[derive(Default)]
struct Progress {
    ended: AtomicU64,
    running: Mutex<(&'static str, Vec<u8>)>,
}

/// Runs every target's seeds, then mutations of them.
///
/// # Errors
/// The first [`Failure`].
pub fn run(work: Vec<(Target, Vec<Seed>)>, options: &Options) -> Result<Vec<Count>, Failure> {
    catch_messages();
    let progress = Arc::new(Progress::default());
    let (done, result) = sync_channel(1);
    let worker = Worker { options: options.clone(), progress: Arc::clone(&progress) };
    // 1.
    thread::spawn(move || done.send(worker.run(&work)));
    // 3.
    let (mut ended, mut since) = (0, Instant::now());
    loop {
        match result.recv_timeout(options.patience / 8) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => {
                let now = progress.ended.load(Ordering::Relaxed);
                if now != ended {
                    (ended, since) = (now, Instant::now());
                } else if since.elapsed() >= options.patience {
                    return Err(progress.failure(Cause::Hang(options.patience)));
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(progress.failure(Cause::Panic("the worker itself failed".into())));
            }
        }
    }
}

impl Progress {
    fn failure(&self, cause: Cause) -> Failure {
        let running = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Failure { target: running.0, cause, input: running.1.clone() }
    }
}

struct Worker {
    options: Options,
    progress: Arc<Progress>,
}

impl Worker {
    fn run(&self, work: &[(Target, Vec<Seed>)]) -> Result<Vec<Count>, Failure> {
        let mut counts = Vec::with_capacity(work.len());
        // All corpora come first: they are quick, and what they find has a name.
        for (target, seeds) in work {
            let mut count = Count { target: target.name, runs: 0, mutations: 0, accepted: 0 };
            for seed in seeds {
                self.one(target, &seed.input, &mut count)?;
            }
            counts.push(count);
        }
        let began = Instant::now();
        for ((number, (target, seeds)), count) in (1u32..).zip(work).zip(&mut counts) {
            let over = |made: u64| match self.options.budget {
                Budget::Runs(runs) => made >= runs,
                Budget::Time(time) => made > 0 && began.elapsed() * work.len() as u32 >= time * number,
            };
            self.mutations(target, seeds, count, over)?;
        }
        Ok(counts)
    }

    /// Each target has a generator of its own, so that its inputs do not depend on how fast the others were.
    fn mutations(
        &self,
        target: &Target,
        seeds: &[Seed],
        count: &mut Count,
        over: impl Fn(u64) -> bool,
    ) -> Result<(), Failure> {
        let name: [u8; 8] = std::array::from_fn(|at| sha256(target.name.as_bytes()).0[at]);
        let mut rng = Rng::new(self.options.seed ^ u64::from_be_bytes(name));
        let mut pool: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.input.clone()).collect();
        let (mut input, mut made) = (Vec::new(), 0);
        while !over(made) {
            made += 1;
            count.mutations = made;
            input.clear();
            input.extend_from_slice(rng.choose(&pool).map_or(&[][..], Vec::as_slice));
            let other = rng.choose(&pool).map_or(&[][..], Vec::as_slice);
            mutate(&mut rng, &mut input, other, target.dictionary);
            if self.one(target, &input, count)? && input.len() <= MAX_LEARNED_LEN && !pool.contains(&input) {
                if pool.len() < seeds.len() + MAX_LEARNED {
                    pool.push(input.clone());
                } else {
                    pool[seeds.len() + rng.below(MAX_LEARNED)].clone_from(&input);
                }
            }
        }
        Ok(())
    }

    /// 2.
    fn one(&self, target: &Target, input: &[u8], count: &mut Count) -> Result<bool, Failure> {
        let failure = |cause| Failure { target: target.name, cause, input: input.to_vec() };
        if let Ok(mut running) = self.progress.running.lock() {
            running.0 = target.name;
            running.1.clear();
            running.1.extend_from_slice(input);
        }
        if let Some(file) = &self.options.trace {
            fs::write(file, input).map_err(|error| failure(Cause::Trace(error.to_string())))?;
        }
        let took = catch_unwind(AssertUnwindSafe(|| accepts(target, input)))
            .map_err(|_| failure(Cause::Panic(MESSAGE.take())))?;
        self.progress.ended.fetch_add(1, Ordering::Relaxed);
        count.runs += 1;
        count.accepted += u64::from(took);
        Ok(took)
    }
}

thread_local! {
    /// What the last panic of this thread said.
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a panic says, beside what the hook of before does with it.
fn catch_messages() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
            let text = info.payload_as_str().unwrap_or("a panic without a text");
            MESSAGE.set(format!("{}: {text}", place.unwrap_or_default()));
            before(info);
        }));
    });
}
