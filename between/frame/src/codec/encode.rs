//! Messages to bytes.

use alloc::vec::Vec;

use adyton_wire::Put;

use super::{FrameError, HOT, KEPT, LENGTH, MAX_FRAME, NONE};
use crate::{Channel, Counters, DeliveryFailure, Event, Frame, Message, RecordBytes, StoreFailure};

/// Writes an `Append` frame, length first, straight from a sealed record: its entry, its hot and its kept body.
///
/// # Errors
/// [`FrameError::Length`] if it does not fit one frame; then `out` is as before.
pub fn encode_append(
    id: u64,
    log: u16,
    expected_size: u64,
    (entry, hot, kept): (&[u8; 176], Option<&[u8]>, Option<&[u8]>),
    head: &str,
    out: &mut Vec<u8>,
) -> Result<(), FrameError> {
    framed(id, 0x10, out, |out| {
        out.put_u16(log);
        out.put_u64(expected_size);
        put_record(out, entry, hot, kept);
        out.put_lp(head.as_bytes());
    })
}

fn put_record(out: &mut Vec<u8>, entry: &[u8; 176], hot: Option<&[u8]>, kept: Option<&[u8]>) {
    out.put(entry);
    out.put_u8(hot.map_or(0, |_| HOT) | kept.map_or(0, |_| KEPT));
    hot.into_iter().chain(kept).for_each(|body| out.put_lp(body));
}

fn framed(id: u64, kind: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), FrameError> {
    let start = out.len();
    out.put_nested(|out| {
        out.put_u8(kind);
        out.put_u64(id);
        write(out);
    });
    if out.len() - start - LENGTH > MAX_FRAME {
        out.truncate(start);
        return Err(FrameError::Length);
    }
    Ok(())
}

impl Frame {
    /// Appends the frame, length first.
    ///
    /// # Errors
    /// As [`encode_append`]; also [`FrameError::Value`] for a snapshot index of 2^64−1, which means none.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameError> {
        if let Message::Append(append) = &self.message {
            let RecordBytes { entry, hot, kept } = &append.record;
            let record = (entry, hot.as_deref(), kept.as_deref());
            return encode_append(self.id, append.log, append.expected_size, record, &append.head, out);
        }
        if let Message::StatusIs { latest_snapshot: Some(NONE), .. } = self.message {
            return Err(FrameError::Value);
        }
        framed(self.id, kind(&self.message), out, |out| payload(&self.message, out))
    }
}

fn kind(message: &Message) -> u8 {
    match message {
        Message::Hello { .. } => 0x01,
        Message::Welcome { .. } => 0x02,
        Message::Append(_) => 0x10,
        Message::Appended { .. } => 0x11,
        Message::Conflict { .. } => 0x12,
        Message::StoreFailed { .. } => 0x13,
        Message::Status { .. } => 0x20,
        Message::StatusIs { .. } => 0x21,
        Message::Read { .. } => 0x22,
        Message::Records(_) => 0x23,
        Message::PutChunk { .. } => 0x24,
        Message::Done => 0x25,
        Message::GetChunk { .. } => 0x26,
        Message::Chunk(_) => 0x27,
        Message::Retire { .. } => 0x28,
        Message::Heads { .. } => 0x29,
        Message::HeadList(_) => 0x2A,
        Message::Tile { .. } => 0x2B,
        Message::TileIs(_) => 0x2C,
        Message::Missing => 0x2F,
        Message::Approval { .. } => 0x30,
        Message::ApprovalIs(_) => 0x31,
        Message::Event(_) => 0x40,
    }
}

fn payload(message: &Message, out: &mut Vec<u8>) {
    match message {
        Message::Hello { version, channel } => {
            out.put_u16(*version);
            out.put_u8(match channel {
                Channel::Append => 1,
                Channel::Store => 2,
                Channel::Dial => 3,
                Channel::Events => 4,
                Channel::Inspect => 5,
            });
        }
        Message::Welcome { version } => out.put_u16(*version),
        Message::Appended { size } | Message::Conflict { size } | Message::Approval { release: size } => {
            out.put_u64(*size)
        }
        Message::StoreFailed { reason } => out.put_u8(match reason {
            StoreFailure::Full => 1,
            StoreFailure::Io => 2,
        }),
        Message::Status { log } => out.put_u16(*log),
        Message::StatusIs { size, latest_snapshot, head } => {
            out.put_u64(*size);
            out.put_u64(latest_snapshot.unwrap_or(NONE));
            out.put_lp(head.as_bytes());
        }
        Message::Read { log, from, max } | Message::Heads { log, from, max } => {
            out.put_u16(*log);
            out.put_u64(*from);
            out.put_u32(*max);
        }
        Message::Records(records) => {
            put_count(out, records.len());
            for RecordBytes { entry, hot, kept } in records {
                put_record(out, entry, hot.as_deref(), kept.as_deref());
            }
        }
        Message::PutChunk { log, snapshot, number, bytes } => {
            out.put_u16(*log);
            out.put(snapshot);
            out.put_u32(*number);
            out.put_lp(bytes);
        }
        Message::GetChunk { log, snapshot, number } => {
            out.put_u16(*log);
            out.put(snapshot);
            out.put_u32(*number);
        }
        Message::Chunk(bytes) | Message::TileIs(bytes) | Message::ApprovalIs(bytes) => out.put_lp(bytes),
        Message::Retire { log, below, bucket, snapshot, boot_id } => {
            out.put_u16(*log);
            out.put_u64(*below);
            out.put_u64(*bucket);
            out.put(snapshot);
            out.put(boot_id);
        }
        Message::HeadList(heads) => {
            put_count(out, heads.len());
            heads.iter().for_each(|head| out.put_lp(head.as_bytes()));
        }
        Message::Tile { log, level, number } => {
            out.put_u16(*log);
            out.put_u8(*level);
            out.put_u64(*number);
        }
        Message::Event(event) => put_event(event, out),
        // `Append` has an encoder of its own; the others are empty.
        Message::Append(_) | Message::Done | Message::Missing => {}
    }
}

fn put_event(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::BootPhase { phase } => out.put(&[1, *phase]),
        Event::Ready { replayed, micros } => {
            out.put_u8(2);
            out.put_u64(*replayed);
            out.put_u64(*micros);
        }
        Event::StoreLost { log } => put_log(out, 3, *log),
        Event::StoreBack { log } => put_log(out, 4, *log),
        Event::Fenced { log, size } => {
            put_log(out, 5, *log);
            out.put_u64(*size);
        }
        Event::DeliveryFailed { class } => out.put(&[
            6,
            match class {
                DeliveryFailure::Connect => 1,
                DeliveryFailure::Tls => 2,
                DeliveryFailure::Refused => 3,
                DeliveryFailure::Timeout => 4,
            },
        ]),
        Event::SnapshotTaken { log, index } => {
            put_log(out, 7, *log);
            out.put_u64(*index);
        }
        Event::BootRefused { reason } => out.put(&[8, *reason]),
        Event::BootDelayed { boots, seconds } => {
            out.put_u8(11);
            out.put_u64(*boots);
            out.put_u64(*seconds);
        }
        Event::PlatformLost => out.put_u8(12),
        Event::PlatformBack => out.put_u8(13),
        Event::WriterStopped { log, reason } => {
            put_log(out, 14, *log);
            out.put_u8(reason.number());
        }
        Event::CeilingNear { ceiling } => out.put(&[15, ceiling.number()]),
        Event::SenderRefused { route } => out.put(&[16, *route]),
        Event::LogFaulty { log, index } => {
            put_log(out, 9, *log);
            out.put_u64(*index);
        }
        Event::Counters(counters) => {
            let Counters {
                starts,
                checks,
                accepted,
                refused,
                gave_up,
                unreachable,
                unconfirmed,
                withdrawn,
                live_hundreds,
                refused_by_ceiling,
            } = counters;
            out.put_u8(10);
            let messages = [accepted, refused, gave_up, unreachable, unconfirmed, withdrawn];
            let counts = [starts, checks].into_iter().chain(messages).chain([live_hundreds]);
            for count in counts.chain(refused_by_ceiling) {
                out.put_u64(*count);
            }
        }
    }
}

fn put_log(out: &mut Vec<u8>, event: u8, log: u16) {
    out.put_u8(event);
    out.put_u16(log);
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    // Anything near 4 GiB is far over a frame's size, which `framed` refuses.
    out.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
}
