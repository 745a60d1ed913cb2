//! The handle that other tasks use to reach a running writer, and the view that it publishes.
//!
//! 1. A command is charged to its payer before it waits ([`Machine::cost`]), and waits in that
//!    payer's lane (`queue`).
//! 2. Its answer comes once its events have passed their gate, and a refusal under the lease
//!    (`lease`).
//! 3. A read is answered from the view, under the lease too: [`Engine::view`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use adyton_decider::{Cost, Payer};
use adyton_engine::sealing::padded;
use adyton_engine::{Machine, Shard};
use adyton_frame::StopReason;
use adyton_ledger::{Frontier, Hash};
use adyton_seal::Secret;
use adyton_vault::{Command, Fresh, Frozen, Refusal, Reply, State, View, verification};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Duration, Instant, timeout};

use super::lease::Lease;
use super::queue::{self, BOUNDS, Receiver, Sender};
use super::writer::{Deps, Writer};
use crate::metrics::{CountedCommand, Counters};
use crate::policy::Effective;

/// Longest wait for an answer. What was decided stays decided; only the wait ends.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Requests of the vault itself are charged to no payer's share.
const INTERNAL: Cost = Cost { payer: Payer::Internal, bytes: 0 };

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The decider refused.
    Refused(Refusal),
    /// As much of this payer waits already as may wait: nothing happened.
    Busy,
    /// The store is away, or the vault is fenced: nothing is known to have happened.
    Unavailable,
}

/// The caller that waits for an answer.
pub type Ticket = Option<oneshot::Sender<Result<Reply, Failure>>>;

#[allow(clippy::large_enum_variant, reason = "nearly every request is a command; a box for each would cost more")]
pub(super) enum Request {
    Command(Command, Fresh, Ticket),
    /// Settings, and what they allow.
    Settings(String, Box<Effective>, Fresh, Ticket),
    Snapshot(Vec<u8>, Ticket),
    /// The state at a durable size, and the frontier at that size.
    Freeze(oneshot::Sender<(Frozen, Frontier)>),
}

impl Request {
    /// There is no room for it.
    fn refuse(self) {
        match self {
            Self::Command(.., ticket) | Self::Settings(.., ticket) | Self::Snapshot(_, ticket) => {
                if let Some(ticket) = ticket {
                    let _ = ticket.send(Err(Failure::Busy));
                }
            }
            // It is the vault's own, which is never refused.
            Self::Freeze(_) => {}
        }
    }
}

/// A handle on a running shard.
#[derive(Clone)]
pub struct Engine {
    requests: Sender<Request>,
    shared: Arc<WriterStatus>,
}

/// Status of the writer for other tasks.
pub(super) struct WriterStatus {
    /// New work is refused while the store is away.
    pub(super) away: AtomicBool,
    /// Entries known to be durable, and the root over them.
    pub(super) durable_root: RwLock<(u64, Hash)>,
    /// The published view: state that has passed its gate.
    view: RwLock<Arc<View>>,
    /// How long the view may be served.
    pub(super) lease: Lease,
    /// An append is wanted, though it be of nothing.
    pub(super) append_wanted: Notify,
    /// Counters of operations.
    pub(super) counters: Counters,
}

impl WriterStatus {
    pub(super) fn publish(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }
}

impl Engine {
    /// Starts the writer of a shard whose log is durable; `renewed` is when its newest entry was first sent, if this boot
    /// sent it.
    pub fn start(shard: Shard<State, Ticket>, renewed: Option<Instant>, deps: Deps) -> Self {
        let (requests, receiver) = queue::channel(BOUNDS);
        let shared = WriterStatus {
            away: AtomicBool::new(false),
            durable_root: RwLock::new((shard.size(), shard.frontier().root())),
            view: RwLock::new(Arc::new(shard.view())),
            lease: Lease::new(renewed),
            append_wanted: Notify::new(),
            counters: Counters::default(),
        };
        let shared = Arc::new(shared);
        Self::spawn(Writer::new(shard, Arc::clone(&shared), deps), receiver);
        Self { requests, shared }
    }

    fn spawn(writer: Writer, requests: Receiver<Request>) {
        let (log, stop) = writer.stopped();
        let writer = tokio::spawn(writer.run(requests));
        tokio::spawn(async move {
            match writer.await {
                Ok(None) => {}
                Ok(Some(reason)) => stop.report(log, reason),
                Err(error) if error.is_panic() => stop.report(log, StopReason::Panicked),
                // The runtime ends, and all that runs on it.
                Err(_) => {}
            }
        });
    }

    /// Puts a command to the decider and waits until its answer may leave.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn submit(&self, command: Command) -> Result<Reply, Failure> {
        let fresh = fresh()?;
        let countable = CountedCommand::from_command(&command);
        let cost = State::cost(&self.published(), &command);
        let answer = self.ask(cost, |ticket| Request::Command(command, fresh, ticket)).await;
        let counters = &self.shared.counters;
        let counted = countable.filter(|countable| match &answer {
            Ok(_) => true,
            Err(Failure::Refused(refusal)) => countable.counts_refused(refusal),
            Err(_) => false,
        });
        if let Some(countable) = counted {
            counters.count(countable);
        }
        if let Err(Failure::Refused(Refusal::Verification(verification::Refusal::SendLimit { ceiling, .. }))) = &answer
        {
            counters.refused_by(*ceiling);
        }
        answer
    }

    /// Appends a snapshot's manifest and waits until it is durable, as long as that takes: what is retired depends on
    /// whether it is.
    ///
    /// # Errors
    /// [`Failure`]: the manifest is not appended, or the writer has stopped.
    pub async fn append_snapshot(&self, manifest: Vec<u8>) -> Result<(), Failure> {
        let (ticket, appended) = oneshot::channel();
        let request = Request::Snapshot(manifest, Some(ticket));
        let refused = self.requests.push(INTERNAL, request).map_err(|_| Failure::Unavailable)?;
        refused.into_iter().for_each(Request::refuse);
        appended.await.map_err(|_| Failure::Unavailable)?.map(drop)
    }

    /// The state, frozen at a size that is durable, and the frontier at that size. It waits as long as that takes; `None`
    /// once the writer has stopped.
    pub async fn freeze(&self) -> Option<(Frozen, Frontier)> {
        let (sender, frozen) = oneshot::channel();
        self.requests.push(INTERNAL, Request::Freeze(sender)).ok()?;
        frozen.await.ok()
    }

    /// Puts the owners' settings to the decider. They are in force from the decision on, as the order of the log has it;
    /// the answer waits until they are durable.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn change_settings(&self, text: String, effective: Effective) -> Result<Reply, Failure> {
        let fresh = fresh()?;
        let cost = Cost { payer: Payer::Owners, bytes: padded(0, text.len()) };
        self.ask(cost, |ticket| Request::Settings(text, Box::new(effective), fresh, ticket)).await
    }

    /// The newest view, if it may be served now: within the lease, or after the append that renews
    /// it.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] if the store is away or does not renew it in time.
    pub async fn view(&self) -> Result<Arc<View>, Failure> {
        let WriterStatus { lease, append_wanted, .. } = &*self.shared;
        if lease.is_valid()
            || (self.is_ready() && lease.wait_valid(ANSWER_TIMEOUT, || append_wanted.notify_one()).await)
        {
            Ok(self.published())
        } else {
            Err(Failure::Unavailable)
        }
    }

    /// The newest view, without the lease check: use it only to find the payer.
    pub fn published(&self) -> Arc<View> {
        Arc::clone(&self.shared.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counters of operations since the boot.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
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

    async fn ask(&self, cost: Cost, request: impl FnOnce(Ticket) -> Request) -> Result<Reply, Failure> {
        if self.shared.away.load(Ordering::Relaxed) {
            return Err(Failure::Unavailable);
        }
        let (ticket, answer) = oneshot::channel();
        let refused = self.requests.push(cost, request(Some(ticket))).map_err(|_| Failure::Unavailable)?;
        // This one may be among them.
        refused.into_iter().for_each(Request::refuse);
        match timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Failure::Unavailable),
        }
    }
}

/// Randomness for one command.
pub(super) fn fresh() -> Result<Fresh, Failure> {
    let mut failed = false;
    let fresh = Secret::init_with(|bytes| failed = adyton_seal::fill_random(bytes).is_err());
    if failed { Err(Failure::Unavailable) } else { Ok(Fresh::new(fresh)) }
}
