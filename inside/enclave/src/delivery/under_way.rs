//! The journeys under way, by verification: what a verification's end stops.
//!
//! Bound: an entry is a journey, and each of those holds a place of a route ([`super::lane::PLACES`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adyton_vault::{AttemptId, VerificationId};
use tokio::sync::oneshot;

use super::journey::Ending;
use super::progress::Progress;

#[derive(Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<BTreeMap<VerificationId, Running>>>);

struct Running {
    attempt: AttemptId,
    progress: Arc<Progress>,
    /// `None` once it was canceled.
    stop: Option<oneshot::Sender<Ending>>,
}

impl UnderWay {
    /// The newest attempt of a verification sets out; an older one is stopped. What it receives is when to stop.
    pub(super) fn begin(
        &self,
        verification: VerificationId,
        attempt: AttemptId,
        progress: &Arc<Progress>,
    ) -> oneshot::Receiver<Ending> {
        self.stop(verification, Ending::Stopped);
        let (sender, stop) = oneshot::channel();
        let running = Running { attempt, progress: Arc::clone(progress), stop: Some(sender) };
        self.lock().insert(verification, running);
        stop
    }

    /// Tells the journey of a verification, if there is one, to end.
    pub(super) fn stop(&self, verification: VerificationId, ending: Ending) {
        let stop = self.lock().get_mut(&verification).and_then(|running| running.stop.take());
        // It may be ending by itself.
        let _ = stop.map(|stop| stop.send(ending));
    }

    /// The route at which an attempt of a verification waits for an answer now.
    pub(super) fn left_at(&self, verification: VerificationId) -> Option<u8> {
        self.lock().get(&verification)?.progress.left_at()
    }

    /// An attempt's journey has ended.
    pub(super) fn end(&self, verification: VerificationId, attempt: AttemptId) {
        let mut running = self.lock();
        if running.get(&verification).is_some_and(|running| running.attempt == attempt) {
            running.remove(&verification);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<VerificationId, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const VERIFICATION: VerificationId = VerificationId::from_bytes([1; 16]);
    const FIRST: AttemptId = AttemptId::from_bytes([2; 16]);
    const SECOND: AttemptId = AttemptId::from_bytes([3; 16]);

    #[tokio::test]
    async fn a_newer_attempt_stops_the_older_one_whose_end_does_not_touch_it() {
        let under_way = UnderWay::default();
        let progress = Arc::new(Progress::default());
        let first = under_way.begin(VERIFICATION, FIRST, &progress);
        let mut second = under_way.begin(VERIFICATION, SECOND, &progress);
        assert_eq!(first.await.unwrap(), Ending::Stopped);
        under_way.end(VERIFICATION, FIRST);
        assert_eq!(second.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        under_way.stop(VERIFICATION, Ending::Expired);
        assert_eq!(second.await.unwrap(), Ending::Expired);
        under_way.end(VERIFICATION, SECOND);
        assert!(under_way.lock().is_empty());
    }

    #[test]
    fn the_route_that_an_attempt_waits_at_is_known_until_it_ends() {
        let under_way = UnderWay::default();
        let progress = Arc::new(Progress::default());
        let _stop = under_way.begin(VERIFICATION, FIRST, &progress);
        assert_eq!(under_way.left_at(VERIFICATION), None);
        progress.begin(3);
        assert_eq!(under_way.left_at(VERIFICATION), None);
        progress.leaves();
        under_way.stop(VERIFICATION, Ending::Stopped);
        assert_eq!(under_way.left_at(VERIFICATION), Some(3));
        progress.done();
        assert_eq!(under_way.left_at(VERIFICATION), None);
    }
}
