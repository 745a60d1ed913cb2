//! The shell around a [`Shard`]: queue, time, group commit.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use adyton_engine::{Held, Release, Shard};
use adyton_frame::{Event, StopReason};
use adyton_ledger::{Hash, LogId};
use adyton_seal::Secret;
use adyton_vault::{
    Ceiling, ChangeSettings, Command, Consequence, Context, Effect, Fresh, MAX_SWEPT_LOOSENINGS, Refusal, Reply, State,
    View, verification,
};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, MissedTickBehavior, interval, timeout};

use super::appender::{Appender, Progress};
use super::stop::Stop;
use crate::clock::Clock;
use crate::events::Events;
use crate::metrics::{Countable, Counters, told};
use crate::policy::{Current, Holder};

/// Commands that wait for the writer; more are told to come again.
const QUEUE: usize = 8192;
/// Commands taken in one go.
const BURST: usize = 512;
/// Longest wait for an answer. What was decided stays decided; only the wait ends.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The decider refused.
    Refused(Refusal),
    /// More wait already than are let wait: nothing happened.
    Busy,
    /// The store is away, or the vault is fenced: nothing is known to have happened.
    Unavailable,
}

/// Who waits for an answer.
pub type Ticket = Option<oneshot::Sender<Result<Reply, Failure>>>;

#[allow(clippy::large_enum_variant, reason = "nearly every request is a command; a box for each would cost more")]
enum Request {
    Command(Command, Fresh, Ticket),
    /// Settings, and what they allow.
    Settings(String, Box<Current>, Fresh, Ticket),
    Snapshot(Vec<u8>, Ticket),
}

/// A handle on a running shard.
#[derive(Clone)]
pub struct Engine {
    requests: mpsc::Sender<Request>,
    shared: Arc<Shared>,
}

/// What others may know of the writer.
#[derive(Default)]
struct Shared {
    /// New work is refused while the store is away.
    away: AtomicBool,
    /// Entries known to be durable.
    durable: AtomicU64,
    /// The same, and the root over them.
    durable_root: RwLock<(u64, Hash)>,
    /// What is durable.
    view: RwLock<Arc<View>>,
    /// What was done.
    counters: Counters,
}

impl Shared {
    fn publish(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }
}

/// What the writer needs besides its shard.
pub struct Surroundings {
    /// Time.
    pub clock: Arc<Clock>,
    /// Words to the outside.
    pub events: Events,
    /// Where effects go once they may run.
    pub effects: mpsc::UnboundedSender<Effect>,
    /// The append channel.
    pub appender: Appender,
    /// What is allowed now.
    pub current: Holder,
    /// Who is told that the writer has stopped.
    pub stop: Stop,
}

impl Engine {
    /// Starts the writer; the shard's log has `durable` entries.
    pub fn start(shard: Shard<State, Ticket>, log: LogId, durable: u64, surroundings: Surroundings) -> Self {
        let (requests, receiver) = mpsc::channel(QUEUE);
        let durable_root = RwLock::new((durable, shard.frontier().root()));
        let shared = Shared { durable: AtomicU64::new(durable), durable_root, ..Shared::default() };
        shared.publish(shard.view());
        let shared = Arc::new(shared);
        let stop = surroundings.stop.clone();
        let warned = Warned::default();
        let writer = Writer { shard, log, surroundings, shared: Arc::clone(&shared), in_flight: None, warned };
        let writer = tokio::spawn(writer.run(receiver));
        tokio::spawn(async move {
            match writer.await {
                Ok(None) => {}
                Ok(Some(reason)) => stop.report(log, reason),
                Err(error) if error.is_panic() => stop.report(log, StopReason::Panicked),
                // The runtime ends, and all that runs on it.
                Err(_) => {}
            }
        });
        Self { requests, shared }
    }

    /// Puts a command to the decider and waits until its answer may be told.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn submit(&self, command: Command) -> Result<Reply, Failure> {
        let fresh = fresh()?;
        let countable = Countable::of(&command);
        let answer = self.ask(|ticket| Request::Command(command, fresh, ticket)).await;
        match &answer {
            Ok(reply) => self.shared.counters.count(countable, reply),
            Err(Failure::Refused(Refusal::Verification(verification::Refusal::SendLimit { ceiling, .. }))) => {
                self.shared.counters.refused_by(*ceiling)
            }
            Err(_) => {}
        }
        answer
    }

    /// Appends a snapshot's manifest and waits until it is durable.
    ///
    /// # Errors
    /// [`Failure::Unavailable`].
    pub async fn append_snapshot(&self, manifest: Vec<u8>) -> Result<(), Failure> {
        self.ask(|ticket| Request::Snapshot(manifest, ticket)).await.map(drop)
    }

    /// Puts the owners' settings to the decider. They are in force from the decision on, as the order of the log has it;
    /// the answer waits until they are durable.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn change_settings(&self, text: String, current: Current) -> Result<Reply, Failure> {
        let fresh = fresh()?;
        self.ask(|ticket| Request::Settings(text, Box::new(current), fresh, ticket)).await
    }

    /// The newest view, which may be told now.
    ///
    /// # Errors
    /// [`Failure::Unavailable`].
    #[allow(clippy::unused_async, reason = "it will wait for the lease")]
    pub async fn view(&self) -> Result<Arc<View>, Failure> {
        Ok(self.published())
    }

    /// The newest view. What follows from it must not be told: it decides only who pays.
    pub fn published(&self) -> Arc<View> {
        Arc::clone(&self.shared.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was done since the boot.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Entries known to be durable.
    pub fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::Relaxed)
    }

    /// Entries known to be durable, and the root over them.
    pub fn durable_root(&self) -> (u64, Hash) {
        *self.shared.durable_root.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether new work is taken: the store took the last batch, and no other writer was met.
    pub fn is_ready(&self) -> bool {
        !self.shared.away.load(Ordering::Relaxed) && !self.is_stopped()
    }

    /// Whether the writer has stopped for ever.
    pub fn is_stopped(&self) -> bool {
        self.requests.is_closed()
    }

    async fn ask(&self, request: impl FnOnce(Ticket) -> Request) -> Result<Reply, Failure> {
        if self.shared.away.load(Ordering::Relaxed) {
            return Err(Failure::Unavailable);
        }
        let (ticket, answer) = oneshot::channel();
        self.requests.try_send(request(Some(ticket))).map_err(|error| match error {
            TrySendError::Full(_) => Failure::Busy,
            TrySendError::Closed(_) => Failure::Unavailable,
        })?;
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Failure::Unavailable),
        }
    }
}

fn fresh() -> Result<Fresh, Failure> {
    let mut failed = false;
    let fresh = Secret::init_with(|bytes| failed = adyton_seal::fill_random(bytes).is_err());
    if failed { Err(Failure::Unavailable) } else { Ok(Fresh::new(fresh)) }
}

struct Writer {
    shard: Shard<State, Ticket>,
    log: LogId,
    surroundings: Surroundings,
    shared: Arc<Shared>,
    /// Size that the log has once the batch in flight is durable.
    in_flight: Option<u64>,
    warned: Warned,
}

impl Writer {
    /// Ends when nobody can ask any more, or with a reason: nothing is answered from then on, and nothing that was held is
    /// claimed.
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) -> Option<StopReason> {
        let mut burst = Vec::with_capacity(BURST);
        // Taken from the queue and not decided yet, because the open batch is full.
        let mut waiting = VecDeque::with_capacity(BURST);
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                progress = self.surroundings.appender.progress(), if self.in_flight.is_some() => {
                    match progress {
                        Some(Progress::Lost) => self.shared.away.store(true, Ordering::Relaxed),
                        Some(Progress::Durable { size }) if Some(size) == self.in_flight => self.durable(size),
                        Some(Progress::Durable { size }) => {
                            self.surroundings.events.emit(Event::Fenced { log: self.log.number(), size });
                            return Some(StopReason::Fenced);
                        }
                        Some(Progress::Conflict { .. }) => return Some(StopReason::Conflict),
                        None => return Some(StopReason::ChannelGone),
                    }
                }
                count = requests.recv_many(&mut burst, BURST), if waiting.is_empty() && !self.shard.is_full() => {
                    if count == 0 {
                        return None;
                    }
                    waiting.extend(burst.drain(..));
                }
                _ = tick.tick(), if !self.shard.is_full() => self.tick(),
            }
            if let Err(reason) = self.work(&mut waiting).await {
                return Some(reason);
            }
        }
    }

    /// Decides what waits, as far as batches take it, and has a batch on its way.
    async fn work(&mut self, waiting: &mut VecDeque<Request>) -> Result<(), StopReason> {
        loop {
            while !self.shard.is_full()
                && let Some(request) = waiting.pop_front()
            {
                self.take(request);
            }
            if self.in_flight.is_some() || !self.send().await? {
                return Ok(());
            }
        }
    }

    fn tick(&mut self) {
        self.shared.counters.live(self.shard.state().live());
        if let Ok(mut fresh) = fresh() {
            let current = self.surroundings.current.now();
            let mut context = Context { now: self.surroundings.clock.now(), fresh: &mut fresh, rules: &current.rules };
            self.shard.sweep(&mut context, MAX_SWEPT_LOOSENINGS);
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Command(command, fresh, ticket) => self.decide(command, fresh, ticket),
            Request::Settings(text, current, fresh, ticket) => {
                let sequence = current.sequence;
                let next = self.shard.state().next_owners_sequence();
                self.decide(ChangeSettings { sequence, text }.into(), fresh, ticket);
                if self.shard.state().next_owners_sequence() != next {
                    self.surroundings.current.set(*current);
                }
            }
            Request::Snapshot(manifest, ticket) => {
                if let Err(Some(ticket)) = self.shard.snapshot(&manifest, ticket) {
                    let _ = ticket.send(Err(Failure::Refused(Refusal::TooLarge)));
                }
            }
        }
    }

    fn decide(&mut self, command: Command, mut fresh: Fresh, ticket: Ticket) {
        let current = self.surroundings.current.now();
        let mut context = Context { now: self.surroundings.clock.now(), fresh: &mut fresh, rules: &current.rules };
        if let Some(release) = self.shard.submit(command, &mut context, ticket) {
            answer(release);
        }
    }

    /// Seals and sends the oldest open batch; false if there is none.
    async fn send(&mut self) -> Result<bool, StopReason> {
        let sealed = self.shard.seal(self.surroundings.clock.now()).map_err(|_| StopReason::Sealing)?;
        let Some(sealed) = sealed else { return Ok(false) };
        let frame = sealed.frame(sealed.size, self.log.number()).map_err(|_| StopReason::Frame)?;
        self.in_flight = Some(sealed.size);
        self.surroundings.appender.send(frame).await;
        Ok(true)
    }

    fn durable(&mut self, size: u64) {
        self.in_flight = None;
        self.shared.away.store(false, Ordering::Relaxed);
        self.shared.durable.store(size, Ordering::Relaxed);
        // Nothing is sealed behind the batch that was in flight.
        let root = (size, self.shard.frontier().root());
        *self.shared.durable_root.write().unwrap_or_else(PoisonError::into_inner) = root;
        let Held { releases, effects, snapshots, view, frozen: _ } = self.shard.durable();
        if let Some(view) = view {
            self.shared.publish(view);
        }
        let now = self.surroundings.clock.now();
        // Before the answers, so that a client that hears that a verification is over finds its message stopped.
        for effect in effects {
            match effect {
                Consequence::Deliver(effect) => drop(self.surroundings.effects.send(effect)),
                Consequence::CeilingNear(ceiling) if self.warned.is_first(ceiling, now) => {
                    self.surroundings.events.emit(Event::CeilingNear { ceiling: told(ceiling) });
                }
                Consequence::CeilingNear(_) => {}
            }
        }
        releases.into_iter().for_each(answer);
        for ticket in snapshots.into_iter().flatten() {
            let _ = ticket.send(Ok(Reply::Done));
        }
        // What a tick left goes on with the next batch, and at most one tick's worth with each.
        if !self.shard.is_full() && self.shard.owes_sweep() {
            self.tick();
        }
    }
}

/// The hour in which the host was last told that a ceiling is near, so that it hears of each once an hour.
#[derive(Default)]
struct Warned(BTreeMap<Ceiling, u64>);

impl Warned {
    fn is_first(&mut self, ceiling: Ceiling, now: u64) -> bool {
        let hour = now / 3600;
        self.0.insert(ceiling, hour) != Some(hour)
    }
}

fn answer(release: Release<State, Ticket>) {
    if let Some(ticket) = release.ticket {
        let _ = ticket.send(release.answer.map_err(Failure::Refused));
    }
}
