//! Who is refused when bytes are short, and when they are given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::Method;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::world::{World, account, request};
use crate::http::budget::Payer;

/// A body of zeros that counts what is read of it.
struct Counted {
    left: usize,
    announced: bool,
    read: Arc<AtomicUsize>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.left.min(4096);
        self.left -= piece;
        self.read.fetch_add(piece, Ordering::Relaxed);
        Poll::Ready((piece > 0).then(|| Ok(Frame::data(vec![0; piece].into()))))
    }

    fn size_hint(&self) -> SizeHint {
        if self.announced { SizeHint::with_exact(u64::try_from(self.left).unwrap()) } else { SizeHint::new() }
    }
}

fn counted(left: usize, announced: bool) -> (Body, Arc<AtomicUsize>) {
    let read = Arc::default();
    (Body::new(Counted { left, announced, read: Arc::clone(&read) }), read)
}

#[tokio::test]
async fn a_caller_over_its_share_is_refused_and_others_are_not() {
    let world = World::new(1 << 20).await;
    let list = |of| request(Method::GET, "/v2/Services", of).body(Body::empty()).unwrap();
    let held = world.api.budget.answer(Payer::Account(account(1)), 1 << 19).unwrap();
    let refused = world.send(list(1)).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].as_bytes()), (429, &b"1"[..]));
    assert_eq!(world.ask(list(1)).await, (429, Some(20429)));
    assert_eq!(world.ask(list(2)).await, (200, None));
    drop(held);
    assert_eq!(world.ask(list(1)).await, (200, None));
}

#[tokio::test]
async fn a_stranger_who_names_an_account_takes_nothing_of_its_share() {
    let world = World::new(1 << 20).await;
    let mut forged = request(Method::GET, "/health", 1).body(Body::empty()).unwrap();
    let authorization = request(Method::GET, "/", 3).body(Body::empty()).unwrap().headers()["authorization"].clone();
    forged.headers_mut().insert("authorization", authorization);
    assert_eq!(world.api.payer(forged.headers()).await, Payer::Stranger);
    let known = request(Method::GET, "/health", 1).body(Body::empty()).unwrap();
    // Asked of the decider the first time, remembered the second.
    for _ in 0..2 {
        assert_eq!(world.api.payer(known.headers()).await, Payer::Account(account(1)));
    }
    // Strangers hold all that strangers may.
    let _bodies = world.api.budget.body(Payer::Stranger, 1 << 19).unwrap();
    let (body, _) = counted(64, true);
    let posted = request(Method::POST, "/adyton/v1/tenants", 3).body(body).unwrap();
    assert_eq!(world.ask(posted).await, (429, Some(20429)));
    // Their answers are another share, and the account's a third.
    assert_eq!(world.ask(request(Method::GET, "/adyton/v1/vault", 3).body(Body::empty()).unwrap()).await.0, 200);
    let (body, _) = counted(64, true);
    assert_eq!(world.ask(request(Method::POST, "/v2/Services", 1).body(body).unwrap()).await, (400, Some(60200)));
}

#[tokio::test]
async fn bytes_are_taken_before_a_body_is_read_and_given_back_with_its_answer() {
    let world = World::new(1 << 20).await;
    for (length, announced, expected) in [
        (0, true, (400, Some(60200))),
        (65_536, true, (400, Some(60200))),
        (65_536, false, (400, Some(60200))),
        (65_537, true, (413, Some(20413))),
        (65_537, false, (413, Some(20413))),
        (4 << 20, true, (413, Some(20413))),
    ] {
        let (body, read) = counted(length, announced);
        assert_eq!(world.ask(request(Method::POST, "/v2/Services", 1).body(body).unwrap()).await, expected);
        assert_eq!(read.load(Ordering::Relaxed), length, "what is too large is thrown away");
        assert_eq!(world.api.budget.free(), 1 << 20);
    }
    // An answer that nobody has taken yet keeps exactly its own bytes.
    let answer = world.send(request(Method::GET, "/v2/Services", 1).body(Body::empty()).unwrap()).await;
    let length = answer.body().size_hint().exact().unwrap();
    assert_eq!(world.api.budget.free(), (1 << 20) - usize::try_from(length).unwrap());
    drop(answer);
    assert_eq!(world.api.budget.free(), 1 << 20);
}

#[tokio::test]
async fn a_client_that_waits_for_continue_is_refused_before_it_sends() {
    let world = World::new(1 << 20).await;
    let expecting = |length| {
        let (body, read) = counted(length, true);
        let asked = request(Method::POST, "/v2/Services", 1).header("Expect", "100-Continue").body(body).unwrap();
        (asked, read)
    };
    let (asked, read) = expecting(65_537);
    let refused = world.send(asked).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["connection"].as_bytes()), (413, &b"close"[..]));
    assert_eq!(read.load(Ordering::Relaxed), 0);
    let (asked, read) = expecting(64);
    assert_eq!(world.ask(asked).await, (400, Some(60200)));
    assert_eq!(read.load(Ordering::Relaxed), 64);
    let _held = world.api.budget.body(Payer::Account(account(1)), 1 << 19).unwrap();
    let (asked, read) = expecting(64);
    assert_eq!(world.ask(asked).await, (429, Some(20429)));
    assert_eq!(read.load(Ordering::Relaxed), 0);
}
