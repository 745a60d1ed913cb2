//! A shard of the toy and the log that it writes.

use std::sync::LazyLock;

use adyton_decider::{BootId, Charged, Context, Fresh, Gate, Record as _};
use adyton_engine::sealing::{Opener, Sealer, records};
use adyton_engine::snapshot::SnapshotContext;
use adyton_engine::{Machine as _, Mode, Pending, Release, Replay, Shard};
use adyton_frame::{Frame, MAX_FRAME, Message};
use adyton_ledger::{
    AppendOutcome, Body, Head, Kind, LogId, LogReader, LogStore, MemoryStore, Record, VaultId, origin,
};
use adyton_seal::{KeyTree, Label, RootKey, Secret, SigningKey};
use adyton_wire::Reader;

use crate::toy::{Answer, Asked, Event, Refusal, Toy};

pub(crate) const OPS: LogId = LogId::from_number(1);
pub(crate) const VAULT: VaultId = VaultId([9; 32]);
pub(crate) static KEYS: LazyLock<KeyTree> =
    LazyLock::new(|| KeyTree::new(&RootKey::new(Secret::init_with(|bytes| bytes.fill(7))), 1));

fn signer() -> SigningKey {
    SigningKey::from_seed(&KEYS.derive(Label::LogSigning, &[]).unwrap()).unwrap()
}

fn fresh() -> Fresh {
    Fresh::new(Secret::init_with(|seed| seed.fill(1)))
}

fn context(now: u64, fresh: &mut Fresh) -> Context<'_, ()> {
    Context { now, fresh, rules: &() }
}

/// A writer and its store.
pub(crate) struct Log {
    pub(crate) shard: Shard<Toy, usize>,
    pub(crate) store: MemoryStore,
    boot_id: [u8; 16],
    /// Answers in the order in which they left, by ticket.
    pub(crate) answers: Vec<(usize, Result<usize, Refusal>)>,
    /// Tries that are spent, oldest first.
    pub(crate) charged: Vec<Charged<u8>>,
    pub(crate) effects: Vec<usize>,
    pub(crate) snapshots: Vec<usize>,
    asked: usize,
    /// What is stored, hot events included.
    durable: Toy,
    pub(crate) now: u64,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self::boot(MemoryStore::new(), 1)
    }

    /// Boots from what is stored.
    pub(crate) fn boot(store: MemoryStore, boot: u8) -> Self {
        let Replay { state, frontier, bucket, .. } = replay(&store);
        let boot_id = [boot; 16];
        let sealer = Sealer::new(&KEYS, VAULT, OPS, boot_id, 1).unwrap();
        let durable = state.clone();
        let shard = Shard::new(state, &VAULT, sealer, signer(), frontier, bucket);
        let (answers, effects, snapshots) = (Vec::new(), Vec::new(), Vec::new());
        let charged = Vec::new();
        let mut log =
            Self { shard, store, boot_id, answers, charged, effects, snapshots, asked: 0, durable, now: 1000 };
        log.shard.boot(BootId(boot_id), log.now);
        log.append();
        log
    }

    /// Puts a command; its ticket.
    pub(crate) fn submit(&mut self, asked: impl Into<Asked>) -> usize {
        let ticket = self.asked;
        self.asked += 1;
        if let Some(release) = self.shard.submit(asked.into(), &mut context(self.now, &mut fresh()), ticket) {
            self.hear(release);
        }
        ticket
    }

    fn hear(&mut self, Release { ticket, answer, logged: _ }: Release<Toy, usize>) {
        match answer {
            Answer::Plain(answer) => self.answers.push((ticket, answer)),
            Answer::Charged(charged) => self.charged.push(charged),
            Answer::Charge(_) => unreachable!("an answer left before its charge had passed"),
        }
    }

    /// Lets time pass.
    pub(crate) fn sweep(&mut self, cap: usize) {
        self.shard.sweep(&mut context(self.now, &mut fresh()), cap);
    }

    /// Seals and appends the next batch through a frame, as the host takes it; false if there is none.
    pub(crate) fn append(&mut self) -> bool {
        let Some(sealed) = self.shard.seal(self.now).unwrap() else { return false };
        let frame = sealed.frame(7, OPS.number()).unwrap();
        assert!(frame.len() <= MAX_FRAME + 4);
        let Message::Append(append) = Frame::decode(&frame[4..]).unwrap().message else { unreachable!() };
        assert_eq!((append.expected_size, append.head.as_str()), (sealed.expected_size, sealed.head.as_str()));
        let appended = self.store.append(OPS, sealed.expected_size, &sealed.record, &sealed.head).unwrap();
        assert_eq!(appended, AppendOutcome::Appended { size: sealed.size });
        apply(&mut self.durable, &sealed.record);
        let Pending { releases, effects, snapshots, view, frozen } = self.shard.reached(Gate::Certified, sealed.size);
        // Exactly what is stored, whatever was decided since.
        assert_eq!(view.as_ref(), Some(&self.durable));
        if let Some((frozen, frontier)) = frozen {
            assert_eq!((frozen, frontier.size()), (self.durable.clone(), sealed.size));
            assert_eq!(frontier.root(), head(&self.store).root);
        }
        releases.into_iter().for_each(|release| self.hear(release));
        self.effects.extend(effects);
        self.snapshots.extend(snapshots);
        true
    }

    /// Seals and appends all that is open.
    pub(crate) fn drain(&mut self) {
        while self.append() {}
    }

    /// Seals a snapshot of what is stored, keeps its chunks, and has the manifest appended.
    pub(crate) fn snapshot(&mut self, id: u8) {
        let behind = replay(&self.store);
        let scope = SnapshotContext { keys: &KEYS, vault: VAULT, log: OPS, boot_id: self.boot_id };
        let mut number = 0;
        let keep = |chunk: Vec<u8>| {
            self.store.put_chunk(OPS, [id; 16], number, &chunk).unwrap();
            number += 1;
            true
        };
        let manifest = scope.seal::<Toy>([id; 16], &behind.state, &behind.frontier.clone().into(), keep).unwrap();
        self.shard.snapshot(&manifest.encode(), usize::from(id)).unwrap();
    }
}

/// Applies the operations of an entry as the writer did: of each what is kept first.
fn apply(toy: &mut Toy, record: &Record) {
    let Record { entry, hot, kept } = record;
    let header = entry.header().unwrap();
    if header.kind == Kind::Snapshot {
        return;
    }
    let mut opener = Opener::new(&KEYS, VAULT, OPS);
    let mut open = |body, bytes: &Option<Vec<u8>>| {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        if let Some(bytes) = bytes {
            let opened = opener.open_body(entry, &header, body, bytes).unwrap();
            parts.extend(opened.iter().map(<[u8]>::to_vec));
        }
        parts
    };
    let (kept, hot) = (open(Body::Kept, kept), open(Body::Hot, hot));
    for operation in 0..kept.len().max(hot.len()) {
        for part in [&kept, &hot].into_iter().filter_map(|parts| parts.get(operation)) {
            let apply = |event: &[u8]| {
                toy.apply(Event::decode(&mut Reader::new(event)).unwrap(), Mode::Live);
                Ok(())
            };
            records(part, apply).unwrap();
        }
    }
}

/// The newest head.
pub(crate) fn head(store: &MemoryStore) -> Head {
    Head::open(&store.status(OPS).unwrap().head, &origin(&VAULT, OPS), &signer().public_key()).unwrap()
}

/// The toy as a boot finds it: from the newest snapshot on, against the newest head.
pub(crate) fn replay(store: &MemoryStore) -> Replay<'static, Toy> {
    let status = store.status(OPS).unwrap();
    let mut replay = match status.latest_snapshot {
        None => Replay::new(&KEYS, VAULT, OPS),
        Some(index) => {
            let record = store.read(OPS, index, 1, usize::MAX).unwrap().remove(0);
            let mut opener = adyton_engine::sealing::Opener::new(&KEYS, VAULT, OPS);
            let (manifest, boot_id) = opener.manifest(&record, index).unwrap();
            let chunk = |number| store.chunk(OPS, manifest.id, number).unwrap().unwrap();
            let chunks: Vec<_> = (0..).take(manifest.chunks.len()).map(chunk).collect();
            let scope = SnapshotContext { keys: &KEYS, vault: VAULT, log: OPS, boot_id };
            let (state, base) = scope.open(&manifest, &chunks).unwrap();
            Replay::from_snapshot(&KEYS, VAULT, OPS, state, base)
        }
    };
    for record in store.read(OPS, replay.covered, u32::MAX, usize::MAX).unwrap() {
        replay.entry(&record).unwrap();
    }
    if status.size > 0 {
        replay.matches(&head(store)).unwrap();
    }
    replay
}
