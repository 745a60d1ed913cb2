//! The service address: what the enclave opens channels to (`docs/spec/01-frames.md`).

use std::sync::Arc;

use adyton_frame::{Append, Channel, Event, Frame, Message, RecordBytes, StoreFailure};
use adyton_ledger::{AppendOutcome, Entry, LogId, LogReader, LogStore, Record};
use adyton_transport::{FrameReader, FrameWriter, Listener, Stream, accept_channel};

use crate::dial::dial;
use crate::{Approvals, RedbReader, RedbStore, Routes, StoreError, Writer};

/// Bytes of records or heads in one reply: a frame less its head and some room.
const READ_BYTES: usize = 1_000_000;

/// Heads in one reply, whatever was asked for.
const MAX_HEADS: u32 = 1024;

/// Where operational events go. It may block, say on a pipe that nobody reads; then only further events wait.
pub type EventSink = Arc<dyn Fn(Event) + Send + Sync>;

/// Accepts channels for ever.
pub async fn serve_channels(
    listener: Listener,
    store: Writer,
    approvals: Approvals,
    routes: Routes,
    events: EventSink,
) {
    let routes = Arc::new(routes);
    loop {
        let Ok(mut stream) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let (store, approvals) = (store.clone(), approvals.clone());
        let (routes, events) = (Arc::clone(&routes), Arc::clone(&events));
        tokio::spawn(async move {
            match accept_channel(&mut stream).await {
                Ok(Channel::Dial) => drop(dial(stream, &routes).await),
                Ok(channel) => serve(stream, channel, &store, &approvals, &events).await,
                Err(_) => {}
            }
        });
    }
}

/// Answers requests in order until the stream ends or breaks the protocol.
async fn serve(stream: Stream, channel: Channel, store: &Writer, approvals: &Approvals, events: &EventSink) {
    let (read, write) = tokio::io::split(stream);
    let (mut reader, mut writer) = (FrameReader::new(read), FrameWriter::new(write));
    while let Ok(Some(Frame { id, message })) = reader.read().await {
        if !channel.allows(&message) {
            return;
        }
        if let Message::Event(event) = message {
            let events = Arc::clone(events);
            if tokio::task::spawn_blocking(move || events(event)).await.is_err() {
                return;
            }
            continue;
        }
        let answer = if matches!(message, Message::Append(_) | Message::PutChunk { .. } | Message::Retire { .. }) {
            store.request(message).await
        } else {
            let (reader, approvals) = (store.reader().clone(), approvals.clone());
            tokio::task::spawn_blocking(move || perform_read(&reader, &approvals, message)).await.ok()
        };
        let Some(message) = answer else { return };
        if writer.write(&Frame { id, message }).await.is_err() {
            return;
        }
    }
}

pub(crate) fn failed(error: StoreError) -> Message {
    let reason = match error {
        StoreError::Full => StoreFailure::Full,
        StoreError::Io(_) | StoreError::ReadOnly | StoreError::Format { .. } => StoreFailure::Io,
    };
    Message::StoreFailed { reason }
}

/// Carries out a request that writes at once; a retirement takes longer ([`Writer`]).
pub(crate) fn perform_write(store: &mut RedbStore, request: Message) -> Message {
    let done = match request {
        Message::Append(Append { log, expected_size, record: RecordBytes { entry, hot, kept }, head }) => {
            let record = Record { entry: Entry::from_bytes(entry), hot, kept };
            store.append(LogId::from_number(log), expected_size, &record, &head).map(|outcome| match outcome {
                AppendOutcome::Appended { size } => Message::Appended { size },
                AppendOutcome::Conflict { size } => Message::Conflict { size },
            })
        }
        Message::PutChunk { log, snapshot, number, bytes } => {
            store.put_chunk(LogId::from_number(log), snapshot, number, &bytes).map(|()| Message::Done)
        }
        // The writing thread sends nothing else here.
        _ => Ok(Message::Missing),
    };
    done.unwrap_or_else(failed)
}

fn perform_read(store: &RedbReader, approvals: &Approvals, request: Message) -> Message {
    let done = match request {
        Message::Status { log } => store.status(LogId::from_number(log)).map(|status| Message::StatusIs {
            size: status.size,
            latest_snapshot: status.latest_snapshot,
            head: status.head,
        }),
        Message::Read { log, from, max } => {
            let stored = |Record { entry, hot, kept }| RecordBytes { entry: *entry.as_bytes(), hot, kept };
            let records = store.read(LogId::from_number(log), from, max, READ_BYTES);
            records.map(|records| Message::Records(records.into_iter().map(stored).collect()))
        }
        Message::GetChunk { log, snapshot, number } => {
            let chunk = store.chunk(LogId::from_number(log), snapshot, number);
            chunk.map(|chunk| chunk.map_or(Message::Missing, Message::Chunk))
        }
        Message::Heads { log, from, max } => {
            let heads = store.heads(LogId::from_number(log), from, max.min(MAX_HEADS));
            heads.map(|heads| Message::HeadList(that_fit(heads)))
        }
        Message::Tile { log, level, number } => {
            let tile = store.tile(LogId::from_number(log), level, number);
            tile.map(|tile| tile.map_or(Message::Missing, Message::TileIs))
        }
        Message::Approval { release } => {
            approvals.read(release).map(|approval| approval.map_or(Message::Missing, Message::ApprovalIs))
        }
        // `Channel::allows` lets nothing else through.
        _ => Ok(Message::Missing),
    };
    done.unwrap_or_else(failed)
}

/// As many heads as fit one frame, at least one if there is one.
fn that_fit(heads: Vec<String>) -> Vec<String> {
    let mut bytes = 0;
    let fits = |(place, head): &(usize, String)| {
        bytes += 4 + head.len();
        *place == 0 || bytes <= READ_BYTES
    };
    heads.into_iter().enumerate().take_while(fits).map(|(_, head)| head).collect()
}
