//! Streams in memory and, where time counts, a paused clock: every duration is exact.
#![allow(clippy::unwrap_used, reason = "tests")]

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::super::http::Connection;
use super::super::{CONNECT_TIMEOUT, Endpoint, Trust, socks};
use super::*;

/// What a stream in memory holds: the server may have written so much more than was read.
const HELD: usize = 1024;
const BUDGET: AnswerBudget = AnswerBudget { bytes: 4096, time: Duration::from_secs(10) };
const SECOND: Duration = Duration::from_secs(1);

fn metered(answers: AnswerBudget) -> (Metered<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(HELD);
    (Metered::played(near, answers), far)
}

/// Says `first`, then `again` without end, a byte in each `pause` if there is one; how many bytes it could say.
fn flood(far: DuplexStream, first: &'static [u8], again: &'static [u8], pause: Option<Duration>) -> JoinHandle<usize> {
    tokio::spawn(async move {
        // What it is told is of no interest, but has to go somewhere.
        let (mut told, mut far) = tokio::io::split(far);
        let told = tokio::spawn(async move { tokio::io::copy(&mut told, &mut tokio::io::sink()).await });
        let (mut said, mut bytes) = (0, first.iter().chain(again.iter().cycle()));
        'all: loop {
            let part: Vec<u8> = bytes.by_ref().take(if pause.is_some() { 1 } else { 256 }).copied().collect();
            let mut rest = &part[..];
            while !rest.is_empty() {
                let Ok(count @ 1..) = far.write(rest).await else { break 'all };
                (said, rest) = (said + count, &rest[count..]);
            }
            if let Some(pause) = pause {
                sleep(pause).await;
            }
        }
        told.abort();
        said
    })
}

/// The same, once it was asked something by HTTP.
fn answer(
    mut far: DuplexStream,
    first: &'static [u8],
    again: &'static [u8],
    pause: Option<Duration>,
) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let mut told = Vec::new();
        while !told.ends_with(b"\r\n\r\n") {
            told.push(far.read_u8().await.unwrap());
        }
        flood(far, first, again, pause).await.unwrap()
    })
}

fn kind(error: &io::Error) -> Option<EgressError> {
    error.get_ref()?.downcast_ref().copied()
}

#[tokio::test(start_paused = true)]
async fn bytes_beyond_the_budget_are_not_read() {
    let (mut near, far) = metered(BUDGET);
    let server = flood(far, b"", b"a", None);
    let mut read = Vec::new();
    let error = near.read_to_end(&mut read).await.unwrap_err();
    assert_eq!((kind(&error), read.len()), (Some(EgressError::TooLong), BUDGET.bytes));
    assert_eq!(near.meter().exceeded(), Some(EgressError::TooLong));
    // It fails for ever.
    near.meter().begin();
    assert_eq!(kind(&near.read_u8().await.unwrap_err()), Some(EgressError::TooLong));
    assert_eq!(kind(&near.write_u8(0).await.unwrap_err()), Some(EgressError::TooLong));
    drop(near);
    assert!(server.await.unwrap() <= BUDGET.bytes + HELD + 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_use_its_whole_budget() {
    let (mut near, mut far) = metered(BUDGET);
    let server = tokio::spawn(async move { far.write_all(&[b'a'; BUDGET.bytes]).await });
    let mut read = Vec::new();
    near.read_to_end(&mut read).await.unwrap();
    assert_eq!((read.len(), near.meter().exceeded()), (BUDGET.bytes, None));
    server.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_trickle_meets_the_time_of_the_whole_answer() {
    let began = Instant::now();
    let (mut near, far) = metered(BUDGET);
    flood(far, b"", b"a", Some(SECOND));
    let error = near.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!((kind(&error), began.elapsed()), (Some(EgressError::Timeout), BUDGET.time));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_meets_the_same_time() {
    let began = Instant::now();
    let (mut near, _far) = metered(BUDGET);
    let error = near.write_all(&[0; 2 * HELD]).await.unwrap_err();
    assert_eq!((kind(&error), began.elapsed()), (Some(EgressError::Timeout), BUDGET.time));
}

#[tokio::test(start_paused = true)]
async fn writing_or_reading_renews_no_budget() {
    let began = Instant::now();
    let (mut near, far) = metered(BUDGET);
    flood(far, b"", b"a", Some(SECOND));
    let error = loop {
        if let Err(error) = near.read_u8().await {
            break error;
        }
        near.write_all(b"more").await.unwrap();
    };
    assert_eq!((kind(&error), began.elapsed()), (Some(EgressError::Timeout), BUDGET.time));
}

#[tokio::test(start_paused = true)]
async fn each_answer_has_its_own_budget() {
    let (mut near, mut far) = metered(BUDGET);
    for _ in 0..3 {
        near.meter().begin();
        near.write_all(b"?").await.unwrap();
        sleep(BUDGET.time - SECOND).await;
        far.write_all(&[b'a'; HELD]).await.unwrap();
        near.read_exact(&mut [0; HELD]).await.unwrap();
    }
    // Between answers no time is counted.
    near.meter().rest();
    sleep(100 * BUDGET.time).await;
    far.write_all(b"b").await.unwrap();
    assert_eq!(near.read_u8().await.unwrap(), b'b');
}

#[tokio::test(start_paused = true)]
async fn a_waiting_reader_meets_the_new_deadline() {
    let began = Instant::now();
    let (mut near, _far) = metered(BUDGET);
    let meter = near.meter().clone();
    meter.rest();
    let waiting = tokio::spawn(async move { near.read_u8().await });
    sleep(5 * BUDGET.time).await;
    meter.begin_until(Instant::now() + SECOND);
    assert_eq!(kind(&waiting.await.unwrap().unwrap_err()), Some(EgressError::Timeout));
    assert_eq!(began.elapsed(), 5 * BUDGET.time + SECOND);
}

#[tokio::test(start_paused = true)]
async fn socks_that_trickles_is_no_connection() {
    let began = Instant::now();
    let (near, far) = duplex(HELD);
    let near = Metered::new(near, BUDGET, super::super::SOCKS_BYTES, Instant::now() + CONNECT_TIMEOUT);
    // A method, then an address of 255 bytes.
    flood(far, b"\x05\x00\x05\x00\x00\x03\xFF", b"a", Some(SECOND));
    let refused = socks(near, ("carrier.adyton.test", 443)).await.err();
    assert_eq!((refused, began.elapsed()), (Some(EgressError::Timeout), CONNECT_TIMEOUT));
}

fn endpoint(answers: AnswerBudget) -> Endpoint {
    let service = adyton_transport::Address::Unix("host.sock".into());
    Endpoint::new("carrier.adyton.test", 443, &Trust::PublicRoots, service, answers).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_trickles_or_does_not_end_is_refused() {
    // A record of 16 KiB that holds a part of a ServerHello of 64 KiB.
    const HELLO: &[u8] = b"\x16\x03\x03\x40\x00\x02\x00\xFF\xFF";
    let began = Instant::now();
    let (near, far) = metered(BUDGET);
    flood(far, HELLO, b"a", Some(SECOND));
    assert_eq!(endpoint(BUDGET).secure(near).await.err(), Some(EgressError::Timeout));
    assert_eq!(began.elapsed(), CONNECT_TIMEOUT);
    let (near, far) = metered(BUDGET);
    let server = flood(far, HELLO, b"a", None);
    assert!(endpoint(BUDGET).secure(near).await.is_err());
    assert!(server.await.unwrap() <= super::super::HANDSHAKE_BYTES + HELD + 1);
}

/// The kinds of peers that speak HTTP, and what each of their answers may cost.
const KINDS: [AnswerBudget; 4] = [AnswerBudget::CARRIER, AnswerBudget::KMS, AnswerBudget::METADATA, AnswerBudget::CA];
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n";
const LONG: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn an_http_answer_that_does_not_end_is_cut_off() {
    let too_long = EgressError::TooLong;
    for answers in KINDS {
        for (first, again, expected) in [
            (&b"HTTP/1.1 200 "[..], &b"a"[..], too_long),
            (b"HTTP/1.1 200 OK\r\nx: ", b"a", too_long),
            (b"HTTP/1.1 200 OK\r\nx", b"a", too_long),
            // The library takes no more than a hundred.
            (b"HTTP/1.1 200 OK\r\n", b"x: a\r\n", EgressError::Protocol),
            (CHUNKED, b"a", too_long),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", too_long),
            (LONG, b"a", too_long),
            (b"HTTP/1.1 200 OK\r\n\r\n", b"a", too_long),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n", too_long),
            (b"", b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", too_long),
        ] {
            let (near, far) = metered(answers);
            let server = answer(far, first, again, None);
            let mut connection = Connection::over(near, "carrier.adyton.test").await.unwrap();
            let ended = connection.get("/", []).await.err();
            let row = first.escape_ascii();
            assert_eq!(ended, Some(expected), "{row}");
            drop(connection);
            assert!(server.await.unwrap() <= answers.bytes + HELD + 1, "{row}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_http_answer_that_trickles_is_cut_off() {
    for answers in KINDS {
        for first in [&b"HTTP/1.1 200 OK\r\nx: "[..], CHUNKED, LONG, b""] {
            let began = Instant::now();
            let (near, far) = metered(answers);
            answer(far, first, b"HTTP/1.1 100 Continue\r\n\r\n", Some(SECOND));
            let mut connection = Connection::over(near, "carrier.adyton.test").await.unwrap();
            let ended = connection.get("/", []).await.err();
            assert_eq!((ended, began.elapsed()), (Some(EgressError::Timeout), answers.time));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_rests_between_answers() {
    let (near, mut far) = metered(BUDGET);
    tokio::spawn(async move {
        let mut told = [0; HELD];
        while matches!(far.read(&mut told).await, Ok(1..)) {
            far.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
    });
    let mut connection = Connection::over(near, "carrier.adyton.test").await.unwrap();
    for _ in 0..2 {
        let answer = connection.get("/", []).await.unwrap();
        assert_eq!(answer.body, "ok");
        sleep(100 * BUDGET.time).await;
        assert!(!connection.is_closed());
    }
}
