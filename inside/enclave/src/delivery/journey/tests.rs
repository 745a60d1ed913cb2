//! Journeys past scripted carriers, in paused time: a wait takes none, and every duration is exact.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use adyton_seal::{Code, SecretText};
use adyton_vault::{Channel, Rules};
use tokio::time::sleep;

use super::*;
use crate::delivery::lane::PLACES;
use crate::delivery::table::tests::{credentials, orders, route};
use crate::delivery::{Credential, RoutingTable};
use crate::egress::EgressError;
use crate::policy::Current;

const LIFE: Duration = Duration::from_secs(600);
const MINUTE: Duration = Duration::from_secs(60);
const DEAD: Failure = Failure::Transport(EgressError::Connect);

/// Answers from a list, whose last one stays; each takes `delay`.
struct Scripted {
    answers: Mutex<VecDeque<Result<(), Failure>>>,
    delay: Duration,
    calls: Mutex<Vec<Instant>>,
}

impl Carrier for Scripted {
    const AT_ONCE: usize = 2;

    async fn hand_over(&self, _: &Letter, _: &Arc<Credential>) -> Result<(), Failure> {
        self.calls.lock().unwrap().push(Instant::now());
        sleep(self.delay).await;
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop_front().unwrap() } else { *answers.front().unwrap() }
    }
}

struct World {
    lanes: Arc<[Lane<Scripted>]>,
    current: Holder,
    changes: AtomicU64,
}

/// A table of so many routes, those that are known with a credential, in which numbers of +44 take the last route only.
fn table(count: usize, known: &[usize]) -> Arc<RoutingTable> {
    let names: Vec<String> = (0..count).map(|place| place.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let routes: Vec<_> = names.iter().map(|name| route(name, &[Channel::Sms])).collect();
    let known: Vec<&str> = known.iter().map(|place| names[*place]).collect();
    let orders = orders(&[("+", &names), ("+44", &names[count - 1..])]);
    Arc::new(RoutingTable::new(&routes, &orders, credentials(&routes, &known)))
}

fn current(table: Arc<RoutingTable>, sequence: u64) -> Current {
    Current { rules: Rules::default(), table, public: None, external: Ok(None), sequence, settings_hash: [0; 32] }
}

impl World {
    /// Settings that the owners signed just now.
    fn change(&self, table: Arc<RoutingTable>) {
        let sequence = self.changes.fetch_add(1, Ordering::Relaxed) + 1;
        self.current.set(current(table, sequence));
    }

    fn new(scripts: &[&[Result<(), Failure>]]) -> Self {
        Self::slow(&scripts.iter().map(|script| (*script, Duration::ZERO)).collect::<Vec<_>>())
    }

    fn slow(scripts: &[(&[Result<(), Failure>], Duration)]) -> Self {
        let lane = |(script, delay): &(&[Result<(), Failure>], Duration)| {
            Lane::new(Scripted {
                answers: Mutex::new(script.iter().copied().collect()),
                delay: *delay,
                calls: Mutex::default(),
            })
        };
        let all: Vec<usize> = (0..scripts.len()).collect();
        let current = Holder::new(current(table(scripts.len(), &all), 0));
        Self { lanes: scripts.iter().map(lane).collect(), current, changes: AtomicU64::new(0) }
    }

    fn begin(&self, to: &str) -> Option<Journey<Scripted>> {
        let letter = Letter {
            attempt: "VL0123456789abcdef0123456789abcdef".into(),
            to: SecretText::join(&[to]),
            channel: Channel::Sms,
            subject: None,
            text: SecretText::join(&["code"]),
            html: None,
            code: Code::parse("123456").unwrap(),
            until: 0,
            deadline: Instant::now() + LIFE,
        };
        Journey::begin(Arc::clone(&self.lanes), self.current.clone(), Events::silent(), letter)
    }

    async fn send(&self) -> Arrival {
        self.begin("+15550100123").unwrap().run().await
    }

    fn calls(&self) -> Vec<usize> {
        self.lanes.iter().map(|lane| lane.carrier().calls.lock().unwrap().len()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_carrier_is_followed_by_the_next() {
    let world = World::new(&[&[Err(DEAD)], &[Ok(())]]);
    assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
    assert_eq!(world.calls(), [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_second_try_may_do() {
    let world = World::new(&[&[Err(DEAD), Ok(())], &[Ok(())]]);
    assert_eq!(world.send().await, (Outcome::Accepted, Some(0)));
    assert_eq!(world.calls(), [2, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_it() {
    let world = World::new(&[&[Err(Failure::Refused)], &[Ok(())]]);
    assert_eq!(world.send().await, (Outcome::Refused, Some(0)));
    assert_eq!(world.calls(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_will_not_is_asked_once() {
    let world = World::new(&[&[Err(Failure::NotThisRoute)], &[Err(DEAD), Ok(())], &[Ok(())]]);
    assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
    assert_eq!(world.calls(), [1, 2, 0]);
    let world = World::new(&[&[Err(Failure::NotThisRoute)], &[Err(Failure::NotThisRoute)]]);
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::Refused, Some(1)));
    assert_eq!((world.calls(), began.elapsed()), (vec![1, 1], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn tries_end_with_the_code() {
    let began = Instant::now();
    let world = World::new(&[&[Err(DEAD)], &[Err(DEAD)]]);
    // Which route was the last one is left to the jitter.
    assert_eq!(world.send().await.0, Outcome::Unreachable);
    assert_eq!(began.elapsed(), LIFE);
    for lane in &*world.lanes {
        let calls = lane.carrier().calls.lock().unwrap();
        assert!(calls.last().unwrap().duration_since(began) < LIFE);
        // The breaker's periods alone: 2, 4, 8, 16, 32, 60 … seconds.
        assert!((10..=25).contains(&calls.len()), "{}", calls.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_answers_was_reached() {
    let world = World::new(&[&[Err(Failure::Busy(None))]]);
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::GaveUp, Some(0)));
    assert_eq!(began.elapsed(), LIFE);
}

#[tokio::test(start_paused = true)]
async fn what_a_carrier_asks_for_is_waited() {
    let seven = Duration::from_secs(7);
    let world = World::new(&[&[Err(Failure::Busy(Some(seven))), Ok(())]]);
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::Accepted, Some(0)));
    assert_eq!(began.elapsed(), seven);
    // If there is another carrier, it is asked at once.
    let world = World::new(&[&[Err(Failure::Busy(Some(seven))), Ok(())], &[Ok(())]]);
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
    assert_eq!((world.calls(), began.elapsed()), (vec![1, 1], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_passed_over() {
    let world = World::new(&[&[Err(DEAD)], &[Ok(())]]);
    for _ in 0..3 {
        assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
    }
    assert_eq!(world.calls(), [5, 3], "opened by the fifth failure");
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
    assert_eq!((world.calls(), began.elapsed()), (vec![5, 4], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_comes_back_is_used_again() {
    let mut script = vec![Err(DEAD); 7];
    script.push(Ok(()));
    let world = World::new(&[&script]);
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::Accepted, Some(0)));
    // Two probes failed: 2, 4 and 8 seconds.
    assert!(began.elapsed() >= Duration::from_secs(14), "{:?}", began.elapsed());
    assert_eq!(world.send().await, (Outcome::Accepted, Some(0)));
    assert_eq!(world.calls(), [9]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_carrier_costs_other_routes_nothing() {
    // The first carrier never answers; the second is at once there.
    let world = World::slow(&[(&[Ok(())], 2 * LIFE), (&[Ok(())], Duration::ZERO)]);
    let began = Instant::now();
    let waiting: Vec<_> = (0..1000).map(|_| tokio::spawn(world.begin("+15550100123").unwrap().run())).collect();
    while world.calls()[0] < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.begin("+447700900123").unwrap().run().await, (Outcome::Accepted, Some(1)));
    assert_eq!(began.elapsed(), Duration::ZERO, "of the other route's");
    // Those that had no turn go on to the second; the two that had one wait for their answer until the end.
    let mut given_up = 0;
    for arrival in waiting {
        match arrival.await.unwrap() {
            (Outcome::Accepted, Some(1)) => {}
            (Outcome::GaveUp, None) => given_up += 1,
            other => unreachable!("{other:?}"),
        }
    }
    assert_eq!(given_up, 2);
    assert_eq!(world.calls(), [2, 999]);
}

#[tokio::test(start_paused = true)]
async fn a_full_route_is_passed_over_and_two_are_no_way() {
    let world = World::new(&[&[Ok(())], &[Ok(())]]);
    let first: Vec<_> = (0..PLACES).map(|_| world.lanes[0].place().unwrap()).collect();
    assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
    let second: Vec<_> = (0..PLACES).map(|_| world.lanes[1].place().unwrap()).collect();
    assert!(world.begin("+15550100123").is_none());
    drop(first);
    assert_eq!(world.send().await, (Outcome::Accepted, Some(0)));
    assert!(world.begin("+447700900123").is_none());
    drop(second);
    assert!(world.begin("+447700900123").is_some());
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_probe_lets_the_next_one_probe() {
    // Five failures open the breaker; the sixth letter would be answered after a minute.
    let world = World::slow(&[(&[Err(DEAD), Err(DEAD), Err(DEAD), Err(DEAD), Err(DEAD), Ok(())], MINUTE)]);
    let probe = tokio::spawn(world.begin("+15550100123").unwrap().run());
    while world.calls() != [6] {
        sleep(Duration::from_millis(100)).await;
    }
    probe.abort();
    assert!(probe.await.unwrap_err().is_cancelled());
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::Accepted, Some(0)));
    assert_eq!(began.elapsed(), MINUTE, "it probed at once");
}

#[tokio::test(start_paused = true)]
async fn settings_take_effect_at_once() {
    let world = World::new(&[&[Err(DEAD)], &[Ok(())]]);
    world.change(table(2, &[]));
    assert!(world.begin("+15550100123").is_none(), "no credential");
    world.change(table(2, &[0]));
    let under_way = tokio::spawn(world.begin("+15550100123").unwrap().run());
    sleep(Duration::from_secs(60)).await;
    // The only credential it had is withdrawn.
    world.change(table(2, &[1]));
    assert_eq!(under_way.await.unwrap(), (Outcome::Refused, Some(0)));
    assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
}
