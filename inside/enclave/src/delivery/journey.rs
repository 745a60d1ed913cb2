//! One letter's way through its routes.
//!
//! 1. The routes are gone through in order; at each the letter is tried [`TRIES`] times, at the last one left as often
//!    as there is time.
//! 2. Between tries it waits ([`backoff`]), at least as long as the carrier asked for. From one route to the next it
//!    does not wait: only after the last one, before it begins again with the first.
//! 3. A route whose breaker is open, whose turn does not come or which has no place is passed over.
//! 4. A route that will not take this letter is not tried again; a carrier that says nobody will ends the journey.
//! 5. When the code ends, so does the journey.

use std::sync::Arc;

use adyton_frame::Event;
use adyton_vault::Outcome;
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

use super::backoff;
use super::carrier::{Carrier, Failure, Letter};
use super::lane::{Lane, Miss, Place, TURN_PATIENCE};
use crate::events::Events;
use crate::policy::Holder;

/// Tries at one route before the next.
const TRIES: u32 = 2;
/// Longest wait at a carrier's request while another route could be tried.
const LONGEST_REQUEST: Duration = Duration::from_secs(2);

/// How a journey ended: the outcome, and the last route that was tried.
pub(super) type Arrival = (Outcome, Option<u8>);

/// A letter under way.
pub(super) struct Journey<C> {
    pub(super) lanes: Arc<[Lane<C>]>,
    pub(super) current: Holder,
    pub(super) events: Events,
    pub(super) letter: Letter,
    /// Routes that are left.
    routes: Vec<u8>,
    /// The one that is tried, as an index into `routes`.
    at: usize,
    /// The place that is held there.
    place: Place,
    failures: u32,
    tries_here: u32,
    last: Option<u8>,
    /// Whether any carrier answered anything.
    answered: bool,
}

impl<C: Carrier> Journey<C> {
    /// Begins at the first route of the letter's order that has a place; without one there is no journey.
    pub(super) fn begin(lanes: Arc<[Lane<C>]>, current: Holder, events: Events, letter: Letter) -> Option<Self> {
        let routes = current.now().table.order(letter.channel, letter.to.expose());
        let held = |(at, route): (usize, &u8)| Some((at, lanes.get(usize::from(*route))?.place()?));
        let (at, place) = routes.iter().enumerate().find_map(held)?;
        Some(Self {
            lanes,
            current,
            events,
            letter,
            routes,
            at,
            place,
            failures: 0,
            tries_here: 0,
            last: None,
            answered: false,
        })
    }

    /// Goes until the letter has arrived, or cannot.
    pub(super) async fn run(mut self) -> Arrival {
        let deadline = self.letter.deadline;
        match timeout_at(deadline, self.go()).await {
            Ok(arrival) => arrival,
            // 5.
            Err(_) if self.answered || self.last.is_none() => (Outcome::GaveUp, self.last),
            Err(_) => (Outcome::Unreachable, self.last),
        }
    }

    async fn go(&mut self) -> Arrival {
        loop {
            let Some(route) = self.routes.get(self.at).copied() else { return (Outcome::Refused, self.last) };
            let credential = self.current.now().table.credential(route);
            let (Some(lane), Some(credential)) = (self.lanes.get(usize::from(route)), credential) else {
                self.leave_out();
                continue;
            };
            let patience = (self.routes.len() > 1).then_some(TURN_PATIENCE);
            let miss = match lane.hand_over(&self.letter, &credential, patience).await {
                Ok(()) => return (Outcome::Accepted, Some(route)),
                Err(miss) => miss,
            };
            let Miss::Carrier(failure) = miss else {
                // 3.
                let again = if let Miss::Open(until) = miss { until } else { Instant::now() };
                self.next_route(again).await;
                continue;
            };
            self.last = Some(route);
            self.answered |= !matches!(failure, Failure::Transport(_));
            self.events.emit(Event::DeliveryFailed { class: failure.class() });
            match failure {
                // 4.
                Failure::Recipient => return (Outcome::Refused, self.last),
                Failure::NotThisRoute | Failure::Sender => self.leave_out(),
                Failure::Unconfirmed => return (Outcome::GaveUp, self.last),
                Failure::Busy(asked) => self.try_again(asked.unwrap_or_default()).await,
                Failure::Transport(_) => self.try_again(Duration::ZERO).await,
            }
        }
    }

    /// 1. and 2. Here once more, or at the next route.
    async fn try_again(&mut self, at_least: Duration) {
        self.failures += 1;
        self.tries_here += 1;
        let wait = at_least.max(backoff::wait(self.failures, random()));
        let again = Instant::now() + wait;
        let alone = self.routes.len() == 1;
        if alone || (self.tries_here < TRIES && at_least <= LONGEST_REQUEST) {
            sleep_until(again).await;
        } else {
            self.next_route(again).await;
        }
    }

    /// Moves on to the next route that has a place. After the last one it waits until `again` and begins anew.
    async fn next_route(&mut self, again: Instant) {
        self.tries_here = 0;
        for next in self.at + 1..self.routes.len() {
            if self.move_to(next) {
                return;
            }
        }
        sleep_until(again.max(Instant::now() + backoff::wait(self.failures.max(1), random()))).await;
        for next in 0..self.at {
            if self.move_to(next) {
                return;
            }
        }
    }

    fn move_to(&mut self, next: usize) -> bool {
        let lane = self.routes.get(next).and_then(|route| self.lanes.get(usize::from(*route)));
        let Some(place) = lane.and_then(Lane::place) else { return false };
        (self.at, self.place) = (next, place);
        true
    }

    /// The route is not tried again; what follows it takes its index. The place of the route that was left is kept until
    /// another is had, so a letter always counts somewhere.
    fn leave_out(&mut self) {
        self.tries_here = 0;
        self.routes.remove(self.at);
        if self.at == self.routes.len() {
            self.at = 0;
        }
        let _ = self.move_to(self.at);
    }
}

/// Without randomness the wait is the shortest, which is no fault of the letter's.
fn random() -> u64 {
    adyton_seal::random().map_or(0, u64::from_ne_bytes)
}

#[cfg(test)]
mod tests;
