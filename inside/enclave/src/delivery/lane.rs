//! A route at work: its carrier, how many letters it has at once, how many may wait, and its breaker.
//!
//! Nothing here is shared between routes. Locks are held for moments, never while something is waited for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant, timeout};

use super::Credential;
use super::breaker::Breaker;
use super::carrier::{Carrier, Failure, Letter};

/// Letters that one route holds, those that wait included: the bound of its memory.
pub(super) const PLACES: usize = 16_384;
/// Longest wait for a turn when another route could be tried.
pub(super) const TURN_TIMEOUT: Duration = Duration::from_secs(2);

/// Least time between two reports that a carrier refuses the sender.
pub(super) const REPORT_EVERY: Duration = Duration::from_secs(60);
/// How long refusals that may concern the sender have to go on before they are reported as ones that do.
pub(super) const SENDER_REFUSED_AFTER: Duration = Duration::from_secs(300);

/// A letter's right to wait for a route.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

/// Why a letter was not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// The breaker is open until then.
    Open(Instant),
    /// Its turn did not come.
    Turn,
    /// The carrier said so, or said nothing.
    Carrier(Failure),
}

pub(super) struct Lane<C> {
    carrier: C,
    turns: Semaphore,
    places: Arc<Semaphore>,
    breaker: Mutex<Breaker>,
    /// When the last refusal of the sender was reported.
    reported: Mutex<Option<Instant>>,
    /// When the first of the refusals came that may concern the sender, if since then no letter was taken and no recipient
    /// refused.
    suspected: Mutex<Option<Instant>>,
}

impl<C: Carrier> Lane<C> {
    pub(super) fn new(carrier: C) -> Self {
        Self {
            carrier,
            turns: Semaphore::new(C::AT_ONCE),
            places: Arc::new(Semaphore::new(PLACES)),
            breaker: Mutex::new(Breaker::new()),
            reported: Mutex::default(),
            suspected: Mutex::default(),
        }
    }

    /// Whether this failure is to be reported now as a refusal of the sender: it is one, or may be one and has lasted. At most one
    /// in [`REPORT_EVERY`] is.
    pub(super) fn reports(&self, failure: Failure) -> bool {
        let concerns_sender = match failure {
            Failure::Sender => true,
            Failure::SenderForNow | Failure::PerhapsSender => {
                self.suspected().is_some_and(|first| first.elapsed() >= SENDER_REFUSED_AFTER)
            }
            _ => false,
        };
        if !concerns_sender {
            return false;
        }
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let due = reported.is_none_or(|last| last.elapsed() >= REPORT_EVERY);
        if due {
            *reported = Some(Instant::now());
        }
        due
    }

    fn suspected(&self) -> MutexGuard<'_, Option<Instant>> {
        self.suspected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an answer shows of the sender. Only a message that was taken shows that the sender may send: an unknown recipient is
    /// refused before a server looks at quotas and content.
    fn notice(&self, handed: Result<(), Failure>) {
        match handed {
            Err(Failure::SenderForNow | Failure::PerhapsSender) => {
                self.suspected().get_or_insert_with(Instant::now);
            }
            Ok(()) => *self.suspected() = None,
            Err(_) => {}
        }
    }

    /// A place, if there is one.
    pub(super) fn place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place { _permit: permit })
    }

    pub(super) fn carrier(&self) -> &C {
        &self.carrier
    }

    #[cfg(test)]
    pub(super) fn carrier_mut(&mut self) -> &mut C {
        &mut self.carrier
    }

    /// Hands a letter over, by this lane's place in the policy:
    ///
    /// 1. waits for a turn, for at most `patience` if there is one;
    /// 2. asks the breaker, which may have opened meanwhile;
    /// 3. hands the letter over, and tells the breaker how it went.
    pub(super) async fn hand_over(
        &self,
        letter: &Letter,
        route: u8,
        credential: &Arc<Credential>,
        patience: Option<Duration>,
    ) -> Result<(), Miss> {
        // 1.
        let turn = match patience {
            Some(patience) => timeout(patience, self.turns.acquire()).await.map_err(|_| Miss::Turn)?,
            None => self.turns.acquire().await,
        };
        let _turn = turn.map_err(|_| Miss::Turn)?;
        // 2.
        let mut passage = Passage::admit(&self.breaker).map_err(Miss::Open)?;
        // 3.
        letter.progress.begin(route);
        let handed = self.carrier.hand_over(letter, credential).await;
        letter.progress.done();
        self.notice(handed);
        passage.settle(!matches!(handed, Err(Failure::Transport(_) | Failure::Unconfirmed)));
        handed.map_err(Miss::Carrier)
    }
}

/// A letter that the breaker let pass. Dropped unsettled, it was given up.
struct Passage<'a> {
    breaker: &'a Mutex<Breaker>,
    settled: bool,
}

impl<'a> Passage<'a> {
    fn admit(breaker: &'a Mutex<Breaker>) -> Result<Self, Instant> {
        breaker.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now())?;
        Ok(Self { breaker, settled: false })
    }

    fn settle(&mut self, answered: bool) {
        self.settled = true;
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        if answered { breaker.answered() } else { breaker.failed(Instant::now()) }
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.breaker.lock().unwrap_or_else(PoisonError::into_inner).abandoned(Instant::now());
        }
    }
}
