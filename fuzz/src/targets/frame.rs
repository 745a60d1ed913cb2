//! Frames, streams of them, and addresses: `adyton-frame`, `adyton-transport`.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use adyton_frame::{Append, Frame, FrameError, Message, RecordBytes, encode_append};
use adyton_transport::{Address, FrameReader};

use crate::accepted;

pub(crate) const DICTIONARY: &[&[u8]] =
    &[&[0x10], &[0x23], &[0x2A], &[0x40], &[0, 0, 0, 9], &[0, 16, 0, 0], &[0, 16, 0, 1], "ä".as_bytes(), b"\xFF"];
pub(crate) const ADDRESSES: &[&[u8]] = &[b"unix:", b"vsock:", b":", b"4294967295", b"4294967296", b"+", b"0"];

/// What decodes is written back to the same bytes, and is not a frame with a byte more or less.
pub(crate) fn frame(input: &[u8]) {
    let Ok(frame) = Frame::decode(input) else { return };
    accepted();
    let mut again = vec![0xAA];
    frame.encode(&mut again).expect("a frame that was decoded fits a frame");
    assert_eq!(again[1..5], u32::try_from(input.len()).unwrap().to_be_bytes());
    assert_eq!(&again[5..], input);
    assert!(Frame::decode(&input[..input.len() - 1]).is_err(), "a byte less is still a frame");
    let longer = Frame::decode(&[input, &[0]].concat());
    assert!(matches!(longer, Err(FrameError::TrailingBytes | FrameError::Length)), "a byte more: {longer:?}");
}

/// `u16 log || u64 size || u8 bodies || u8 body length || bodies || head`: the fast encoder says what the frame says.
pub(crate) fn frame_append(input: &[u8]) {
    let Some((head, mut rest)) = input.split_first_chunk::<12>() else { return };
    let (log, size) = (u16::from_be_bytes([head[0], head[1]]), &head[2..10]);
    let expected_size = u64::from_be_bytes(size.try_into().unwrap());
    let mut body = |bit: u8| {
        (head[10] & bit != 0).then(|| {
            let (body, left) = rest.split_at(rest.len().min(head[11].into()));
            rest = left;
            body.to_vec()
        })
    };
    let record = RecordBytes { hot: body(1), kept: body(2), entry: [head[10]; 176] };
    let head = String::from_utf8_lossy(rest).into_owned();
    let mut out = b"before".to_vec();
    let parts = (&record.entry, record.hot.as_deref(), record.kept.as_deref());
    encode_append(7, log, expected_size, parts, &head, &mut out).expect("an input is shorter than a frame");
    accepted();
    let message = Message::Append(Append { log, expected_size, record, head });
    assert_eq!(Frame::decode(&out[10..]), Ok(Frame { id: 7, message }));
    assert_eq!(usize::try_from(u32::from_be_bytes(out[6..10].try_into().unwrap())).unwrap(), out.len() - 10);
}

/// Frames of a stream are those of its bytes cut at their lengths, and the reader takes no byte beyond them.
pub(crate) fn frame_stream(input: &[u8]) {
    let mut stream = input;
    let mut reader = FrameReader::new(&mut stream);
    let mut rest = input;
    loop {
        let read = match pin!(reader.read()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => read,
            Poll::Pending => panic!("bytes in memory are always ready"),
        };
        let expected = rest.split_first_chunk().and_then(|(length, left)| {
            let (frame, left) = left.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            Some((Frame::decode(frame).ok()?, left))
        });
        match (read, expected) {
            (Ok(Some(frame)), Some((expected, left))) => {
                accepted();
                assert_eq!(frame, expected);
                rest = left;
            }
            (Ok(None), None) => return assert!(rest.is_empty(), "bytes were passed over"),
            (Err(_), None) => return,
            (read, expected) => panic!("{read:?}, expected {expected:?}"),
        }
    }
}

/// An address has one spelling.
pub(crate) fn address(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(address) = text.parse::<Address>() else { return };
    accepted();
    assert_eq!(address.to_string(), text);
}
