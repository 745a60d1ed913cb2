//! Channels and frames over real sockets.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod not_run;

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use adyton_frame::{Channel, Frame, FrameError, MAX_FRAME, Message};
use adyton_transport::{
    Address, AddressError, FrameIoError, FrameReader, FrameWriter, Listener, OpenError, Stream, accept_channel,
    open_channel,
};
use not_run::not_run;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn address(folder: &tempfile::TempDir) -> Address {
    Address::Unix(folder.path().join("socket"))
}

async fn pair() -> (Stream, Stream) {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::bind(&address(&folder)).unwrap();
    let address = address(&folder);
    tokio::try_join!(address.connect(), listener.accept()).unwrap()
}

#[test]
fn addresses() {
    for text in ["unix:/run/a b:c", "unix:relative", "vsock:3:5000", "vsock:4294967295:0"] {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
    }
    for (text, refusal) in [
        ("", AddressError::Kind),
        ("unix", AddressError::Kind),
        ("tcp:1:2", AddressError::Kind),
        ("Unix:/run/a", AddressError::Kind),
        ("unix:", AddressError::NoPath),
        ("vsock:3", AddressError::NoPort),
        ("vsock:", AddressError::NoPort),
        ("vsock::5", AddressError::Cid),
        ("vsock:+3:5", AddressError::Cid),
        ("vsock:4294967296:1", AddressError::Cid),
        ("vsock:3:", AddressError::Port),
        ("vsock:3:x", AddressError::Port),
        ("vsock:3:05", AddressError::Port),
        ("vsock:3:4:5", AddressError::Port),
    ] {
        assert_eq!(text.parse::<Address>(), Err(refusal), "{text}");
    }
}

#[tokio::test]
async fn a_channel_opens_and_nothing_is_read_too_far() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::bind(&address(&folder)).unwrap();
    let host = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap();
        let channel = accept_channel(&mut stream).await.unwrap();
        // Sent in one go with nothing between: the opener must leave these bytes in the stream.
        stream.write_all(b"raw bytes").await.unwrap();
        let mut after = [0; 5];
        stream.read_exact(&mut after).await.unwrap();
        (channel, after)
    });
    let mut stream = open_channel(&address(&folder), Channel::Dial).await.unwrap();
    let mut raw = [0; 9];
    stream.read_exact(&mut raw).await.unwrap();
    assert_eq!(&raw, b"raw bytes");
    stream.write_all(b"after").await.unwrap();
    assert_eq!(host.await.unwrap(), (Channel::Dial, *b"after"));
}

#[tokio::test]
async fn bytes_right_behind_hello_stay_in_the_stream() {
    let (mut enclave, mut host) = pair().await;
    let mut sent = Vec::new();
    let message = Message::Hello { version: 1, channel: Channel::Store };
    Frame { id: 0, message }.encode(&mut sent).unwrap();
    sent.extend_from_slice(b"more");
    enclave.write_all(&sent).await.unwrap();
    assert_eq!(accept_channel(&mut host).await.unwrap(), Channel::Store);
    let mut more = [0; 4];
    host.read_exact(&mut more).await.unwrap();
    assert_eq!(&more, b"more");
}

#[tokio::test]
async fn another_version_or_message_is_refused() {
    for message in [Message::Hello { version: 2, channel: Channel::Store }, Message::Done] {
        let (enclave, mut host) = pair().await;
        FrameWriter::new(enclave).write(&Frame { id: 0, message }).await.unwrap();
        assert!(matches!(accept_channel(&mut host).await, Err(OpenError::Protocol)));
    }
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::bind(&address(&folder)).unwrap();
    let host = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap();
        let welcome = Frame { id: 0, message: Message::Welcome { version: 2 } };
        FrameWriter::new(&mut stream).write(&welcome).await.unwrap();
        stream
    });
    assert!(matches!(open_channel(&address(&folder), Channel::Append).await, Err(OpenError::Protocol)));
    drop(host);
}

#[tokio::test(start_paused = true)]
async fn silence_times_out_after_five_seconds() {
    let (_enclave, mut host) = pair().await;
    let started = tokio::time::Instant::now();
    assert!(matches!(accept_channel(&mut host).await, Err(OpenError::Timeout)));
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn frames_both_ways_until_a_clean_end() {
    let (a, b) = pair().await;
    let (read, mut write) = a.into_split();
    let (b_read, b_write) = b.into_split();
    let echo = tokio::spawn(async move {
        let (mut reader, mut writer) = (FrameReader::new(b_read), FrameWriter::new(b_write));
        while let Some(frame) = reader.read().await.unwrap() {
            writer.write(&frame).await.unwrap();
        }
    });
    let mut reader = FrameReader::new(read);
    let mut writer = FrameWriter::new(&mut write);
    for (id, size) in [(1, 0), (2, 1), (3, MAX_FRAME - 13), (4, 100)] {
        let frame = Frame { id, message: Message::Chunk(vec![7; size]) };
        writer.write(&frame).await.unwrap();
        assert_eq!(reader.read().await.unwrap(), Some(frame));
    }
    let mut encoded = Vec::new();
    let frame = Frame { id: 5, message: Message::Done };
    frame.encode(&mut encoded).unwrap();
    writer.write_encoded(&encoded).await.unwrap();
    assert_eq!(reader.read().await.unwrap(), Some(frame));
    write.shutdown().await.unwrap();
    assert_eq!(reader.read().await.unwrap(), None);
    echo.await.unwrap();
}

#[tokio::test]
async fn bad_lengths_and_torn_frames_are_errors() {
    for length in [0, 8, u32::try_from(MAX_FRAME).unwrap() + 1, u32::MAX] {
        let (mut a, b) = pair().await;
        a.write_all(&length.to_be_bytes()).await.unwrap();
        let read = FrameReader::new(b).read().await;
        assert!(matches!(read, Err(FrameIoError::Frame(FrameError::Length))), "{length}");
    }
    for torn in [&[0][..], &[0, 0, 0, 9], &[0, 0, 0, 9, 0x25, 0, 0]] {
        let (mut a, b) = pair().await;
        a.write_all(torn).await.unwrap();
        drop(a);
        let read = FrameReader::new(b).read().await;
        assert!(matches!(read, Err(FrameIoError::Io(error)) if error.kind() == ErrorKind::UnexpectedEof), "{torn:?}");
    }
}

#[tokio::test]
async fn a_socket_is_private_and_only_a_dead_one_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (address, path) = (address(&folder), folder.path().join("socket"));
    let listener = Listener::bind(&address).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Listener::bind(&address).unwrap_err().kind(), ErrorKind::AddrInUse, "it lives");
    drop(listener);
    assert!(path.exists());
    drop(Listener::bind(&address).unwrap());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert_eq!(Listener::bind(&address).unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[tokio::test]
async fn vsock_loopback() {
    let address = Address::Vsock { cid: 1, port: 47_311 };
    let listener = match Listener::bind(&address) {
        Ok(listener) => listener,
        Err(error) => return not_run("vsock_loopback", &format!("no vsock here ({error})")),
    };
    let host = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap();
        accept_channel(&mut stream).await.unwrap()
    });
    match open_channel(&address, Channel::Inspect).await {
        Ok(_) => assert_eq!(host.await.unwrap(), Channel::Inspect),
        Err(OpenError::Frame(FrameIoError::Io(error))) => {
            not_run("vsock_loopback", &format!("no vsock loopback here ({error})"));
        }
        Err(OpenError::Timeout) => not_run("vsock_loopback", "no vsock loopback here (no answer)"),
        Err(error) => panic!("{error}"),
    }
}
