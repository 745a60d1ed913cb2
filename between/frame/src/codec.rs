//! Bytes to messages and back, strictly.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::{
    Append, Ceiling, Channel, Counters, DeliveryFailure, Event, Frame, Message, RecordBytes, StopReason, StoreFailure,
};

/// Most bytes that may follow a frame's length.
pub const MAX_FRAME: usize = 1_048_576;

const HEAD: usize = 9;
/// Bits of a record's bodies that follow.
const HOT: u8 = 1;
const KEPT: u8 = 2;
const NONE: u64 = u64::MAX;

/// Why bytes are not a frame, or a message does not fit one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The length is below 9 or above 1 048 576.
    Length,
    /// The kind is unknown.
    Kind {
        /// What stands there.
        got: u8,
    },
    /// Bytes are missing.
    Truncated,
    /// Bytes are left over.
    TrailingBytes,
    /// A value is not one that the page allows.
    Value,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "a frame's length is {HEAD} to {MAX_FRAME}"),
            Self::Kind { got } => write!(f, "unknown frame kind {got:#04x}"),
            Self::Truncated => f.write_str("the frame ends early"),
            Self::TrailingBytes => f.write_str("bytes follow the message in its frame"),
            Self::Value => f.write_str("a field of the frame has a value that is not allowed"),
        }
    }
}

impl core::error::Error for FrameError {}

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
        out.extend_from_slice(&log.to_be_bytes());
        out.extend_from_slice(&expected_size.to_be_bytes());
        put_record(out, entry, hot, kept);
        put_lp(out, head.as_bytes());
    })
}

fn put_record(out: &mut Vec<u8>, entry: &[u8; 176], hot: Option<&[u8]>, kept: Option<&[u8]>) {
    out.extend_from_slice(entry);
    out.push(hot.map_or(0, |_| HOT) | kept.map_or(0, |_| KEPT));
    hot.into_iter().chain(kept).for_each(|body| put_lp(out, body));
}

fn framed(id: u64, kind: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.push(kind);
    out.extend_from_slice(&id.to_be_bytes());
    write(out);
    let length = out.len() - start - 4;
    let Some(length) = u32::try_from(length).ok().filter(|_| length <= MAX_FRAME) else {
        out.truncate(start);
        return Err(FrameError::Length);
    };
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
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

    /// Reads what follows a frame's length; the whole input is one frame.
    ///
    /// # Errors
    /// [`FrameError`], the first rule that is broken.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        if !(HEAD..=MAX_FRAME).contains(&bytes.len()) {
            return Err(FrameError::Length);
        }
        let mut rest = Rest(bytes);
        let kind = rest.u8()?;
        let id = rest.u64()?;
        let message = rest.message(kind)?;
        if rest.0.is_empty() { Ok(Self { id, message }) } else { Err(FrameError::TrailingBytes) }
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
            out.extend_from_slice(&version.to_be_bytes());
            out.push(match channel {
                Channel::Append => 1,
                Channel::Store => 2,
                Channel::Dial => 3,
                Channel::Events => 4,
                Channel::Inspect => 5,
            });
        }
        Message::Welcome { version } => out.extend_from_slice(&version.to_be_bytes()),
        Message::Appended { size } | Message::Conflict { size } | Message::Approval { release: size } => {
            out.extend_from_slice(&size.to_be_bytes())
        }
        Message::StoreFailed { reason } => out.push(match reason {
            StoreFailure::Full => 1,
            StoreFailure::Io => 2,
        }),
        Message::Status { log } => out.extend_from_slice(&log.to_be_bytes()),
        Message::StatusIs { size, latest_snapshot, head } => {
            out.extend_from_slice(&size.to_be_bytes());
            out.extend_from_slice(&latest_snapshot.unwrap_or(NONE).to_be_bytes());
            put_lp(out, head.as_bytes());
        }
        Message::Read { log, from, max } | Message::Heads { log, from, max } => {
            out.extend_from_slice(&log.to_be_bytes());
            out.extend_from_slice(&from.to_be_bytes());
            out.extend_from_slice(&max.to_be_bytes());
        }
        Message::Records(records) => {
            put_count(out, records.len());
            for RecordBytes { entry, hot, kept } in records {
                put_record(out, entry, hot.as_deref(), kept.as_deref());
            }
        }
        Message::PutChunk { log, snapshot, number, bytes } => {
            out.extend_from_slice(&log.to_be_bytes());
            out.extend_from_slice(snapshot);
            out.extend_from_slice(&number.to_be_bytes());
            put_lp(out, bytes);
        }
        Message::GetChunk { log, snapshot, number } => {
            out.extend_from_slice(&log.to_be_bytes());
            out.extend_from_slice(snapshot);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Message::Chunk(bytes) | Message::TileIs(bytes) | Message::ApprovalIs(bytes) => put_lp(out, bytes),
        Message::Retire { log, below, bucket, snapshot, boot_id } => {
            out.extend_from_slice(&log.to_be_bytes());
            out.extend_from_slice(&below.to_be_bytes());
            out.extend_from_slice(&bucket.to_be_bytes());
            out.extend_from_slice(snapshot);
            out.extend_from_slice(boot_id);
        }
        Message::HeadList(heads) => {
            put_count(out, heads.len());
            heads.iter().for_each(|head| put_lp(out, head.as_bytes()));
        }
        Message::Tile { log, level, number } => {
            out.extend_from_slice(&log.to_be_bytes());
            out.push(*level);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Message::Event(event) => put_event(event, out),
        // `Append` has an encoder of its own; the others are empty.
        Message::Append(_) | Message::Done | Message::Missing => {}
    }
}

fn put_event(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::BootPhase { phase } => out.extend_from_slice(&[1, *phase]),
        Event::Ready { replayed, micros } => {
            out.push(2);
            out.extend_from_slice(&replayed.to_be_bytes());
            out.extend_from_slice(&micros.to_be_bytes());
        }
        Event::StoreLost { log } => put_log(out, 3, *log),
        Event::StoreBack { log } => put_log(out, 4, *log),
        Event::Fenced { log, size } => {
            put_log(out, 5, *log);
            out.extend_from_slice(&size.to_be_bytes());
        }
        Event::DeliveryFailed { class } => out.extend_from_slice(&[
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
            out.extend_from_slice(&index.to_be_bytes());
        }
        Event::BootRefused { reason } => out.extend_from_slice(&[8, *reason]),
        Event::BootDelayed { boots, seconds } => {
            out.push(11);
            out.extend_from_slice(&boots.to_be_bytes());
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        Event::PlatformLost => out.push(12),
        Event::PlatformBack => out.push(13),
        Event::WriterStopped { log, reason } => {
            put_log(out, 14, *log);
            out.push(reason.number());
        }
        Event::CeilingNear { ceiling } => out.extend_from_slice(&[15, ceiling.number()]),
        Event::SenderRefused { route } => out.extend_from_slice(&[16, *route]),
        Event::LogFaulty { log, index } => {
            put_log(out, 9, *log);
            out.extend_from_slice(&index.to_be_bytes());
        }
        Event::Counters(counters) => {
            let Counters {
                starts,
                checks_passed,
                checks_failed,
                accepted,
                refused,
                gave_up,
                unreachable,
                unconfirmed,
                withdrawn,
                live_hundreds,
                refused_by_ceiling,
            } = counters;
            out.push(10);
            let messages = [accepted, refused, gave_up, unreachable, unconfirmed, withdrawn];
            let counts = [starts, checks_passed, checks_failed].into_iter().chain(messages).chain([live_hundreds]);
            for count in counts.chain(refused_by_ceiling) {
                out.extend_from_slice(&count.to_be_bytes());
            }
        }
    }
}

fn put_log(out: &mut Vec<u8>, event: u8, log: u16) {
    out.push(event);
    out.extend_from_slice(&log.to_be_bytes());
}

fn put_lp(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    // Anything near 4 GiB is far over a frame's size, which `framed` refuses.
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (taken, left) = self.0.split_first_chunk::<N>().ok_or(FrameError::Truncated)?;
        self.0 = left;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, FrameError> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, FrameError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_be_bytes)
    }

    fn lp(&mut self) -> Result<Vec<u8>, FrameError> {
        let length = usize::try_from(self.u32()?).map_err(|_| FrameError::Truncated)?;
        let (taken, left) = self.0.split_at_checked(length).ok_or(FrameError::Truncated)?;
        self.0 = left;
        Ok(taken.to_vec())
    }

    fn text(&mut self) -> Result<String, FrameError> {
        String::from_utf8(self.lp()?).map_err(|_| FrameError::Value)
    }

    /// A list of `count` items of at least `smallest` bytes; a count that cannot fit is refused before anything is
    /// allocated for it.
    fn list<T>(
        &mut self,
        count: usize,
        smallest: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, FrameError>,
    ) -> Result<Vec<T>, FrameError> {
        if count.checked_mul(smallest).is_none_or(|least| least > self.0.len()) {
            return Err(FrameError::Truncated);
        }
        (0..count).map(|_| item(self)).collect()
    }

    fn message(&mut self, kind: u8) -> Result<Message, FrameError> {
        Ok(match kind {
            0x01 => Message::Hello {
                version: self.u16()?,
                channel: match self.u8()? {
                    1 => Channel::Append,
                    2 => Channel::Store,
                    3 => Channel::Dial,
                    4 => Channel::Events,
                    5 => Channel::Inspect,
                    _ => return Err(FrameError::Value),
                },
            },
            0x02 => Message::Welcome { version: self.u16()? },
            0x10 => Message::Append(self.append()?),
            0x11 => Message::Appended { size: self.u64()? },
            0x12 => Message::Conflict { size: self.u64()? },
            0x13 => Message::StoreFailed {
                reason: match self.u8()? {
                    1 => StoreFailure::Full,
                    2 => StoreFailure::Io,
                    _ => return Err(FrameError::Value),
                },
            },
            0x20 => Message::Status { log: self.u16()? },
            0x21 => Message::StatusIs {
                size: self.u64()?,
                latest_snapshot: Some(self.u64()?).filter(|index| *index != NONE),
                head: self.text()?,
            },
            0x22 => Message::Read { log: self.u16()?, from: self.u64()?, max: self.u32()? },
            0x23 => {
                let count = usize::try_from(self.u32()?).map_err(|_| FrameError::Truncated)?;
                Message::Records(self.list(count, 177, Self::record)?)
            }
            0x24 => {
                Message::PutChunk { log: self.u16()?, snapshot: self.array()?, number: self.u32()?, bytes: self.lp()? }
            }
            0x25 => Message::Done,
            0x26 => Message::GetChunk { log: self.u16()?, snapshot: self.array()?, number: self.u32()? },
            0x27 => Message::Chunk(self.lp()?),
            0x28 => {
                let (log, below, bucket) = (self.u16()?, self.u64()?, self.u64()?);
                Message::Retire { log, below, bucket, snapshot: self.array()?, boot_id: self.array()? }
            }
            0x29 => Message::Heads { log: self.u16()?, from: self.u64()?, max: self.u32()? },
            0x2A => {
                let count = usize::try_from(self.u32()?).map_err(|_| FrameError::Truncated)?;
                Message::HeadList(self.list(count, 4, Self::text)?)
            }
            0x2B => Message::Tile { log: self.u16()?, level: self.u8()?, number: self.u64()? },
            0x2C => Message::TileIs(self.lp()?),
            0x2F => Message::Missing,
            0x30 => Message::Approval { release: self.u64()? },
            0x31 => Message::ApprovalIs(self.lp()?),
            0x40 => Message::Event(self.event()?),
            got => return Err(FrameError::Kind { got }),
        })
    }

    fn append(&mut self) -> Result<Append, FrameError> {
        let (log, expected_size) = (self.u16()?, self.u64()?);
        Ok(Append { log, expected_size, record: self.record()?, head: self.text()? })
    }

    fn record(&mut self) -> Result<RecordBytes, FrameError> {
        let (entry, bodies) = (self.array()?, self.u8()?);
        if bodies > HOT | KEPT {
            return Err(FrameError::Value);
        }
        let mut body = |bit| if bodies & bit == 0 { Ok(None) } else { self.lp().map(Some) };
        Ok(RecordBytes { entry, hot: body(HOT)?, kept: body(KEPT)? })
    }

    fn event(&mut self) -> Result<Event, FrameError> {
        Ok(match self.u8()? {
            1 => Event::BootPhase { phase: self.u8()? },
            2 => Event::Ready { replayed: self.u64()?, micros: self.u64()? },
            3 => Event::StoreLost { log: self.u16()? },
            4 => Event::StoreBack { log: self.u16()? },
            5 => Event::Fenced { log: self.u16()?, size: self.u64()? },
            6 => Event::DeliveryFailed {
                class: match self.u8()? {
                    1 => DeliveryFailure::Connect,
                    2 => DeliveryFailure::Tls,
                    3 => DeliveryFailure::Refused,
                    4 => DeliveryFailure::Timeout,
                    _ => return Err(FrameError::Value),
                },
            },
            7 => Event::SnapshotTaken { log: self.u16()?, index: self.u64()? },
            8 => Event::BootRefused { reason: self.u8()? },
            11 => Event::BootDelayed { boots: self.u64()?, seconds: self.u64()? },
            12 => Event::PlatformLost,
            13 => Event::PlatformBack,
            14 => Event::WriterStopped { log: self.u16()?, reason: self.numbered(&StopReason::ALL)? },
            15 => Event::CeilingNear { ceiling: self.numbered(&Ceiling::ALL)? },
            16 => Event::SenderRefused { route: self.u8()? },
            9 => Event::LogFaulty { log: self.u16()?, index: self.u64()? },
            10 => Event::Counters(Counters {
                starts: self.u64()?,
                checks_passed: self.u64()?,
                checks_failed: self.u64()?,
                accepted: self.u64()?,
                refused: self.u64()?,
                gave_up: self.u64()?,
                unreachable: self.u64()?,
                unconfirmed: self.u64()?,
                withdrawn: self.u64()?,
                live_hundreds: self.u64()?,
                refused_by_ceiling: {
                    let mut counts = [0; Ceiling::ALL.len()];
                    for count in &mut counts {
                        *count = self.u64()?;
                    }
                    counts
                },
            }),
            _ => return Err(FrameError::Value),
        })
    }

    /// One of a closed list, by its number, which begins with 1.
    fn numbered<T: Copy>(&mut self, all: &[T]) -> Result<T, FrameError> {
        let place = usize::from(self.u8()?).checked_sub(1);
        place.and_then(|place| all.get(place)).copied().ok_or(FrameError::Value)
    }
}
