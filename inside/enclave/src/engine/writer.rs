//! The task that runs a [`Shard`]: time, group commit, and what follows once a batch has passed its gate.
//!
//! 1. Commands are decided in the queue's order while the open batch has room, and a batch is always on its way.
//! 2. A second after the last sweep the next one is due. It comes before any command that waits, so batches that are full
//!    all the time do not keep it away.
//! 3. When a batch passes, the view shows it first; then effects run, then answers leave.
//! 4. A refusal, and an answer that logged nothing, leaves under the lease only; otherwise it waits for a further append, of
//!    nothing if need be.
//! 5. Settings bind the decider from their decision on, in the order of the log. All others see them once they have passed their
//!    gate.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use adyton_decider::Gate;
use adyton_engine::{Pending, Release, Shard};
use adyton_frame::{Event, StopReason};
use adyton_ledger::{Frontier, LogId};
use adyton_vault::{
    Ceiling, ChangeSettings, Command, Consequence, Context, Effect, Fresh, Frozen, MAX_SWEPT, Refusal, Reply, State,
    View,
};
use tokio::sync::oneshot::Sender;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, MissedTickBehavior, interval};

use super::handle::{Failure, Request, Ticket, WriterStatus, fresh};
use super::log_writer::{LogWriter, Step};
use super::queue::Receiver;
use super::stop::StopReporter;
use crate::clock::Clock;
use crate::events::Events;
use crate::metrics::numbered;
use crate::policy::{Effective, Watch};

/// Dependencies of the writer besides its shard.
pub struct Deps {
    /// Time.
    pub clock: Arc<Clock>,
    /// Operational events.
    pub events: Events,
    /// Where effects go once they may run.
    pub effects: mpsc::UnboundedSender<Effect>,
    /// The writer of its log.
    pub log: LogWriter,
    /// The effective policy and settings, set here once they have passed their gate.
    pub effective: Watch,
    /// Reports that the writer has stopped.
    pub stop: StopReporter,
}

/// The one task that decides.
pub(super) struct Writer {
    shard: Shard<State, Ticket>,
    shared: Arc<WriterStatus>,
    deps: Deps,
    /// The rules in force for the decider.
    deciding: Arc<Effective>,
    /// Settings that were decided and have not passed their gate, in the order of the log. The owners sign each.
    decided: VecDeque<Arc<Effective>>,
    /// A sweep is due.
    sweep_due: bool,
    /// The requester that waits for frozen state.
    freezing: Option<oneshot::Sender<(Frozen, Frontier)>>,
    warned: CeilingWarnings,
}

impl Writer {
    pub(super) fn new(shard: Shard<State, Ticket>, shared: Arc<WriterStatus>, deps: Deps) -> Self {
        let (deciding, decided) = (deps.effective.now(), VecDeque::new());
        Self {
            shard,
            shared,
            deps,
            deciding,
            decided,
            sweep_due: false,
            freezing: None,
            warned: CeilingWarnings::default(),
        }
    }

    /// The log, and where to report that its writer has stopped.
    pub(super) fn stopped(&self) -> (LogId, StopReporter) {
        (self.deps.log.log(), self.deps.stop.clone())
    }

    /// Ends when the last handle is dropped, or with a reason: nothing is answered from then on,
    /// and held answers are dropped.
    pub(super) async fn run(mut self, requests: Receiver<Request>) -> Option<StopReason> {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = Arc::clone(&self.shared);
        loop {
            tokio::select! {
                biased;
                step = self.deps.log.step(), if self.deps.log.is_in_flight() => match step {
                    Ok(Step::Lost) => self.shared.away.store(true, Ordering::Relaxed),
                    Ok(Step::Durable(size)) => self.durable(size),
                    Err(reason) => return Some(reason),
                },
                _ = second.tick() => self.sweep_due = true,
                () = shared.append_wanted.notified() => {
                    // An append that is under way renews the lease too, if it is fast enough; otherwise the waiting read asks again.
                    if !self.deps.log.is_in_flight() {
                        self.shard.append_empty();
                    }
                }
                more = requests.ready(), if !self.shard.is_full() => if !more {
                    return None;
                },
            }
            if let Err(reason) = self.work(&requests) {
                return Some(reason);
            }
        }
    }

    /// Decides what waits, as far as batches take it, and has a batch on its way.
    fn work(&mut self, requests: &Receiver<Request>) -> Result<(), StopReason> {
        loop {
            if self.sweep_due && !self.shard.is_full() {
                self.sweep_due = false;
                self.sweep();
            }
            while !self.shard.is_full()
                && let Some(request) = requests.pop()
            {
                self.handle_request(request);
            }
            if self.deps.log.is_in_flight() || !self.send()? {
                return Ok(());
            }
        }
    }

    fn sweep(&mut self) {
        self.shared.counters.live(self.shard.state().live());
        if let Ok(mut fresh) = fresh() {
            let mut context = Context { now: self.deps.clock.now(), fresh: &mut fresh, rules: &self.deciding.rules };
            self.shard.sweep(&mut context, MAX_SWEPT);
        }
    }

    fn handle_request(&mut self, request: Request) {
        match request {
            Request::Command(command, fresh, ticket) => self.decide(command, fresh, ticket),
            Request::Settings(text, effective, fresh, ticket) => {
                let sequence = effective.sequence;
                let next = self.shard.state().next_owners_sequence();
                self.decide(ChangeSettings { sequence, text }.into(), fresh, ticket);
                if self.shard.state().next_owners_sequence() != next {
                    self.deciding = Arc::from(effective);
                    self.decided.push_back(Arc::clone(&self.deciding));
                }
            }
            Request::Snapshot(manifest, ticket) => {
                if let Err(Some(ticket)) = self.shard.snapshot(&manifest, ticket) {
                    let _ = ticket.send(Err(Failure::Refused(Refusal::TooLarge)));
                }
            }
            Request::Freeze(sender) => {
                self.freezing = Some(sender);
                let frozen = self.shard.freeze_next();
                self.frozen(frozen);
            }
        }
    }

    /// Frozen state that has passed its gate goes to what waits for it. Where no batch is left that could bring it, it is taken
    /// now.
    fn frozen(&mut self, frozen: Option<(Frozen, Frontier)>) {
        let Some(sender) = self.freezing.take() else { return };
        match frozen.or_else(|| self.shard.freeze_next()) {
            // The requester may have gone away.
            Some(frozen) => drop(sender.send(frozen)),
            None => self.freezing = Some(sender),
        }
    }

    fn decide(&mut self, command: Command, mut fresh: Fresh, ticket: Ticket) {
        let mut context = Context { now: self.deps.clock.now(), fresh: &mut fresh, rules: &self.deciding.rules };
        if let Some(release) = self.shard.submit(command, &mut context, ticket) {
            self.release(release);
        }
    }

    /// 4. Answers, or waits for an append under whose lease the answer may leave. An operation that was logged and granted is
    ///    answered as soon as it is durable.
    fn release(&mut self, release: Release<State, Ticket>) {
        // Nobody waits for it, so nothing is appended for it.
        if release.ticket.as_ref().is_none_or(Sender::is_closed) {
            return;
        }
        if (release.logged && release.answer.is_ok()) || self.shared.lease.is_valid() {
            answer(release);
        } else {
            self.shard.release_after_append(release);
        }
    }

    /// 5. Settings that have passed their gate take effect for all.
    fn settle(&mut self, view: &View) {
        let next = view.next_owners_sequence();
        while let Some(effective) = self.decided.pop_front_if(|decided| decided.sequence < next) {
            self.deps.effective.set(effective);
        }
    }

    /// Seals and sends the oldest open batch; false if there is none.
    fn send(&mut self) -> Result<bool, StopReason> {
        let sealed = self.shard.seal(self.deps.clock.now()).map_err(|_| StopReason::Sealing)?;
        let Some(sealed) = sealed else { return Ok(false) };
        self.deps.log.send(&sealed)?;
        Ok(true)
    }

    fn durable(&mut self, size: u64) {
        let shared = Arc::clone(&self.shared);
        shared.away.store(false, Ordering::Relaxed);
        // Nothing is sealed behind the batch that was in flight.
        let root = (size, self.shard.frontier().root());
        *shared.durable_root.write().unwrap_or_else(PoisonError::into_inner) = root;
        // There is no register yet: certified is durable.
        let Pending { releases, effects, snapshots, view, frozen } = self.shard.reached(Gate::Certified, size);
        self.frozen(frozen);
        // Before the lease is renewed, so that no read answers from an older view under the new lease.
        if let Some(view) = view {
            self.settle(&view);
            shared.publish(view);
        }
        if let Some(started) = self.deps.log.renewed() {
            shared.lease.renew(started);
        }
        // Before the answers: once a client knows that a verification ended, its message has been
        // canceled.
        effects.into_iter().for_each(|effect| self.run_effect(effect));
        releases.into_iter().for_each(|release| self.release(release));
        for ticket in snapshots.into_iter().flatten() {
            let _ = ticket.send(Ok(Reply::Done));
        }
        // The rest of a sweep follows with the next batch, at most one sweep with each.
        self.sweep_due |= self.shard.owes_sweep();
    }

    fn run_effect(&mut self, effect: Consequence) {
        let now = self.deps.clock.now();
        match effect {
            Consequence::Deliver(effect) => drop(self.deps.effects.send(effect)),
            Consequence::CeilingNear(ceiling) if self.warned.is_first(ceiling, now) => {
                self.deps.events.emit(Event::CeilingNear { ceiling: numbered(ceiling) });
            }
            Consequence::CeilingNear(_) => {}
        }
    }
}

/// The hour of the last event for each ceiling that came near: at most one event an hour for each.
#[derive(Default)]
struct CeilingWarnings(BTreeMap<Ceiling, u64>);

impl CeilingWarnings {
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
