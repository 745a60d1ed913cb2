//! The writer against a store with faults: what was acknowledged is there, what was not is not claimed, and no
//! (key, nonce) pair repeats, restored and diverging folders included.
//!
//! Faults come between the shard and a store in memory: an error before the append, a reply lost after it, a repeated
//! append, a crash (the shard is dropped and replayed), a restored older copy of the store. Torn writes cannot be seen
//! through the store trait, whose append is all or nothing; redb's own transactions stand behind that.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

use std::collections::BTreeSet;
use std::convert::Infallible;

use adyton_enclave::engine::replay::Replay;
use adyton_enclave::engine::sealing::Sealer;
use adyton_enclave::engine::{Sealed, Shard};
use adyton_ledger::{AppendOutcome, LogId, LogReader, LogStore, MemoryStore, VaultId};
use adyton_seal::{Code, KeyTree, Label, RootKey, Secret, SigningKey};
use adyton_vault::{
    Caller, Channel, Command, Context, Destination, Effect, Fresh, Refusal, Reply, Sid, State, Status, Target,
};
use proptest::prelude::*;

const OPS: LogId = LogId::from_number(1);
const VAULT: VaultId = VaultId([9; 32]);
const ACCOUNT: Sid = Sid([1; 16]);
const TOKEN: [u8; 32] = [2; 32];

fn keys() -> KeyTree {
    KeyTree::new(&RootKey::new(Secret::init_with(|bytes| bytes.fill(7))), 1)
}

fn caller() -> Caller {
    Caller { account: ACCOUNT, token_hash: TOKEN }
}

#[derive(Clone, Debug)]
enum Step {
    Service,
    Start(u8),
    Check(bool),
    /// Seal and append; the store does this first.
    Append(Fault),
    /// The process dies and a new one boots.
    Crash,
    /// The folder is copied; or the copy is put back while the process is down.
    Copy,
    Restore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Error,
    LostReply,
    Duplicate,
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::Error),
        1 => Just(Fault::LostReply),
        1 => Just(Fault::Duplicate)
    ];
    prop_oneof![
        2 => Just(Step::Service),
        4 => (0..5u8).prop_map(Step::Start),
        3 => any::<bool>().prop_map(Step::Check),
        6 => fault.prop_map(Step::Append),
        1 => Just(Step::Crash),
        1 => Just(Step::Copy),
        1 => Just(Step::Restore),
    ]
}

/// A process over a store, and everything an observer outside saw.
struct World {
    store: MemoryStore,
    copy: Option<MemoryStore>,
    shard: Shard<u64>,
    in_flight: Option<Sealed>,
    boots: u8,
    counter: u64,
    service: Option<Sid>,
    live: Option<(Sid, String)>,
    /// Services whose creation was answered since the store was last restored.
    acknowledged: BTreeSet<Sid>,
    /// (boot id, index) and the ciphertext sealed there.
    sealed: std::collections::BTreeMap<([u8; 16], u64), Vec<u8>>,
}

impl World {
    fn new() -> Self {
        let store = MemoryStore::new();
        let shard = boot(&store, 0);
        let mut world = Self {
            store,
            copy: None,
            shard,
            in_flight: None,
            boots: 0,
            counter: 0,
            service: None,
            live: None,
            acknowledged: BTreeSet::new(),
            sealed: std::collections::BTreeMap::new(),
        };
        world.shard.boot([0; 16], 1_800_000_000);
        world.append(Fault::None);
        world.submit(Command::CreateTenant { account: ACCOUNT, token_hash: TOKEN, friendly_name: "Acme".into() });
        world.append(Fault::None);
        world
    }

    fn submit(&mut self, command: Command) {
        self.counter += 1;
        let counter = self.counter;
        let fresh = Fresh::new(Secret::init_with(|bytes| {
            bytes.chunks_mut(8).zip(1u64..).for_each(|(chunk, part)| {
                chunk.copy_from_slice(&(counter << 8 | part).to_be_bytes()[..chunk.len()]);
            });
        }));
        let now = 1_800_000_000 + self.counter;
        let release = self.shard.submit(command, &Context { now, fresh }, self.counter);
        if let Some(release) = release {
            self.released(release.answer);
        }
    }

    fn released(&mut self, answer: Result<Reply, Refusal>) {
        match answer {
            Ok(Reply::Service(view)) => {
                self.acknowledged.insert(view.service);
                self.service = Some(view.service);
            }
            Ok(Reply::Verification(view)) if view.status == Status::Approved => self.live = None,
            _ => {}
        }
    }

    /// Appends the batch in flight, or the open one, through a fault. What failed stays in flight.
    fn append(&mut self, fault: Fault) {
        if self.in_flight.is_none() {
            self.in_flight = self.shard.seal(1_800_000_000 + self.counter).unwrap();
            for record in self.in_flight.iter().flat_map(|sealed| &sealed.records) {
                let header = record.entry.header().unwrap();
                let before = self.sealed.insert((header.boot_id, header.index), record.body.clone());
                assert_eq!(before, None, "a (key, nonce) pair repeats");
            }
        }
        let Some(sealed) = &self.in_flight else { return };
        if fault == Fault::Error {
            return;
        }
        let times = if fault == Fault::Duplicate { 2 } else { 1 };
        for _ in 0..times {
            let outcome = self.store.append(OPS, sealed.expected_size, &sealed.records, &sealed.head).unwrap();
            assert_eq!(outcome, AppendOutcome::Appended { size: sealed.size });
        }
        if fault == Fault::LostReply {
            return;
        }
        self.in_flight = None;
        let (releases, effects) = self.shard.durable();
        releases.into_iter().for_each(|release| self.released(release.answer));
        for Effect::Send { verification, body, .. } in effects {
            self.live = Some((verification, body.expose().rsplit(' ').next().unwrap().into()));
        }
    }

    fn reboot(&mut self) {
        self.boots += 1;
        self.in_flight = None;
        self.live = None;
        self.shard = boot(&self.store, self.boots);
        self.shard.boot([self.boots; 16], 1_800_000_000 + self.counter);
        self.append(Fault::None);
        // No acknowledged durable event is lost: replay knows every service that was answered for.
        for service in self.acknowledged.clone() {
            let destination = Destination::parse("+15550100999").unwrap();
            let probe =
                Command::Start { caller: caller(), service, destination, subject: service.0, channel: Channel::Sms };
            let fresh = Fresh::new(Secret::init_with(|bytes| bytes.fill(1)));
            let context = Context { now: 1_800_000_000 + self.counter, fresh };
            let decided = adyton_vault::decide(self.shard.state(), probe, &context);
            assert!(decided.is_ok(), "an acknowledged service is gone");
        }
    }
}

/// What a process finds in a store.
fn boot(store: &MemoryStore, number: u8) -> Shard<u64> {
    let keys = keys();
    let mut replay = Replay::new(&keys, VAULT, OPS);
    for record in store.read(OPS, 0, u32::MAX, usize::MAX).unwrap() {
        replay.entry(&record).unwrap();
    }
    let sealer = Sealer::new(&keys, VAULT, OPS, [number; 16], 1).unwrap();
    let signer = SigningKey::from_seed(&keys.derive(Label::LogSigning, &[]).unwrap()).unwrap();
    Shard::new(replay.state, &VAULT, sealer, signer, replay.frontier, replay.bucket)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_acknowledged_is_lost_and_no_nonce_repeats(steps in proptest::collection::vec(step(), 0..80)) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Service => world.submit(Command::CreateService {
                    caller: caller(), friendly_name: "Acme".into(), code_length: 6,
                }),
                Step::Start(who) => if let Some(service) = world.service {
                    let destination = Destination::parse(&format!("+1555010012{who}")).unwrap();
                    world.submit(Command::Start {
                        caller: caller(), service, destination, subject: [who; 16], channel: Channel::Sms,
                    });
                },
                Step::Check(right) => if let (Some(service), Some((sid, code))) = (world.service, world.live.clone()) {
                    let code = Code::parse(if right { &code } else { "0000000" }).unwrap();
                    world.submit(Command::Check { caller: caller(), service, target: Target::Sid(sid), code });
                },
                Step::Append(fault) => world.append(fault),
                Step::Crash => world.reboot(),
                Step::Copy => world.copy = Some(world.store.clone()),
                Step::Restore => if let Some(copy) = world.copy.clone() {
                    // Without notaries a restored folder is not noticed: what it forgot is gone, but no nonce repeats.
                    world.store = copy;
                    world.acknowledged.clear();
                    world.service = None;
                    world.reboot();
                },
            }
        }
        // What was in flight, then what was open behind it.
        world.append(Fault::None);
        world.append(Fault::None);
        let replayed = boot(&world.store, 255);
        prop_assert_eq!(replayed.state().cold_bytes(), world.shard.state().cold_bytes());
    }
}

#[test]
fn a_second_writer_is_fenced() {
    let mut world = World::new();
    let mut second = boot(&world.store, 9);
    second.boot([9; 16], 1_800_000_100);
    let batch = second.seal(1_800_000_100).unwrap().unwrap();
    let appended = world.store.append(OPS, batch.expected_size, &batch.records, &batch.head);
    assert_eq!(appended, Ok::<_, Infallible>(AppendOutcome::Appended { size: batch.size }));

    world.submit(Command::CreateService { caller: caller(), friendly_name: "Acme".into(), code_length: 6 });
    let late = world.shard.seal(1_800_000_101).unwrap().unwrap();
    let refused = world.store.append(OPS, late.expected_size, &late.records, &late.head);
    assert_eq!(refused, Ok(AppendOutcome::Conflict { size: batch.size }));
    assert!(world.acknowledged.is_empty(), "nothing unacknowledged is claimed");
}

#[test]
fn an_answer_waits_for_what_it_tells_of() {
    let mut world = World::new();
    world.submit(Command::CreateService { caller: caller(), friendly_name: "Acme".into(), code_length: 6 });
    world.append(Fault::Error);
    assert!(world.acknowledged.is_empty());
    // A refusal is held too: it could tell of what is not durable yet.
    let wrong = Caller { account: ACCOUNT, token_hash: [0; 32] };
    let fresh = Fresh::new(Secret::init_with(|bytes| bytes.fill(3)));
    let command = Command::CreateService { caller: wrong, friendly_name: "x".into(), code_length: 6 };
    assert!(world.shard.submit(command, &Context { now: 1_800_000_050, fresh }, 99).is_none());
    world.append(Fault::LostReply);
    assert!(world.acknowledged.is_empty());
    world.append(Fault::None);
    assert_eq!(world.acknowledged.len(), 1);
}

#[test]
fn a_state_without_its_log_is_empty() {
    assert_eq!(boot(&MemoryStore::new(), 1).state().cold_bytes(), State::new().cold_bytes());
}
