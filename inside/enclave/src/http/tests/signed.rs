//! Requests with signatures or sealed values: whose places they take, and what is refused before anything is opened.

use std::time::Duration;

use adyton_ledger::{Action, Request as SignedByPerson, Signer};
use adyton_vault::User;
use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::world::{NEXT, World, account, api_key, person, request, request_by, signed};
use crate::http::BUDGET;
use crate::http::budget::Payer;
use crate::http::workers::Kind;

/// `tenant-keys` of a tenant.
fn keys_request(of: u8, sequence: u64, body: &str) -> SignedByPerson {
    let signer = Signer::Tenant(*account(of).as_bytes());
    SignedByPerson { action: Action::TenantKeys, signer, sequence, body: body.into(), replaces: None }
}

/// A reset of a tenant whose token does not open.
fn reset(of: u8) -> Request<Body> {
    signed(of, &keys_request(of, NEXT, r#"{"reset":true,"sealed_token":"AQE="}"#), 1)
}

/// Settings of the owners that are none.
fn settings(sequence: u64, copies: usize) -> Request<Body> {
    let (action, signer) = (Action::Settings, Signer::Owners);
    signed(9, &SignedByPerson { action, signer, sequence, body: "no settings".into(), replaces: None }, copies)
}

/// A tenant that introduces itself with a token that does not open.
fn introduction() -> Request<Body> {
    let (account, ssh_key) = (account(7).text(), person(7).line());
    let body =
        format!(r#"{{"account_sid":"{account}","friendly_name":"Seven","sealed_token":"AQE=","ssh_key":"{ssh_key}"}}"#);
    Request::post("/adyton/v1/tenants").header("Host", "localhost").body(Body::from(body)).unwrap()
}

fn binding() -> Request<Body> {
    Request::get("/.well-known/adyton/binding").header("Host", "localhost").body(Body::empty()).unwrap()
}

/// Status and message of the answer.
async fn message(world: &World, request: Request<Body>) -> (u16, String) {
    let answer = world.send(request).await;
    let status = answer.status().as_u16();
    let body: serde_json::Value =
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
    (status, body["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_binding_and_a_check_need_no_worker() {
    let world = World::new(BUDGET).await;
    let _busy = world.api.workers.occupied();
    let kinds = [Kind::OwnersSignatures, Kind::TenantsSignatures(account(1)), Kind::Owners, Kind::Stranger];
    let _full = kinds.map(|kind| world.api.workers.filled(kind));
    assert_eq!(world.ask(binding()).await, (200, None));
    // The decider answers: there is no such verification.
    let path = format!("/v2/Services/VA{}/VerificationCheck", "01".repeat(16));
    let form = format!("VerificationSid=VE{}&Code=123456", "02".repeat(16));
    let check = request(Method::POST, &path, 1).body(Body::from(form)).unwrap();
    assert_eq!(world.ask(check).await, (404, Some(20404)));
}

#[tokio::test]
async fn full_places_of_strangers_and_of_one_tenant_stop_nobody_else() {
    let world = World::new(BUDGET).await;
    let strangers = world.api.workers.filled(Kind::Stranger);
    let tenant = world.api.workers.filled(Kind::Tenant(account(1)));
    for refused in [introduction(), reset(1)] {
        let refused = world.send(refused).await;
        assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].as_bytes()), (503, &b"1"[..]));
    }
    assert_eq!(world.ask(binding()).await, (200, None));
    // These were opened and read.
    let told = "it does not open: expected base64 of 32 to 64 letters and digits, sealed to this vault for this use";
    let opened = (400, format!("Invalid parameter: sealed_token: {told}"));
    assert_eq!(message(&world, reset(2)).await, opened);
    let (status, read) = message(&world, settings(1, 1)).await;
    assert!(status == 400 && read.contains("settings"), "{status} {read}");
    drop((strangers, tenant));
    assert_eq!(message(&world, reset(1)).await, opened);
    assert_eq!(message(&world, introduction()).await, opened);
}

#[tokio::test]
async fn another_sequence_or_a_repeated_key_is_refused_before_anything_is_opened() {
    let world = World::new(BUDGET).await;
    // Whatever would open something meets no place.
    let _full = [Kind::Tenant(account(1)), Kind::Owners].map(|kind| world.api.workers.filled(kind));
    let key = format!(r#"{{"key_sid":"SK{}","scopes":["verify"],"sealed_secret":"AQE="}}"#, "05".repeat(16));
    let add = |keys: &[&str]| format!(r#"{{"add":[{}]}}"#, keys.join(","));
    for (sequence, body, expected) in [
        (NEXT, add(&[&key]), (503, Some(20503))),
        (NEXT + 1, add(&[&key]), (409, Some(20409))),
        (NEXT - 1, add(&[&key]), (409, Some(20409))),
        (NEXT, add(&[&key, &key]), (400, Some(60200))),
    ] {
        assert_eq!(world.ask(signed(1, &keys_request(1, sequence, &body), 1)).await, expected, "{sequence} {body}");
    }
    assert_eq!(world.ask(settings(1, 1)).await, (503, Some(20503)));
    assert_eq!(world.ask(settings(2, 1)).await, (409, Some(20409)));
    let admission = SignedByPerson {
        action: Action::TenantCreate,
        signer: Signer::Owners,
        sequence: 2,
        body: String::from_utf8(introduction().into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        replaces: None,
    };
    assert_eq!(world.ask(signed(9, &admission, 1)).await, (409, Some(20409)));
}

#[tokio::test]
async fn signatures_that_cannot_do_are_refused_without_a_worker() {
    let world = World::new(BUDGET).await;
    let kinds = [Kind::OwnersSignatures, Kind::TenantsSignatures(account(1))];
    let _full = kinds.map(|kind| world.api.workers.filled(kind));
    let refused = |rule: &str| (403, format!("The signatures are refused: {rule}"));
    let twice = "two signatures are of one key: give one of each";
    assert_eq!(message(&world, settings(1, 32)).await, refused(twice));
    let keys = keys_request(1, NEXT, r#"{"sealed_token":"AQE="}"#);
    assert_eq!(message(&world, signed(1, &keys, 2)).await, refused(twice));
    let stranger = "a signature is of a key that is not one of the signers'";
    assert_eq!(message(&world, signed(2, &keys, 1)).await, refused(stranger));
}

/// Longest wait of a test for what must come.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The tenant's request that its key of scope `verify` goes.
pub(super) fn removal() -> Request<Body> {
    signed(1, &keys_request(1, NEXT, &format!(r#"{{"remove":["{}"]}}"#, api_key(1).text())), 1)
}

#[tokio::test]
async fn removed_key_pays_no_longer_once_its_removal_is_answered() {
    let world = World::new(BUDGET).await;
    let by_key = request_by(Method::GET, "/health", &api_key(1).text()).body(Body::empty()).unwrap();
    assert_eq!(world.api.payer(by_key.headers()), Payer::User(account(1), User::Key(api_key(1))));
    assert_eq!(world.ask(removal()).await, (200, None));
    assert_eq!(world.api.payer(by_key.headers()), Payer::Stranger);
}

#[tokio::test]
async fn removal_of_a_key_is_carried_out_though_its_client_is_gone_and_seen_once_it_is_durable() {
    let world = std::sync::Arc::new(World::new(BUDGET).await);
    let by_key = request_by(Method::GET, "/health", &api_key(1).text()).body(Body::empty()).unwrap();
    let given = *world.store.given.borrow();
    world.store.allowed.send_replace(given);
    let asked = tokio::spawn({
        let world = std::sync::Arc::clone(&world);
        async move { world.ask(removal()).await }
    });
    let mut batches = world.store.given.subscribe();
    timeout(TEST_TIMEOUT, batches.wait_for(|now| *now > given)).await.unwrap().unwrap();
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    assert_eq!(world.api.payer(by_key.headers()), Payer::User(account(1), User::Key(api_key(1))));
    world.store.allowed.send_replace(u64::MAX);
    let removed = async {
        while world.api.payer(by_key.headers()) != Payer::Stranger {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(TEST_TIMEOUT, removed).await.unwrap();
}

#[tokio::test]
async fn an_unknown_key_is_a_stranger() {
    let world = World::new(BUDGET).await;
    let key = format!("SK{}", "05".repeat(16));
    let request = request_by(Method::GET, "/health", &key).body(Body::empty()).unwrap();
    assert_eq!(world.api.payer(request.headers()), Payer::Stranger);
}

#[tokio::test]
async fn what_waits_for_a_worker_holds_its_copies_and_its_body_no_longer() {
    let world = std::sync::Arc::new(World::new(BUDGET).await);
    let busy = world.api.workers.occupied();
    let asked = signed(1, &keys_request(1, NEXT, r#"{"reset":true,"sealed_token":"AQE="}"#), 1);
    let length = usize::try_from(hyper::body::Body::size_hint(asked.body()).exact().unwrap()).unwrap();
    let waiting = tokio::spawn({
        let world = std::sync::Arc::clone(&world);
        async move { world.ask(asked).await }
    });
    while world.api.budget.free() != BUDGET - 2 * length {
        yield_now().await;
    }
    drop(busy);
    assert_eq!(waiting.await.unwrap(), (400, Some(60200)));
    assert_eq!(world.api.budget.free(), BUDGET);
    // What has no room for its copies is refused, and nothing is parsed.
    let world = World::new(6 * length).await;
    let asked = signed(1, &keys_request(1, NEXT, r#"{"reset":true,"sealed_token":"AQE="}"#), 1);
    assert_eq!(world.ask(asked).await, (429, Some(20429)));
}
