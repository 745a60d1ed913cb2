//! A process over a disk, and everything that an observer who sees both sides of the wall knows of them.
//!
//! The writer is a [`Shard`]; the store is the host's own over a [`Disk`] with faults; a boot runs `replay` against that
//! store over a socket. Snapshots are taken as `engine::snapshots` takes them, step by step, so that a fault can come between.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use adyton_decider::Gate;
use adyton_engine::sealing::{Opener, body_of};
use adyton_engine::snapshot::{Manifest, SnapshotContext};
use adyton_engine::{Machine as _, Pending, Release, Replay, Sealed, Shard};
use adyton_host::{RedbStore, StoreError};
use adyton_ledger::{AppendOutcome, Body, Hash, Kind, LogReader, LogStore, Retirement};
use adyton_vault::{
    AttemptId, BootId, Command, Consequence, Effect, Event, EventKind, Record as _, Reply, ServiceId, State, Status,
    VerificationId, decide, services, verification,
};

use crate::disk::Disk;
use crate::fixtures::{KEYS, OPS, VAULT, boot, context, create_tenant, encoded, fresh, shard, start};

const BEGAN: u64 = 1_800_000_000;

/// What comes between the shard and the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The store does not hear of it.
    Error,
    /// It is done and nobody hears of that.
    LostReply,
    /// It comes twice.
    Duplicate,
    /// There is no room.
    Full,
}

/// How far a snapshot comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Its chunks stay without an entry that names them.
    Chunks,
    /// Its entry waits for the next append, and for whatever befalls that.
    Manifest,
    /// As `Manifest`; once it is durable, what no boot needs goes.
    Retired,
}

/// Who waits for an answer: how much had been decided by then, and what goes once it is there.
pub(crate) struct Ticket {
    decided: usize,
    retirement: Option<Retirement>,
}

/// What was sealed, by all processes of all copies.
#[derive(Default)]
pub(crate) struct Seen {
    /// (boot id, index, body): K_boot and its nonce.
    bodies: BTreeMap<([u8; 16], u64, Body), Vec<u8>>,
    /// (boot id, snapshot id, number): K_snapshot and its nonce.
    pub(crate) chunks: BTreeMap<([u8; 16], [u8; 16], u32), Vec<u8>>,
    boots: u8,
    counter: u64,
}

/// What the writer knew when it sealed up to some size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) cold: Vec<u8>,
}

/// A folder as it was once, and what had been answered by then.
pub(crate) struct Copy {
    disk: Disk,
    stored: Point,
    acknowledged: BTreeSet<ServiceId>,
    retired: bool,
}

/// A process and its folder.
pub(crate) struct World {
    disk: Disk,
    pub(crate) store: Option<RedbStore>,
    pub(crate) shard: Shard<State, Ticket>,
    pub(crate) in_flight: Option<(Sealed, Point)>,
    /// What the store has, as far as the writer made it.
    pub(crate) stored: Point,
    /// What the stored log gives: the state of which snapshots are taken.
    behind: Replay<'static, State>,
    boot_id: [u8; 16],
    /// Events that this boot decided, encoded, in order.
    decided: Vec<Vec<u8>>,
    /// Those that stand in the store, and the next index to look at.
    readable: (Vec<Vec<u8>>, u64),
    /// Cold states at the end of the open batches that take no more: a manifest is a batch of its own.
    closed: VecDeque<Vec<u8>>,
    /// Something was decided since the last of those.
    is_open: bool,
    newest_snapshot: Option<[u8; 16]>,
    retired: bool,
    pub(crate) seen: Rc<RefCell<Seen>>,
    pub(crate) service: Option<ServiceId>,
    pub(crate) live: Option<(VerificationId, AttemptId, String)>,
    /// Services whose creation was answered.
    pub(crate) acknowledged: BTreeSet<ServiceId>,
}

impl World {
    /// A vault with one tenant.
    pub(crate) fn new() -> Self {
        let mut world = Self::over(Disk::default(), Rc::default());
        world.submit(create_tenant);
        world.append(Fault::None);
        world
    }

    /// A process that boots from a disk.
    fn over(disk: Disk, seen: Rc<RefCell<Seen>>) -> Self {
        let replayed = boot(&disk);
        let stored =
            Point { size: replayed.frontier.size(), root: replayed.frontier.root(), cold: replayed.state.cold_bytes() };
        let boot_id = {
            let mut seen = seen.borrow_mut();
            seen.boots += 1;
            [seen.boots; 16]
        };
        let cold = State::decode_cold(&stored.cold).unwrap();
        let behind = Replay::from_snapshot(&KEYS, VAULT, OPS, cold, replayed.frontier.clone().into());
        let mut world = Self {
            store: Some(disk.store().unwrap()),
            disk,
            shard: shard(replayed, boot_id),
            in_flight: None,
            readable: (Vec::new(), stored.size),
            stored,
            behind,
            boot_id,
            decided: Vec::new(),
            closed: VecDeque::new(),
            is_open: false,
            newest_snapshot: None,
            retired: false,
            seen,
            service: None,
            live: None,
            acknowledged: BTreeSet::new(),
        };
        let now = world.now();
        world.shard.boot(BootId(boot_id), now);
        world.decided.push(encoded(&Event { at: now, kind: EventKind::Booted(BootId(boot_id)) }));
        world.append(Fault::None);
        world
    }

    fn now(&self) -> u64 {
        BEGAN + self.seen.borrow().counter
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.seen.borrow_mut().counter += seconds;
    }

    /// Puts a command to the shard, and to `decide` beforehand to know its events.
    pub(crate) fn submit(&mut self, command: impl Fn() -> Command) {
        self.pass(1);
        let (counter, now) = (self.seen.borrow().counter, self.now());
        let decision = decide(self.shard.state(), command(), &mut context(now, &mut fresh(counter)));
        let mut events = decision.draft.events;
        self.is_open |= !events.is_empty();
        // Within an operation what is kept comes first.
        events.sort_by_key(|event| body_of(event.class()) == Body::Hot);
        self.decided.extend(events.iter().map(encoded));
        let ticket = Ticket { decided: self.decided.len(), retirement: None };
        if let Some(release) = self.shard.submit(command(), &mut context(now, &mut fresh(counter)), ticket) {
            self.released(release);
        }
    }

    /// An answer leaves. Whatever was decided before it, by itself included, must be in the store at this moment: so
    /// neither a reply nor a refusal tells of what may still be lost.
    fn released(&mut self, release: Release<State, Ticket>) {
        self.read_back();
        assert!(release.ticket.decided <= self.readable.0.len(), "an answer tells of what is not durable");
        match release.answer {
            Ok(Reply::Services(services::Reply::Service(view))) => {
                self.acknowledged.insert(view.service);
                self.service = Some(view.service);
            }
            Ok(Reply::Verification(verification::Reply::Verification(view))) if view.status == Status::Approved => {
                self.live = None
            }
            _ => {}
        }
    }

    /// A snapshot's manifest is durable.
    fn stands(&mut self, ticket: Ticket) {
        self.read_back();
        assert!(ticket.decided <= self.readable.0.len(), "a snapshot stands before what it covers");
        // As `engine::snapshots` does, which takes one snapshot after the other: an older one's retirement never comes later.
        if let Some(retirement) = ticket.retirement.filter(|old| Some(old.snapshot) == self.newest_snapshot) {
            self.store.as_mut().unwrap().retire(OPS, retirement).unwrap();
            self.retired = true;
        }
    }

    /// Opens what this boot wrote and finds exactly what it decided, as far as it goes.
    fn read_back(&mut self) {
        let (events, next) = &mut self.readable;
        let mut opener = Opener::new(&KEYS, VAULT, OPS);
        for record in self.store.as_ref().unwrap().read(OPS, *next, u32::MAX, usize::MAX).unwrap() {
            *next += 1;
            let header = record.entry.header().unwrap();
            assert_eq!(header.boot_id, self.boot_id);
            if header.kind != Kind::Snapshot {
                let keep = |event: &[u8]| {
                    events.push(event.to_vec());
                    Ok(())
                };
                opener.open(&record, &header).unwrap().each(keep).unwrap();
            }
        }
        assert_eq!(events[..], self.decided[..events.len()], "in the order in which it was decided");
    }

    /// Seals the open batch if nothing is in flight.
    fn seal(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        let Some(sealed) = self.shard.seal(self.now()).unwrap() else { return };
        let header = sealed.record.entry.header().unwrap();
        for (body, sealed) in Body::ALL.iter().filter_map(|body| Some((*body, sealed.record.body(*body)?))) {
            let place = (header.boot_id, header.index, body);
            let before = self.seen.borrow_mut().bodies.insert(place, sealed.to_vec());
            assert_eq!(before, None, "a (key, nonce) pair repeats");
        }
        let root = self.shard.frontier().root();
        let cold = self.closed.pop_front().unwrap_or_else(|| {
            self.is_open = false;
            self.shard.state().cold_bytes()
        });
        let point = Point { size: sealed.size, root, cold };
        self.in_flight = Some((sealed, point));
    }

    /// Appends the batch in flight, or the open one, through a fault. What failed stays in flight.
    pub(crate) fn append(&mut self, fault: Fault) {
        self.seal();
        let Some((sealed, point)) = &self.in_flight else { return };
        let store = self.store.as_mut().unwrap();
        let mut append = || store.append(OPS, sealed.expected_size, &sealed.record, &sealed.head);
        match fault {
            Fault::Error => return,
            Fault::Full => {
                self.disk.set_full(true);
                let refused = append();
                self.disk.set_full(false);
                // A repeat of what is there already needs no room.
                let repeat = matches!(refused, Ok(AppendOutcome::Appended { size }) if size == self.stored.size);
                assert!(repeat || matches!(refused, Err(StoreError::Full)), "{refused:?}");
                return;
            }
            Fault::None | Fault::LostReply | Fault::Duplicate => {
                let times = if fault == Fault::Duplicate { 2 } else { 1 };
                for _ in 0..times {
                    assert_eq!(append().unwrap(), AppendOutcome::Appended { size: sealed.size });
                }
            }
        }
        self.stored = point.clone();
        if fault == Fault::LostReply {
            return;
        }
        self.in_flight = None;
        let reached = self.shard.reached(Gate::Certified, self.shard.size());
        let Pending { releases, effects, snapshots, view: _, frozen: _ } = reached;
        self.read_back();
        for effect in effects {
            let Consequence::Deliver(Effect::Send { verification: sid, attempt, message, .. }) = effect else {
                continue;
            };
            let sent = self.readable.0.iter().any(|event| match Event::decode_all(event).unwrap().kind {
                EventKind::Verification(
                    verification::Event::VerificationStarted { attempt: known, .. }
                    | verification::Event::VerificationResent { attempt: known, .. },
                ) => known == attempt,
                _ => false,
            });
            assert!(sent, "a message leaves before it is durable");
            self.live = Some((sid, attempt, message.code.expose().into()));
        }
        releases.into_iter().for_each(|release| self.released(release));
        snapshots.into_iter().for_each(|ticket| self.stands(ticket));
    }

    /// Appends all that is open.
    pub(crate) fn drain(&mut self) {
        loop {
            self.seal();
            if self.in_flight.is_none() {
                return;
            }
            self.append(Fault::None);
        }
    }

    /// Takes a snapshot of what is durable, as far as told.
    pub(crate) fn snapshot(&mut self, reach: Reach) {
        let store = self.store.as_mut().unwrap();
        for record in store.read(OPS, self.behind.frontier.size(), u32::MAX, usize::MAX).unwrap() {
            self.behind.entry(&record).unwrap();
        }
        let scope = SnapshotContext { keys: &KEYS, vault: VAULT, log: OPS, boot_id: self.boot_id };
        let (id, mut number) = (adyton_seal::random().unwrap(), 0);
        let keep = |chunk: Vec<u8>| {
            let before = self.seen.borrow_mut().chunks.insert((self.boot_id, id, number), chunk.clone());
            assert_eq!(before, None, "a (key, nonce) pair of a snapshot repeats");
            store.put_chunk(OPS, id, number, &chunk).unwrap();
            number += 1;
            true
        };
        let manifest =
            scope.seal::<State>(id, &self.behind.state.freeze(), &self.behind.frontier.clone().into(), keep).unwrap();
        if reach == Reach::Chunks {
            return;
        }
        let Manifest { id, covered, .. } = manifest;
        self.newest_snapshot = Some(id);
        let retirement = Retirement { below: covered, bucket: 0, snapshot: id, boot_id: self.boot_id };
        let retirement = (reach == Reach::Retired).then_some(retirement);
        let ticket = Ticket { decided: self.decided.len(), retirement };
        assert!(self.shard.snapshot(&manifest.encode(), ticket).is_ok());
        let cold = self.shard.state().cold_bytes();
        if std::mem::take(&mut self.is_open) {
            self.closed.push_back(cold.clone());
        }
        self.closed.push_back(cold);
    }

    /// The process dies and the next one boots.
    pub(crate) fn crash(&mut self) {
        self.reboot(self.disk.clone());
    }

    /// The power fails while the batch in flight, or the open one, is being written.
    pub(crate) fn power_failure(&mut self, operations: u64, coin: impl FnMut() -> bool) {
        self.seal();
        self.disk.fail_power_after(operations);
        if let Some((sealed, point)) = &self.in_flight {
            let store = self.store.as_mut().unwrap();
            let appended = store.append(OPS, sealed.expected_size, &sealed.record, &sealed.head);
            if appended.is_ok() {
                self.stored = point.clone();
            }
        }
        let found = self.disk.after_power_failure(coin);
        // What was not answered may be there as well.
        let size = found.store().unwrap().status(OPS).unwrap().size;
        if let Some((_, point)) = self.in_flight.take().filter(|(_, point)| point.size == size) {
            self.stored = point;
        }
        self.reboot(found);
    }

    /// The folder is copied.
    pub(crate) fn copy(&self) -> Copy {
        Copy {
            // All that was written arrives.
            disk: self.disk.after_power_failure(|| true),
            stored: self.stored.clone(),
            acknowledged: self.acknowledged.clone(),
            retired: self.retired,
        }
    }

    /// An older copy is put in the place of the folder. Without notaries nobody notices; what it forgot is gone.
    pub(crate) fn restore(&mut self, copy: &Copy) {
        self.stored = copy.stored.clone();
        self.acknowledged = copy.acknowledged.clone();
        self.retired = copy.retired;
        self.reboot(copy.disk.after_power_failure(|| true));
    }

    /// A second process lives on from a copy.
    pub(crate) fn diverge(&self, copy: &Copy) -> Self {
        let mut world = Self::over(copy.disk.after_power_failure(|| true), Rc::clone(&self.seen));
        world.acknowledged = copy.acknowledged.clone();
        world.retired = copy.retired;
        world.service = world.acknowledged.first().copied();
        world.expect_acknowledged();
        world
    }

    fn reboot(&mut self, disk: Disk) {
        self.store = None;
        let replayed = boot(&disk);
        let found =
            Point { size: replayed.frontier.size(), root: replayed.frontier.root(), cold: replayed.state.cold_bytes() };
        assert_eq!(found, self.stored, "a boot finds what the writer left");
        if !self.retired {
            let whole = from_nothing(&disk.store().unwrap());
            assert_eq!(whole, found, "with a snapshot or without, the state is the same");
        }
        let next = Self::over(disk, Rc::clone(&self.seen));
        let last = std::mem::replace(self, next);
        (self.acknowledged, self.retired) = (last.acknowledged, last.retired);
        self.service = self.acknowledged.first().copied();
        self.expect_acknowledged();
    }

    /// No acknowledged durable event is lost: every service that was answered for can be used.
    fn expect_acknowledged(&self) {
        for service in &self.acknowledged {
            let decided = decide(self.shard.state(), start(*service, 9), &mut context(self.now(), &mut fresh(1)));
            assert!(decided.answer.is_ok(), "an acknowledged service is gone");
        }
    }
}

/// The whole log replayed without a snapshot's help.
fn from_nothing(store: &RedbStore) -> Point {
    let mut replay = Replay::<State>::new(&KEYS, VAULT, OPS);
    for record in store.read(OPS, 0, u32::MAX, usize::MAX).unwrap() {
        replay.entry(&record).unwrap();
    }
    Point { size: replay.frontier.size(), root: replay.frontier.root(), cold: replay.state.cold_bytes() }
}
