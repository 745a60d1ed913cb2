//! The writer of one log as the host sees it: one entry in flight, through every outage, until the
//! log stops for ever.
//!
//! 1. what is sent is the only entry at its index; the same bytes go to the host until it answers
//!    ([`Appender`]);
//! 2. the host's answer must be the size that the entry gives the log. Any other, and a conflict,
//!    means that another writer exists. This writer stops and does not report its last entry as
//!    durable;
//! 3. an entry that is durable shows that nobody else was the writer when it was first sent
//!    (`lease`).

use adyton_engine::Sealed;
use adyton_frame::{Event, StopReason};
use adyton_ledger::LogId;
use adyton_transport::Address;
use tokio::time::Instant;

use super::appender::{Appender, Progress};
use crate::events::Events;

/// The one writer of a log.
pub struct LogWriter {
    log: LogId,
    appender: Appender,
    events: Events,
    in_flight: Option<InFlight>,
    /// When the newest entry that is durable was first sent.
    renewed: Option<Instant>,
    stopped: Option<StopReason>,
}

struct InFlight {
    size: u64,
    started: Instant,
}

/// Progress of the entry in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The store does not take it now. It is being retried.
    Lost,
    /// The log is durable up to this size.
    Durable(u64),
}

impl LogWriter {
    /// A writer of a log that is kept at the host.
    pub fn start(service: Address, log: LogId, events: Events) -> Self {
        Self::over(Appender::start(service, log, events.clone()), log, events)
    }

    pub(super) fn over(appender: Appender, log: LogId, events: Events) -> Self {
        Self { log, appender, events, in_flight: None, renewed: None, stopped: None }
    }

    /// The log.
    pub fn log(&self) -> LogId {
        self.log
    }

    /// Whether an entry is on its way.
    pub fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// When the newest entry that is durable was first sent.
    pub fn renewed(&self) -> Option<Instant> {
        self.renewed
    }

    /// 1. Sends an entry; there must be none in flight.
    ///
    /// # Errors
    /// Why it was not sent. [`StopReason::Frame`] leaves the writer as it was; by any other it has stopped.
    pub fn send(&mut self, sealed: &Sealed) -> Result<(), StopReason> {
        if let Some(reason) = self.stopped {
            return Err(reason);
        }
        debug_assert!(self.in_flight.is_none(), "one entry at a time");
        let frame = sealed.frame(sealed.size, self.log.number()).map_err(|_| StopReason::Frame)?;
        self.in_flight = Some(InFlight { size: sealed.size, started: Instant::now() });
        if self.appender.send(frame) { Ok(()) } else { Err(self.stop(StopReason::ChannelGone)) }
    }

    /// 2. Waits for news of the entry in flight; there must be one. May be dropped and called again.
    ///
    /// # Errors
    /// Why the log has stopped.
    pub async fn step(&mut self) -> Result<Step, StopReason> {
        if let Some(reason) = self.stopped {
            return Err(reason);
        }
        let progress = self.appender.progress().await;
        match (progress, self.in_flight.take()) {
            (Some(Progress::Lost), in_flight) => {
                self.in_flight = in_flight;
                Ok(Step::Lost)
            }
            (Some(Progress::Durable { size }), Some(in_flight)) if size == in_flight.size => {
                self.renewed = Some(in_flight.started);
                Ok(Step::Durable(size))
            }
            (Some(Progress::Durable { size }), _) => {
                self.events.emit(Event::Fenced { log: self.log.number(), size });
                Err(self.stop(StopReason::Fenced))
            }
            (Some(Progress::Conflict { .. }), _) => Err(self.stop(StopReason::Conflict)),
            (None, _) => Err(self.stop(StopReason::ChannelGone)),
        }
    }

    /// Waits, through every outage, until nothing is in flight. May be dropped and called again.
    ///
    /// # Errors
    /// Why the log has stopped.
    pub async fn settle(&mut self) -> Result<(), StopReason> {
        while self.is_in_flight() {
            self.step().await?;
        }
        self.stopped.map_or(Ok(()), Err)
    }

    fn stop(&mut self, reason: StopReason) -> StopReason {
        self.in_flight = None;
        *self.stopped.get_or_insert(reason)
    }
}

#[cfg(test)]
mod tests;
