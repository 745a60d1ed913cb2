//! The published logs as a client meets them: paths, headers, and what each address shows.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::time::Duration;

use adyton_host::{Published, RedbStore, serve_tiles};
use adyton_ledger::{ENTRY_LEN, Entry, LogId, LogStore, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SIZE: u8 = 3;
/// More than an address has places.
const CROWD: usize = 160;
/// Longest wait for what needs none: much less than silence is kept for, however few processors there are.
const TEST_TIMEOUT: Duration = Duration::from_secs(9);

fn entry(number: u8) -> Entry {
    Entry::from_bytes([number; ENTRY_LEN])
}

struct Served {
    gov: SocketAddr,
    operations: SocketAddr,
    _folder: tempfile::TempDir,
}

/// Three entries in `gov` and as many in `ops-0`.
async fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    let mut store = RedbStore::open(folder.path()).unwrap();
    for (size, number) in (0..).zip(0..SIZE) {
        let record = Record { entry: entry(number), hot: Some(b"sealed".to_vec()), kept: Some(b"sealed".to_vec()) };
        store.append(LogId::GOV, size, &record, "head of gov\n").unwrap();
        store.append(LogId::ops(0), size, &record, "head of ops-0\n").unwrap();
    }
    let start = async |published| {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_tiles(listener, store.reader(), published));
        address
    };
    Served { gov: start(Published::Gov).await, operations: start(Published::Operations).await, _folder: folder }
}

async fn asked(address: SocketAddr, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..end + 2].to_vec()).unwrap(), answer[end + 4..].to_vec())
}

#[tokio::test]
async fn each_resource_has_its_type_and_its_age() {
    let served = served().await;
    let hashes: Vec<u8> = (0..SIZE).flat_map(|number| entry(number).leaf_hash().0).collect();
    let prefix = u16::try_from(ENTRY_LEN).unwrap().to_be_bytes();
    let bundle: Vec<u8> = (0..SIZE).flat_map(|number| [&prefix, &entry(number).as_bytes()[..]].concat()).collect();
    for (address, log) in [(served.gov, "gov"), (served.operations, "ops-0")] {
        let (head, body) = asked(address, &format!("GET /{log}/checkpoint")).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("content-type: text/plain; charset=utf-8\r\n"), "{head}");
        assert!(head.contains("cache-control: max-age=1\r\n"), "{head}");
        assert_eq!(body, format!("head of {log}\n").into_bytes());
        for (path, expected) in [("tile/0/000.p/3", &hashes), ("tile/entries/000.p/3", &bundle)] {
            let (head, body) = asked(address, &format!("GET /{log}/{path}")).await;
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            assert!(head.contains("content-type: application/octet-stream\r\n"), "{head}");
            assert!(head.contains("cache-control: public, max-age=31536000, immutable\r\n"), "{head}");
            assert_eq!(&body, expected, "{path}");
            let (only_head, nothing) = asked(address, &format!("HEAD /{log}/{path}")).await;
            assert!(only_head.contains(&format!("content-length: {}\r\n", expected.len())), "{only_head}");
            assert!(nothing.is_empty());
        }
    }
}

#[tokio::test]
async fn nothing_else_is_answered_and_no_body_of_an_entry() {
    let served = served().await;
    for path in [
        "/",
        "/gov",
        "/gov/",
        "/gov/tile/0/000",
        "/gov/tile/0/000.p/4",
        "/gov/tile/0/001.p/1",
        "/gov/tile/1/000.p/1",
        "/gov/tile/data/000.p/3",
        "/gov/tile/entries/000",
        "/gov/tile/0/000.p/03",
        "/gov/body/0",
        "/gov/log.redb",
        "/ops-0/checkpoint",
        "/ops-1/checkpoint",
        "/metrics",
    ] {
        let (head, body) = asked(served.gov, &format!("GET {path}")).await;
        assert!(head.starts_with("HTTP/1.1 404 ") && head.contains("cache-control: no-store\r\n"), "{path}: {head}");
        assert!(body.is_empty(), "{path}");
    }
    for path in ["/gov/checkpoint", "/gov/tile/0/000.p/3", "/ops-1/checkpoint", "/ops-1/tile/0/000.p/1"] {
        assert!(asked(served.operations, &format!("GET {path}")).await.0.starts_with("HTTP/1.1 404 "), "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let (head, _) = asked(served.gov, &format!("{method} /gov/checkpoint")).await;
        assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("allow: GET, HEAD\r\n"), "{method}: {head}");
    }
    let long = format!("GET /gov/checkpoint?{}", "a".repeat(10_000));
    assert!(asked(served.gov, &long).await.0.starts_with("HTTP/1.1 4"), "a long head");
}

#[tokio::test]
async fn keep_alive_serves_requests_in_turn() {
    let served = served().await;
    let mut stream = TcpStream::connect(served.gov).await.unwrap();
    let request = b"GET /gov/tile/0/000.p/1 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(&request.repeat(19)).await.unwrap();
    let last = b"GET /gov/tile/0/000.p/1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(last).await.unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).await.unwrap();
    let hash = entry(0).leaf_hash().0;
    assert_eq!(answers.windows(hash.len()).filter(|window| *window == hash).count(), 20);
}

/// Clients that say nothing, half a head, or nothing more after an answer.
#[tokio::test]
async fn silent_connections_make_room_for_a_request() {
    let served = served().await;
    let whole = b"GET /gov/checkpoint HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for said in [&b""[..], &whole[..30], &[&whole[..], &whole[..30]].concat()] {
        let mut crowd = Vec::new();
        for _ in 0..CROWD {
            let mut stream = TcpStream::connect(served.gov).await.unwrap();
            stream.write_all(said).await.unwrap();
            crowd.push(stream);
        }
        for _ in 0..3 {
            let answered = tokio::time::timeout(TEST_TIMEOUT, asked(served.gov, "GET /gov/checkpoint")).await;
            let (head, _) = answered.expect("others hold all places");
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        }
        // The connection that had waited longest was closed.
        let mut rest = Vec::new();
        let _ =
            tokio::time::timeout(TEST_TIMEOUT, crowd[0].read_to_end(&mut rest)).await.expect("the first one is kept");
    }
}
