//! The service address: what the enclave opens channels to (`docs/spec/01-frames.md`).

use std::sync::{Arc, Mutex, PoisonError};

use adyton_frame::{Append, Channel, Event, Frame, Message, RecordBytes, StoreFailure, StoredBytes};
use adyton_ledger::{AppendOutcome, Entry, LogId, LogReader, LogStore, Record, Retirement, StoredRecord};
use adyton_transport::{FrameReader, FrameWriter, Listener, Stream, accept_channel};

use crate::dial::dial;
use crate::{RedbStore, Routes, StoreError};

/// Bytes of records in one reply: a frame less its head and some room.
const READ_BYTES: usize = 1_000_000;

/// Where operational events go.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;

/// Accepts channels for ever.
pub async fn serve_channels(listener: Listener, store: RedbStore, routes: Routes, events: EventSink) {
    let store = Arc::new(Mutex::new(store));
    let routes = Arc::new(routes);
    loop {
        let Ok(mut stream) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let (store, routes, events) = (Arc::clone(&store), Arc::clone(&routes), Arc::clone(&events));
        tokio::spawn(async move {
            match accept_channel(&mut stream).await {
                Ok(Channel::Dial) => drop(dial(stream, &routes).await),
                Ok(channel) => serve(stream, channel, &store, &events).await,
                Err(_) => {}
            }
        });
    }
}

/// Answers requests in order until the stream ends or breaks the protocol.
async fn serve(stream: Stream, channel: Channel, store: &Arc<Mutex<RedbStore>>, events: &EventSink) {
    let (read, write) = tokio::io::split(stream);
    let (mut reader, mut writer) = (FrameReader::new(read), FrameWriter::new(write));
    while let Ok(Some(Frame { id, message })) = reader.read().await {
        if !channel.allows(&message) {
            return;
        }
        if let Message::Event(event) = message {
            events(event);
            continue;
        }
        let store = Arc::clone(store);
        // The store blocks on the disk.
        let answer = tokio::task::spawn_blocking(move || {
            let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&mut store, message)
        });
        let Ok(message) = answer.await else { return };
        if writer.write(&Frame { id, message }).await.is_err() {
            return;
        }
    }
}

fn answer(store: &mut RedbStore, request: Message) -> Message {
    perform(store, request).unwrap_or_else(|error| Message::StoreFailed {
        reason: match error {
            StoreError::Full => StoreFailure::Full,
            StoreError::Io(_) | StoreError::ReadOnly => StoreFailure::Io,
        },
    })
}

fn perform(store: &mut RedbStore, request: Message) -> Result<Message, StoreError> {
    Ok(match request {
        Message::Append(Append { log, expected_size, records, head }) => {
            let record =
                |RecordBytes { entry, body }| Record { entry: Entry::from_bytes(entry), body };
            let records: Vec<Record> = records.into_iter().map(record).collect();
            match store.append(LogId::from_number(log), expected_size, &records, &head)? {
                AppendOutcome::Appended { size } => Message::Appended { size },
                AppendOutcome::Conflict { size } => Message::Conflict { size },
            }
        }
        Message::Status { log } => {
            let status = store.status(LogId::from_number(log))?;
            Message::StatusIs { size: status.size, latest_snapshot: status.latest_snapshot, head: status.head }
        }
        Message::Read { log, from, max } => {
            let stored = |StoredRecord { entry, body }| StoredBytes { entry: *entry.as_bytes(), body };
            let records = store.read(LogId::from_number(log), from, max, READ_BYTES)?;
            Message::Records(records.into_iter().map(stored).collect())
        }
        Message::PutChunk { log, snapshot, number, bytes } => {
            store.put_chunk(LogId::from_number(log), snapshot, number, &bytes)?;
            Message::Done
        }
        Message::GetChunk { log, snapshot, number } => {
            store.chunk(LogId::from_number(log), snapshot, number)?.map_or(Message::Missing, Message::Chunk)
        }
        Message::Retire { log, below, bucket, snapshot } => {
            store.retire(LogId::from_number(log), Retirement { below, bucket, snapshot })?;
            Message::Done
        }
        Message::Heads { log, from, max } => {
            Message::HeadList(store.heads(LogId::from_number(log), from, max.min(1024))?)
        }
        Message::Tile { log, level, number } => {
            store.tile(LogId::from_number(log), level, number)?.map_or(Message::Missing, Message::TileIs)
        }
        // `Channel::allows` lets nothing else through.
        _ => Message::Missing,
    })
}
