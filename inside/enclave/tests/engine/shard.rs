//! The writer against a store with faults: what was acknowledged is there, what was not is not claimed, a snapshot and
//! the entries after it give the state that all entries give, and no (key, nonce) pair repeats.
//!
//! Faults: an error before the append, a reply lost after it, a repeat, a full disk, a crash, a power failure that tears
//! what no sync had followed, an older copy of the folder put back, and copies that live on beside each other. Snapshots
//! come at any moment and reach as far as they may: chunks that nothing names, an entry that is never durable, a
//! retirement that is lost.

use adyton_ledger::{AppendOutcome, LogStore};
use adyton_seal::Code;
use adyton_vault::{Caller, Check, Outcome, ReportDelivery, State, Target, Tick, TokenHash};
use proptest::prelude::*;

use crate::disk::Disk;
use crate::fixtures::{ACCOUNT, OPS, TOKEN, boot, caller, create_service, service_of, shard, start, tenant};
use crate::world::{Fault, Reach, World};

/// Copies of a folder that live at the same time.
const MAX_WORLDS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Tenant(bool),
    Service,
    Stranger,
    Start(u8),
    Check(bool),
    Report,
    Pass(u64),
    /// Seal and append; the store does this with it.
    Append(Fault),
    Snapshot(Reach),
    Crash,
    Power(u64, u64),
    Copy,
    Restore,
    /// A process starts on the copy, and both go on.
    Diverge,
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::Error),
        1 => Just(Fault::LostReply),
        1 => Just(Fault::Duplicate),
        1 => Just(Fault::Full),
    ];
    let reach = prop_oneof![Just(Reach::Chunks), Just(Reach::Manifest), Just(Reach::Retired)];
    prop_oneof![
        1 => any::<bool>().prop_map(Step::Tenant),
        6 => Just(Step::Service),
        1 => Just(Step::Stranger),
        12 => (0..5u8).prop_map(Step::Start),
        9 => any::<bool>().prop_map(Step::Check),
        3 => Just(Step::Report),
        1 => (1..700u64).prop_map(Step::Pass),
        18 => fault.prop_map(Step::Append),
        4 => reach.prop_map(Step::Snapshot),
        2 => Just(Step::Crash),
        2 => (0..40u64, any::<u64>()).prop_map(|(operations, coins)| Step::Power(operations, coins)),
        2 => Just(Step::Copy),
        2 => Just(Step::Restore),
        1 => Just(Step::Diverge),
    ]
}

fn command(world: &mut World, step: &Step) {
    match step {
        Step::Tenant(right) => {
            let token_hash = if *right { TOKEN } else { TokenHash::from_bytes([3; 32]) };
            world.submit(|| tenant(token_hash));
        }
        Step::Stranger => world.submit(|| service_of(Caller::account(ACCOUNT, TokenHash::NONE))),
        Step::Start(who) => {
            if let Some(service) = world.service {
                world.submit(|| start(service, *who));
            }
        }
        Step::Check(right) => {
            if let (Some(service), Some((sid, _, code))) = (world.service, world.live.clone()) {
                let code = if *right { &code } else { "0000000" };
                let code = || Code::parse(code).unwrap();
                let target = || Target::Sid(sid);
                world.submit(|| Check { caller: caller(), service, target: target(), code: code() }.into());
            }
        }
        Step::Report => {
            if let Some((verification, attempt, _)) = world.live {
                let (outcome, route) = (Outcome::Accepted, Some(0));
                world.submit(|| ReportDelivery { verification, attempt, outcome, route }.into());
            }
        }
        Step::Pass(seconds) => {
            world.pass(*seconds);
            world.submit(|| Tick.into());
        }
        _ => world.submit(create_service),
    }
}

/// Coins from a seed.
fn coins(mut seed: u64) -> impl FnMut() -> bool {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 63 == 1
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_acknowledged_is_lost_nothing_else_is_claimed_and_no_nonce_repeats(
        steps in proptest::collection::vec((any::<prop::sample::Index>(), step()), 0..80),
    ) {
        let mut worlds = vec![World::new()];
        let mut copy = worlds[0].copy();
        for (which, step) in &steps {
            let which = which.index(worlds.len());
            let world = &mut worlds[which];
            match step {
                Step::Append(fault) => world.append(*fault),
                Step::Snapshot(reach) => world.snapshot(*reach),
                Step::Crash => world.crash(),
                Step::Power(operations, seed) => world.power_failure(*operations, coins(*seed)),
                Step::Copy => copy = world.copy(),
                Step::Restore => world.restore(&copy),
                Step::Diverge => {
                    let diverged = world.diverge(&copy);
                    worlds.truncate(MAX_WORLDS - 1);
                    worlds.push(diverged);
                }
                step => command(world, step),
            }
        }
        for mut world in worlds {
            // A boot compares.
            world.drain();
            prop_assert_eq!(&world.stored.cold, &world.shard.state().cold_bytes());
            world.crash();
        }
    }
}

#[test]
fn a_second_writer_is_fenced() {
    let mut world = World::new();
    let copy = world.copy();
    // It boots from the same folder, and is first.
    let mut second = world.diverge(&copy);
    second.submit(create_service);
    second.append(Fault::None);
    world.store = second.store.take();
    let size = second.stored.size;

    world.submit(create_service);
    let late = world.shard.seal(1_800_000_101).unwrap().unwrap();
    let store = world.store.as_mut().unwrap();
    let refused = store.append(OPS, late.expected_size, &late.record, &late.head).unwrap();
    assert_eq!(refused, AppendOutcome::Conflict { size });
    assert!(world.acknowledged.is_empty(), "nothing unacknowledged is claimed");
}

#[test]
fn an_answer_waits_for_what_it_tells_of() {
    let mut world = World::new();
    world.submit(create_service);
    world.append(Fault::Error);
    assert!(world.acknowledged.is_empty());
    // A refusal is held too: it could tell of what is not durable yet. `released` would say so.
    command(&mut world, &Step::Stranger);
    world.append(Fault::LostReply);
    assert!(world.acknowledged.is_empty());
    world.append(Fault::Full);
    assert!(world.acknowledged.is_empty());
    world.append(Fault::None);
    assert_eq!(world.acknowledged.len(), 1);
}

#[test]
fn a_snapshot_is_sealed_anew_whenever_it_is_taken() {
    let mut world = World::new();
    let copy = world.copy();
    let mut other = world.diverge(&copy);
    for _ in 0..3 {
        world.snapshot(Reach::Chunks);
        other.snapshot(Reach::Retired);
        world.crash();
    }
    let sealed: std::collections::BTreeSet<_> = world.seen.borrow().chunks.values().cloned().collect();
    assert_eq!(sealed.len(), 6, "the same state, six ciphertexts");
}

#[test]
fn a_state_without_its_log_is_empty() {
    let shard = shard::<()>(boot(&Disk::default()), [1; 16]);
    assert_eq!(shard.state().cold_bytes(), State::new().cold_bytes());
}
