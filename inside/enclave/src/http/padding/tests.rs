#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use std::sync::Arc;

use adyton_transport::Places;
use axum::http::Method;
use axum::response::IntoResponse;
use axum::routing::any;
use axum::{Router, middleware};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::Duration;

use super::*;
use crate::evidence::Channel;
use crate::http::answer::ApiError;
use crate::http::connection::http;

/// The head of the answer to this, and the bytes of head and body.
async fn wire(router: Router, asked: &str) -> (String, usize) {
    let (mut client, stream) = duplex(256 * 1024);
    let place = Places::new(8, Duration::ZERO).take().await;
    tokio::spawn(async move { drop(http(stream, Channel::for_test(), router, Arc::new(place)).await) });
    client.write_all(asked.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let body = announced.filter(|_| !asked.starts_with("HEAD")).map_or(0, |length| length.parse().unwrap());
    client.read_exact(&mut vec![0; body]).await.unwrap();
    let length = head.len() + body;
    (head, length)
}

/// A router whose only route is about verifications and answers so many bytes.
fn sized(length: usize) -> Router {
    let answer = any(move |method: Method| async move {
        match method {
            Method::DELETE => StatusCode::NO_CONTENT.into_response(),
            Method::PUT => ApiError::unauthorized().into_response(),
            _ => "x".repeat(length).into_response(),
        }
    });
    let marked = middleware::map_response(|mut response: Response| async move {
        mark(Some(CHECK.path), &mut response);
        response
    });
    Router::new().route("/", answer).layer(marked)
}

#[tokio::test]
async fn answers_fill_their_class_to_the_byte_on_the_wire() {
    for (method, version, connection) in [
        ("GET", "1.1", ""),
        ("HEAD", "1.1", ""),
        ("PUT", "1.1", ""),
        ("DELETE", "1.1", ""),
        ("GET", "1.1", "Connection: close\r\n"),
        ("GET", "1.0", ""),
        ("GET", "1.0", "Connection: keep-alive\r\n"),
    ] {
        let asked = format!("{method} / HTTP/{version}\r\nHost: x\r\n{connection}\r\n");
        // Every length near a border of classes, and an empty body.
        for body in [0, 1].into_iter().chain(CLASS - 300..CLASS - 100) {
            let (head, length) = wire(sized(body), &asked).await;
            assert!(head.contains("\r\nadyton-padding: "), "{head}");
            assert!(length.is_multiple_of(CLASS), "{body} {length} {head}");
        }
    }
}

#[test]
fn every_path_on_which_a_secret_decides_is_padded() {
    for path in [START.path, FETCH_VERIFICATION.path, CHECK.path, support::PATH] {
        let mut response = StatusCode::OK.into_response();
        mark(Some(path), &mut response);
        assert!(response.extensions().get::<Padded>().is_some(), "{path}");
    }
    let mut response = StatusCode::OK.into_response();
    mark(Some("/v2/Services"), &mut response);
    assert!(response.extensions().get::<Padded>().is_none());
}
