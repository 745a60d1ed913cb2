//! Operational events: a closed list without free text (DESIGN §5).

use adyton_frame::{Channel, Event, Frame, Message};
use adyton_transport::{Address, FrameWriter, open_channel};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, timeout};

/// Longest wait for the host to take the last event of a process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends events; when the host does not take them, they are dropped.
#[derive(Clone)]
pub struct Events(mpsc::Sender<(Event, Option<oneshot::Sender<()>>)>);

impl Events {
    /// Starts the sender.
    pub fn start(service: Address) -> Self {
        let (sender, mut receiver) = mpsc::channel::<(Event, Option<oneshot::Sender<()>>)>(256);
        tokio::spawn(async move {
            let mut connection = None;
            while let Some((event, sent)) = receiver.recv().await {
                let frame = Frame { id: 0, message: Message::Event(event) };
                // A connection that broke while idle says nothing about the host that is there now.
                for _ in 0..2 {
                    if connection.is_none() {
                        connection = open_channel(&service, Channel::Events).await.ok().map(FrameWriter::new);
                    }
                    let Some(writer) = &mut connection else { break };
                    if writer.write(&frame).await.is_ok() {
                        break;
                    }
                    connection = None;
                }
                if let Some(sent) = sent {
                    // The requester may have given up waiting.
                    let _ = sent.send(());
                }
            }
        });
        Self(sender)
    }

    /// A sender that nobody listens to, for tests and benchmarks.
    pub fn silent() -> Self {
        Self(mpsc::channel(1).0)
    }

    /// Emits an event.
    pub fn emit(&self, event: Event) {
        let _ = self.0.try_send((event, None));
    }

    /// Emits the last event of a process and waits until it and all earlier ones are sent, a second
    /// at most.
    pub async fn emit_last(&self, event: Event) {
        let (sent, done) = oneshot::channel();
        let told = async {
            if self.0.send((event, Some(sent))).await.is_ok() {
                let _ = done.await;
            }
        };
        let _ = timeout(FLUSH_TIMEOUT, told).await;
    }
}
