//! The only words to the outside: operational events, a closed list without free text (DESIGN §5).

use adyton_frame::{Channel, Event, Frame, Message};
use adyton_transport::{Address, FrameWriter, open_channel};
use tokio::sync::mpsc;
use tokio::time::{Duration, sleep};

/// Sends events; when the host does not take them, they are dropped.
#[derive(Clone)]
pub struct Events(mpsc::Sender<Event>);

impl Events {
    /// Starts the sender.
    pub fn start(service: Address) -> Self {
        let (sender, mut receiver) = mpsc::channel(256);
        tokio::spawn(async move {
            while let Some(mut event) = receiver.recv().await {
                let Ok(stream) = open_channel(&service, Channel::Events).await else {
                    sleep(Duration::from_millis(200)).await;
                    continue;
                };
                let mut writer = FrameWriter::new(stream);
                while writer.write(&Frame { id: 0, message: Message::Event(event) }).await.is_ok() {
                    let Some(next) = receiver.recv().await else { return };
                    event = next;
                }
            }
        });
        Self(sender)
    }

    /// A sender that nobody listens to, for tests and benchmarks.
    pub fn silent() -> Self {
        Self(mpsc::channel(1).0)
    }

    /// Says something.
    pub fn emit(&self, event: Event) {
        let _ = self.0.try_send(event);
    }
}
