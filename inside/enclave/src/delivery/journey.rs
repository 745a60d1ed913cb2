//! One letter's way along the routes of its order.
//!
//! 1. The routes are tried in order. A route that could not be reached is tried [`TRIES`] times,
//!    the last one left as often as there is time; one that is busy is left at once for the next.
//! 2. Between tries at one route it waits ([`backoff`]), at least as long as the carrier asked for.
//!    From one route to the next it does not wait: only after the last one, until the first of them
//!    may be tried again.
//! 3. A route whose breaker is open, whose turn does not come or which has no place is passed over.
//! 4. A route that refuses this letter, or the sender, is not tried again. A carrier that refuses
//!    the recipient ends the journey. If a reply leaves open which of them it refuses, the next
//!    route is tried; once every route has given such a reply, the recipient counts as refused.
//! 5. A hand-over that left and was not confirmed is the last one, for a carrier may have the
//!    letter: no route is tried any more. Only a carrier that deduplicates by the letter's key gets
//!    it again, after each of [`REPEAT_AFTER`], and only once the vault has counted the repeat as a
//!    message.
//! 6. The journey ends with the code, and with its verification. What has not left by then does not
//!    leave. A hand-over that may have left is awaited for at most [`WITHDRAW_TIMEOUT`], so that
//!    its outcome is known; nothing follows it.

use std::pin::pin;
use std::sync::Arc;

use adyton_frame::Event;
use adyton_vault::{MAX_REPEATS, Outcome};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant, sleep, sleep_until, timeout, timeout_at};

use super::backoff;
use super::carrier::{Carrier, Failure, Letter};
use super::lane::{Lane, Miss, Place, TURN_TIMEOUT};
use crate::events::Events;
use crate::policy::Watch;

/// Tries at one route that cannot be reached before the next.
const TRIES: u32 = 2;
/// Waits before the repeats of a letter that was not confirmed.
const REPEAT_AFTER: [Duration; MAX_REPEATS as usize] = [Duration::from_secs(1), Duration::from_secs(5)];
/// Longest wait for the outcome of a hand-over under way when the journey is to end.
const WITHDRAW_TIMEOUT: Duration = Duration::from_secs(30);

/// How a journey ended: the outcome, and the last route that was tried.
pub(super) type Arrival = (Outcome, Option<u8>);

/// Why a journey is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its code has expired.
    Expired,
    /// Its verification has ended, or a newer attempt replaces it.
    Stopped,
}

/// Has the vault count a repeat as a message.
pub(super) trait Counting: Send + Sync {
    /// Whether it was counted. If not, there is no repeat.
    fn count_repeat(&self) -> impl Future<Output = bool> + Send;
}

/// A route that is left.
struct Leg {
    route: u8,
    /// It is not tried before.
    ready: Instant,
}

/// A letter under way.
pub(super) struct Journey<C> {
    pub(super) lanes: Arc<[Lane<C>]>,
    pub(super) effective: Watch,
    pub(super) events: Events,
    pub(super) letter: Letter,
    /// Routes that are left.
    legs: Vec<Leg>,
    /// The one that is tried, as an index into `legs`.
    at: usize,
    /// The place that is held, and at which route.
    place: (u8, Place),
    failures: u32,
    tries_here: u32,
    last: Option<u8>,
    /// Whether any carrier answered anything.
    answered: bool,
    /// Whether every route that was left out perhaps refused the recipient.
    perhaps_recipient: bool,
    /// The route that may have the letter.
    unconfirmed: Option<u8>,
}

impl<C: Carrier> Journey<C> {
    /// Begins at the first route of the letter's order that has a place, those to avoid last; without one there is no journey.
    pub(super) fn begin(
        lanes: Arc<[Lane<C>]>,
        effective: Watch,
        events: Events,
        letter: Letter,
        avoid: &[u8],
    ) -> Option<Self> {
        let mut routes = effective.now().table.order(letter.channel, letter.to.expose());
        routes.sort_by_key(|route| avoid.contains(route));
        let held = |(at, route): (usize, &u8)| Some((at, (*route, lanes.get(usize::from(*route))?.place()?)));
        let (at, place) = routes.iter().enumerate().find_map(held)?;
        let now = Instant::now();
        let legs = routes.into_iter().map(|route| Leg { route, ready: now }).collect();
        Some(Self {
            lanes,
            effective,
            events,
            letter,
            legs,
            at,
            place,
            failures: 0,
            tries_here: 0,
            last: None,
            answered: false,
            perhaps_recipient: true,
            unconfirmed: None,
        })
    }

    /// Goes until the letter has arrived, cannot, or must not any more.
    pub(super) async fn run(mut self, counting: &impl Counting, stop: oneshot::Receiver<Ending>) -> Arrival {
        let (progress, deadline) = (Arc::clone(&self.letter.progress), self.letter.deadline);
        let ending = {
            let mut going = pin!(self.go(counting));
            let ending = tokio::select! {
                biased;
                ending = ending(stop, deadline) => ending,
                arrival = &mut going => match arrival {
                    Some(arrival) => return arrival,
                    None => Ending::Stopped,
                },
            };
            // 6.
            if progress.has_left() {
                progress.end();
                match timeout(WITHDRAW_TIMEOUT, going).await {
                    Ok(Some(arrival)) => return arrival,
                    Ok(None) => {}
                    Err(_) => return (Outcome::Unconfirmed, progress.left_at()),
                }
            }
            ending
        };
        self.ended(ending)
    }

    /// What is known of the letter at an end that is not its own.
    fn ended(&self, ending: Ending) -> Arrival {
        match ending {
            _ if self.unconfirmed.is_some() => (Outcome::Unconfirmed, self.unconfirmed),
            Ending::Stopped => (Outcome::Withdrawn, self.last),
            Ending::Expired if self.answered || self.last.is_none() => (Outcome::GaveUp, self.last),
            Ending::Expired => (Outcome::Unreachable, self.last),
        }
    }

    /// `None` once nothing more is to be handed over.
    async fn go(&mut self, counting: &impl Counting) -> Option<Arrival> {
        loop {
            let Some(route) = self.legs.get(self.at).map(|leg| leg.route) else {
                let outcome = if self.perhaps_recipient { Outcome::Refused } else { Outcome::GaveUp };
                return Some((outcome, self.last));
            };
            let patience = (self.legs.len() > 1).then_some(TURN_TIMEOUT);
            let failure = match self.hand_over(route, patience).await {
                Ok(()) => return Some((Outcome::Accepted, Some(route))),
                // 6.
                Err(_) if self.letter.progress.is_over() => return None,
                Err(Miss::Carrier(failure)) => failure,
                // 3.
                Err(Miss::Open(until)) => {
                    self.next_route(until).await;
                    continue;
                }
                Err(Miss::Turn) => {
                    self.next_route(Instant::now()).await;
                    continue;
                }
            };
            match failure {
                // 1. and 2.
                Failure::Transport(_) => self.try_again().await,
                Failure::Busy(asked) => self.be_back(asked.unwrap_or_default()).await,
                Failure::SenderForNow => self.be_back(Duration::ZERO).await,
                // 4.
                Failure::NotThisRoute | Failure::Sender | Failure::PerhapsSender => {
                    self.perhaps_recipient = false;
                    self.leave_out().await;
                }
                Failure::PerhapsRecipient => self.leave_out().await,
                Failure::Recipient => return Some((Outcome::Refused, self.last)),
                // 5.
                Failure::Unconfirmed => return self.repeat(route, counting).await,
            }
        }
    }

    /// Hands the letter over once, and notes what came of it.
    async fn hand_over(&mut self, route: u8, patience: Option<Duration>) -> Result<(), Miss> {
        let credential = self.effective.now().table.credential(route);
        let (Some(lane), Some(credential)) = (self.lanes.get(usize::from(route)), credential) else {
            return Err(Miss::Carrier(Failure::NotThisRoute));
        };
        let handed = lane.hand_over(&self.letter, route, &credential, patience).await;
        if let Err(Miss::Carrier(failure)) = handed {
            self.last = Some(route);
            self.answered |= !matches!(failure, Failure::Transport(_));
            if failure == Failure::Unconfirmed {
                self.unconfirmed = Some(route);
            }
            self.events.emit(Event::DeliveryFailed { class: failure.class() });
            if lane.reports(failure) {
                self.events.emit(Event::SenderRefused { route });
            }
        }
        handed
    }

    /// 5. The letter may be at this route's carrier.
    async fn repeat(&mut self, route: u8, counting: &impl Counting) -> Option<Arrival> {
        let unconfirmed = Some((Outcome::Unconfirmed, Some(route)));
        let deduplicates = self.lanes.get(usize::from(route)).is_some_and(|lane| lane.carrier().deduplicates());
        let mut asked = Duration::ZERO;
        for wait in REPEAT_AFTER.into_iter().filter(|_| deduplicates) {
            sleep(wait.max(asked)).await;
            if !counting.count_repeat().await {
                return unconfirmed;
            }
            // One that is counted and does not leave is tried again while there is time. One that left is used up, whatever
            // the answer.
            asked = loop {
                let again = match self.hand_over(route, None).await {
                    Ok(()) => return Some((Outcome::Accepted, Some(route))),
                    Err(_) if self.letter.progress.is_over() => return None,
                    Err(Miss::Carrier(Failure::Recipient)) => return Some((Outcome::Refused, Some(route))),
                    Err(Miss::Carrier(
                        Failure::NotThisRoute | Failure::PerhapsRecipient | Failure::PerhapsSender | Failure::Sender,
                    )) => return unconfirmed,
                    Err(Miss::Carrier(Failure::Unconfirmed | Failure::SenderForNow)) => break Duration::ZERO,
                    Err(Miss::Carrier(Failure::Busy(asked))) => break asked.unwrap_or_default(),
                    Err(Miss::Carrier(Failure::Transport(_)) | Miss::Turn) => self.wait(),
                    Err(Miss::Open(until)) => until,
                };
                sleep_until(again).await;
            };
        }
        unconfirmed
    }

    /// 2. Until when to wait after one more failure to reach a route.
    fn wait(&mut self) -> Instant {
        self.failures += 1;
        Instant::now() + backoff::wait(self.failures, backoff::UNREACHED, random())
    }

    /// The route could not be reached: here once more, or at the next one.
    async fn try_again(&mut self) {
        self.tries_here += 1;
        let again = self.wait();
        if self.legs.len() == 1 || self.tries_here < TRIES {
            sleep_until(again).await;
        } else {
            self.next_route(again).await;
        }
    }

    /// The carrier asked for patience: at the next route, or here if there is none.
    async fn be_back(&mut self, at_least: Duration) {
        self.failures += 1;
        let again = Instant::now() + at_least.max(backoff::wait(self.failures, backoff::BUSY, random()));
        if self.legs.len() == 1 {
            sleep_until(again).await;
        } else {
            self.next_route(again).await;
        }
    }

    /// Moves on to the next route. This one is not tried before `again`.
    async fn next_route(&mut self, again: Instant) {
        if let Some(leg) = self.legs.get_mut(self.at) {
            leg.ready = again;
        }
        self.go_on(self.at + 1).await;
    }

    /// The route is not tried again (4.); what follows it takes its index. The place of the route that was left is kept until
    /// another is had, so a letter always counts somewhere.
    async fn leave_out(&mut self) {
        self.legs.remove(self.at);
        self.go_on(self.at).await;
    }

    /// Moves on to the first route from here that may be tried and has a place. After the last one it waits until one may be tried
    /// again, and begins anew. If no route is left it does not move.
    async fn go_on(&mut self, mut from: usize) {
        self.tries_here = 0;
        loop {
            let now = Instant::now();
            let ready = |leg: &Leg| leg.ready <= now;
            if (from..self.legs.len()).any(|next| self.legs.get(next).is_some_and(ready) && self.move_to(next)) {
                return;
            }
            let Some(first) = self.legs.iter().map(|leg| leg.ready).min() else { return };
            sleep_until(first.max(now + backoff::wait(self.failures.max(1), backoff::UNREACHED, random()))).await;
            from = 0;
        }
    }

    fn move_to(&mut self, next: usize) -> bool {
        let Some(route) = self.legs.get(next).map(|leg| leg.route) else { return false };
        if route != self.place.0 {
            let Some(place) = self.lanes.get(usize::from(route)).and_then(Lane::place) else { return false };
            self.place = (route, place);
        }
        self.at = next;
        true
    }
}

/// 6. When a journey is to end, and why.
async fn ending(stop: oneshot::Receiver<Ending>, deadline: Instant) -> Ending {
    let stopped = async {
        match stop.await {
            Ok(ending) => ending,
            // Nobody is left to stop it.
            Err(_) => std::future::pending().await,
        }
    };
    timeout_at(deadline, stopped).await.unwrap_or(Ending::Expired)
}

/// Without randomness the wait is the shortest, which is no fault of the letter's.
fn random() -> u64 {
    adyton_seal::random().map_or(0, u64::from_ne_bytes)
}

#[cfg(test)]
mod tests;
