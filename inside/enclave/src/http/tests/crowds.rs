//! Many connections that withhold what they announced, through the whole router, over streams in memory.

use std::sync::Arc;

use adyton_ledger::{Action, Request as SignedByPerson, Signer};
use adyton_transport::Places;
use adyton_vault::Scope;
use axum::http::Request;
use data_encoding::BASE64;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::yield_now;
use tokio::time::Duration;

use super::world::{NEXT, TOKEN, World, account, api_key, key_of, signed};
use crate::evidence::Channel;
use crate::http::connection::http;

/// Bytes of a small vault's budget: a withheld body of each connection would be several times as much.
const SMALL: usize = 3 << 20;
/// Connections of each kind.
const MANY: usize = 40;
/// What a connection sends of its body before it falls silent.
const MOST: usize = 63 * 1024;

/// Opens connections to a vault.
struct Door<'a> {
    world: &'a World,
    places: Places,
}

impl<'a> Door<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, places: Places::new(8192, Duration::ZERO) }
    }

    async fn open(&self) -> DuplexStream {
        let (client, stream) = duplex(128 * 1024);
        let (router, place) = (self.world.router.clone(), self.places.take().await);
        tokio::spawn(async move { drop(http(stream, Channel::for_test(), router, Arc::new(place)).await) });
        client
    }

    /// A connection that sends so much of a body that never ends.
    async fn stalled(&self, method: &str, path: &str, user: &str, (announced, sent): (&str, usize)) -> DuplexStream {
        let mut client = self.open().await;
        client.write_all(head(method, path, user, announced).as_bytes()).await.unwrap();
        client.write_all(&vec![b'x'; sent]).await.unwrap();
        client
    }

    /// Status of a request's answer.
    async fn ask(&self, method: &str, path: &str, user: &str, body: &[u8]) -> u16 {
        let mut client = self.open().await;
        let length = format!("Content-Length: {}", body.len());
        client.write_all(head(method, path, user, &length).as_bytes()).await.unwrap();
        client.write_all(body).await.unwrap();
        status(&mut client).await
    }
}

fn head(method: &str, path: &str, user: &str, announced: &str) -> String {
    let credentials = BASE64.encode(format!("{user}:{TOKEN}").as_bytes());
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n{announced}\r\n\r\n")
}

async fn status(client: &mut DuplexStream) -> u16 {
    let mut line = [0; 12];
    client.read_exact(&mut line).await.unwrap();
    std::str::from_utf8(&line[9..]).unwrap().parse().unwrap()
}

/// A reset that owner and vault would agree on, but for its token, which does not open.
async fn reset() -> Vec<u8> {
    let signer = Signer::Tenant(*account(2).as_bytes());
    let body = r#"{"reset":true,"sealed_token":"AQE="}"#.into();
    let request = SignedByPerson { action: Action::TenantKeys, signer, sequence: NEXT, body, replaces: None };
    let asked: Request<_> = signed(2, &request, 1);
    asked.into_body().collect().await.unwrap().to_bytes().to_vec()
}

/// Lets everything run that can.
async fn settle() {
    for _ in 0..20_000 {
        yield_now().await;
    }
}

/// What everybody needs is answered: health, binding, a signed request, evidence, a start by the application's key.
async fn all_pass(door: &Door<'_>) {
    let nobody = account(3).text();
    assert_eq!(door.ask("GET", "/health", &nobody, b"").await, 200);
    assert_eq!(door.ask("GET", "/.well-known/adyton/binding", &nobody, b"").await, 200);
    // The platform is away.
    assert_ne!(door.ask("GET", "/ready", &nobody, b"").await, 429);
    let nonce = "ab".repeat(32);
    assert_eq!(door.ask("GET", &format!("/.well-known/adyton/evidence?nonce={nonce}"), &nobody, b"").await, 503);
    assert_eq!(door.ask("POST", "/adyton/v1/requests", &nobody, &reset().await).await, 400);
    let (path, key) = (format!("/v2/Services/VA{}/Verifications", "01".repeat(16)), api_key(1).text());
    assert_eq!(door.ask("POST", &path, &key, b"To=%2B12025550123&Channel=sms").await, 404);
    assert_eq!(door.ask("POST", "/adyton/v1/tenants", &nobody, b"{}").await, 400);
}

#[tokio::test]
async fn withheld_bytes_keep_nobody_from_anything() {
    let world = World::without_platform(SMALL).await;
    let door = Door::new(&world);
    let (support, nobody) = (key_of(1, Scope::Support).text(), account(3).text());
    let withheld = [
        ("GET", "/adyton/v1/account", &nobody, ("Content-Length: 1", 0)),
        ("GET", "/adyton/v1/account", &support, ("Content-Length: 1", 0)),
        ("GET", "/adyton/v1/public-certificate-request", &nobody, ("Content-Length: 1", 0)),
        ("GET", "/v2/Services", &support, ("Transfer-Encoding: chunked", 0)),
        ("POST", "/adyton/v1/tenants", &nobody, ("Transfer-Encoding: chunked", 0)),
        ("POST", "/adyton/v1/requests", &nobody, ("Content-Length: 65536", 0)),
    ];
    let mut silent = Vec::new();
    for (method, path, user, sent) in withheld {
        for _ in 0..MANY {
            silent.push(door.stalled(method, path, user, sent).await);
        }
    }
    settle().await;
    assert_eq!(world.api.budget.free(), SMALL, "who sends nothing holds nothing");
    all_pass(&door).await;
}

#[tokio::test]
async fn bodies_that_are_not_completed_keep_nobody_from_anything() {
    let world = World::without_platform(SMALL).await;
    let door = Door::new(&world);
    let (support, nobody) = (key_of(1, Scope::Support).text(), account(3).text());
    let begun = ("Content-Length: 65536", MOST);
    let mut stalled = Vec::new();
    for (path, user) in [
        ("/adyton/v1/tenants", &nobody),
        ("/adyton/v1/requests", &nobody),
        ("/v2/Services", &support),
        ("/v2/Services", &api_key(2).text()),
    ] {
        for _ in 0..MANY {
            stalled.push(door.stalled("POST", path, user, begun).await);
        }
    }
    settle().await;
    // All shares that they can reach are used up, and still:
    assert!(world.api.budget.free() < SMALL / 2);
    all_pass(&door).await;
    // The oldest ones made room: they are refused, and their connections end.
    let mut heard = Vec::new();
    stalled[0].read_to_end(&mut heard).await.unwrap();
    let heard = String::from_utf8(heard).unwrap();
    assert!(heard.starts_with("HTTP/1.1 429 ") && heard.contains("\r\nconnection: close\r\n"), "{heard}");
    assert!(heard.contains("\r\nretry-after: 1\r\n") && heard.contains("20429"), "{heard}");
}
