//! The single writer of a shard, without its IO.
//!
//! 1. A command is decided on the state as it stands, and the state changes at once.
//! 2. Its events are one operation of the open batch; if that would no longer fit a frame, they
//!    begin the next batch, and the shard takes no more until one of the two is sealed
//!    ([`Shard::is_full`]). An operation that no batch holds is refused before the state changes.
//!    Answer and effects are held with the events. A refusal is held too whenever anything before
//!    it is not durable yet, so that no answer reveals state that may still be lost.
//! 3. When nothing is in flight, the oldest open batch is sealed as the entry at the next index,
//!    and its head is signed: from then on those bytes are the only ones that this index will ever
//!    see in this boot. No later event is in the view published with it ([`Pending::view`]): that
//!    was taken when the batch closed.
//! 4. Once the log is durable up to a batch, or certified if an event in it asks for that
//!    ([`Gate`]), the batch passes, and all that is held in it may leave; batches pass in their
//!    order. One gate for a whole batch: an answer must not leave before the view shows the same
//!    state, and a view is of everything up to the end of a batch.
//!
//! A store that fails leaves the batch in flight; the shell retries the same bytes. A conflict
//! fences the shard.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use adyton_decider::{BootId, Context, Decision, Draft, Gate, Passed, Record as _, Seconds};
use adyton_ledger::{Body, Frontier, Kind, VaultId};
use adyton_seal::{Opaque, SigningKey};

use crate::batch::Batch;
use crate::pending::{Pending, Release};
use crate::sealing::{Operation, Place, Sealer, body_of};
use crate::{Decided, LogTip, Machine, Mode, Sealed};

/// A sealed batch that has not passed its gate.
struct Waiting<M: Machine, T> {
    /// Size of the log with it.
    size: u64,
    gate: Gate,
    pending: Pending<M, T>,
}

/// The writer of one shard. `T` names the caller that waits for an answer.
pub struct Shard<M: Machine, T> {
    state: M,
    sealer: Sealer,
    tip: LogTip,
    /// Oldest first; the last one takes what is decided. None is empty.
    open: VecDeque<Batch<M, T>>,
    /// Oldest first; only the last one may be in flight.
    sealed: VecDeque<Waiting<M, T>>,
    /// Size up to which the log is durable.
    durable: u64,
    /// Size up to which it is certified.
    certified: u64,
    /// The last sweep left due work.
    owes_sweep: bool,
    /// The next batch that closes brings frozen state.
    freeze_next: bool,
}

impl<M: Machine, T> Shard<M, T> {
    /// Continues a log: `state` and `frontier` are what replay gave, `bucket` its last time bucket.
    pub fn new(state: M, vault: &VaultId, sealer: Sealer, signer: SigningKey, frontier: Frontier, bucket: u64) -> Self {
        let durable = frontier.size();
        let tip = LogTip::new(vault, sealer.log(), signer, frontier, bucket);
        Self {
            state,
            sealer,
            tip,
            open: VecDeque::new(),
            sealed: VecDeque::new(),
            durable,
            certified: durable,
            owes_sweep: false,
            freeze_next: false,
        }
    }

    /// The state with everything applied that was decided, durable or not.
    pub fn state(&self) -> &M {
        &self.state
    }

    /// The published view of the current state, for use before the first batch.
    pub fn view(&self) -> M::View {
        self.state.view()
    }

    /// Frozen state and the frontier at its size, for a snapshot: at once if everything has passed
    /// its gate, otherwise with the next batch that closes ([`Pending::frozen`]).
    pub fn freeze_next(&mut self) -> Option<(M::Frozen, Frontier)> {
        let has_passed = self.open.is_empty() && self.sealed.is_empty();
        self.freeze_next = !has_passed;
        has_passed.then(|| (self.state.freeze(), self.tip.frontier().clone()))
    }

    /// Entries sealed so far, those in flight included.
    pub fn size(&self) -> u64 {
        self.tip.size()
    }

    /// The frontier at [`Shard::size`].
    pub fn frontier(&self) -> &Frontier {
        self.tip.frontier()
    }

    /// Whether the shard should take no more until a batch is sealed: the open one is full, or another waits before it. What
    /// is submitted nevertheless is taken too; it only waits for more batches.
    pub fn is_full(&self) -> bool {
        let of_commands = self.open.iter().filter(|batch| batch.kind == Kind::Ops).count();
        of_commands > 1 || self.open.back().is_some_and(Batch::is_full)
    }

    /// Decides a command; the answer comes back at once only if nothing waits for its gate.
    pub fn submit(
        &mut self,
        command: M::Command,
        context: &mut Context<'_, M::Rules>,
        ticket: T,
    ) -> Option<Release<M, T>> {
        let decision = self.state.decide(command, context);
        let (answer, effects, logged) = self.commit(decision);
        let release = Release { ticket, answer, logged };
        let Some(pending) = self.pending_mut() else {
            debug_assert!(effects.is_empty(), "an effect follows events");
            return Some(release);
        };
        pending.releases.push(release);
        pending.effects.extend(effects);
        None
    }

    /// Applies what is due, at most `cap` events ([`Shard::owes_sweep`]).
    pub fn sweep(&mut self, context: &mut Context<'_, M::Rules>, cap: usize) {
        let decision = self.state.sweep(context, cap);
        let any = !decision.draft.events.is_empty();
        let (_, effects, _) = self.commit(decision);
        self.owes_sweep = any && self.state.is_due(context.now);
        if let Some(pending) = self.pending_mut() {
            pending.effects.extend(effects);
        }
    }

    /// Whether the last sweep left due work.
    pub fn owes_sweep(&self) -> bool {
        self.owes_sweep
    }

    /// Logs and applies what was decided, or refuses all of it; whether it logged anything.
    fn commit(&mut self, decision: Decided<M>) -> (M::Answer, Vec<M::Effect>, bool) {
        let Decision { draft: Draft { events, effects }, answer } = decision;
        let logs = !events.is_empty();
        if self.log_and_apply(Kind::Ops, events) {
            (answer, effects, logs)
        } else {
            (M::too_large(), Vec::new(), false)
        }
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

    /// The batch that an answer given now must wait for; `None` if everything has passed its gate.
    fn pending_mut(&mut self) -> Option<&mut Pending<M, T>> {
        let sealed = self.sealed.back_mut().map(|waiting| &mut waiting.pending);
        self.open.back_mut().map(|batch| &mut batch.pending).or(sealed)
    }

    /// Begins this boot in the log: voids what was hot.
    pub fn boot(&mut self, boot_id: BootId, now: Seconds) {
        let added = self.log_and_apply(Kind::Boot, alloc::vec![M::boot(boot_id, now)]);
        debug_assert!(added, "a boot's event fits any batch");
    }

    /// Adds an operation without events, if no batch waits to be sealed: an entry that shows that this writer can still append.
    pub fn append_empty(&mut self) {
        if self.open.is_empty() {
            self.add(Kind::Ops, &Operation::default());
        }
    }

    /// Has an answer wait for an append, of nothing if nothing else waits
    /// ([`Shard::append_empty`]).
    pub fn release_after_append(&mut self, release: Release<M, T>) {
        self.append_empty();
        if let Some(batch) = self.open.back_mut() {
            batch.pending.releases.push(release);
        }
    }

    /// Adds a snapshot's manifest as a batch of its own; `ticket` is in [`Pending::snapshots`] once
    /// it is durable.
    ///
    /// # Errors
    /// The ticket, if no batch holds the manifest.
    pub fn snapshot(&mut self, manifest: &[u8], ticket: T) -> Result<(), T> {
        let mut operation = Operation::default();
        operation.push_bytes(Body::Kept, manifest);
        if self.add(Kind::Snapshot, &operation)
            && let Some(batch) = self.open.back_mut()
        {
            batch.pending.snapshots.push(ticket);
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

    /// Closes a batch: keeps the view of the state after it.
    fn close(&mut self, batch: &mut Batch<M, T>) {
        batch.view = Some(self.state.view());
        batch.frozen = core::mem::take(&mut self.freeze_next).then(|| self.state.freeze());
    }

    /// Seals the oldest open batch, if nothing is in flight and there is one.
    ///
    /// # Errors
    /// [`Opaque`] if the library refuses; the shard must then stop.
    pub fn seal(&mut self, now: Seconds) -> Result<Option<Sealed>, Opaque> {
        if self.size() > self.durable {
            return Ok(None);
        }
        let Some(mut batch) = self.open.pop_front() else { return Ok(None) };
        if batch.view.is_none() {
            self.close(&mut batch);
        }
        let Batch { kind, operations, gate, pending, view, frozen } = batch;
        let place = Place { kind, index: self.size(), time_bucket: self.tip.bucket_at(now) };
        let sealed = self.tip.sign(self.sealer.seal(&place, &operations)?);
        self.tip.advance(&sealed);
        let frozen = frozen.map(|frozen| (frozen, self.tip.frontier().clone()));
        self.sealed.push_back(Waiting { size: sealed.size, gate, pending: Pending { view, frozen, ..pending } });
        Ok(Some(sealed))
    }

    /// The log is durable or certified up to a size: returns what waited for the batches that pass.
    /// What is certified is durable.
    pub fn reached(&mut self, gate: Gate, size: u64) -> Pending<M, T> {
        self.durable = self.durable.max(size);
        if gate == Gate::Certified {
            self.certified = self.certified.max(size);
        }
        let (durable, certified) = (self.durable, self.certified);
        let mut passed = Pending::default();
        while let Some(Waiting { pending, .. }) = self.sealed.pop_front_if(|waiting| match waiting.gate {
            Gate::Durable => waiting.size <= durable,
            Gate::Certified => waiting.size <= certified,
        }) {
            passed.append(pending);
        }
        let release = |Release { ticket, answer, logged }| {
            // A charge counts only if the operation logged something.
            let answer = if logged { M::passed(answer, &Passed::gate()) } else { answer };
            Release { ticket, answer, logged }
        };
        passed.releases = passed.releases.into_iter().map(release).collect();
        passed
    }
}
