//! Round trips, and bytes of strangers.
#![allow(clippy::unwrap_used, reason = "tests")]

use adyton_frame::{
    Append, Ceiling, Channel, Counters, DeliveryFailure, Event, Frame, FrameError, MAX_FRAME, Message, RecordBytes,
    StopReason, StoreFailure, encode_append,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn channel() -> impl Strategy<Value = Channel> {
    prop_oneof![
        Just(Channel::Append),
        Just(Channel::Store),
        Just(Channel::Dial),
        Just(Channel::Events),
        Just(Channel::Inspect)
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let class = prop_oneof![
        Just(DeliveryFailure::Connect),
        Just(DeliveryFailure::Tls),
        Just(DeliveryFailure::Refused),
        Just(DeliveryFailure::Timeout)
    ];
    prop_oneof![
        any::<u8>().prop_map(|phase| Event::BootPhase { phase }),
        any::<(u64, u64)>().prop_map(|(replayed, micros)| Event::Ready { replayed, micros }),
        any::<u16>().prop_map(|log| Event::StoreLost { log }),
        any::<u16>().prop_map(|log| Event::StoreBack { log }),
        any::<(u16, u64)>().prop_map(|(log, size)| Event::Fenced { log, size }),
        class.prop_map(|class| Event::DeliveryFailed { class }),
        any::<(u16, u64)>().prop_map(|(log, index)| Event::SnapshotTaken { log, index }),
        any::<u8>().prop_map(|reason| Event::BootRefused { reason }),
        any::<(u16, u64)>().prop_map(|(log, index)| Event::LogFaulty { log, index }),
        any::<(u64, u64)>().prop_map(|(boots, seconds)| Event::BootDelayed { boots, seconds }),
        Just(Event::PlatformLost),
        Just(Event::PlatformBack),
        (any::<u16>(), proptest::sample::select(&StopReason::ALL))
            .prop_map(|(log, reason)| Event::WriterStopped { log, reason }),
        proptest::sample::select(&Ceiling::ALL).prop_map(|ceiling| Event::CeilingNear { ceiling }),
        any::<u8>().prop_map(|route| Event::SenderRefused { route }),
        any::<([u64; 9], [u64; 6])>().prop_map(|(counts, refused_by_ceiling)| {
            let [starts, checks, rest @ ..] = counts;
            let [accepted, refused, gave_up, unreachable, unconfirmed, withdrawn, live_hundreds] = rest;
            Event::Counters(Counters {
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
            })
        }),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..64)
}

fn entry() -> impl Strategy<Value = [u8; 176]> {
    any::<u8>().prop_map(|byte| [byte; 176])
}

fn record() -> impl Strategy<Value = RecordBytes> {
    let body = || proptest::option::of(bytes());
    (entry(), body(), body()).prop_map(|(entry, hot, kept)| RecordBytes { entry, hot, kept })
}

fn append() -> impl Strategy<Value = Append> {
    (any::<u16>(), any::<u64>(), record(), any::<String>()).prop_map(|(log, expected_size, record, head)| Append {
        log,
        expected_size,
        record,
        head,
    })
}

fn message() -> impl Strategy<Value = Message> {
    let control = prop_oneof![
        (any::<u16>(), channel()).prop_map(|(version, channel)| Message::Hello { version, channel }),
        any::<u16>().prop_map(|version| Message::Welcome { version }),
        append().prop_map(Message::Append),
        any::<u64>().prop_map(|size| Message::Appended { size }),
        any::<u64>().prop_map(|size| Message::Conflict { size }),
        prop_oneof![Just(StoreFailure::Full), Just(StoreFailure::Io)]
            .prop_map(|reason| Message::StoreFailed { reason }),
        event().prop_map(Message::Event),
        Just(Message::Done),
        Just(Message::Missing),
    ];
    let reads = prop_oneof![
        any::<u16>().prop_map(|log| Message::Status { log }),
        (any::<u64>(), proptest::option::of(0..u64::MAX), any::<String>())
            .prop_map(|(size, latest_snapshot, head)| Message::StatusIs { size, latest_snapshot, head }),
        any::<(u16, u64, u32)>().prop_map(|(log, from, max)| Message::Read { log, from, max }),
        vec(record(), 0..8).prop_map(Message::Records),
        any::<(u16, u64, u32)>().prop_map(|(log, from, max)| Message::Heads { log, from, max }),
        vec(any::<String>(), 0..8).prop_map(Message::HeadList),
        any::<(u16, u8, u64)>().prop_map(|(log, level, number)| Message::Tile { log, level, number }),
        bytes().prop_map(Message::TileIs),
        any::<u64>().prop_map(|release| Message::Approval { release }),
        bytes().prop_map(Message::ApprovalIs),
    ];
    let chunks = prop_oneof![
        (any::<(u16, [u8; 16], u32)>(), bytes()).prop_map(|((log, snapshot, number), bytes)| Message::PutChunk {
            log,
            snapshot,
            number,
            bytes
        }),
        any::<(u16, [u8; 16], u32)>().prop_map(|(log, snapshot, number)| Message::GetChunk { log, snapshot, number }),
        bytes().prop_map(Message::Chunk),
        any::<(u16, u64, u64, [u8; 16], [u8; 16])>().prop_map(|(log, below, bucket, snapshot, boot_id)| {
            Message::Retire { log, below, bucket, snapshot, boot_id }
        }),
    ];
    prop_oneof![control, reads, chunks]
}

proptest! {
    #[test]
    fn round_trip(id: u64, message in message(), extra: u8, cut: prop::sample::Index) {
        let frame = Frame { id, message };
        let mut bytes = vec![0xAA; 3];
        frame.encode(&mut bytes).unwrap();
        prop_assert_eq!(&bytes[..3], &[0xAA; 3]);
        let body = &bytes[7..];
        prop_assert_eq!(usize::try_from(u32::from_be_bytes(bytes[3..7].try_into().unwrap())).unwrap(), body.len());
        prop_assert_eq!(Frame::decode(body), Ok(frame));
        // Strict: no byte more, none less.
        let longer = [body, &[extra]].concat();
        prop_assert_eq!(Frame::decode(&longer), Err(FrameError::TrailingBytes));
        prop_assert!(Frame::decode(&body[..cut.index(body.len())]).is_err());
    }

    #[test]
    fn strangers_bytes_never_panic_and_decode_to_one_form(kind: u8, rest in vec(any::<u8>(), 0..512)) {
        let bytes = [&[kind][..], &rest].concat();
        if let Ok(frame) = Frame::decode(&bytes) {
            let mut again = Vec::new();
            frame.encode(&mut again).unwrap();
            prop_assert_eq!(&again[4..], &bytes[..]);
        }
    }

    #[test]
    fn the_hot_path_writes_the_same_bytes(id: u64, append in append()) {
        let mut hot = Vec::new();
        let RecordBytes { entry, hot: hot_body, kept } = &append.record;
        let record = (entry, hot_body.as_deref(), kept.as_deref());
        encode_append(id, append.log, append.expected_size, record, &append.head, &mut hot).unwrap();
        let mut whole = Vec::new();
        Frame { id, message: Message::Append(append) }.encode(&mut whole).unwrap();
        prop_assert_eq!(hot, whole);
    }

    #[test]
    fn a_channel_carries_its_requests_only(message in message()) {
        let carried = |channel: Channel| channel.allows(&message);
        let (append, event) = (matches!(message, Message::Append(_)), matches!(message, Message::Event(_)));
        prop_assert_eq!(carried(Channel::Append), append);
        prop_assert_eq!(carried(Channel::Events), event);
        prop_assert!(!carried(Channel::Dial));
        let enclaves = matches!(
            message,
            Message::PutChunk { .. } | Message::GetChunk { .. } | Message::Retire { .. } | Message::Approval { .. }
        );
        prop_assert_eq!(carried(Channel::Store), carried(Channel::Inspect) || enclaves);
        prop_assert!(!(carried(Channel::Inspect) && (enclaves || append || event)));
    }
}

#[test]
fn what_does_not_fit_leaves_the_buffer_alone() {
    let mut out = vec![1, 2, 3];
    // A chunk's own overhead is nine bytes of head and four of length.
    let chunk = |bytes: usize| Frame { id: 1, message: Message::Chunk(vec![0; bytes]) };
    assert_eq!(chunk(MAX_FRAME - 12).encode(&mut out), Err(FrameError::Length));
    assert_eq!(out, [1, 2, 3]);
    chunk(MAX_FRAME - 13).encode(&mut out).unwrap();
    assert_eq!(out.len(), 3 + 4 + MAX_FRAME);
    assert!(Frame::decode(&out[7..]).is_ok());
    assert_eq!(Frame::decode(&vec![0x25; MAX_FRAME + 1]), Err(FrameError::Length));
}

#[test]
fn no_snapshot_has_one_form() {
    let message = Message::StatusIs { size: 1, latest_snapshot: Some(u64::MAX), head: String::new() };
    assert_eq!(Frame { id: 1, message }.encode(&mut Vec::new()), Err(FrameError::Value));
}
