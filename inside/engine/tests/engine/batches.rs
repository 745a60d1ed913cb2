//! What a batch holds, and when what was decided is told.

use adyton_decider::Class;

use crate::log::{Log, replay};
use crate::toy::{Command, Note, Refusal};

fn note(class: Class, weight: usize) -> Note {
    Note { class, counter: 1, weight }
}

/// More than any body holds.
const HUGE: usize = 1 << 20;

#[test]
fn what_no_batch_holds_refuses_one_caller_and_changes_nothing() {
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
fn a_manifest_that_no_batch_holds_gives_its_ticket_back() {
    let mut log = Log::new();
    assert_eq!(log.shard.snapshot(&vec![1; HUGE], 5), Err(5));
    assert!(!log.append(), "nothing was added");
}

#[test]
fn a_refusal_waits_for_what_is_not_durable() {
    let mut log = Log::new();
    let at_once = log.submit(Command::Refuse);
    assert_eq!(log.answers, [(at_once, Err(Refusal::Refused))]);

    // Behind an open batch, and behind one in flight.
    let counted = log.submit(Command::Count(vec![note(Class::H, 1)]));
    let behind_open = log.submit(Command::Refuse);
    log.shard.seal(log.now).unwrap().unwrap();
    let behind_flight = log.submit(Command::Refuse);
    assert_eq!(log.answers.len(), 1);
    let held = log.shard.durable();
    let tickets: Vec<_> = held.releases.iter().map(|release| release.ticket).collect();
    assert_eq!(tickets, [counted, behind_open, behind_flight]);
}

#[test]
fn a_batch_in_flight_is_the_only_one() {
    let mut log = Log::new();
    log.submit(Command::Count(vec![note(Class::H, 1)]));
    assert!(log.shard.seal(log.now).unwrap().is_some());
    log.submit(Command::Count(vec![note(Class::H, 1)]));
    assert!(log.shard.seal(log.now).unwrap().is_none());
    log.shard.durable();
    assert!(log.shard.seal(log.now).unwrap().is_some());
}

#[test]
fn what_is_due_is_swept_in_steps_that_go_on() {
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

#[test]
fn time_does_not_fall_in_the_log() {
    use adyton_ledger::LogReader;
    let mut log = Log::new();
    for now in [2_000, 1_000, 3_000] {
        log.now = now;
        log.submit(Command::Count(vec![note(Class::H, 1)]));
        log.drain();
    }
    let records = log.store.read(crate::log::OPS, 1, 9, usize::MAX).unwrap();
    let buckets: Vec<_> = records.iter().map(|record| record.entry.header().unwrap().time_bucket).collect();
    assert_eq!(buckets, [200, 200, 300]);
}
