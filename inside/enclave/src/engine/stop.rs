//! A writer that has stopped ends the process: a vault that answers 503 for ever helps nobody, and one that is started again
//! may go on.

use std::fmt;

use adyton_frame::StopReason;
use adyton_ledger::LogId;
use tokio::sync::mpsc;

/// A log's writer stopped for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterStopped {
    /// Which log.
    pub log: LogId,
    /// Why.
    pub reason: StopReason,
}

impl fmt::Display for WriterStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.reason {
            StopReason::Fenced | StopReason::Conflict => "another writer is at it: is a second vault running?",
            StopReason::Sealing => "a batch could not be sealed",
            StopReason::Frame => "a batch did not fit a frame",
            StopReason::ChannelGone => "the task of its append channel is gone",
            StopReason::Panicked => "its task panicked",
        };
        write!(f, "the writer of log {} has stopped: {why}", self.log.name())
    }
}

/// Reports that a writer has stopped to the task that runs the vault.
#[derive(Clone)]
pub struct StopReporter(mpsc::Sender<WriterStopped>);

impl StopReporter {
    /// A sender and its receiver. Only the first stop is reported.
    pub fn channel() -> (Self, mpsc::Receiver<WriterStopped>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// A writer has stopped.
    pub fn report(&self, log: LogId, reason: StopReason) {
        // A second one, or one after the end, changes nothing.
        let _ = self.0.try_send(WriterStopped { log, reason });
    }
}
