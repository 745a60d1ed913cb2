//! Bytes to messages.

use alloc::string::String;

use adyton_wire::Reader;

use super::{FrameError, HEAD, HOT, KEPT, MAX_FRAME, NONE};
use crate::{
    Append, Ceiling, Channel, Counters, DeliveryFailure, Event, Frame, Message, RecordBytes, StopReason, StoreFailure,
};

impl Frame {
    /// Reads what follows a frame's length; the whole input is one frame.
    ///
    /// # Errors
    /// [`FrameError`], the first rule that is broken.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        if !(HEAD..=MAX_FRAME).contains(&bytes.len()) {
            return Err(FrameError::Length);
        }
        let mut reader = Reader::new(bytes);
        let (kind, id) = (reader.u8()?, reader.u64()?);
        let message = message(kind, &mut reader)?;
        reader.finish()?;
        Ok(Self { id, message })
    }
}

fn message(kind: u8, reader: &mut Reader<'_>) -> Result<Message, FrameError> {
    Ok(match kind {
        0x01 => Message::Hello {
            version: reader.u16()?,
            channel: match reader.u8()? {
                1 => Channel::Append,
                2 => Channel::Store,
                3 => Channel::Dial,
                4 => Channel::Events,
                5 => Channel::Inspect,
                _ => return Err(FrameError::Value),
            },
        },
        0x02 => Message::Welcome { version: reader.u16()? },
        0x10 => Message::Append(append(reader)?),
        0x11 => Message::Appended { size: reader.u64()? },
        0x12 => Message::Conflict { size: reader.u64()? },
        0x13 => Message::StoreFailed {
            reason: match reader.u8()? {
                1 => StoreFailure::Full,
                2 => StoreFailure::Io,
                _ => return Err(FrameError::Value),
            },
        },
        0x20 => Message::Status { log: reader.u16()? },
        0x21 => Message::StatusIs {
            size: reader.u64()?,
            latest_snapshot: Some(reader.u64()?).filter(|index| *index != NONE),
            head: reader.text()?.into(),
        },
        0x22 => Message::Read { log: reader.u16()?, from: reader.u64()?, max: reader.u32()? },
        0x23 => {
            let count = reader.u32()?;
            Message::Records(reader.list(count, 177, record)?)
        }
        0x24 => Message::PutChunk {
            log: reader.u16()?,
            snapshot: reader.array()?,
            number: reader.u32()?,
            bytes: reader.lp()?.to_vec(),
        },
        0x25 => Message::Done,
        0x26 => Message::GetChunk { log: reader.u16()?, snapshot: reader.array()?, number: reader.u32()? },
        0x27 => Message::Chunk(reader.lp()?.to_vec()),
        0x28 => {
            let (log, below, bucket) = (reader.u16()?, reader.u64()?, reader.u64()?);
            Message::Retire { log, below, bucket, snapshot: reader.array()?, boot_id: reader.array()? }
        }
        0x29 => Message::Heads { log: reader.u16()?, from: reader.u64()?, max: reader.u32()? },
        0x2A => {
            let count = reader.u32()?;
            Message::HeadList(reader.list(count, 4, |reader| reader.text().map(String::from))?)
        }
        0x2B => Message::Tile { log: reader.u16()?, level: reader.u8()?, number: reader.u64()? },
        0x2C => Message::TileIs(reader.lp()?.to_vec()),
        0x2F => Message::Missing,
        0x30 => Message::Approval { release: reader.u64()? },
        0x31 => Message::ApprovalIs(reader.lp()?.to_vec()),
        0x40 => Message::Event(event(reader)?),
        got => return Err(FrameError::Kind { got }),
    })
}

fn append(reader: &mut Reader<'_>) -> Result<Append, FrameError> {
    let (log, expected_size) = (reader.u16()?, reader.u64()?);
    Ok(Append { log, expected_size, record: record(reader)?, head: reader.text()?.into() })
}

fn record(reader: &mut Reader<'_>) -> Result<RecordBytes, FrameError> {
    let (entry, bodies) = (reader.array()?, reader.u8()?);
    if bodies > HOT | KEPT {
        return Err(FrameError::Value);
    }
    let mut body = |bit| if bodies & bit == 0 { Ok(None) } else { reader.lp().map(|body| Some(body.to_vec())) };
    Ok(RecordBytes { entry, hot: body(HOT)?, kept: body(KEPT)? })
}

fn event(reader: &mut Reader<'_>) -> Result<Event, FrameError> {
    Ok(match reader.u8()? {
        1 => Event::BootPhase { phase: reader.u8()? },
        2 => Event::Ready { replayed: reader.u64()?, micros: reader.u64()? },
        3 => Event::StoreLost { log: reader.u16()? },
        4 => Event::StoreBack { log: reader.u16()? },
        5 => Event::Fenced { log: reader.u16()?, size: reader.u64()? },
        6 => Event::DeliveryFailed {
            class: match reader.u8()? {
                1 => DeliveryFailure::Connect,
                2 => DeliveryFailure::Tls,
                3 => DeliveryFailure::Refused,
                4 => DeliveryFailure::Timeout,
                _ => return Err(FrameError::Value),
            },
        },
        7 => Event::SnapshotTaken { log: reader.u16()?, index: reader.u64()? },
        8 => Event::BootRefused { reason: reader.u8()? },
        11 => Event::BootDelayed { boots: reader.u64()?, seconds: reader.u64()? },
        12 => Event::PlatformLost,
        13 => Event::PlatformBack,
        14 => Event::WriterStopped { log: reader.u16()?, reason: numbered(reader, &StopReason::ALL)? },
        15 => Event::CeilingNear { ceiling: numbered(reader, &Ceiling::ALL)? },
        16 => Event::SenderRefused { route: reader.u8()? },
        9 => Event::LogFaulty { log: reader.u16()?, index: reader.u64()? },
        10 => Event::Counters(Counters {
            starts: reader.u64()?,
            checks: reader.u64()?,
            accepted: reader.u64()?,
            refused: reader.u64()?,
            gave_up: reader.u64()?,
            unreachable: reader.u64()?,
            unconfirmed: reader.u64()?,
            withdrawn: reader.u64()?,
            live_hundreds: reader.u64()?,
            refused_by_ceiling: {
                let mut counts = [0; Ceiling::ALL.len()];
                for count in &mut counts {
                    *count = reader.u64()?;
                }
                counts
            },
        }),
        _ => return Err(FrameError::Value),
    })
}

/// One of a closed list, by its number, which begins with 1.
fn numbered<T: Copy>(reader: &mut Reader<'_>, all: &[T]) -> Result<T, FrameError> {
    let place = usize::from(reader.u8()?).checked_sub(1);
    place.and_then(|place| all.get(place)).copied().ok_or(FrameError::Value)
}
