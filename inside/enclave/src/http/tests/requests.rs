//! Heads and methods.

use axum::body::Body;
use axum::http::header::ALLOW;
use axum::http::{Method, Request, Version};

use super::world::{World, request};
use crate::http::BUDGET;
use crate::http::padding::Padded;

#[tokio::test]
async fn a_request_of_http_1_1_names_one_well_formed_host() {
    let world = World::new(BUDGET).await;
    for (hosts, plain, named) in [
        (&["localhost"][..], 200, 200),
        (&["LOCALHOST.:443"], 200, 200),
        (&["localhost:"], 200, 200),
        (&["evil.example"], 200, 421),
        (&[], 400, 400),
        (&["localhost", "localhost"], 400, 400),
        (&["localhost:x"], 400, 400),
        (&["a@localhost"], 400, 400),
    ] {
        for (path, expected) in [("/health", plain), ("/v2/Services", named)] {
            let mut asked = request(Method::GET, path, 1).body(Body::empty()).unwrap();
            asked.headers_mut().remove("host");
            for host in hosts {
                asked.headers_mut().append("host", host.parse().unwrap());
            }
            assert_eq!(world.ask(asked).await.0, expected, "{path} {hosts:?}");
        }
    }
    // The target's authority is the host, whatever the field names (RFC 9112 §3.2.2), as long as there is one well-formed field.
    for (target, hosts, plain, named) in [
        ("https://localhost", &["localhost"][..], 200, 200),
        ("https://LocalHost.:8443", &["localhost"], 200, 200),
        ("https://localhost", &["evil.example"], 200, 200),
        ("https://localhost", &[""], 200, 200),
        ("https://localhost:8443", &["localhost:1"], 200, 200),
        ("https://evil.example", &["localhost"], 200, 421),
        ("https://evil.example", &["evil.example"], 200, 421),
        ("https://a@localhost", &["localhost"], 400, 400),
        ("https://localhost", &[], 400, 400),
        ("https://localhost", &["localhost", "localhost"], 400, 400),
        ("https://localhost", &["localhost:x"], 400, 400),
        // Not a whole address: an empty field names no host.
        ("", &[""], 200, 421),
        ("", &[":8443"], 200, 421),
    ] {
        for (path, expected) in [("/health", plain), ("/v2/Services", named)] {
            let mut asked = request(Method::GET, &format!("{target}{path}"), 1).body(Body::empty()).unwrap();
            asked.headers_mut().remove("host");
            for host in hosts {
                asked.headers_mut().append("host", host.parse().unwrap());
            }
            assert_eq!(world.ask(asked).await.0, expected, "{target} {path} {hosts:?}");
        }
    }
    let old = |path: &str| Request::get(path).version(Version::HTTP_10).body(Body::empty()).unwrap();
    assert_eq!(world.ask(old("/health")).await.0, 200);
    assert_eq!(world.ask(old("/v2/Services")).await.0, 421);
    // Credentials are missing, and the host is not.
    assert_eq!(world.ask(old("https://localhost/v2/Services")).await.0, 401);
}

#[tokio::test]
async fn addresses_are_built_from_the_one_spelling() {
    use http_body_util::BodyExt;

    let world = World::new(BUDGET).await;
    let mut asked = request(Method::GET, "/v2/Services", 1).body(Body::empty()).unwrap();
    asked.headers_mut().insert("host", "LocalHost.:08443".parse().unwrap());
    // A whole address as the target, whose host the answer's addresses have too.
    let mut whole = request(Method::GET, "https://LocalHost.:08443/v2/Services", 1).body(Body::empty()).unwrap();
    whole.headers_mut().insert("host", "evil.example".parse().unwrap());
    for asked in [asked, whole] {
        let answer = world.send(asked).await.into_body().collect().await.unwrap().to_bytes();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["meta"]["url"], "https://localhost:8443/v2/Services?PageSize=50&Page=0");
    }
}

#[tokio::test]
async fn options_and_refused_methods_name_what_a_path_has() {
    let world = World::new(BUDGET).await;
    for (path, allowed) in [("/health", "GET,HEAD"), ("/v2/Services", "POST,GET,HEAD")] {
        for (method, status) in [(Method::OPTIONS, 204), (Method::PUT, 405)] {
            let answer = world.send(request(method, path, 1).body(Body::empty()).unwrap()).await;
            assert_eq!((answer.status().as_u16(), answer.headers()[ALLOW].to_str().unwrap()), (status, allowed));
        }
    }
    assert_eq!(world.ask(request(Method::OPTIONS, "*", 1).body(Body::empty()).unwrap()).await.0, 204);
    assert_eq!(world.ask(request(Method::OPTIONS, "/nowhere", 1).body(Body::empty()).unwrap()).await.0, 404);
}

#[tokio::test]
async fn refusals_of_verification_paths_are_marked_and_other_answers_are_not() {
    let world = World::new(BUDGET).await;
    let service = format!("/v2/Services/VA{}", "01".repeat(16));
    let check = format!("{service}/VerificationCheck");
    let which = format!("{service}/Verifications/VE{}", "02".repeat(16));
    for (method, path, host, padded) in [
        (Method::POST, &*check, "localhost", true),
        (Method::PUT, &*check, "localhost", true),
        (Method::POST, &*check, "evil.example", true),
        (Method::POST, &*check, "a@b", true),
        (Method::GET, &*which, "localhost", true),
        (Method::POST, &*format!("{service}/Verifications"), "localhost", true),
        (Method::GET, &*service, "localhost", false),
        (Method::GET, "/health", "localhost", false),
    ] {
        let mut asked = request(method, path, 1).body(Body::empty()).unwrap();
        asked.headers_mut().insert("host", host.parse().unwrap());
        let answer = world.send(asked).await;
        assert_eq!(answer.extensions().get::<Padded>().is_some(), padded, "{path} {host}");
    }
}
