//! `vectors/frames.json`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../../vectors/reader.rs"]
mod reader;

use adyton_frame::{
    Append, Ceiling, Channel, Counters, DeliveryFailure, Event, Frame, Message, RecordBytes, StopReason, StoreFailure,
};

#[test]
fn vectors() {
    for v in reader::read(include_str!("../../../vectors/frames.json")) {
        let bytes = v.hex("hex");
        let (length, rest) = bytes.split_first_chunk().unwrap();
        assert_eq!(usize::try_from(u32::from_be_bytes(*length)).unwrap(), rest.len(), "{}", v.name());
        let Some(frame) = v.settle(Frame::decode(rest)) else { continue };
        assert_eq!(frame, expected(v.name()), "{}", v.name());
        let mut encoded = Vec::new();
        frame.encode(&mut encoded).unwrap();
        assert_eq!(encoded, bytes, "{}", v.name());
    }
}

/// What the notes of the vectors say, in this crate's types.
fn expected(name: &str) -> Frame {
    let head = || "adyton\n1\nAAAA\n".to_owned();
    let snapshot = [0x33; 16];
    let hello = |channel| Message::Hello { version: 1, channel };
    let failed = |class| Message::Event(Event::DeliveryFailed { class });
    let stopped = |log, reason| Message::Event(Event::WriterStopped { log, reason });
    let near = |ceiling| Message::Event(Event::CeilingNear { ceiling });
    let (id, message) = match name {
        "hello_append" => (0, hello(Channel::Append)),
        "hello_store" => (0, hello(Channel::Store)),
        "hello_dial" => (0, hello(Channel::Dial)),
        "hello_events" => (0, hello(Channel::Events)),
        "hello_inspect" => (0, hello(Channel::Inspect)),
        "welcome" => (0, Message::Welcome { version: 1 }),
        "append" => {
            let record = RecordBytes { entry: [0x11; 176], hot: Some(b"hot".to_vec()), kept: Some(b"kept".to_vec()) };
            (0x0102_0304_0506_0708, Message::Append(Append { log: 1, expected_size: 256, record, head: head() }))
        }
        "append_hot" | "append_kept" => {
            let (hot, kept) = if name == "append_hot" { (Some(Vec::new()), None) } else { (None, Some(Vec::new())) };
            let record = RecordBytes { entry: [0x22; 176], hot, kept };
            (2, Message::Append(Append { log: 0, expected_size: 0, record, head: head() }))
        }
        "appended" => (2, Message::Appended { size: 258 }),
        "conflict" => (2, Message::Conflict { size: 300 }),
        "store_full" => (2, Message::StoreFailed { reason: StoreFailure::Full }),
        "store_io" => (2, Message::StoreFailed { reason: StoreFailure::Io }),
        "status" => (3, Message::Status { log: 0 }),
        "status_is" => (3, Message::StatusIs { size: 9, latest_snapshot: Some(4), head: head() }),
        "status_is_empty" => (3, Message::StatusIs { size: 0, latest_snapshot: None, head: String::new() }),
        "read" => (4, Message::Read { log: 1, from: 5, max: 100 }),
        "records" => {
            let first = RecordBytes { entry: [0x11; 176], hot: None, kept: Some(b"kept".to_vec()) };
            (4, Message::Records(vec![first, RecordBytes { entry: [0x22; 176], hot: None, kept: None }]))
        }
        "records_none" => (4, Message::Records(Vec::new())),
        "put_chunk" => (5, Message::PutChunk { log: 1, snapshot, number: 7, bytes: b"sealed".to_vec() }),
        "done" => (5, Message::Done),
        "get_chunk" => (6, Message::GetChunk { log: 1, snapshot, number: 7 }),
        "chunk" => (6, Message::Chunk(b"sealed".to_vec())),
        "retire" => (7, Message::Retire { log: 1, below: 1000, bucket: 170_000_000, snapshot, boot_id: [0x44; 16] }),
        "heads" => (8, Message::Heads { log: 0, from: 1, max: 64 }),
        "head_list" => (8, Message::HeadList(vec!["first".into(), "zweiter ä".into()])),
        "tile" => (9, Message::Tile { log: 1, level: 0, number: 3 }),
        "tile_is" => (9, Message::TileIs((0..32).collect())),
        "approval" => (10, Message::Approval { release: 2 }),
        "approval_is" => (10, Message::ApprovalIs(b"{}".to_vec())),
        "missing" => (u64::MAX, Message::Missing),
        "event_boot_phase" => (1, Message::Event(Event::BootPhase { phase: 3 })),
        "event_ready" => (1, Message::Event(Event::Ready { replayed: 12, micros: 345_678 })),
        "event_store_lost" => (1, Message::Event(Event::StoreLost { log: 1 })),
        "event_store_back" => (1, Message::Event(Event::StoreBack { log: 1 })),
        "event_fenced" => (1, Message::Event(Event::Fenced { log: 1, size: 77 })),
        "event_delivery_connect" => (1, failed(DeliveryFailure::Connect)),
        "event_delivery_tls" => (1, failed(DeliveryFailure::Tls)),
        "event_delivery_refused" => (1, failed(DeliveryFailure::Refused)),
        "event_delivery_timeout" => (1, failed(DeliveryFailure::Timeout)),
        "event_snapshot_taken" => (1, Message::Event(Event::SnapshotTaken { log: 1, index: 99 })),
        "event_boot_refused" => (1, Message::Event(Event::BootRefused { reason: 2 })),
        "event_log_faulty" => (1, Message::Event(Event::LogFaulty { log: 1, index: 99 })),
        "event_boot_delayed" => (1, Message::Event(Event::BootDelayed { boots: 13, seconds: 60 })),
        "event_platform_lost" => (1, Message::Event(Event::PlatformLost)),
        "event_platform_back" => (1, Message::Event(Event::PlatformBack)),
        "event_sender_refused" => (1, Message::Event(Event::SenderRefused { route: 3 })),
        "event_counters" => {
            let counters = Counters {
                starts: 1,
                checks: 2,
                accepted: 3,
                refused: 4,
                gave_up: 5,
                unreachable: 6,
                unconfirmed: 7,
                withdrawn: 8,
                live_hundreds: u64::MAX,
                refused_by_ceiling: [9, 10, 11, 12, 13, 14],
            };
            (1, Message::Event(Event::Counters(counters)))
        }
        "event_writer_stopped_fenced" => (1, stopped(1, StopReason::Fenced)),
        "event_writer_stopped_conflict" => (1, stopped(1, StopReason::Conflict)),
        "event_writer_stopped_sealing" => (1, stopped(1, StopReason::Sealing)),
        "event_writer_stopped_frame" => (1, stopped(1, StopReason::Frame)),
        "event_writer_stopped_channel_gone" => (1, stopped(0, StopReason::ChannelGone)),
        "event_writer_stopped_panicked" => (1, stopped(0, StopReason::Panicked)),
        "event_ceiling_near_destination" => (1, near(Ceiling::Destination)),
        "event_ceiling_near_number_block" => (1, near(Ceiling::NumberBlock)),
        "event_ceiling_near_mail_domain" => (1, near(Ceiling::MailDomain)),
        "event_ceiling_near_tenant" => (1, near(Ceiling::Tenant)),
        "event_ceiling_near_spend" => (1, near(Ceiling::Spend)),
        "event_ceiling_near_support" => (1, near(Ceiling::Support)),
        other => panic!("no expectation for {other}"),
    };
    Frame { id, message }
}
