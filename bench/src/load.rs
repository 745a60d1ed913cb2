//! Closed-loop load: so many connections, each with one request at a time, and how long each request took.

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::Error;
use crate::http::{Connection, Connector};

/// Connections of every row.
pub(crate) const CONNECTIONS: usize = 64;

/// What a run gave.
#[derive(Default)]
pub(crate) struct Measured {
    /// Microseconds of each request.
    latencies: Vec<u32>,
    /// Operations done.
    pub(crate) done: u64,
    /// How long the run took.
    pub(crate) took: Duration,
}

impl Measured {
    /// Notes one request.
    pub(crate) fn note(&mut self, began: Instant) {
        self.latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
    }

    /// Takes what another run gave as if it had followed this one.
    pub(crate) fn add(&mut self, other: Self) {
        let Self { latencies, done, took } = other;
        self.latencies.extend(latencies);
        self.done += done;
        self.took += took;
    }

    /// Operations a second.
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.took.as_secs_f64()
    }

    /// A percentile of the requests, in milliseconds.
    pub(crate) fn percentile_ms(&mut self, percent: usize) -> f64 {
        if self.latencies.is_empty() {
            return 0.0;
        }
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len() - 1);
        let (_, found, _) = self.latencies.select_nth_unstable(at);
        f64::from(*found) / 1000.0
    }
}

/// Runs `work` on every connection at once until each says it is done; `work` gets its number and its connection.
pub(crate) async fn run<F, W>(connector: &Connector, connections: usize, work: F) -> Result<Measured, Error>
where
    F: Fn(usize, Connection) -> W + 'static,
    W: Future<Output = Result<Measured, Error>>,
{
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(connector.connect().await?);
    }
    over(open, work).await
}

/// The same on connections that are open already.
pub(crate) async fn over<F, W>(open: Vec<Connection>, work: F) -> Result<Measured, Error>
where
    F: Fn(usize, Connection) -> W + 'static,
    W: Future<Output = Result<Measured, Error>>,
{
    let work = Rc::new(work);
    let began = Instant::now();
    let tasks: Vec<_> = open
        .into_iter()
        .enumerate()
        .map(|(number, connection)| {
            let work = Rc::clone(&work);
            tokio::task::spawn_local(async move { work(number, connection).await })
        })
        .collect();
    let mut all = Measured::default();
    for task in tasks {
        let Measured { latencies, done, .. } = task.await??;
        all.latencies.extend(latencies);
        all.done += done;
    }
    all.took = began.elapsed();
    Ok(all)
}
