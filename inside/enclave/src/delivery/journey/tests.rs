//! Journeys past scripted carriers, in paused time: a wait takes none, and every duration is exact.
#![allow(clippy::unwrap_used, reason = "tests")]

mod repeats;
mod senders;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use adyton_seal::{Code, SecretText};
use adyton_vault::{Channel, Part, Text};

use super::*;
use crate::delivery::lane::PLACES;
use crate::delivery::table::tests::{credentials, orders, route};
use crate::delivery::{Credential, RoutingTable};
use crate::egress::EgressError;
use crate::policy::Effective;

const LIFE: Duration = Duration::from_secs(600);
const MINUTE: Duration = Duration::from_secs(60);
const DEAD: Failure = Failure::Transport(EgressError::Connect);

/// Answers from a list, whose last one stays; each takes `delay`, and unless nothing can be reached the letter leaves before.
struct Scripted {
    answers: Mutex<VecDeque<Result<(), Failure>>>,
    delay: Duration,
    deduplicates: bool,
    calls: Mutex<Vec<Instant>>,
}

impl Carrier for Scripted {
    const AT_ONCE: usize = 2;

    fn deduplicates(&self) -> bool {
        self.deduplicates
    }

    async fn hand_over(&self, letter: &Letter, _: &Arc<Credential>) -> Result<(), Failure> {
        self.calls.lock().unwrap().push(Instant::now());
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            if answers.len() > 1 { answers.pop_front().unwrap() } else { *answers.front().unwrap() }
        };
        if !matches!(answer, Err(Failure::Transport(_))) {
            letter.progress.leaves();
        }
        sleep(self.delay).await;
        answer
    }
}

/// Counts repeats, as many as it may.
#[derive(Default)]
struct Vault {
    counted: AtomicU64,
    most: u64,
}

impl Counting for Vault {
    async fn count_repeat(&self) -> bool {
        self.counted.fetch_add(1, Ordering::Relaxed) < self.most
    }
}

struct World {
    lanes: Arc<[Lane<Scripted>]>,
    effective: Watch,
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

fn effective(table: Arc<RoutingTable>, sequence: u64) -> Effective {
    Effective { table, sequence, ..crate::policy::tests::effective() }
}

impl World {
    /// Settings that the owners signed just now.
    fn change(&self, table: Arc<RoutingTable>) {
        let sequence = self.changes.fetch_add(1, Ordering::Relaxed) + 1;
        self.effective.set(effective(table, sequence).into());
    }

    fn new(scripts: &[&[Result<(), Failure>]]) -> Self {
        Self::slow(&scripts.iter().map(|script| (*script, Duration::ZERO)).collect::<Vec<_>>())
    }

    fn slow(scripts: &[(&[Result<(), Failure>], Duration)]) -> Self {
        let lane = |(script, delay): &(&[Result<(), Failure>], Duration)| {
            Lane::new(Scripted {
                answers: Mutex::new(script.iter().copied().collect()),
                delay: *delay,
                deduplicates: false,
                calls: Mutex::default(),
            })
        };
        let all: Vec<usize> = (0..scripts.len()).collect();
        let effective = Watch::new(effective(table(scripts.len(), &all), 0));
        Self { lanes: scripts.iter().map(lane).collect(), effective, changes: AtomicU64::new(0) }
    }

    /// The same, with carriers that deduplicate.
    fn deduplicating(scripts: &[&[Result<(), Failure>]]) -> Self {
        let mut world = Self::new(scripts);
        for lane in Arc::get_mut(&mut world.lanes).unwrap() {
            lane.carrier_mut().deduplicates = true;
        }
        world
    }

    fn begin(&self, to: &str) -> Option<Journey<Scripted>> {
        self.begin_avoiding(to, &[])
    }

    fn begin_avoiding(&self, to: &str, avoid: &[u8]) -> Option<Journey<Scripted>> {
        let code = Code::parse("123456").unwrap();
        let letter = Letter {
            attempt: "VL0123456789abcdef0123456789abcdef".into(),
            to: SecretText::join(&[to]),
            channel: Channel::Sms,
            subject: None,
            progress: Arc::default(),
            text: Text::new(&[Part::Code], &code),
            html: None,
            code,
            until: 0,
            deadline: Instant::now() + LIFE,
        };
        Journey::begin(Arc::clone(&self.lanes), self.effective.clone(), Events::silent(), letter, avoid)
    }

    async fn send(&self) -> Arrival {
        run(self.begin("+15550100123").unwrap()).await
    }

    /// A letter whose journey is to end `after` a while; how it ended, and when.
    async fn stop(&self, after: Duration, ending: Ending) -> (Arrival, Duration) {
        let began = Instant::now();
        let (sender, stop) = oneshot::channel();
        let journey = self.begin("+15550100123").unwrap();
        let running = tokio::spawn(async move { journey.run(&Vault::default(), stop).await });
        sleep(after).await;
        sender.send(ending).unwrap();
        (running.await.unwrap(), began.elapsed())
    }

    fn calls(&self) -> Vec<usize> {
        self.lanes.iter().map(|lane| lane.carrier().calls.lock().unwrap().len()).collect()
    }
}

/// A journey that nobody stops, of a vault that counts no repeat.
async fn run(journey: Journey<Scripted>) -> Arrival {
    let (_sender, stop) = oneshot::channel();
    journey.run(&Vault::default(), stop).await
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
    let world = World::new(&[&[Err(Failure::Recipient)], &[Ok(())]]);
    assert_eq!(world.send().await, (Outcome::Refused, Some(0)));
    assert_eq!(world.calls(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn refusal_that_may_concern_the_recipient_counts_as_one_once_every_route_has_it() {
    let (perhaps, other) = (Err(Failure::PerhapsRecipient), Err(Failure::NotThisRoute));
    for (scripts, outcome, last) in [
        (&[perhaps][..], Outcome::Refused, 0),
        (&[perhaps, perhaps], Outcome::Refused, 1),
        (&[perhaps, Ok(())], Outcome::Accepted, 1),
        (&[perhaps, other], Outcome::GaveUp, 1),
        (&[other, perhaps], Outcome::GaveUp, 1),
        (&[perhaps, Err(Failure::Sender)], Outcome::GaveUp, 1),
        (&[perhaps, Err(Failure::Unconfirmed)], Outcome::Unconfirmed, 1),
        (&[perhaps, Err(Failure::Busy(None))], Outcome::GaveUp, 1),
    ] {
        let scripts: Vec<_> = scripts.iter().map(std::slice::from_ref).collect();
        assert_eq!(World::new(&scripts).send().await, (outcome, Some(last)), "{scripts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn busy_carrier_is_asked_a_bounded_number_of_times_until_the_code_ends() {
    for script in [Err(Failure::Busy(None)), Err(Failure::Busy(Some(Duration::ZERO)))] {
        for routes in 1..=3 {
            let world = World::new(&vec![&[script][..]; routes]);
            let began = Instant::now();
            assert_eq!(world.send().await.0, Outcome::GaveUp);
            assert_eq!(began.elapsed(), LIFE);
            // `docs/LIMITS.md`; `backoff` has the waits that this follows from.
            assert!(world.calls().iter().all(|calls| (2..=19).contains(calls)), "{:?}", world.calls());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_taken_is_not_repeated() {
    let world = World::new(&[&[Err(Failure::Unconfirmed)], &[Ok(())]]);
    assert_eq!(world.send().await, (Outcome::Unconfirmed, Some(0)));
    assert_eq!(world.calls(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_refuses_the_sender_is_followed_by_the_next_at_once() {
    let world = World::new(&[&[Err(Failure::Sender)], &[Ok(())]]);
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
    assert_eq!((world.calls(), began.elapsed()), (vec![1, 1], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_route_that_will_not_is_asked_once() {
    let world = World::new(&[&[Err(Failure::NotThisRoute)], &[Err(DEAD), Ok(())], &[Ok(())]]);
    assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
    assert_eq!(world.calls(), [1, 2, 0]);
    let world = World::new(&[&[Err(Failure::NotThisRoute)], &[Err(Failure::NotThisRoute)]]);
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::GaveUp, Some(1)));
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
async fn retry_after_of_one_route_holds_for_that_route_only() {
    // The other route is left out: that does not end the wait.
    let world = World::new(&[&[Err(Failure::Busy(Some(MINUTE))), Ok(())], &[Err(Failure::NotThisRoute)]]);
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::Accepted, Some(0)));
    assert_eq!((world.calls(), began.elapsed()), (vec![2, 1], MINUTE));
    // The last route asks for more than a code lives: the first one is asked again after its own wait.
    let world = World::new(&[&[Err(Failure::Busy(None)), Ok(())], &[Err(Failure::Busy(Some(2 * LIFE)))]]);
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::Accepted, Some(0)));
    assert_eq!(world.calls(), [2, 1]);
    // The waits after a first and a second failure are no longer.
    assert!(began.elapsed() <= Duration::from_millis(400), "{:?}", began.elapsed());
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
    let waiting: Vec<_> = (0..1000).map(|_| tokio::spawn(run(world.begin("+15550100123").unwrap()))).collect();
    while world.calls()[0] < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(run(world.begin("+447700900123").unwrap()).await, (Outcome::Accepted, Some(1)));
    assert_eq!(began.elapsed(), Duration::ZERO, "of the other route's");
    // Those that had no turn go on to the second; the two that had one wait for their answer until the end.
    let mut given_up = 0;
    for arrival in waiting {
        match arrival.await.unwrap() {
            (Outcome::Accepted, Some(1)) => {}
            (Outcome::Unconfirmed, Some(0)) => given_up += 1,
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
    let probe = tokio::spawn(run(world.begin("+15550100123").unwrap()));
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
    let under_way = tokio::spawn(run(world.begin("+15550100123").unwrap()));
    sleep(Duration::from_secs(60)).await;
    // The only credential it had is withdrawn.
    world.change(table(2, &[1]));
    assert_eq!(under_way.await.unwrap(), (Outcome::GaveUp, Some(0)));
    assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_busy_carrier_is_left_at_once_for_the_next() {
    let world = World::new(&[&[Err(Failure::Busy(None)), Ok(())], &[Ok(())]]);
    let began = Instant::now();
    assert_eq!(world.send().await, (Outcome::Accepted, Some(1)));
    assert_eq!((world.calls(), began.elapsed()), (vec![1, 1], Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_route_to_avoid_is_the_last_one() {
    let world = World::new(&[&[Ok(())], &[Ok(())]]);
    let avoiding = world.begin_avoiding("+15550100123", &[0]).unwrap();
    assert_eq!(run(avoiding).await, (Outcome::Accepted, Some(1)));
    let avoiding = world.begin_avoiding("+447700900123", &[1]).unwrap();
    assert_eq!(run(avoiding).await, (Outcome::Accepted, Some(1)), "there is no other");
}

#[tokio::test(start_paused = true)]
async fn a_journey_that_is_stopped_hands_nothing_over_any_more() {
    // It waits for a carrier that refuses, and for one that cannot be reached.
    for refusal in [Failure::Busy(Some(MINUTE)), DEAD] {
        let world = World::new(&[&[Err(refusal), Ok(())]]);
        let after = Duration::from_millis(1);
        let (arrival, took) = world.stop(after, Ending::Stopped).await;
        assert_eq!((arrival, took), ((Outcome::Withdrawn, Some(0)), after), "{refusal:?}");
        sleep(LIFE).await;
        assert_eq!(world.calls(), [1]);
    }
    // One whose turn has not come.
    let world = World::slow(&[(&[Ok(())], LIFE)]);
    let busy: Vec<_> = (0..2).map(|_| tokio::spawn(run(world.begin("+15550100123").unwrap()))).collect();
    tokio::task::yield_now().await;
    let (arrival, took) = world.stop(MINUTE, Ending::Stopped).await;
    assert_eq!((arrival, took), ((Outcome::Withdrawn, None), MINUTE));
    busy.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(world.calls(), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_not_made_yet_is_given_up_at_once() {
    let world = World::slow(&[(&[Err(DEAD)], MINUTE)]);
    let after = Duration::from_secs(1);
    assert_eq!(world.stop(after, Ending::Stopped).await, ((Outcome::Withdrawn, None), after));
}

#[tokio::test(start_paused = true)]
async fn a_hand_over_that_may_have_left_is_awaited_and_reported_as_it_ended() {
    let ten = Duration::from_secs(10);
    for (answer, outcome) in [
        (Ok(()), Outcome::Accepted),
        (Err(Failure::Recipient), Outcome::Withdrawn),
        (Err(Failure::Busy(None)), Outcome::Withdrawn),
        (Err(Failure::NotThisRoute), Outcome::Withdrawn),
        (Err(Failure::Unconfirmed), Outcome::Unconfirmed),
    ] {
        let world = World::slow(&[(&[answer, Ok(())], ten), (&[Ok(())], Duration::ZERO)]);
        let (arrival, took) = world.stop(Duration::from_secs(1), Ending::Stopped).await;
        assert_eq!((arrival, took), ((outcome, Some(0)), ten), "{answer:?}");
        assert_eq!(world.calls(), [1, 0], "{answer:?}");
    }
    // An answer that never comes is awaited for half a minute.
    let world = World::slow(&[(&[Ok(())], LIFE)]);
    let (arrival, took) = world.stop(ten, Ending::Stopped).await;
    assert_eq!((arrival, took), ((Outcome::Unconfirmed, Some(0)), ten + WITHDRAW_TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn an_expiry_that_the_vault_tells_is_the_codes_end() {
    let second = Duration::from_secs(1);
    let world = World::new(&[&[Err(DEAD)]]);
    assert_eq!(world.stop(second, Ending::Expired).await, ((Outcome::Unreachable, Some(0)), second));
    let world = World::new(&[&[Err(Failure::Busy(None))]]);
    assert_eq!(world.stop(second, Ending::Expired).await, ((Outcome::GaveUp, Some(0)), second));
}
