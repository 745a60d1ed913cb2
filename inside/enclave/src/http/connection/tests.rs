//! Times of a connection, by a paused clock, over a stream in memory.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::*;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// A client, and the connection that serves it.
struct Pair {
    client: DuplexStream,
    served: JoinHandle<()>,
}

impl Pair {
    fn new(place: Place) -> Self {
        let (client, stream) = duplex(64 * 1024);
        let router = Router::new()
            .route("/", get(async || "ok\n"))
            .route("/slow", post(async |body: Bytes| (StatusCode::OK, body)));
        let served = tokio::spawn(async move {
            drop(http(stream, Channel::for_test(), router, Arc::new(place)).await);
        });
        Self { client, served }
    }

    async fn alone() -> Self {
        Self::new(Places::new(32, Duration::ZERO).take().await)
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).await.unwrap();
    }

    /// One answer's head; its body must be `ok\n`.
    async fn answer(&mut self) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\nok\n") {
            heard.push(self.client.read_u8().await.unwrap());
        }
        String::from_utf8(heard).unwrap()
    }

    /// Seconds until the server ends the connection.
    async fn ended(&mut self) -> u64 {
        let begun = Instant::now();
        self.client.read_to_end(&mut Vec::new()).await.unwrap();
        (&mut self.served).await.unwrap();
        begun.elapsed().as_secs()
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_for_nothing_ends_after_the_time_of_a_head() {
    assert_eq!(Pair::alone().await.ended().await, HEAD_TIME.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_longer_than_its_answers_announce() {
    let mut pair = Pair::alone().await;
    for _ in 0..3 {
        pair.say(REQUEST).await;
        let answer = pair.answer().await;
        assert!(answer.contains("\r\nconnection: keep-alive\r\nkeep-alive: timeout=100\r\n"), "{answer}");
        // The last moment that was announced, and more than the way there takes.
        sleep(Duration::from_secs(ANNOUNCED + 15)).await;
    }
    pair.say(REQUEST).await;
    pair.answer().await;
    assert_eq!(pair.ended().await, IDLE_TIME.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_head_that_has_begun_ends_in_its_time_however_slowly_it_comes() {
    let mut pair = Pair::alone().await;
    pair.say(REQUEST).await;
    pair.answer().await;
    sleep(Duration::from_secs(60)).await;
    pair.say(b"G").await;
    sleep(HEAD_TIME / 2).await;
    pair.say(b"E").await;
    assert_eq!(pair.ended().await, HEAD_TIME.as_secs() / 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_being_answered_is_not_timed_as_a_head() {
    let mut pair = Pair::alone().await;
    pair.say(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n").await;
    sleep(HEAD_TIME * 5).await;
    pair.say(b"ok\n").await;
    pair.answer().await;
    assert_eq!(pair.ended().await, IDLE_TIME.as_secs());
}

#[tokio::test(start_paused = true)]
async fn requests_that_come_together_are_all_answered_and_then_the_connection_idles() {
    let mut pair = Pair::alone().await;
    pair.say(&REQUEST.repeat(3)).await;
    for _ in 0..3 {
        pair.answer().await;
    }
    assert_eq!(pair.ended().await, IDLE_TIME.as_secs());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_makes_room_when_places_are_short_and_a_busy_one_says_close() {
    let places = Places::new(2, Duration::ZERO);
    let (mut idle, mut busy) = (Pair::new(places.take().await), Pair::new(places.take().await));
    busy.say(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n").await;
    sleep(Duration::from_millis(1)).await;
    let third = tokio::spawn({
        let places = places.clone();
        async move { places.take().await }
    });
    // No place is left, so what is answered now says so, and the connection ends.
    idle.say(REQUEST).await;
    let answer = idle.answer().await;
    assert!(answer.contains("\r\nconnection: close\r\n") && !answer.contains("keep-alive"), "{answer}");
    assert_eq!(idle.ended().await, 0);
    let third = third.await.unwrap();
    busy.say(b"ok\n").await;
    assert!(busy.answer().await.contains("\r\nconnection: close\r\n"));
    drop(third);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_told_to_end_says_close_though_places_are_free_again() {
    let places = Places::new(2, Duration::ZERO);
    let mut first = Pair::new(places.take().await);
    first.say(REQUEST).await;
    assert!(first.answer().await.contains("keep-alive"));
    let second = places.take().await;
    // Its next request is under way when it is told, and the place that was wanted is free before it is answered.
    first.say(REQUEST).await;
    let mut waiting = Box::pin(places.take());
    let told = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await;
    assert!(told);
    drop((waiting, second));
    assert!(!places.are_short());
    let answer = first.answer().await;
    assert!(answer.contains("\r\nconnection: close\r\n") && !answer.contains("keep-alive"), "{answer}");
    assert_eq!(first.ended().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_idles_already_is_closed_for_one_that_waits() {
    let places = Places::new(2, Duration::ZERO);
    let mut first = Pair::new(places.take().await);
    first.say(REQUEST).await;
    assert!(first.answer().await.contains("keep-alive"));
    let _second = places.take().await;
    let (third, waited) = tokio::join!(places.take(), first.ended());
    assert_eq!(waited, 0);
    drop(third);
}

#[tokio::test(start_paused = true)]
async fn versions_and_connection_options_are_those_of_the_rfc() {
    for (head, connection) in [
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", Some("close")),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: Foo , CLOSE\r\n\r\n", Some("close")),
        ("GET / HTTP/1.0\r\n\r\n", None),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", None),
    ] {
        let mut pair = Pair::alone().await;
        pair.say(head.as_bytes()).await;
        let answer = pair.answer().await;
        let given = answer.lines().find_map(|line| line.strip_prefix("connection: "));
        assert_eq!(given, connection, "{head}{answer}");
        assert!(!answer.contains("keep-alive: "), "{answer}");
        assert_eq!(pair.ended().await, 0, "{head}");
    }
    let mut pair = Pair::alone().await;
    pair.say(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").await;
    let answer = pair.answer().await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.contains("\r\nconnection: keep-alive\r\n"), "{answer}");
    assert_eq!(pair.ended().await, IDLE_TIME.as_secs());
}
