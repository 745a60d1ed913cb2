//! The one thread that writes: appends, chunks and retirement, one after the other.
//!
//! A thread of its own because a commit waits for the disk, and because nothing then waits for a lock behind it.
//!
//! Once a request was answered, the thread stores a few of the tiles that are due and looks for the next request. So no append waits
//! for a tile of its own, and one that arrives meanwhile waits for [`TILES_AT_ONCE`] tiles at most, which no sync follows.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread::JoinHandle;

use adyton_frame::Message;
use adyton_ledger::{LogId, LogReader, TILE_WIDTH};
use tokio::sync::oneshot;

use crate::service::perform_write;
use crate::{RedbReader, RedbStore};

/// Full tiles of level 0 that are built between two requests.
const TILES_AT_ONCE: u64 = 16;

type Job = (Message, oneshot::Sender<Message>);

/// Hands requests to the writing thread. The thread ends, and closes the file, when the last clone is gone.
#[derive(Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    reader: RedbReader,
}

impl Writer {
    /// Starts the thread; it is to be joined before the process ends, so that the file is closed cleanly.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(mut store: RedbStore) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, inbox) = mpsc::channel();
        let reader = store.reader();
        // What an earlier process left.
        let mut due: BTreeSet<LogId> = [LogId::GOV].into();
        due.extend((0..u16::MAX).map(LogId::ops).take_while(|log| store.status(*log).is_ok_and(|log| log.size > 0)));
        let work = move || {
            while let Some(job) = next(&inbox, due.is_empty()) {
                if let Some((request, reply)) = job {
                    let appends = appends(&request);
                    let answer = perform_write(&mut store, request);
                    due.extend(appends.and_then(|(log, from)| completes_a_tile(log, from, &answer)));
                    // Nobody waits for the reply if its connection has ended.
                    let _ = reply.send(answer);
                }
                // A failure is the disk's, which the next append meets too. The log is due again with its next tile.
                let built = due.first().is_none_or(|log| !store.build_tiles(*log, TILES_AT_ONCE).unwrap_or(false));
                if built {
                    due.pop_first();
                }
            }
        };
        let thread = std::thread::Builder::new().name("store".into()).spawn(work)?;
        Ok((Self { jobs, reader }, thread))
    }

    /// Reads beside it.
    pub fn reader(&self) -> &RedbReader {
        &self.reader
    }

    /// The reply to one request that writes; `None` if the thread is gone.
    pub(crate) async fn request(&self, request: Message) -> Option<Message> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send((request, reply)).ok()?;
        answer.await.ok()
    }
}

/// The next request, or nothing to do but what is due; `None` once nobody can ask any more.
fn next(inbox: &Receiver<Job>, may_wait: bool) -> Option<Option<Job>> {
    if may_wait {
        return inbox.recv().ok().map(Some);
    }
    match inbox.try_recv() {
        Ok(job) => Some(Some(job)),
        Err(TryRecvError::Empty) => Some(None),
        Err(TryRecvError::Disconnected) => None,
    }
}

/// The log that a request appends to, and at which size.
fn appends(request: &Message) -> Option<(LogId, u64)> {
    let Message::Append(append) = request else { return None };
    Some((LogId::from_number(append.log), append.expected_size))
}

/// The log, if its append at `from` has completed a tile.
fn completes_a_tile(log: LogId, from: u64, answer: &Message) -> Option<LogId> {
    let width = TILE_WIDTH as u64;
    matches!(answer, Message::Appended { size } if size / width > from / width).then_some(log)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::ops::Range;

    use adyton_frame::{Append, RecordBytes};
    use adyton_ledger::ENTRY_LEN;

    use super::*;
    use crate::tables::ENTRIES;

    /// Entries as an earlier process left them, which ended before it built tiles; written at once, without their appends.
    fn left(store: &mut RedbStore, indices: Range<u64>) {
        let rows = |database: &redb::Database| {
            let write = database.begin_write()?;
            for index in indices {
                write.open_table(ENTRIES)?.insert((1, index), &[7; ENTRY_LEN])?;
            }
            Ok(write.commit()?)
        };
        store.write(rows).unwrap();
    }

    async fn append(writer: &Writer, expected_size: u64) {
        let record = RecordBytes { entry: [7; ENTRY_LEN], hot: None, kept: None };
        let append = Append { log: 1, expected_size, record, head: "head".into() };
        let answer = writer.request(Message::Append(append)).await;
        assert_eq!(answer, Some(Message::Appended { size: expected_size + 1 }));
    }

    async fn is_built(writer: &Writer, number: u64) {
        while writer.reader().tile(LogId::ops(0), 0, number).unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn tiles_are_stored_after_the_answer_and_those_of_an_earlier_process_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = RedbStore::open(folder.path()).unwrap();
        left(&mut store, 0..511);
        let (writer, thread) = Writer::start(store).unwrap();
        append(&writer, 511).await;
        is_built(&writer, 1).await;
        drop(writer);
        thread.join().unwrap();
        let mut store = RedbStore::open(folder.path()).unwrap();
        left(&mut store, 512..6655);
        assert_eq!(store.tile(LogId::ops(0), 0, 2).unwrap(), None);
        let (writer, thread) = Writer::start(store).unwrap();
        is_built(&writer, 24).await;
        drop(writer);
        thread.join().unwrap();
    }

    #[test]
    fn an_append_is_due_when_it_completes_a_tile() {
        let due = |from, size| completes_a_tile(LogId::GOV, from, &Message::Appended { size }).is_some();
        assert!(due(255, 256) && due(0, 600) && due(256, 512));
        assert!(!due(0, 255) && !due(256, 511));
        assert_eq!(completes_a_tile(LogId::GOV, 0, &Message::Conflict { size: 600 }), None);
    }
}
