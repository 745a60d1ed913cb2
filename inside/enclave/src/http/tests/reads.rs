//! Reads: what is answered from the published view, and what a batch that is on its way changes of it.

use adyton_vault::Scope;
use axum::body::Body;
use axum::http::{Method, Request};
use data_encoding::BASE64;
use http_body_util::BodyExt;
use serde_json::Value;

use super::signed::removal;
use super::world::{TOKEN, World, account, api_key, key_of, request, request_by};
use crate::http::BUDGET;

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

#[tokio::test]
async fn reads_and_wrong_credentials_wait_for_no_batch_and_make_none() {
    let world = std::sync::Arc::new(World::new(BUDGET).await);
    let given = *world.store.given.borrow();
    world.store.allowed.send_replace(given);
    let removing = tokio::spawn({
        let world = std::sync::Arc::clone(&world);
        async move { world.ask(removal()).await }
    });
    world.store.given.subscribe().wait_for(|now| *now > given).await.unwrap();
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
