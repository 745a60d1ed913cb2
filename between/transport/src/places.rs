//! Places for connections: a fixed number, of which those that idle longest make room when few are left.
//!
//! 1. an accept loop takes a [`Place`] before it accepts, so a connection that has no place is not accepted;
//! 2. the connection marks its place idle and busy again as it goes;
//! 3. while fewer than a sixteenth of the places are free, each further connection asks the one that has been idle longest to
//!    end ([`Place::told_to_end`]).
//!
//! Both halves use it: the enclave knows when a connection waits for its next request, the host only which side spoke last.
//!
//! Limits: nothing ends a busy connection. A client that keeps all places busy makes others wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant, sleep, timeout};

/// The part of all places that idle connections leave free.
const SPARE: usize = 16;
/// Interval at which a caller that waits for a place looks for idle connections again.
const RETRY: Duration = Duration::from_millis(250);
/// Stands for "not idle".
const BUSY: u64 = 0;

/// All places.
#[derive(Clone)]
pub struct Places(Arc<Inner>);

struct Inner {
    free: Arc<Semaphore>,
    spare: usize,
    least_idle: Duration,
    began: Instant,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    seats: BTreeMap<u64, Arc<Seat>>,
}

#[derive(Default)]
struct Seat {
    /// Milliseconds since [`Inner::began`], from 1 on, or [`BUSY`].
    idle_since: AtomicU64,
    told: AtomicBool,
    end: Notify,
}

impl Places {
    /// `most` places. A connection is asked to end only after it was idle for `least_idle`.
    pub fn new(most: usize, least_idle: Duration) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            free: Arc::new(Semaphore::new(most)),
            spare: most / SPARE,
            least_idle,
            began: Instant::now(),
            taken: Mutex::default(),
        }))
    }

    /// Waits for a place. Asks idle connections to end if few places are left.
    pub async fn take(&self) -> Place {
        let permit = loop {
            let free = self.0.free.available_permits();
            // The last place counts as well: without it the caller waits.
            let wanted = (self.0.spare.max(1)).saturating_sub(free);
            self.end_idle(wanted);
            // The semaphore is never closed.
            if let Ok(Ok(permit)) = timeout(RETRY, Arc::clone(&self.0.free).acquire_owned()).await {
                break permit;
            }
        };
        let seat = Arc::new(Seat::default());
        let mut taken = self.taken();
        let number = taken.next;
        taken.next += 1;
        taken.seats.insert(number, Arc::clone(&seat));
        Place { places: self.clone(), number, seat, _permit: permit }
    }

    /// Whether so few places are free that connections should not be kept.
    pub fn are_short(&self) -> bool {
        self.0.free.available_permits() < self.0.spare.max(1)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// What is idle since then or longer may be told to end.
    fn idle_long_enough(&self) -> u64 {
        let least = u64::try_from(self.0.least_idle.as_millis()).unwrap_or(u64::MAX);
        self.now().saturating_sub(least)
    }

    /// Tells as many connections to end as it takes until `wanted` are under way, those that idle longest first.
    fn end_idle(&self, wanted: usize) {
        if wanted == 0 {
            return;
        }
        let before = self.idle_long_enough();
        let taken = self.taken();
        let ending = taken.seats.values().filter(|seat| seat.told.load(Ordering::Relaxed)).count();
        let mut idle: Vec<_> = taken
            .seats
            .values()
            .filter(|seat| !seat.told.load(Ordering::Relaxed))
            .filter_map(|seat| match seat.idle_since.load(Ordering::Relaxed) {
                BUSY => None,
                since => (since <= before).then_some((since, seat)),
            })
            .collect();
        idle.sort_unstable_by_key(|(since, _)| *since);
        for (_, seat) in idle.into_iter().take(wanted.saturating_sub(ending)) {
            seat.told.store(true, Ordering::Relaxed);
            seat.end.notify_one();
        }
    }
}

/// A connection's place; dropping it frees the place.
pub struct Place {
    places: Places,
    number: u64,
    seat: Arc<Seat>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// The connection is idle from now on.
    pub fn idle(&self) {
        self.seat.idle_since.store(self.places.now(), Ordering::Relaxed);
    }

    /// The connection is in use.
    pub fn busy(&self) {
        self.seat.idle_since.store(BUSY, Ordering::Relaxed);
    }

    /// Returns once this connection, which was idle, must make room.
    pub async fn told_to_end(&self) {
        self.seat.end.notified().await;
    }

    /// The same, and it is idle: nothing is cut off by ending it now.
    pub async fn must_end(&self) {
        self.told_to_end().await;
        while !self.was_idle_long_enough() {
            sleep(RETRY).await;
        }
    }

    fn was_idle_long_enough(&self) -> bool {
        let since = self.seat.idle_since.load(Ordering::Relaxed);
        since != BUSY && since <= self.places.idle_long_enough()
    }

    /// Whether it was told to make room.
    pub fn is_told_to_end(&self) -> bool {
        self.seat.told.load(Ordering::Relaxed)
    }

    /// Whether so few places are free that this connection should not be kept.
    pub fn is_short(&self) -> bool {
        self.places.are_short()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().seats.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    async fn told(place: &Place) -> bool {
        timeout(TICK, place.told_to_end()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_idles_longest_makes_room() {
        let places = Places::new(3, Duration::ZERO);
        let (first, second) = (places.take().await, places.take().await);
        second.idle();
        sleep(TICK).await;
        first.idle();
        sleep(TICK).await;
        // One place is free: nobody has to go.
        assert!(!places.are_short());
        let third = places.take().await;
        assert!(places.are_short() && !second.is_told_to_end());
        let (fourth, gone) = tokio::join!(places.take(), async {
            assert!(told(&second).await);
            drop(second);
            !told(&first).await
        });
        assert!(gone, "one place was wanted");
        drop((third, fourth));
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_connection_and_one_that_was_idle_too_shortly_stay() {
        let places = Places::new(2, Duration::from_secs(10));
        let (busy, idle) = (places.take().await, places.take().await);
        busy.idle();
        busy.busy();
        idle.idle();
        let taking = tokio::spawn({
            let places = places.clone();
            async move { places.take().await }
        });
        sleep(Duration::from_secs(9)).await;
        assert!(!idle.is_told_to_end());
        sleep(Duration::from_secs(2)).await;
        assert!(idle.is_told_to_end() && !busy.is_told_to_end());
        assert!(!taking.is_finished());
        // It is in use again: it ends once it was idle as long as before.
        idle.busy();
        assert!(timeout(Duration::from_secs(60), idle.must_end()).await.is_err());
        idle.idle();
        let begun = Instant::now();
        idle.seat.end.notify_one();
        idle.must_end().await;
        assert_eq!(begun.elapsed().as_secs(), 10);
        assert!(!taking.is_finished());
        drop(idle);
        taking.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_sixteenth_stays_free_while_there_are_idle_connections() {
        let places = Places::new(64, Duration::ZERO);
        let mut held = Vec::new();
        for _ in 0..60 {
            let place = places.take().await;
            place.idle();
            held.push(place);
            sleep(TICK).await;
        }
        assert!(held.iter().all(|place| !place.is_told_to_end()));
        for more in 1..=4 {
            held.push(places.take().await);
            // None of them has gone yet, so each further connection asks one more.
            let told = held.iter().take_while(|place| place.is_told_to_end()).count();
            assert_eq!(told, more - 1);
        }
    }
}
