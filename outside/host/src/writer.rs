//! The one thread that writes: appends, chunks and retirement, one after the other.
//!
//! A thread of its own because a commit waits for the disk, and because nothing then waits for a
//! lock behind it.
//!
//! Once a request was answered, the thread does one small step of what is due, tiles before
//! retirement, and looks for the next request. So no append waits for a tile of its own or for a
//! whole retirement: one that arrives meanwhile waits for one full tile or [`BATCHES_PER_STEP`]
//! batches, which no sync follows. A retirement is answered once all of it is done.

use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread::JoinHandle;

use adyton_frame::Message;
use adyton_ledger::{LogId, LogReader, Retirement, TILE_WIDTH};
use tokio::sync::oneshot;

use crate::service::{failed, perform_write};
use crate::{RedbReader, RedbStore};

/// Full tiles of level 0 that are built between two requests.
const TILES_PER_STEP: u64 = 1;
/// Batches that a retirement scans between two requests.
const BATCHES_PER_STEP: u64 = 64;

type Job = (Message, Reply);
type Reply = oneshot::Sender<Message>;

/// Hands requests to the writing thread. The thread ends, and closes the file, when the last clone
/// is gone.
#[derive(Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    reader: RedbReader,
}

impl Writer {
    /// Starts the thread; it is to be joined before the process ends, so that the file is closed
    /// cleanly.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub fn start(store: RedbStore) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, inbox) = mpsc::channel();
        let reader = store.reader();
        // Tiles that an earlier process left.
        let mut tiles: BTreeSet<LogId> = [LogId::GOV].into();
        tiles.extend((0..u16::MAX).map(LogId::ops).take_while(|log| store.status(*log).is_ok_and(|log| log.size > 0)));
        let mut thread = Thread { store, tiles, retiring: VecDeque::new() };
        let work = move || {
            while let Some(job) = next(&inbox, thread.is_idle()) {
                if let Some((request, reply)) = job {
                    thread.handle(request, reply);
                }
                thread.step();
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

/// The store, and what is due in it.
struct Thread {
    store: RedbStore,
    /// Logs that have tiles to build.
    tiles: BTreeSet<LogId>,
    /// Retirements, the oldest first.
    retiring: VecDeque<(LogId, Retirement, Reply)>,
}

impl Thread {
    fn is_idle(&self) -> bool {
        self.tiles.is_empty() && self.retiring.is_empty()
    }

    /// Carries out a request, or takes it up.
    fn handle(&mut self, request: Message, reply: Reply) {
        if let Message::Retire { log, below, bucket, snapshot, boot_id } = request {
            let retirement = Retirement { below, bucket, snapshot, boot_id };
            self.retiring.push_back((LogId::from_number(log), retirement, reply));
            return;
        }
        if let Message::PutChunk { log, snapshot, .. } = &request {
            self.overtake(LogId::from_number(*log), *snapshot);
        }
        let appends = appends(&request);
        let answer = perform_write(&mut self.store, request);
        self.tiles.extend(appends.and_then(|(log, from)| completes_a_tile(log, from, &answer)));
        // No task waits for the reply if its connection has ended.
        let _ = reply.send(answer);
    }

    /// Ends retirements that would delete the chunks of a snapshot that is being stored. The enclave sends a
    /// retirement again after that snapshot, or after an hour.
    fn overtake(&mut self, log: LogId, snapshot: [u8; 16]) {
        let is_kept = |(of, retirement, _): &(LogId, Retirement, Reply)| *of != log || retirement.snapshot == snapshot;
        let overtaken: VecDeque<_>;
        (self.retiring, overtaken) = std::mem::take(&mut self.retiring).into_iter().partition(is_kept);
        for (.., reply) in overtaken {
            let _ = reply.send(Message::Done);
        }
    }

    /// Does one step of what is due.
    fn step(&mut self) {
        if let Some(log) = self.tiles.first() {
            // A failure is the disk's, which the next append meets too. The log is due again with
            // its next tile.
            if !self.store.build_tiles(*log, TILES_PER_STEP).unwrap_or(false) {
                self.tiles.pop_first();
            }
        } else if let Some((log, retirement, _)) = self.retiring.front() {
            let answer = match self.store.retire_some(*log, retirement, BATCHES_PER_STEP) {
                Ok(true) => return,
                Ok(false) => Message::Done,
                Err(error) => failed(error),
            };
            if let Some((.., reply)) = self.retiring.pop_front() {
                let _ = reply.send(answer);
            }
        }
    }
}

/// The next request, or nothing to do but what is due; `None` once the last sender is dropped.
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
    use adyton_ledger::{ENTRY_LEN, Entry, Header, Kind, Record, Size};

    use super::*;
    use crate::row::Row;
    use crate::tables::BATCHES;

    /// Entries as an earlier process left them, which ended before it built tiles; written at once,
    /// without their appends.
    fn left(store: &mut RedbStore, indices: Range<u64>) {
        let rows = |database: &redb::Database| {
            let record = Record { entry: Entry::from_bytes([7; ENTRY_LEN]), hot: None, kept: None };
            let row = Row::of(&record, "head").encode()?;
            let write = database.begin_write()?;
            for index in indices {
                write.open_table(BATCHES)?.insert((1, index), &row[..])?;
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

    #[tokio::test]
    async fn a_retirement_of_many_batches_is_answered_once_all_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = RedbStore::open(folder.path()).unwrap();
        let rows = |database: &redb::Database| {
            let write = database.begin_write()?;
            for index in 0..500 {
                write.open_table(BATCHES)?.insert((1, index), &Row::of(&with_hot(index), "head").encode()?[..])?;
            }
            Ok(write.commit()?)
        };
        store.write(rows).unwrap();
        let (writer, thread) = Writer::start(store).unwrap();
        let retire = Message::Retire { log: 1, below: 400, bucket: 0, snapshot: [1; 16], boot_id: [2; 16] };
        assert_eq!(writer.request(retire).await, Some(Message::Done));
        let left = writer.reader().read(LogId::ops(0), 0, 500, usize::MAX).unwrap();
        assert!(left.iter().enumerate().all(|(index, record)| record.hot.is_some() == (index >= 400)));
        drop(writer);
        thread.join().unwrap();
    }

    /// It would take away the chunks of a snapshot that counts from its manifest on.
    #[tokio::test]
    async fn a_retirement_ends_when_another_snapshot_is_being_stored() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = RedbStore::open(folder.path()).unwrap();
        left(&mut store, 0..4 * BATCHES_PER_STEP);
        let mut thread = Thread { store, tiles: BTreeSet::new(), retiring: VecDeque::new() };
        let put = |snapshot| Message::PutChunk { log: 1, snapshot, number: 0, bytes: vec![7; 8] };
        let retire =
            Message::Retire { log: 1, below: 4 * BATCHES_PER_STEP, bucket: 0, snapshot: [1; 16], boot_id: [2; 16] };
        let mut answers = Vec::new();
        for request in [put([1; 16]), retire, put([3; 16])] {
            let (reply, answer) = oneshot::channel();
            thread.handle(request, reply);
            answers.push(answer);
        }
        while !thread.is_idle() {
            thread.step();
        }
        for answer in answers {
            assert_eq!(answer.await.unwrap(), Message::Done);
        }
        for snapshot in [[1; 16], [3; 16]] {
            let chunk = thread.store.reader().chunk(LogId::ops(0), snapshot, 0).unwrap();
            assert_eq!(chunk, Some(vec![7; 8]));
        }
    }

    fn with_hot(index: u64) -> Record {
        let (hot, size) = (vec![7; 48], Size::holding(48).unwrap());
        let header = Header {
            kind: Kind::Ops,
            hot_size: size,
            kept_size: Size::ABSENT,
            index,
            time_bucket: 0,
            boot_id: [2; 16],
            release: 1,
            hot_root: Default::default(),
            kept_root: Default::default(),
        };
        Record { entry: Entry::new(&header, Some(&hot), None), hot: Some(hot), kept: None }
    }

    #[test]
    fn an_append_is_due_when_it_completes_a_tile() {
        let due = |from, size| completes_a_tile(LogId::GOV, from, &Message::Appended { size }).is_some();
        assert!(due(255, 256) && due(0, 600) && due(256, 512));
        assert!(!due(0, 255) && !due(256, 511));
        assert_eq!(completes_a_tile(LogId::GOV, 0, &Message::Conflict { size: 600 }), None);
    }
}
