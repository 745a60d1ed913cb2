//! A running engine over a host on a socket, as `boot` starts it.

use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use adyton_decider::Gate;
use adyton_enclave::clock::Clock;
use adyton_enclave::engine::log_writer::LogWriter;
use adyton_enclave::engine::snapshots::{LastRoots, Snapshots};
use adyton_enclave::engine::writer::Deps;
use adyton_enclave::engine::{Engine, Failure, StopReporter, WriterStopped};
use adyton_enclave::events::Events;
use adyton_enclave::policy::{Effective, Watch};
use adyton_engine::{Replay, Shard};
use adyton_ledger::{AppendOutcome, LogReader, LogStore};
use adyton_vault::{Command, Effect, Reply, State, Tick};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Duration, sleep, timeout};

use crate::disk::Disk;
use crate::fixtures::{KEYS, OPS, RULES, VAULT, boot, keys, shard};
use crate::host::{Heard, Host, TEST_TIMEOUT, address};

/// Seconds for which kept bodies stay.
pub(crate) const RETENTION: u64 = 86_400;
/// Bytes of a body of the smallest size.
const SMALLEST_BODY: u64 = 1024 + 16;

/// An engine and its host.
pub(crate) struct Live {
    pub(crate) folder: TempDir,
    pub(crate) disk: Disk,
    pub(crate) heard: Heard,
    pub(crate) host: Option<Host>,
    pub(crate) engine: Engine,
    pub(crate) effective: Watch,
    pub(crate) clock: Arc<Clock>,
    pub(crate) effects: mpsc::UnboundedReceiver<Effect>,
    /// Why the writer stopped.
    pub(crate) stopped: mpsc::Receiver<WriterStopped>,
    /// What the boot found.
    pub(crate) found: Replay<'static, State>,
    boot_id: [u8; 16],
}

impl Live {
    /// Boots from a disk, with a host.
    pub(crate) async fn start(disk: Disk, boot_id: u8) -> Self {
        let mut live = Self::without_host(disk, boot_id).await;
        live.start_host();
        live
    }

    /// Boots from a disk; nobody serves it afterwards.
    pub(crate) async fn without_host(disk: Disk, boot_id: u8) -> Self {
        let (folder, heard, boot_id) = (tempfile::tempdir().unwrap(), Heard::default(), [boot_id; 16]);
        let begin = disk.clone();
        // A thread of its own: it has a runtime of its own.
        let (shard, found) = std::thread::spawn(move || begin_boot(&begin, boot_id)).join().unwrap();
        let events = Events::start(address(folder.path()));
        let (sender, effects) = mpsc::unbounded_channel();
        let log = LogWriter::start(address(folder.path()), OPS, events.clone());
        let effective = Watch::new(Effective {
            rules: RULES.clone(),
            table: Arc::default(),
            public: None,
            external: Ok(None),
            retired_account: None,
            sequence: 0,
            settings: String::new(),
            settings_hash: [0; 32],
        });
        let (stop, stopped) = StopReporter::channel();
        let clock = Arc::new(Clock::new());
        let deps = Deps { clock: Arc::clone(&clock), events, effects: sender, log, effective: effective.clone(), stop };
        let engine = Engine::start(shard, None, deps);
        Self { folder, disk, heard, host: None, engine, effective, clock, effects, stopped, found, boot_id }
    }

    pub(crate) fn start_host(&mut self) {
        self.host = Some(Host::start(self.disk.store().unwrap(), self.folder.path(), &self.heard));
    }

    pub(crate) fn kill_host(&mut self) {
        self.host = None;
    }

    /// Reads back, and keeps chunks, at the host of a folder. A snapshot is due after so many small bodies.
    pub(crate) fn follow(&self, folder: &Path, every: u64) {
        self.follow_later(folder, every, 0);
    }

    /// The same with a clock that is ahead, and can be put further ahead.
    pub(crate) fn follow_later(&self, folder: &Path, every: u64, seconds: u64) -> Arc<Clock> {
        let clock = Arc::new(Clock::new());
        clock.at_least(clock.now() + seconds);
        let snapshots = Snapshots {
            service: address(folder),
            keys: Arc::new(keys()),
            vault: VAULT,
            log: OPS,
            uncovered: self.found.uncovered,
            boot_id: self.boot_id,
            engine: self.engine.clone(),
            clock: Arc::clone(&clock),
            events: Events::start(address(self.folder.path())),
            retention: RETENTION,
            roots: LastRoots::default(),
            every_bytes: every * SMALLEST_BODY,
        };
        tokio::spawn(snapshots.run(self.found.frontier.clone()));
        clock
    }

    /// Repeats a command until the store is back.
    pub(crate) async fn submit(&self, command: impl Fn() -> Command) -> Reply {
        let answered = async {
            loop {
                match self.engine.submit(command()).await {
                    Ok(reply) => return reply,
                    Err(Failure::Unavailable | Failure::Busy) => sleep(Duration::from_millis(5)).await,
                    Err(Failure::Refused(refusal)) => panic!("{refusal:?}"),
                }
            }
        };
        timeout(TEST_TIMEOUT, answered).await.unwrap()
    }

    /// Waits until new work is refused at once.
    pub(crate) async fn until_away(&self) {
        let away = async {
            while at_once(self.engine.submit(Tick.into())).await.is_pending() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(TEST_TIMEOUT, away).await.unwrap();
    }
}

/// What a future has to say when it is asked once.
pub(crate) async fn at_once<F: Future>(future: F) -> Poll<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// Replay, and this boot's own first entry.
fn begin_boot<T>(disk: &Disk, boot_id: [u8; 16]) -> (Shard<State, T>, Replay<'static, State>) {
    let found = boot(disk);
    let cold = State::decode_cold(&found.state.cold_bytes()).unwrap();
    let mut second = Replay::from_snapshot(&KEYS, VAULT, OPS, cold, found.frontier.clone().into());
    (second.covered, second.uncovered) = (found.covered, found.uncovered);
    let mut shard = shard(found, boot_id);
    let now = Clock::new().now();
    shard.boot(adyton_decider::BootId(boot_id), now);
    let sealed = shard.seal(now).unwrap().unwrap();
    let mut store = disk.store().unwrap();
    let appended = store.append(OPS, sealed.expected_size, &sealed.record, &sealed.head).unwrap();
    assert_eq!(appended, AppendOutcome::Appended { size: sealed.size });
    assert_eq!(store.status(OPS).unwrap().size, sealed.size);
    shard.reached(Gate::Certified, shard.size());
    (shard, second)
}
