//! The phone shows what arrived to whoever knows its path, under this machine's own names only.

use adyton_pretend::inbox::Inbox;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::pretend::{Pretend, TOKEN, field, whole};

/// Reads the stream up to the message with this body.
async fn lines(response: &mut Response<Incoming>, last: &str) -> Vec<Value> {
    let (mut bytes, end) = (Vec::new(), format!("\"body\":\"{last}\",\"at\":\"2026-01-01T00:00:00Z\"}}\n"));
    while !bytes.ends_with(end.as_bytes()) {
        let frame = response.body_mut().frame().await.expect("the stream goes on").unwrap();
        bytes.extend_from_slice(&frame.into_data().unwrap());
    }
    let text = String::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let pretend = Pretend::start().await;
    let host = pretend.phone.to_string();
    for path in ["/", "/messages", "/0123456789abcdee", "/0123456789abcdee/messages", "/0123456789abcdef/other"] {
        let response = pretend.get(Some(&host), path).await;
        assert_eq!((response.status().as_u16(), &whole(response).await[..]), (404, &b""[..]), "{path}");
    }
}

#[tokio::test]
async fn another_hosts_name_is_misdirected() {
    let pretend = Pretend::start().await;
    pretend.arrive("+15550100", "one".into());
    let port = pretend.phone.port();
    let (other_port, rebound) = (format!("127.0.0.1:{}", port ^ 1), format!("evil.example:{port}"));
    for host in [None, Some("127.0.0.1"), Some("localhost"), Some(&*other_port), Some(&*rebound)] {
        for path in ["", "/messages", "/stream"] {
            let response = pretend.get(host, &format!("/{TOKEN}{path}")).await;
            assert_eq!((response.status().as_u16(), &whole(response).await[..]), (421, &b""[..]), "{host:?} {path}");
        }
    }
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
        assert_eq!(pretend.get(Some(&host), &format!("/{TOKEN}/messages")).await.status(), 200);
    }
}

#[tokio::test]
async fn every_answer_is_kept_by_nobody_and_loads_nothing() {
    let pretend = Pretend::start().await;
    let answers = [
        (pretend.page("").await, 200),
        (pretend.page("/messages").await, 200),
        (pretend.page("/stream").await, 200),
        (pretend.page("/other").await, 404),
        (pretend.get(None, "/").await, 421),
    ];
    for (response, status) in answers {
        assert_eq!(response.status(), status);
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(
            header("content-security-policy"),
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
    }
    assert_eq!(pretend.page("").await.headers()["content-type"], "text/html; charset=utf-8");
    let page = whole(pretend.page("").await).await;
    let page = std::str::from_utf8(&page).unwrap();
    for outside in ["http:", "https:", "src=", "url(", "@import", "<link"] {
        assert!(!page.contains(outside), "the page names {outside}");
    }
}

#[tokio::test]
async fn messages_are_listed_newest_first_and_by_number() {
    let pretend = Pretend::start().await;
    for (to, body) in [("+15550100", "one"), ("+15550101", "two"), ("+15550100", "three")] {
        pretend.arrive(to, body.into());
    }
    // A `+` that was not escaped means the same.
    let cases: [(&str, &[&str]); 6] = [
        ("", &["three", "two", "one"]),
        ("?to=", &["three", "two", "one"]),
        ("?to=%2B15550100", &["three", "one"]),
        ("?to=+15550100", &["three", "one"]),
        ("?to=15550100", &[]),
        ("?to=%2B15550102", &[]),
    ];
    for (query, bodies) in cases {
        assert_eq!(field(&pretend.messages(query).await, "body"), bodies, "{query}");
    }
}

#[tokio::test]
async fn the_newest_thousand_are_listed() {
    let pretend = Pretend::start().await;
    (0..1002).for_each(|number| pretend.arrive("+15550100", number.to_string()));
    for query in ["", "?to=%2B15550100"] {
        let messages = pretend.messages(query).await;
        let bodies = field(&messages, "body");
        assert_eq!((bodies.len(), bodies[0], bodies[999]), (1000, "1001", "2"));
    }
}

#[tokio::test]
async fn the_stream_begins_with_what_arrives_next() {
    let pretend = Pretend::start().await;
    pretend.arrive("+15550100", "before".into());
    let (mut one, mut two) = (pretend.page("/stream").await, pretend.page("/stream").await);
    for body in ["first", "second"] {
        pretend.arrive("+15550100", body.into());
        for stream in [&mut one, &mut two] {
            assert_eq!(field(&lines(stream, body).await, "body"), [body]);
        }
    }
}

/// Nothing reads while they arrive: the test's one thread is busy.
#[tokio::test]
async fn a_slow_reader_of_the_stream_loses_nothing_that_is_remembered() {
    let pretend = Pretend::start().await;
    let mut stream = pretend.page("/stream").await;
    (0..100_000).for_each(|number| pretend.arrive("+15550100", number.to_string()));
    let messages = lines(&mut stream, "99999").await;
    assert_eq!(messages.len(), 100_000);
    assert!((0..100_000).map(|number: u32| number.to_string()).eq(field(&messages, "body")));
}

#[tokio::test]
async fn a_reader_of_the_stream_that_is_too_late_is_told_and_goes_on() {
    let pretend = Pretend::over(tempfile::tempdir().unwrap(), Inbox::remembering(2)).await;
    let mut stream = pretend.page("/stream").await;
    (0..7).for_each(|number| pretend.arrive("+15550100", number.to_string()));
    let late = lines(&mut stream, "6").await;
    assert_eq!(late[0], json!({ "missed": 5 }));
    assert_eq!(field(&late[1..], "body"), ["5", "6"]);
    pretend.arrive("+15550100", "7".into());
    assert_eq!(field(&lines(&mut stream, "7").await, "body"), ["7"]);
}
