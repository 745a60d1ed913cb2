//! The single writer of a shard, without its IO.
//!
//! 1. A command is decided on the state as it stands, and the state changes at once.
//! 2. Its events are one operation of the open batch; if that would no longer fit a frame, they begin the next batch, and the
//!    shard takes no more until one of the two is sealed ([`Shard::is_full`]). An operation that no batch holds is refused before
//!    the state changes. Answer and effects are held with the events. A refusal is held too whenever anything before it is not
//!    durable yet, so that no answer tells of what may still be lost.
//! 3. When nothing is in flight, the oldest open batch is sealed as the entry at the next index, and its head is signed: from
//!    then on those bytes are the only ones that this index will ever see in this boot.
//!    No later event is in what readers see behind it ([`Held::view`]): that was taken when the batch closed.
//! 4. Once the store says that it is durable, what readers see, answers and effects are released, in order.
//!
//! A store that fails leaves the batch in flight; the shell retries the same bytes. A conflict fences the shard.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use adyton_decider::{BootId, Context, Decision, Draft, Passed, Record as _, Seconds};
use adyton_frame::{MAX_FRAME, encode_append};
use adyton_ledger::{Body, Frontier, Head, Kind, Record, VaultId, origin};
use adyton_seal::{Opaque, SigningKey};

use crate::batch::Batch;
use crate::sealing::{Operation, Place, Sealer, body_of};
use crate::{Decided, Machine, Mode};

/// An answer whose time has come.
pub struct Release<M: Machine, T> {
    /// Who waits for it.
    pub ticket: T,
    /// The answer.
    pub answer: M::Answer,
}

/// A sealed batch: the bytes to append, and to append again if the store fails.
pub struct Sealed {
    /// Size that the log must have.
    pub expected_size: u64,
    /// Size that it has then.
    pub size: u64,
    /// The entry and its bodies.
    pub record: Record,
    /// The signed head after it.
    pub head: String,
}

impl Sealed {
    /// The `Append` frame, length first.
    ///
    /// # Errors
    /// [`Opaque`] if it does not fit a frame, which the batch's limits rule out.
    pub fn frame(&self, id: u64, log: u16) -> Result<Vec<u8>, Opaque> {
        let mut out = Vec::with_capacity(4096);
        let Record { entry, hot, kept } = &self.record;
        let record = (entry.as_bytes(), hot.as_deref(), kept.as_deref());
        encode_append(id, log, self.expected_size, record, &self.head, &mut out).map_err(|_| Opaque)?;
        debug_assert!(out.len() <= MAX_FRAME + 4);
        Ok(out)
    }
}

/// What waits until a batch is durable, in order.
pub struct Held<M: Machine, T> {
    /// Answers.
    pub releases: Vec<Release<M, T>>,
    /// What to do.
    pub effects: Vec<M::Effect>,
    /// Who waits for the manifest of a snapshot.
    pub snapshots: Vec<T>,
    /// What readers see from then on: everything up to this batch, and nothing behind it. `None` only if no batch was in
    /// flight.
    pub view: Option<M::View>,
    /// The state of the same moment and the frontier behind this batch, if a snapshot was asked for
    /// ([`Shard::freeze_next`]).
    pub frozen: Option<(M::Frozen, Frontier)>,
}

impl<M: Machine, T> Default for Held<M, T> {
    fn default() -> Self {
        Self { releases: Vec::new(), effects: Vec::new(), snapshots: Vec::new(), view: None, frozen: None }
    }
}

/// The writer of one shard. `T` names the caller that waits for an answer.
pub struct Shard<M: Machine, T> {
    state: M,
    sealer: Sealer,
    signer: SigningKey,
    origin: String,
    frontier: Frontier,
    bucket: u64,
    /// Oldest first; the last one takes what is decided. None is empty.
    open: VecDeque<Batch<M, T>>,
    in_flight: Option<Held<M, T>>,
    /// The last sweep found as much as it may take.
    swept_full: bool,
    /// The next batch that closes brings frozen state.
    freeze_next: bool,
}

impl<M: Machine, T> Shard<M, T> {
    /// Continues a log: `state` and `frontier` are what replay gave, `bucket` its last time bucket.
    pub fn new(state: M, vault: &VaultId, sealer: Sealer, signer: SigningKey, frontier: Frontier, bucket: u64) -> Self {
        let origin = origin(vault, sealer.log());
        Self {
            state,
            sealer,
            signer,
            origin,
            frontier,
            bucket,
            open: VecDeque::new(),
            in_flight: None,
            swept_full: false,
            freeze_next: false,
        }
    }

    /// The state, evolved by everything decided, durable or not.
    pub fn state(&self) -> &M {
        &self.state
    }

    /// What readers see of the state as it stands: to publish before the first batch.
    pub fn view(&self) -> M::View {
        self.state.view()
    }

    /// Frozen state and the frontier at its size, for a snapshot: at once if everything is durable, otherwise with the next
    /// batch that closes ([`Held::frozen`]).
    pub fn freeze_next(&mut self) -> Option<(M::Frozen, Frontier)> {
        let is_durable = self.open.is_empty() && self.in_flight.is_none();
        self.freeze_next = !is_durable;
        is_durable.then(|| (self.state.freeze(), self.frontier.clone()))
    }

    /// Entries sealed so far, those in flight included.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The frontier at [`Shard::size`].
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Whether the shard should take no more until a batch is sealed: the open one is full, or another waits before it. What
    /// is submitted nevertheless is taken too; it only waits for more batches.
    pub fn is_full(&self) -> bool {
        let of_commands = self.open.iter().filter(|batch| batch.kind == Kind::Ops).count();
        of_commands > 1 || self.open.back().is_some_and(Batch::is_full)
    }

    /// Decides a command; the answer comes back at once only if nothing is waiting to be durable.
    pub fn submit(
        &mut self,
        command: M::Command,
        context: &mut Context<'_, M::Rules>,
        ticket: T,
    ) -> Option<Release<M, T>> {
        let decision = self.state.decide(command, context);
        let (answer, effects) = self.take(decision);
        let release = Release { ticket, answer };
        let Some(held) = self.held() else {
            debug_assert!(effects.is_empty(), "an effect follows events");
            return Some(release);
        };
        held.releases.push(release);
        held.effects.extend(effects);
        None
    }

    /// Lets time pass: what is due happens, at most `cap` events of it ([`Shard::owes_sweep`]).
    pub fn sweep(&mut self, context: &mut Context<'_, M::Rules>, cap: usize) {
        let decision = self.state.sweep(context, cap);
        self.swept_full = !decision.draft.events.is_empty() && decision.draft.events.len() >= cap;
        let (_, effects) = self.take(decision);
        if let Some(held) = self.held() {
            held.effects.extend(effects);
        }
    }

    /// Whether the last sweep left something that is due.
    pub fn owes_sweep(&self) -> bool {
        self.swept_full
    }

    /// Logs and applies what was decided, or refuses all of it.
    fn take(&mut self, decision: Decided<M>) -> (M::Answer, Vec<M::Effect>) {
        let Decision { draft: Draft { events, effects }, answer } = decision;
        if self.log_and_apply(Kind::Ops, events) { (answer, effects) } else { (M::too_large(), Vec::new()) }
    }

    /// One operation. False, and nothing is changed, if no batch holds it.
    fn log_and_apply(&mut self, kind: Kind, mut events: Vec<M::Event>) -> bool {
        // As replay will apply them: what is kept first.
        events.sort_by_key(|event| body_of(event.class()) == Body::Hot);
        let mut operation = Operation::default();
        events.iter().for_each(|event| operation.push(event));
        let added = operation.is_empty() || self.add(kind, &operation);
        if added {
            events.into_iter().for_each(|event| self.state.apply(event, Mode::Live));
        }
        added
    }

    /// Where what is told now has to wait; `None` if everything is durable.
    fn held(&mut self) -> Option<&mut Held<M, T>> {
        self.open.back_mut().map(|batch| &mut batch.held).or(self.in_flight.as_mut())
    }

    /// Begins this boot in the log: voids what was hot.
    pub fn boot(&mut self, boot_id: BootId, now: Seconds) {
        let added = self.log_and_apply(Kind::Boot, alloc::vec![M::boot(boot_id, now)]);
        debug_assert!(added, "a boot's event fits any batch");
    }

    /// Adds a snapshot's manifest as a batch of its own; `ticket` is in [`Held::snapshots`] once it is durable.
    ///
    /// # Errors
    /// The ticket, if no batch holds the manifest.
    pub fn snapshot(&mut self, manifest: &[u8], ticket: T) -> Result<(), T> {
        let mut operation = Operation::default();
        operation.push_bytes(Body::Kept, manifest);
        if self.add(Kind::Snapshot, &operation)
            && let Some(batch) = self.open.back_mut()
        {
            batch.held.snapshots.push(ticket);
            return Ok(());
        }
        Err(ticket)
    }

    /// Puts an operation into the last open batch, or begins another with it. False, and nothing is changed, if no batch
    /// holds it.
    fn add(&mut self, kind: Kind, operation: &Operation) -> bool {
        if self.open.back_mut().is_some_and(|batch| batch.add(kind, operation)) {
            return true;
        }
        let mut next = Batch::new(kind);
        let fits = next.add(kind, operation);
        if fits {
            // The operation is applied after this, so the state is still that behind the last batch.
            if let Some(mut last) = self.open.pop_back() {
                self.close(&mut last);
                self.open.push_back(last);
            }
            self.open.push_back(next);
        }
        fits
    }

    /// A batch takes nothing more: keeps with it what the state is behind it.
    fn close(&mut self, batch: &mut Batch<M, T>) {
        batch.view = Some(self.state.view());
        batch.frozen = core::mem::take(&mut self.freeze_next).then(|| self.state.freeze());
    }

    /// Seals the oldest open batch, if nothing is in flight and there is one.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses; the shard must then stop.
    pub fn seal(&mut self, now: Seconds) -> Result<Option<Sealed>, Opaque> {
        if self.in_flight.is_some() {
            return Ok(None);
        }
        let Some(mut batch) = self.open.pop_front() else { return Ok(None) };
        if batch.view.is_none() {
            self.close(&mut batch);
        }
        let Batch { kind, operations, held, view, frozen } = batch;
        // The log's time does not fall, whatever the clock does.
        self.bucket = self.bucket.max(now / 10);
        let expected_size = self.frontier.size();
        let place = Place { kind, index: expected_size, time_bucket: self.bucket };
        let record = self.sealer.seal(&place, &operations)?;
        self.frontier.push(record.entry.leaf_hash());
        let frozen = frozen.map(|frozen| (frozen, self.frontier.clone()));
        self.in_flight = Some(Held { view, frozen, ..held });
        let size = self.frontier.size();
        let head = Head { origin: self.origin.clone(), size, root: self.frontier.root() };
        let head = head.sign(&self.signer.public_key(), |text| self.signer.sign(text));
        Ok(Some(Sealed { expected_size, size, record, head }))
    }

    /// The batch in flight is durable: gives out what waited for it.
    pub fn durable(&mut self) -> Held<M, T> {
        let mut held = self.in_flight.take().unwrap_or_default();
        let passed = |Release { ticket, answer }| Release { ticket, answer: M::passed(answer, &Passed::gate()) };
        held.releases = held.releases.into_iter().map(passed).collect();
        held
    }
}
