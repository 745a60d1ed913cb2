//! The *append* channel of one log: one batch in flight, the same sealed bytes until the host answers.

use adyton_frame::{Channel, Event, Message};
use adyton_ledger::LogId;
use adyton_transport::{Address, FrameReader, FrameWriter, Stream, open_channel};
use tokio::sync::mpsc;
use tokio::time::{Duration, sleep, timeout};

use crate::events::Events;

/// Longest wait for the host's answer to one append; a slow disk is not a dead host.
const ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// Progress of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The store does not take it now; it is being retried.
    Lost,
    /// It is durable.
    Durable {
        /// Size that the host says.
        size: u64,
    },
    /// Another writer was there; it will never be durable.
    Conflict {
        /// Size that the host says.
        size: u64,
    },
}

/// Hands frames to the host one at a time.
pub struct Appender {
    frames: mpsc::Sender<Vec<u8>>,
    progress: mpsc::Receiver<Progress>,
}

impl Appender {
    /// Starts the connection's keeper.
    pub fn start(service: Address, log: LogId, events: Events) -> Self {
        let (frames, mut next) = mpsc::channel::<Vec<u8>>(1);
        let (report, progress) = mpsc::channel(4);
        tokio::spawn(async move {
            let mut connection = None;
            while let Some(frame) = next.recv().await {
                let mut lost = false;
                let outcome = loop {
                    match append(&mut connection, &service, &frame).await {
                        Some(outcome) => break outcome,
                        None => {
                            connection = None;
                            if !lost {
                                lost = true;
                                events.emit(Event::StoreLost { log: log.number() });
                                let _ = report.send(Progress::Lost).await;
                            }
                            sleep(Duration::from_millis(20)).await;
                        }
                    }
                };
                match outcome {
                    Progress::Durable { .. } if lost => events.emit(Event::StoreBack { log: log.number() }),
                    Progress::Conflict { size } => events.emit(Event::Fenced { log: log.number(), size }),
                    _ => {}
                }
                if report.send(outcome).await.is_err() {
                    return;
                }
            }
        });
        Self { frames, progress }
    }

    /// Hands the next frame over; there must be none in flight. False if the task that keeps the
    /// connection has ended.
    pub fn send(&self, frame: Vec<u8>) -> bool {
        self.frames.try_send(frame).is_ok()
    }

    /// Progress of the frame in flight.
    pub async fn progress(&mut self) -> Option<Progress> {
        self.progress.recv().await
    }
}

/// The other end of an appender, for tests.
#[cfg(test)]
pub(super) struct FakeHost {
    frames: mpsc::Receiver<Vec<u8>>,
    progress: mpsc::Sender<Progress>,
}

#[cfg(test)]
impl FakeHost {
    /// The next frame that is handed over.
    pub(super) async fn frame(&mut self) -> Option<Vec<u8>> {
        self.frames.recv().await
    }

    /// Reports its progress.
    pub(super) async fn report(&mut self, progress: Progress) {
        let _ = self.progress.send(progress).await;
    }
}

#[cfg(test)]
impl Appender {
    /// An appender whose host a test plays.
    pub(super) fn with_fake_host() -> (Self, FakeHost) {
        let (frames, next) = mpsc::channel(1);
        let (report, progress) = mpsc::channel(4);
        (Self { frames, progress }, FakeHost { frames: next, progress: report })
    }
}

type Connection = (FrameReader<tokio::io::ReadHalf<Stream>>, FrameWriter<tokio::io::WriteHalf<Stream>>);

/// One try. `None` means: connect again and send the same bytes.
async fn append(connection: &mut Option<Connection>, service: &Address, frame: &[u8]) -> Option<Progress> {
    if connection.is_none() {
        let stream = open_channel(service, Channel::Append).await.ok()?;
        let (read, write) = tokio::io::split(stream);
        *connection = Some((FrameReader::new(read), FrameWriter::new(write)));
    }
    let (reader, writer) = connection.as_mut()?;
    let exchange = async {
        writer.write_encoded(frame).await.ok()?;
        reader.read().await.ok()?
    };
    match timeout(ACKNOWLEDGEMENT_TIMEOUT, exchange).await.ok()??.message {
        Message::Appended { size } => Some(Progress::Durable { size }),
        Message::Conflict { size } => Some(Progress::Conflict { size }),
        // Full or broken: the host may get better, the bytes stay the same.
        _ => None,
    }
}
