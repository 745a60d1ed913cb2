//! Workers for asymmetric cryptography that a caller asks for: HPKE openings and signature checks.
//!
//! 1. a job takes a place of its [`Kind`]; without a free one it is refused at once;
//! 2. it waits for a worker, for at most [`QUEUE_TIMEOUT`]. What waits is a task that holds
//!    ciphertext: nothing is opened before its turn;
//! 3. the job runs on a thread for blocking work, opens and uses what it needs, and hands back
//!    hashes, zeroizing types or public values.
//!
//! Why: such a job takes up to milliseconds. On a thread that serves connections it would hold up
//! the checks of codes there.
//!
//! Shares: a free worker goes to the kinds in turn, and within a kind to the accounts in turn. So a
//! kind has at least every fifth turn, and an account its equal part of its kind's, however many
//! jobs others have waiting. A job is one opening or the signatures of one request (the owners'
//! settings excepted, of which one is checked at a time), so turns take about equally long.
//! Signatures may be sent by anybody in anybody's name: they have places for as many jobs as there
//! are connections, so nobody can take the last one.
//!
//! API keys have no turns: what an account is served here, its SSH key signed, and what an API key
//! asks for needs no worker.
//!
//! A job that began keeps its worker until it ends, even if its requester is gone. Neither TLS
//! handshakes nor the signatures of `/.well-known/adyton/binding` are made here: every new client
//! needs them, and each connection makes one at the most.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use adyton_vault::AccountId;
use tokio::sync::oneshot;
use tokio::time::{Duration, timeout};

use super::MAX_CONNECTIONS;

/// Jobs that run at once.
const WORKERS: usize = 2;
/// Jobs for what strangers seal, waiting or running.
pub(super) const STRANGERS: usize = 1024;
/// Jobs of one account or of the owners, waiting or running, for what their signatures asked for.
pub(super) const EACH: usize = 4;
/// Longest wait for a worker.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// Number of [`Kind`]s.
const KINDS: usize = 5;

/// No worker became free in time, or too many jobs of this kind wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overloaded;

/// What a job is for, which decides whose place it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Signatures in the owners' name. Anybody may have sent them.
    OwnersSignatures,
    /// Signatures in an account's name. Anybody may have sent them.
    TenantsSignatures(AccountId),
    /// A request that the owners signed.
    Owners,
    /// A request that an account's key signed.
    Tenant(AccountId),
    /// What nobody signed: the token of a tenant that introduces itself.
    Stranger,
}

type Account = [u8; 16];

impl Kind {
    /// Its queue, and whose jobs are counted together there.
    fn queue(self) -> (usize, Account) {
        match self {
            Self::OwnersSignatures => (0, [0; 16]),
            Self::TenantsSignatures(account) => (1, *account.as_bytes()),
            Self::Owners => (2, [0; 16]),
            Self::Tenant(account) => (3, *account.as_bytes()),
            Self::Stranger => (4, [0; 16]),
        }
    }

    /// Places for each account. A connection has one request at a time, so of signatures no place is ever missing.
    fn places(self) -> usize {
        match self {
            Self::OwnersSignatures | Self::TenantsSignatures(_) => MAX_CONNECTIONS + WORKERS,
            Self::Owners | Self::Tenant(_) => EACH,
            Self::Stranger => STRANGERS,
        }
    }
}

/// The pool; all requests of a vault share one.
#[derive(Clone)]
pub struct Workers(Arc<Mutex<Pool>>);

struct Pool {
    /// Workers without a job.
    free: usize,
    /// Number of the next job.
    next: u64,
    /// The kind that had the last turn.
    last: usize,
    queues: [Queue; KINDS],
}

/// The jobs of a kind.
#[derive(Default)]
struct Queue {
    /// Places that are taken; entries are never 0.
    taken: HashMap<Account, usize>,
    /// Jobs that wait, by their numbers; entries are never empty.
    waiting: BTreeMap<Account, VecDeque<(u64, oneshot::Sender<()>)>>,
    /// The account that had the last turn.
    last: Account,
}

impl Queue {
    /// The next job: the accounts take turns.
    fn pop(&mut self) -> Option<oneshot::Sender<()>> {
        let later = self.waiting.range((Excluded(self.last), Unbounded)).next();
        let account = *later.or_else(|| self.waiting.first_key_value()).map(|(account, _)| account)?;
        let jobs = self.waiting.get_mut(&account)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.waiting.remove(&account);
        }
        self.last = account;
        job.map(|(_, turn)| turn)
    }

    /// Takes a job back that waits; false if it does not.
    fn remove(&mut self, account: Account, number: u64) -> bool {
        let Some(jobs) = self.waiting.get_mut(&account) else { return false };
        // Numbers rise.
        let Ok(at) = jobs.binary_search_by_key(&number, |(number, _)| *number) else { return false };
        jobs.remove(at);
        if jobs.is_empty() {
            self.waiting.remove(&account);
        }
        true
    }
}

impl Pool {
    /// Gives free workers to the jobs that wait: the kinds take turns.
    fn hand_out(&mut self) {
        while self.free > 0 {
            let order = (1..=KINDS).map(|step| (self.last + step) % KINDS);
            let next = order.into_iter().find_map(|kind| Some((kind, self.queues.get_mut(kind)?.pop()?)));
            let Some((kind, turn)) = next else { return };
            self.last = kind;
            // One whose requester is gone gives the worker back when its place is dropped.
            self.free -= 1;
            let _ = turn.send(());
        }
    }
}

/// A job's place, and its worker once it has one.
struct Place {
    workers: Workers,
    kind: Kind,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let (queue, account) = self.kind.queue();
        let mut pool = self.workers.pool();
        let Some(queue) = pool.queues.get_mut(queue) else { return };
        if let Some(taken) = queue.taken.get_mut(&account) {
            *taken -= 1;
            if *taken == 0 {
                queue.taken.remove(&account);
            }
        }
        // One that does not wait has a worker.
        if !queue.remove(account, self.number) {
            pool.free += 1;
            pool.hand_out();
        }
    }
}

impl Default for Workers {
    fn default() -> Self {
        Self::new(WORKERS)
    }
}

impl Workers {
    fn new(workers: usize) -> Self {
        Self(Arc::new(Mutex::new(Pool { free: workers, next: 0, last: KINDS - 1, queues: Default::default() })))
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a job in a worker.
    ///
    /// # Errors
    /// [`Overloaded`]; the job did not run.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        kind: Kind,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        // 1.
        let (place, turn) = self.enter(kind)?;
        // 2.
        timeout(QUEUE_TIMEOUT, turn).await.ok().and_then(Result::ok).ok_or(Overloaded)?;
        // 3. A panicking job is reported as one that did not run.
        let done = tokio::task::spawn_blocking(move || {
            let done = job();
            drop(place);
            done
        });
        done.await.map_err(|_| Overloaded)
    }

    /// A place, and what comes once it has a worker.
    fn enter(&self, kind: Kind) -> Result<(Place, oneshot::Receiver<()>), Overloaded> {
        let (at, account) = kind.queue();
        let mut pool = self.pool();
        let number = pool.next;
        let queue = pool.queues.get_mut(at).ok_or(Overloaded)?;
        let taken = queue.taken.entry(account).or_default();
        if *taken >= kind.places() {
            return Err(Overloaded);
        }
        *taken += 1;
        let (sender, turn) = oneshot::channel();
        queue.waiting.entry(account).or_default().push_back((number, sender));
        pool.next += 1;
        pool.hand_out();
        Ok((Place { workers: self.clone(), kind, number }, turn))
    }

    /// Whether one further job of this kind would be refused.
    #[cfg(test)]
    pub(super) fn is_full(&self, kind: Kind) -> bool {
        self.taken(kind) >= kind.places()
    }

    #[cfg(test)]
    fn taken(&self, kind: Kind) -> usize {
        let (at, account) = kind.queue();
        self.pool().queues.get(at).and_then(|queue| queue.taken.get(&account)).copied().unwrap_or(0)
    }
}

/// Workers that are busy until it is dropped.
#[cfg(test)]
pub(super) struct Occupied(Workers, usize);

#[cfg(test)]
impl Workers {
    /// Every worker that is free becomes busy.
    pub(super) fn occupied(&self) -> Occupied {
        let free = std::mem::take(&mut self.pool().free);
        Occupied(self.clone(), free)
    }
}

/// Places that are taken until it is dropped.
#[cfg(test)]
pub(super) struct Filled(Workers, Kind, usize);

#[cfg(test)]
impl Workers {
    /// Takes every free place of a kind, and no worker.
    pub(super) fn filled(&self, kind: Kind) -> Filled {
        let (at, account) = kind.queue();
        let free = kind.places().saturating_sub(self.taken(kind));
        if let Some(queue) = self.pool().queues.get_mut(at) {
            *queue.taken.entry(account).or_default() += free;
        }
        Filled(self.clone(), kind, free)
    }
}

#[cfg(test)]
impl Drop for Filled {
    fn drop(&mut self) {
        let (at, account) = self.1.queue();
        if let Some(taken) = self.0.pool().queues.get_mut(at).and_then(|queue| queue.taken.get_mut(&account)) {
            *taken -= self.2;
        }
    }
}

#[cfg(test)]
impl Drop for Occupied {
    fn drop(&mut self) {
        let mut pool = self.0.pool();
        pool.free += self.1;
        pool.hand_out();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use std::sync::mpsc;

    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    const ONE: AccountId = AccountId::from_bytes([1; 16]);
    const TWO: AccountId = AccountId::from_bytes([2; 16]);

    /// Starts a job of each of these kinds and waits until all have places. Each writes its number into the list.
    async fn started(
        workers: &Workers,
        kinds: &[Kind],
    ) -> (Vec<JoinHandle<Result<(), Overloaded>>>, Arc<Mutex<Vec<usize>>>) {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut jobs = Vec::new();
        for (number, kind) in kinds.iter().copied().enumerate() {
            let (own, order) = (workers.clone(), Arc::clone(&order));
            let before = workers.taken(kind);
            jobs.push(tokio::spawn(async move { own.run(kind, move || order.lock().unwrap().push(number)).await }));
            while workers.taken(kind) == before {
                yield_now().await;
            }
        }
        (jobs, order)
    }

    #[tokio::test(start_paused = true)]
    async fn kinds_and_accounts_take_turns() {
        let workers = Workers::new(1);
        let busy = workers.occupied();
        let kinds = [
            Kind::Tenant(ONE),
            Kind::Tenant(ONE),
            Kind::Tenant(ONE),
            Kind::Stranger,
            Kind::Stranger,
            Kind::Tenant(TWO),
            Kind::OwnersSignatures,
            Kind::Owners,
        ];
        let (jobs, order) = started(&workers, &kinds).await;
        drop(busy);
        for job in jobs {
            assert_eq!(job.await.unwrap(), Ok(()));
        }
        assert_eq!(*order.lock().unwrap(), [6, 7, 0, 3, 5, 4, 1, 2]);
        assert!(kinds.iter().all(|kind| workers.taken(*kind) == 0));
    }

    #[tokio::test(start_paused = true)]
    async fn full_kind_refuses_its_own_jobs_only() {
        let workers = Workers::default();
        let busy = workers.occupied();
        let mut kinds = vec![Kind::Stranger; STRANGERS];
        kinds.extend([Kind::Tenant(ONE); EACH]);
        let (jobs, _) = started(&workers, &kinds).await;
        for full in [Kind::Stranger, Kind::Tenant(ONE)] {
            assert!(workers.is_full(full));
            assert_eq!(workers.run(full, || ()).await, Err(Overloaded));
        }
        let others = [Kind::OwnersSignatures, Kind::TenantsSignatures(ONE), Kind::Owners, Kind::Tenant(TWO)];
        let (passing, _) = started(&workers, &others).await;
        drop(busy);
        for job in passing.into_iter().chain(jobs) {
            assert_eq!(job.await.unwrap(), Ok(()));
        }
    }

    #[test]
    fn signatures_have_a_place_for_every_connection() {
        for kind in [Kind::OwnersSignatures, Kind::TenantsSignatures(ONE)] {
            assert!(kind.places() >= MAX_CONNECTIONS);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_waits_only_so_long_and_frees_its_place() {
        let workers = Workers::default();
        let busy = workers.occupied();
        assert_eq!(workers.run(Kind::Stranger, || ()).await, Err(Overloaded));
        assert_eq!(workers.taken(Kind::Stranger), 0);
        drop(busy);
        assert_eq!(workers.pool().free, WORKERS);
        assert_eq!(workers.run(Kind::Stranger, || ()).await, Ok(()));
    }

    #[tokio::test]
    async fn a_job_whose_requester_is_gone_keeps_its_worker_until_it_ends() {
        let workers = Workers::new(1);
        let (release, held) = mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let job = {
            let workers = workers.clone();
            tokio::spawn(async move {
                let job = move || {
                    begun.send(()).unwrap();
                    held.recv().unwrap();
                };
                workers.run(Kind::Tenant(ONE), job).await
            })
        };
        has_begun.await.unwrap();
        job.abort();
        assert!(job.await.unwrap_err().is_cancelled());
        assert_eq!((workers.taken(Kind::Tenant(ONE)), workers.pool().free), (1, 0));
        release.send(()).unwrap();
        while workers.taken(Kind::Tenant(ONE)) > 0 {
            yield_now().await;
        }
        assert_eq!(workers.pool().free, 1);
    }
}
