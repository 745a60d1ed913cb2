//! What is known of a request whose connection breaks, at every byte of it.
#![allow(clippy::unwrap_used, reason = "tests")]

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::egress::{AnswerBudget, Metered};

fn metered<S>(stream: S) -> Metered<S> {
    Metered::played(stream, AnswerBudget::CARRIER)
}

const BODY: &str = "To=%2B15550100123&Body=975310";

fn request(link: &mut Link, progress: &Arc<Progress>) -> impl Future<Output = Result<Answer, Failure>> {
    let body = Bytes::from_static(BODY.as_bytes());
    link.post("/messages", [(HeaderName::from_static("x-test"), HeaderValue::from_static("1"))], body, progress)
}

/// Reads `most` bytes of a request, less if it ends before.
async fn read(far: &mut DuplexStream, most: usize) -> usize {
    let (mut read, mut buffer) = (0, [0; 4096]);
    while read < most {
        let part = buffer.len().min(most - read);
        match far.read(&mut buffer[..part]).await.unwrap() {
            0 => break,
            count => read += count,
        }
    }
    read
}

/// Bytes of the request on the wire.
async fn length() -> usize {
    let (near, mut far) = duplex(4096);
    let (mut link, progress) = (Link::over(metered(near), "carrier.adyton.test").await.unwrap(), Arc::default());
    let (_, length) = tokio::join!(request(&mut link, &progress), async {
        let mut buffer = [0; 4096];
        let mut all = 0;
        while all < BODY.len() || !std::str::from_utf8(&buffer[..all]).unwrap().ends_with(BODY) {
            all += far.read(&mut buffer[all..]).await.unwrap();
        }
        far.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        all
    });
    length
}

/// A wire that takes so many bytes, seven at a time, and breaks.
struct Breaking {
    takes: usize,
    reader: Option<Waker>,
}

impl AsyncRead for Breaking {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.reader = Some(cx.waker().clone());
        if self.takes == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncWrite for Breaking {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let taken = self.takes.min(buf.len()).min(7);
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.takes -= taken;
        if let Some(reader) = self.reader.take().filter(|_| self.takes == 0) {
            reader.wake();
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_request_has_left_with_its_last_byte_and_not_before() {
    let length = length().await;
    for takes in 1..=length {
        let wire = Breaking { takes, reader: None };
        let (mut link, progress) = (Link::over(metered(wire), "carrier.adyton.test").await.unwrap(), Arc::default());
        let expected = if takes < length { Failure::Transport(EgressError::Protocol) } else { Failure::Unconfirmed };
        assert_eq!(request(&mut link, &progress).await.err(), Some(expected), "{takes} of {length} bytes");
        assert_eq!(progress.has_left(), takes == length);
    }
}

/// Answers after the whole request, with these bytes, then closes unless it is to hold the connection open.
async fn answered(answer: &[u8], hold: bool) -> (Result<Answer, Failure>, bool) {
    let (near, mut far) = duplex(64 * 1024);
    let (mut link, progress) = (Link::over(metered(near), "carrier.adyton.test").await.unwrap(), Arc::default());
    let length = length().await;
    let answer = answer.to_vec();
    let server = tokio::spawn(async move {
        read(&mut far, length).await;
        let _ = far.write_all(&answer).await;
        if hold {
            std::future::pending::<()>().await;
        }
    });
    let done = request(&mut link, &progress).await;
    server.abort();
    let usable = link.is_usable(Duration::from_secs(3));
    (done, usable)
}

#[tokio::test(start_paused = true)]
async fn the_head_of_an_answer_is_the_answer_whatever_becomes_of_its_body() {
    let long = [&b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n"[..], &[b'x'; 40_000]].concat();
    for (name, answer, hold) in [
        ("cut off", &b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"[..], false),
        ("slow", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true),
        ("never begun", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", true),
        ("long", &long, true),
        ("chunked nonsense", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", true),
        ("without end", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nx", true),
    ] {
        let began = Instant::now();
        let (done, usable) = answered(answer, hold).await;
        let answer = done.ok().unwrap();
        assert_eq!((answer.status, &answer.body[..], usable), (StatusCode::OK, &b""[..], false), "{name}");
        assert!(began.elapsed() <= BODY_TIMEOUT, "{name}");
    }
    let (done, usable) = answered(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}", true).await;
    let answer = done.ok().unwrap();
    assert_eq!((answer.status, &answer.body[..], usable), (StatusCode::CREATED, &b"{}"[..], true));
}

/// The head of a success with this in place of a field, and a body of two bytes.
fn with_line(line: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 201 Created\r\nServer: x\r\n", line, b"\r\nContent-Length: 2\r\n\r\n{}"].concat()
}

#[tokio::test(start_paused = true)]
async fn line_that_is_no_field_does_not_spoil_the_head() {
    for line in [
        &b"PHP Warning: PHP Startup: Unable to load x"[..],
        b"<b>Notice</b>: Undefined index in x.php on line 3",
        b"no colon at all",
        b": no name",
        b"Some -Test: x",
        b"X-Foo : bar",
        b"X-Foo\t: bar",
        b"X-Foo: a\r\n b\r\n\tc",
        b" X-Foo: a",
        b"X-F\xE4: x",
        b"X-Foo: \x01",
        b"X-Foo:\x7F x",
    ] {
        let (done, usable) = answered(&with_line(line), true).await;
        let answer = done.ok().unwrap();
        let read = (answer.status, &answer.body[..], usable);
        assert_eq!(read, (StatusCode::CREATED, &b"{}"[..], true), "{}", line.escape_ascii());
    }
    // Folded lines are joined, and blanks before the colon ignored: such a field counts.
    let (done, _) = answered(&with_line(b"Retry-After :\r\n 7"), true).await;
    assert_eq!(done.ok().unwrap().headers["retry-after"], "7");
}

#[tokio::test(start_paused = true)]
async fn ignored_line_does_not_say_where_the_body_ends() {
    // Without a length the end of the connection is the body's.
    let head = b"HTTP/1.1 200 OK\r\nContent Length: 1\r\n\r\n{}";
    let (done, usable) = answered(head, false).await;
    assert_eq!((&done.ok().unwrap().body[..], usable), (&b"{}"[..], false));
    let (done, usable) = answered(head, true).await;
    assert_eq!((&done.ok().unwrap().body[..], usable), (&b""[..], false));
    // What stands behind a body is no answer to the next request: the connection is not used again.
    let behind = [&with_line(b"Transfer-Encoding\x01: chunked")[..], b"HTTP/1.1 200 OK\r\n\r\n"].concat();
    let (done, usable) = answered(&behind, true).await;
    assert_eq!((&done.ok().unwrap().body[..], usable), (&b"{}"[..], false));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_readable_head_confirms_nothing() {
    let endless = [&b"HTTP/1.1 200 OK\r\nX: "[..], &[b'x'; 20_000]].concat();
    let fields = [&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(65), b"\r\n"].concat();
    for (name, answer) in [
        ("none", &b""[..]),
        ("cut off", b"HTTP/1.1 200 OK\r\nContent-"),
        ("another protocol", b"220 mail.example.com ESMTP\r\n"),
        ("a field without end", &endless),
        ("too many fields", &fields),
        ("a length that is no number", b"HTTP/1.1 200 OK\r\nContent-Length: 5O\r\n\r\n{}"),
        ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        ("a CR that ends nothing", &with_line(b"X: a\rTransfer-Encoding: chunked")),
        ("a NUL", &with_line(b"X: a\0b")),
    ] {
        assert_eq!(answered(answer, false).await.0.err(), Some(Failure::Unconfirmed), "{name}");
    }
    let began = Instant::now();
    assert_eq!(answered(b"", true).await.0.err(), Some(Failure::Unconfirmed), "no answer in time");
    assert_eq!(began.elapsed(), HEAD_TIMEOUT);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_not_used_again() {
    let (near, far) = duplex(64);
    let mut link = Link::over(metered(near), "carrier.adyton.test").await.unwrap();
    assert!(link.is_usable(Duration::from_secs(3)));
    drop(far);
    assert!(!link.is_usable(Duration::from_secs(3)));
}
