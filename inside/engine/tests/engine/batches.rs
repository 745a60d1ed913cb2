//! Batches: their contents, and when answers leave.

use adyton_decider::{Class, Gate};
use adyton_engine::sealing::Opener;
use adyton_ledger::{Body, Kind, LogReader, Record};

use crate::log::{KEYS, Log, OPS, VAULT, replay};
use crate::toy::{Asked, Command, Note, Refusal};

fn note(class: Class, weight: usize) -> Note {
    Note { class, counter: 1, weight }
}

/// More than any body holds.
const HUGE: usize = 1 << 20;

#[test]
fn oversized_operation_is_refused_alone() {
    let mut log = Log::new();
    log.submit(Command::Count(vec![note(Class::S, 1)]));
    let before = log.shard.state().cold();
    // An operation is never split: the small event goes with the large one.
    let refused = log.submit(Command::Count(vec![note(Class::S, 2), note(Class::H, HUGE)]));
    assert_eq!(log.shard.state().cold(), before);
    let next = log.submit(Command::Count(vec![note(Class::S, 3)]));
    log.drain();
    assert_eq!(log.answers, [(0, Ok(1)), (refused, Err(Refusal::TooLarge)), (next, Ok(1))]);
    assert_eq!(log.effects, [1, 1]);
    assert_eq!(replay(&log.store).state.cold(), log.shard.state().cold());
}

#[test]
fn oversized_manifest_returns_its_ticket() {
    let mut log = Log::new();
    assert_eq!(log.shard.snapshot(&vec![1; HUGE], 5), Err(5));
    assert!(!log.append(), "nothing was added");
}

#[test]
fn refusal_waits_until_earlier_batches_are_durable() {
    let mut log = Log::new();
    let at_once = log.submit(Command::Refuse);
    assert_eq!(log.answers, [(at_once, Err(Refusal::Refused))]);

    // Behind an open batch, and behind one in flight.
    let counted = log.submit(Command::Count(vec![note(Class::H, 1)]));
    let behind_open = log.submit(Command::Refuse);
    log.shard.seal(log.now).unwrap().unwrap();
    let behind_flight = log.submit(Command::Refuse);
    assert_eq!(log.answers.len(), 1);
    let held = log.shard.reached(Gate::Certified, log.shard.size());
    let tickets: Vec<_> = held.releases.iter().map(|release| release.ticket).collect();
    assert_eq!(tickets, [counted, behind_open, behind_flight]);
}

#[test]
fn charge_is_durable_before_its_token_and_survives_its_loss() {
    let mut log = Log::new();
    log.submit(Asked::Charge(3));
    // Decided, and spent in the state, but not durable: nobody has the token yet.
    assert_eq!((log.shard.state().spent.len(), log.charged.len()), (1, 0));
    log.shard.seal(log.now).unwrap().unwrap();
    assert!(log.charged.is_empty());
    // The power is cut: neither the try nor its token is there.
    let mut log = Log::boot(std::mem::take(&mut log.store), 2);
    assert!(log.shard.state().spent.is_empty());

    log.submit(Asked::Charge(3));
    log.submit(Asked::Charge(4));
    log.drain();
    assert_eq!(log.charged.len(), 2);
    // One is used, which uses it up; the other is lost with the boot, and its try stays spent.
    let first = log.charged.remove(0);
    log.submit(Asked::Conclude(first));
    log.drain();
    let log = Log::boot(std::mem::take(&mut log.store), 3);
    let state = log.shard.state();
    assert_eq!(state.spent.iter().map(|(counter, _)| *counter).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(state.sync.iter().map(|(counter, _)| *counter).collect::<Vec<_>>(), [3]);
}

#[test]
fn view_and_frozen_state_show_everything_up_to_their_batch() {
    let mut log = Log::new();
    let count = |log: &mut Log, weight| log.submit(Command::Count(vec![note(Class::S, weight)]));
    count(&mut log, 150_000);
    let first = log.shard.view();
    assert!(log.shard.freeze_next().is_none());
    // The second one closes the first batch, whose frozen state is without it.
    count(&mut log, 150_000);
    let second = log.shard.view();
    assert!(log.shard.seal(log.now).unwrap().is_some());
    // Neither does what comes while it is in flight change what it shows.
    count(&mut log, 3);
    let held = log.shard.reached(Gate::Certified, log.shard.size());
    assert_eq!(held.view, Some(first.clone()));
    let (frozen, frontier) = held.frozen.unwrap();
    assert_eq!((frozen, frontier.size()), (first, 2));

    assert!(log.shard.seal(log.now).unwrap().is_some());
    let held = log.shard.reached(Gate::Certified, log.shard.size());
    assert!(held.view == Some(log.shard.view()) && held.view != Some(second));
    assert!(held.frozen.is_none(), "nobody asked again");
    // All is durable: frozen state comes at once.
    let (frozen, frontier) = log.shard.freeze_next().unwrap();
    assert_eq!((&frozen, frontier.size()), (log.shard.state(), 3));
}

#[test]
fn a_batch_in_flight_is_the_only_one() {
    let mut log = Log::new();
    log.submit(Command::Count(vec![note(Class::H, 1)]));
    assert!(log.shard.seal(log.now).unwrap().is_some());
    log.submit(Command::Count(vec![note(Class::H, 1)]));
    assert!(log.shard.seal(log.now).unwrap().is_none());
    log.shard.reached(Gate::Durable, log.shard.size());
    assert!(log.shard.seal(log.now).unwrap().is_some());
}

/// Tickets and effects that leave when the log is durable or certified up to a size.
fn reached(log: &mut Log, gate: Gate, size: u64) -> (Vec<usize>, Vec<usize>) {
    let held = log.shard.reached(gate, size);
    (held.releases.iter().map(|release| release.ticket).collect(), held.effects)
}

#[test]
fn batch_passes_at_its_latest_gate_in_order() {
    let mut log = Log::new();
    let batch = |log: &mut Log, classes: &[Class]| {
        let notes = |class: &Class| vec![note(*class, 1)];
        let tickets: Vec<usize> = classes.iter().map(|class| log.submit(Command::Count(notes(class)))).collect();
        log.shard.seal(log.now).unwrap().unwrap();
        (log.shard.size(), tickets)
    };
    // Hot and audit alone: durable is enough.
    let (size, tickets) = batch(&mut log, &[Class::H, Class::A]);
    assert_eq!(reached(&mut log, Gate::Durable, size), (tickets, vec![1, 1]));

    // Spent, sync: certified comes later, and meanwhile the next ones are sealed and durable.
    let (spent, mut waiting) = batch(&mut log, &[Class::H, Class::P]);
    assert_eq!(reached(&mut log, Gate::Durable, spent), (vec![], vec![]));
    let (sync, of_sync) = batch(&mut log, &[Class::S]);
    assert_eq!(reached(&mut log, Gate::Durable, sync), (vec![], vec![]));
    let (hot, of_hot) = batch(&mut log, &[Class::H]);
    // It could tell of what is not certified.
    let refusal = log.submit(Command::Refuse);
    assert_eq!(reached(&mut log, Gate::Durable, hot), (vec![], vec![]), "not before those before it");
    assert_eq!(log.answers, []);
    assert_eq!(reached(&mut log, Gate::Certified, spent), (waiting.clone(), vec![1, 1]));
    waiting = [of_sync, of_hot, vec![refusal]].concat();
    assert_eq!(reached(&mut log, Gate::Certified, sync), (waiting, vec![1, 1]));

    // Nothing waits any longer; a later head covers all before it, and what is certified is durable.
    let at_once = log.submit(Command::Refuse);
    assert_eq!(log.answers, [(at_once, Err(Refusal::Refused))]);
    let (size, tickets) = batch(&mut log, &[Class::S]);
    assert_eq!(reached(&mut log, Gate::Certified, size), (tickets, vec![1]));
    assert_eq!(reached(&mut log, Gate::Certified, size + 9), (vec![], vec![]));
}

#[test]
fn empty_entry_only_when_idle() {
    let mut log = Log::new();
    log.shard.append_empty();
    log.shard.append_empty();
    let refused = log.submit(Command::Refuse);
    assert!(log.answers.is_empty(), "it waits for the entry");
    assert!(log.append() && !log.append());
    assert_eq!(log.answers, [(refused, Err(Refusal::Refused))]);
    let size = log.shard.size();
    let entry = log.store.read(OPS, size - 1, 1, usize::MAX).unwrap().remove(0);
    assert_eq!((entry.hot, entry.kept), (None, None));
    log.submit(Command::Count(vec![note(Class::H, 1)]));
    log.shard.append_empty();
    assert!(log.append() && !log.append());
    assert_eq!(replay(&log.store).state.cold(), log.shard.state().cold());
}

#[test]
fn sweeps_are_capped_and_continue() {
    const CAP: usize = 100;
    let mut log = Log::new();
    for at in 0..10 * CAP as u64 + 1 {
        log.submit(Command::Promise(at));
    }
    log.now = 5_000;
    let mut sweeps = 0;
    loop {
        let left = log.shard.state().promises.len();
        log.sweep(CAP);
        sweeps += 1;
        assert_eq!(left - log.shard.state().promises.len(), left.min(CAP));
        log.drain();
        if !log.shard.owes_sweep() {
            break;
        }
    }
    assert_eq!((sweeps, log.shard.state().promises.len()), (11, 0));
    assert_eq!(replay(&log.store).state.cold(), log.shard.state().cold());
}

/// Kind, sizes and number of operations of each entry after the boot's.
fn entries(log: &Log) -> Vec<(Kind, [usize; 2], u16)> {
    let mut opener = Opener::new(&KEYS, VAULT, OPS);
    let records = log.store.read(OPS, 1, u32::MAX, usize::MAX).unwrap();
    let entry = |record: &Record| {
        let header = record.entry.header().unwrap();
        let opened = opener.open(record, &header).unwrap();
        let count = opened.hot.as_ref().or(opened.kept.as_ref()).unwrap().count();
        (header.kind, Body::ALL.map(|body| header.size(body).bytes()), count)
    };
    records.iter().map(entry).collect()
}

#[test]
fn an_operation_is_never_split() {
    let mut log = Log::new();
    let large = |class| note(class, 150_000);
    // The second's hot part would fit the first batch; its kept part does not.
    log.submit(Command::Count(vec![large(Class::S), note(Class::H, 1)]));
    log.submit(Command::Count(vec![large(Class::S), note(Class::H, 1)]));
    log.drain();
    assert_eq!(entries(&log), [(Kind::Ops, [1024, 262_144], 1), (Kind::Ops, [1024, 262_144], 1)]);
}

#[test]
fn empty_body_is_absent() {
    let mut log = Log::new();
    for class in [Class::H, Class::P, Class::H] {
        log.submit(Command::Count(vec![note(class, 1)]));
    }
    log.drain();
    log.submit(Command::Count(vec![note(Class::A, 1)]));
    log.submit(Command::Count(vec![note(Class::S, 1)]));
    log.drain();
    log.submit(Command::Count(vec![note(Class::H, 1)]));
    log.submit(Command::Count(vec![note(Class::S, 1)]));
    log.drain();
    let expected = [(Kind::Ops, [1024, 0], 3), (Kind::Ops, [0, 1024], 2), (Kind::Ops, [1024, 1024], 2)];
    assert_eq!(entries(&log), expected);
}

#[test]
fn a_manifest_is_a_batch_of_its_own() {
    let mut log = Log::new();
    log.submit(Command::Count(vec![note(Class::H, 1)]));
    log.snapshot(7);
    assert!(!log.shard.is_full(), "it stands in nobody's way");
    log.submit(Command::Count(vec![note(Class::H, 1)]));
    assert!(log.shard.is_full(), "two batches of commands wait");
    log.drain();
    let ops = (Kind::Ops, [1024, 0], 1);
    assert_eq!(entries(&log), [ops, (Kind::Snapshot, [0, 1024], 1), ops]);
    assert_eq!(log.snapshots, [7]);
}

#[test]
fn header_reveals_no_tenant_and_no_count() {
    let sealed = |counters: &[u8]| {
        let mut log = Log::new();
        counters.iter().for_each(|counter| {
            log.submit(Command::Count(vec![Note { class: Class::H, counter: *counter, weight: 20 }]));
        });
        let sealed = log.shard.seal(log.now).unwrap().unwrap();
        let mut header = sealed.record.entry.header().unwrap();
        header.hot_root = Default::default();
        (header, sealed.record.hot.unwrap().len())
    };
    assert_eq!(sealed(&[1]), sealed(&[2, 3, 3, 1, 0]));
}

#[test]
fn time_does_not_fall_in_the_log() {
    let mut log = Log::new();
    for now in [2_000, 1_000, 3_000] {
        log.now = now;
        log.submit(Command::Count(vec![note(Class::H, 1)]));
        log.drain();
    }
    let records = log.store.read(OPS, 1, 9, usize::MAX).unwrap();
    let buckets: Vec<_> = records.iter().map(|record| record.entry.header().unwrap().time_bucket).collect();
    assert_eq!(buckets, [200, 200, 300]);
}
