//! The one thread that writes: appends, chunks and retirement, one after the other.
//!
//! A thread of its own because a commit waits for the disk, and because nothing then waits for a lock behind it.

use std::sync::mpsc;
use std::thread::JoinHandle;

use adyton_frame::Message;
use tokio::sync::oneshot;

use crate::service::perform_write;
use crate::{RedbReader, RedbStore};

/// Hands requests to the writing thread. The thread ends, and closes the file, when the last clone is gone.
#[derive(Clone)]
pub struct Writer {
    jobs: mpsc::Sender<(Message, oneshot::Sender<Message>)>,
    reader: RedbReader,
}

impl Writer {
    /// Starts the thread; it is to be joined before the process ends, so that the file is closed cleanly.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(mut store: RedbStore) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, inbox) = mpsc::channel::<(Message, oneshot::Sender<Message>)>();
        let reader = store.reader();
        let work = move || {
            for (request, reply) in inbox {
                // Nobody waits for the reply if its connection has ended.
                let _ = reply.send(perform_write(&mut store, request));
            }
        };
        let thread = std::thread::Builder::new().name("store".into()).spawn(work)?;
        Ok((Self { jobs, reader }, thread))
    }

    pub(crate) fn reader(&self) -> &RedbReader {
        &self.reader
    }

    /// The reply to one request that writes; `None` if the thread is gone.
    pub(crate) async fn request(&self, request: Message) -> Option<Message> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send((request, reply)).ok()?;
        answer.await.ok()
    }
}
