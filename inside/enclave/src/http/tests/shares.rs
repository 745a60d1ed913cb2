//! Who is refused when bytes are short, and when they are given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use adyton_vault::{Scope, User};
use axum::body::{Body, Bytes};
use axum::http::Method;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::world::{World, account, key_of, request, request_by};
use crate::http::Budget;
use crate::http::admission::OPEN;
use crate::http::budget::{Payer, Reservation};

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

/// An account's own token.
fn owner(number: u8) -> Payer {
    Payer::User(account(number), User::Account(account(number)))
}

/// Takes all that a payer may hold.
fn all_that_it_can(budget: &Budget, payer: Payer) -> Vec<Reservation> {
    let sizes = [1 << 16, 1 << 12, 1 << 8, 1].into_iter();
    sizes.flat_map(|bytes| std::iter::from_fn(move || budget.take(payer, bytes).ok())).collect()
}

/// Status of an answer to a request without a body.
async fn got(world: &World, path: &str, user: &str) -> u16 {
    world.ask(request_by(Method::GET, path, user).body(Body::empty()).unwrap()).await.0
}

#[tokio::test]
async fn a_caller_over_its_share_is_refused_and_others_are_not() {
    let world = World::new(3 << 20).await;
    let list = |of| request(Method::GET, "/v2/Services", of).body(Body::empty()).unwrap();
    let held = all_that_it_can(&world.api.budget, owner(1));
    let refused = world.send(list(1)).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].as_bytes()), (429, &b"1"[..]));
    assert_eq!(world.ask(list(1)).await, (429, Some(20429)));
    assert_eq!(world.ask(list(2)).await, (200, None));
    // Neither what has a small answer nor what has no body is refused.
    assert_eq!(got(&world, "/adyton/v1/account", &account(1).text()).await, 200);
    drop(held);
    assert_eq!(world.ask(list(1)).await, (200, None));
}

#[tokio::test]
async fn the_key_of_one_scope_holds_all_that_it_can_and_the_accounts_others_pass() {
    let check = format!("/v2/Services/VA{0}/VerificationCheck", "01".repeat(16));
    let start = format!("/v2/Services/VA{0}/Verifications", "01".repeat(16));
    let (key, token) = (|scope| key_of(1, scope).text(), account(1).text());
    let callers = [key(Scope::Verify), key(Scope::Admin), key(Scope::Support), token];
    for thief in &callers {
        let world = World::new(3 << 20).await;
        let asked = request_by(Method::GET, "/v2/Services", thief).body(Body::empty()).unwrap();
        let payer = world.api.payer(asked.headers());
        assert!(matches!(payer, Payer::User(of, _) if of == account(1)));
        let _held = all_that_it_can(&world.api.budget, payer);
        for caller in callers.iter().filter(|caller| *caller != thief) {
            let post =
                |path: &str, body: &'static str| request_by(Method::POST, path, caller).body(Body::from(body)).unwrap();
            // Each is answered by the decider, or by what comes just before it.
            let (asked, expected) = match caller {
                caller if *caller == callers[0] => {
                    (post(&check, "VerificationSid=VE02020202020202020202020202020202&Code=123456"), 404)
                }
                caller if *caller == callers[1] => (post("/v2/Services", "FriendlyName="), 400),
                caller if *caller == callers[2] => {
                    (request_by(Method::GET, "/v2/Services", caller).body(Body::empty()).unwrap(), 403)
                }
                _ => (post(&start, "To=%2B12025550123&Channel=sms"), 404),
            };
            assert_eq!(world.ask(asked).await.0, expected, "{caller} while {thief} holds all that it can");
        }
        let posted = request_by(Method::POST, "/v2/Services", thief).body(Body::from("FriendlyName=")).unwrap();
        assert_eq!(world.ask(posted).await, (429, Some(20429)));
    }
}

#[tokio::test]
async fn a_stranger_who_names_an_account_takes_nothing_of_its_share() {
    let world = World::new(3 << 20).await;
    let mut forged = request(Method::GET, "/v2/Services", 1).body(Body::empty()).unwrap();
    let authorization = request(Method::GET, "/", 3).body(Body::empty()).unwrap().headers()["authorization"].clone();
    forged.headers_mut().insert("authorization", authorization);
    assert_eq!(world.api.payer(forged.headers()), Payer::Stranger);
    let known = request(Method::GET, "/v2/Services", 1).body(Body::empty()).unwrap();
    assert_eq!(world.api.payer(known.headers()), owner(1));
    // Strangers hold all that strangers may.
    let _bodies = all_that_it_can(&world.api.budget, Payer::Stranger);
    let (body, _) = counted(64, true);
    let posted = request(Method::POST, "/adyton/v1/tenants", 3).body(body).unwrap();
    assert_eq!(world.ask(posted).await, (429, Some(20429)));
    // What has a small answer and no body is answered, and a list, which is for known ones, is not made.
    assert_eq!(got(&world, "/adyton/v1/vault", &account(3).text()).await, 200);
    assert_eq!(got(&world, "/v2/Services", &account(3).text()).await, 401);
    let (body, _) = counted(64, true);
    assert_eq!(world.ask(request(Method::POST, "/v2/Services", 1).body(body).unwrap()).await, (400, Some(60200)));
}

#[tokio::test]
async fn bytes_of_a_body_are_given_back_with_its_answer() {
    let world = World::new(3 << 20).await;
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
        assert_eq!(world.api.budget.free(), 3 << 20);
    }
    // A list that nobody has taken yet keeps its bytes.
    let answer = world.send(request(Method::GET, "/v2/Services", 1).body(Body::empty()).unwrap()).await;
    let length = usize::try_from(answer.body().size_hint().exact().unwrap()).unwrap();
    let held = (3 << 20) - world.api.budget.free();
    assert!((length..=2 * length).contains(&held), "{held} for {length}");
    drop(answer);
    assert_eq!(world.api.budget.free(), 3 << 20);
}

#[tokio::test]
async fn a_client_that_waits_for_continue_is_refused_before_it_sends() {
    let world = World::new(3 << 20).await;
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
    let _held = all_that_it_can(&world.api.budget, owner(1));
    let (asked, read) = expecting(64);
    assert_eq!(world.ask(asked).await, (429, Some(20429)));
    assert_eq!(read.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn where_no_body_is_taken_none_is_waited_for() {
    let world = World::new(0).await;
    for path in OPEN {
        for announced in [true, false] {
            let (body, read) = counted(1 << 20, announced);
            let answer = world.send(request(Method::GET, path, 1).body(body).unwrap()).await;
            assert_eq!((answer.status().as_u16(), answer.headers()["connection"].as_bytes()), (400, &b"close"[..]));
            assert_eq!(read.load(Ordering::Relaxed), 0);
        }
    }
    assert_eq!(world.ask(request(Method::GET, "/health", 1).body(Body::empty()).unwrap()).await.0, 200);
}
