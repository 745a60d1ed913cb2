//! Reads: what is answered from the published view, and what a batch that is on its way changes of it.

use std::sync::Arc;
use std::time::Duration;

use adyton_vault::{Scope, User};
use axum::body::Body;
use axum::http::{Method, Request};
use data_encoding::BASE64;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::signed::removal;
use super::world::{TOKEN, World, account, api_key, key_of, request, request_by, tenant};
use crate::http::BUDGET;
use crate::http::budget::Payer;

/// The keys of tenant 1, as its account shows them.
async fn keys(world: &World) -> Vec<String> {
    let asked = request(Method::GET, "/adyton/v1/account", 1).body(Body::empty()).unwrap();
    let body = world.send(asked).await.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let keys = body["keys"].as_array().unwrap().iter();
    keys.map(|key| key["key_sid"].as_str().unwrap().to_owned()).collect()
}

fn get(path: &str, user: &str, token: &str) -> Request<Body> {
    let credentials = BASE64.encode(format!("{user}:{token}").as_bytes());
    let request = Request::get(path).header("Host", "localhost");
    request.header("Authorization", format!("Basic {credentials}")).body(Body::empty()).unwrap()
}

/// A vault on whose store the removal of a key waits for its acknowledgement; how many batches came before.
async fn removing() -> (Arc<World>, JoinHandle<(u16, Option<u64>)>, u64) {
    let world = Arc::new(World::new(BUDGET).await);
    let given = *world.store.given.borrow();
    world.store.allowed.send_replace(given);
    let removing = tokio::spawn({
        let world = Arc::clone(&world);
        async move { world.ask(removal()).await }
    });
    world.store.given.subscribe().wait_for(|now| *now > given).await.unwrap();
    (world, removing, given)
}

#[tokio::test]
async fn reads_and_wrong_credentials_wait_for_no_batch_and_make_none() {
    let (world, removing, given) = removing().await;
    // A command would wait for the batch that the store holds. The view shows what was before it.
    assert!(keys(&world).await.contains(&api_key(1).text()));
    let (service, one) = (format!("/v2/Services/VA{}", "01".repeat(16)), account(1).text());
    let verification = format!("{service}/Verifications/VE{}", "02".repeat(16));
    let (support, unknown) = (key_of(1, Scope::Support).text(), format!("SK{}", "05".repeat(16)));
    for (path, user, token, expected) in [
        ("/v2/Services", &one, TOKEN, (200, None)),
        (&service, &one, TOKEN, (404, Some(20404))),
        (&verification, &one, TOKEN, (404, Some(20404))),
        ("/adyton/v1/vault", &one, TOKEN, (200, None)),
        ("/v2/Services", &support, TOKEN, (403, Some(20403))),
        ("/v2/Services", &one, "wrong", (401, Some(20003))),
        (&service, &unknown, TOKEN, (401, Some(20003))),
        (&verification, &unknown, TOKEN, (401, Some(20003))),
        ("/adyton/v1/account", &account(3).text(), TOKEN, (401, Some(20003))),
    ] {
        assert_eq!(world.ask(get(path, user, token)).await, expected, "{path} {user}");
    }
    assert!(!removing.is_finished());
    world.store.allowed.send_replace(u64::MAX);
    assert_eq!(removing.await.unwrap(), (200, None));
    assert!(!keys(&world).await.contains(&api_key(1).text()));
    assert_eq!(*world.store.given.borrow(), given + 1, "nothing but the removal was written");
    let by_removed = request_by(Method::GET, "/v2/Services", &api_key(1).text()).body(Body::empty()).unwrap();
    assert_eq!(world.ask(by_removed).await, (401, Some(20003)));
}

#[tokio::test(start_paused = true)]
async fn without_an_append_that_becomes_durable_no_read_and_no_refusal_is_told() {
    let world = World::new(BUDGET).await;
    let one = account(1).text();
    assert_eq!(world.ask(get("/v2/Services", &one, TOKEN)).await, (200, None));
    // The store takes batches and acknowledges none; three seconds later the lease has ended.
    world.store.allowed.send_replace(0);
    sleep(Duration::from_secs(3)).await;
    let service = format!("/v2/Services/VA{}", "01".repeat(16));
    for (path, token) in [
        ("/v2/Services", TOKEN),
        ("/v2/Services", "wrong"),
        (&*service, TOKEN),
        ("/adyton/v1/account", TOKEN),
        ("/adyton/v1/vault", TOKEN),
    ] {
        assert_eq!(world.ask(get(path, &one, token)).await, (503, Some(20503)), "{path}");
    }
    // Who pays is found nevertheless: nothing leaves by it.
    let asked = get("/v2/Services", &one, TOKEN);
    assert_eq!(world.api.payer(asked.headers()), Payer::User(account(1), User::Account(account(1))));
    world.store.allowed.send_replace(u64::MAX);
    while !world.api.engine.is_ready() {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.ask(get("/v2/Services", &one, TOKEN)).await, (200, None));
    assert_eq!(world.ask(get("/v2/Services", &one, "wrong")).await, (401, Some(20003)));
}

/// What the host may delete depends on whether the manifest is in the log.
#[tokio::test(start_paused = true)]
async fn a_manifest_is_waited_for_as_long_as_it_takes() {
    let world = Arc::new(World::new(BUDGET).await);
    world.store.allowed.send_replace(0);
    let appending = tokio::spawn({
        let engine = world.api.engine.clone();
        async move { engine.append_snapshot(vec![1; 64]).await }
    });
    sleep(Duration::from_secs(600)).await;
    assert!(!appending.is_finished());
    world.store.allowed.send_replace(u64::MAX);
    assert!(appending.await.unwrap().is_ok());
}

/// The acknowledgement of an append that began more than three seconds ago does not speak for the log.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_waited_for_a_batch_leaves_under_a_lease_only() {
    let (world, removing, given) = removing().await;
    // Refused on a state that is not durable yet: the key is gone there.
    let start =
        request_by(Method::DELETE, &format!("/v2/Services/VA{}", "01".repeat(16)), &key_of(1, Scope::Admin).text());
    let refused = tokio::spawn({
        let (world, start) = (Arc::clone(&world), start.body(Body::empty()).unwrap());
        async move { world.ask(start).await }
    });
    sleep(Duration::from_secs(4)).await;
    world.store.allowed.send_replace(given + 1);
    assert_eq!(removing.await.unwrap(), (200, None));
    sleep(Duration::from_secs(2)).await;
    assert!(!refused.is_finished(), "a refusal under no lease");
    world.store.allowed.send_replace(u64::MAX);
    assert_eq!(refused.await.unwrap(), (404, Some(20404)));
}

/// A repeat of the request that made a tenant logs nothing: its answer is the state's, as a read's is.
#[tokio::test(start_paused = true)]
async fn an_answer_that_logged_nothing_leaves_under_a_lease_only() {
    let world = Arc::new(World::new(BUDGET).await);
    world.store.allowed.send_replace(0);
    sleep(Duration::from_secs(4)).await;
    let repeating = tokio::spawn({
        let engine = world.api.engine.clone();
        async move { engine.submit(tenant(1).into()).await.is_ok() }
    });
    sleep(Duration::from_secs(4)).await;
    assert!(!repeating.is_finished());
    world.store.allowed.send_replace(u64::MAX);
    assert!(repeating.await.unwrap());
}

/// Otherwise each append, whose lease is over when it is acknowledged, would make the next one for ever.
#[tokio::test(start_paused = true)]
async fn nothing_is_appended_for_a_refusal_that_nobody_waits_for() {
    let world = Arc::new(World::new(BUDGET).await);
    let given = *world.store.given.borrow();
    world.store.allowed.send_replace(given);
    sleep(Duration::from_secs(4)).await;
    let remove = |token| {
        let path = format!("/v2/Services/VA{}", "01".repeat(16));
        let credentials = BASE64.encode(format!("{}:{token}", account(1).text()).as_bytes());
        let request = Request::delete(path).header("Host", "localhost");
        request.header("Authorization", format!("Basic {credentials}")).body(Body::empty()).unwrap()
    };
    for _ in 0..3 {
        // They give up after 15 s.
        assert_eq!(world.ask(remove("wrong")).await, (503, Some(20503)));
    }
    for _ in 0..8 {
        sleep(Duration::from_secs(4)).await;
        world.store.allowed.send_modify(|allowed| *allowed += 1);
    }
    let appended = *world.store.given.borrow() - given;
    // What was begun while they waited, and no more.
    assert!(appended <= 4, "{appended} appends");
}
