//! Workers for asymmetric cryptography that a caller asks for: HPKE openings, signature checks, signatures.
//!
//! 1. a request takes one of [`WORKERS`] + [`QUEUE`] places; one too many is refused at once;
//! 2. it waits for a worker, for at most [`PATIENCE`]. What waits is a task that holds ciphertext: nothing is opened before its turn;
//! 3. the job runs on a thread for blocking work, opens and uses what it needs, and hands back hashes, zeroizing types or public
//!    values.
//!
//! Why: such a job takes up to milliseconds. On a thread that serves connections it would hold up the checks of codes there.
//!
//! A job that began keeps its worker until it ends, even if its requester is gone. TLS handshakes are not run here: the TLS
//! library signs on the connection's own thread.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::{Duration, timeout};

/// Jobs that run at once.
const WORKERS: usize = 2;
/// Jobs that wait for a worker.
pub(super) const QUEUE: usize = 1024;
/// Longest wait for a worker.
const PATIENCE: Duration = Duration::from_secs(2);

/// No worker became free in time, or too many jobs wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overloaded;

/// The pool; all requests of a vault share one.
pub struct Workers {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Default for Workers {
    fn default() -> Self {
        Self::new(WORKERS, QUEUE)
    }
}

impl Workers {
    fn new(workers: usize, queue: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(workers + queue)), turns: Arc::new(Semaphore::new(workers)) }
    }

    /// Runs a job in a worker.
    ///
    /// # Errors
    /// [`Overloaded`]; the job did not run.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        // 1.
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Overloaded)?;
        // 2.
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or(Overloaded)?;
        // 3. A panicking job is reported as one that did not run.
        let done = tokio::task::spawn_blocking(move || {
            let done = job();
            drop((turn, place));
            done
        });
        done.await.map_err(|_| Overloaded)
    }

    /// Whether one further job would be refused.
    #[cfg(test)]
    pub(super) fn is_full(&self) -> bool {
        self.places.available_permits() == 0
    }

    /// Every worker is busy until the guard is dropped.
    #[cfg(test)]
    pub(super) async fn occupied(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(WORKERS).unwrap_or(u32::MAX);
        #[allow(clippy::unwrap_used, reason = "a test; the semaphore is never closed")]
        Arc::clone(&self.turns).acquire_many_owned(all).await.unwrap()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use std::sync::mpsc;

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn one_job_more_than_run_and_wait_is_refused() {
        let workers = Arc::new(Workers::new(2, 3));
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let jobs: Vec<_> = (0..5)
            .map(|number| {
                let (workers, held) = (Arc::clone(&workers), Arc::clone(&held));
                tokio::spawn(async move {
                    let job = move || {
                        held.lock().unwrap().recv().unwrap();
                        number
                    };
                    workers.run(job).await
                })
            })
            .collect();
        while workers.places.available_permits() > 0 {
            yield_now().await;
        }
        assert_eq!(workers.run(|| ()).await, Err(Overloaded));
        for _ in 0..5 {
            release.send(()).unwrap();
        }
        for (number, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.await.unwrap(), Ok(number));
        }
        assert_eq!(workers.run(|| 7).await, Ok(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_waits_only_so_long_and_frees_its_place() {
        let workers = Workers::new(WORKERS, 1);
        let busy = workers.occupied().await;
        assert_eq!(workers.run(|| ()).await, Err(Overloaded));
        assert_eq!(workers.places.available_permits(), WORKERS + 1);
        drop(busy);
        assert_eq!(workers.run(|| ()).await, Ok(()));
    }

    #[tokio::test]
    async fn a_job_whose_requester_is_gone_keeps_its_worker_until_it_ends() {
        let workers = Arc::new(Workers::new(1, 0));
        let (release, held) = mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let job = {
            let workers = Arc::clone(&workers);
            tokio::spawn(async move {
                let job = move || {
                    begun.send(()).unwrap();
                    held.recv().unwrap();
                };
                workers.run(job).await
            })
        };
        has_begun.await.unwrap();
        job.abort();
        assert!(job.await.unwrap_err().is_cancelled());
        assert_eq!(workers.run(|| ()).await, Err(Overloaded));
        release.send(()).unwrap();
        while workers.run(|| ()).await.is_err() {
            yield_now().await;
        }
    }
}
