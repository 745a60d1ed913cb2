//! Refusals of a parameter or member: its name and what is accepted, and never its value.

use axum::body::Body;
use axum::http::Method;
use form_urlencoded::Serializer;
use http_body_util::BodyExt;

use super::world::{World, request};
use crate::http::BUDGET;

/// Status and message of the answer.
async fn told(world: &World, asked: axum::http::Request<Body>) -> (u16, String) {
    let answer = world.send(asked).await;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (status, body["message"].as_str().unwrap().to_owned())
}

async fn posted(world: &World, path: &str, form: &str) -> (u16, String) {
    told(world, request(Method::POST, path, 1).body(Body::from(form.to_owned())).unwrap()).await
}

const SECRET: &str = "4929123456";

#[tokio::test]
async fn each_parameter_is_refused_with_what_is_accepted() {
    let world = World::new(BUDGET).await;
    let service = format!("/v2/Services/VA{}", "01".repeat(16));
    let (start, check) = (format!("{service}/Verifications"), format!("{service}/VerificationCheck"));
    let update = format!("{start}/VE{}", "01".repeat(16));
    let (to, code, channel) = (("To", "+12025550123"), ("Code", "123456"), ("Channel", "sms"));
    let length = "expected a number from 6 to 10; 6 is the policy's floor";
    let (switch, name) = ("expected true or false", "a name ");
    let (number, sms) = ("expected a phone number in E.164 form: +, country code", "expected sms or email");
    let (page, locale) =
        ("expected 0, or with PageToken the number of the page", "expected en, de, fr or es, with or without a region");
    let digits = "expected 4 to 10 ASCII digits";
    let sid = "expected VE and 32 hexadecimal digits";
    let domain = "expected an ASCII domain name of two labels or more";
    let hash = "expected one of the service's AppHashes: 11 characters (A-Z, a-z, 0-9, + and /)";
    let acme = ("FriendlyName", "Acme");
    let first = "without PageToken there is only page 0; follow next_page_url of the page before";
    for (path, needed, name, value, rule) in [
        ("/v2/Services", &[][..], "FriendlyName", None, "it is missing; expected a name of 1 to 30 characters"),
        ("/v2/Services", &[], "FriendlyName", Some(SECRET), name),
        ("/v2/Services", &[acme], "CodeLength", Some("3"), length),
        ("/v2/Services", &[acme], "CodeLength", Some("11"), length),
        ("/v2/Services", &[acme], "CodeLength", Some("06"), length),
        ("/v2/Services", &[acme], "CodeLength", Some(SECRET), length),
        ("/v2/Services", &[acme], "CodeLength", Some(""), length),
        ("/v2/Services", &[acme], "DoNotShareWarningEnabled", Some("1"), switch),
        ("/v2/Services", &[acme], "CustomCodeEnabled", Some("yes"), switch),
        ("/v2/Services", &[acme], "WebOtpDomain", Some(SECRET), domain),
        ("/v2/Services", &[acme], "AppHashes", Some(SECRET), "expected app hashes of 11 characters"),
        (&service, &[], "CodeLength", Some("six"), length),
        (&service, &[], "CustomCodeEnabled", Some("1"), switch),
        (&start, &[to], "Channel", None, "it is missing; expected sms or email"),
        (&start, &[to], "Channel", Some("SMS"), sms),
        (&start, &[to], "Channel", Some("foo"), sms),
        (&start, &[to], "Channel", Some(""), sms),
        (&start, &[channel], "To", None, "it is missing; expected a number in E.164 form"),
        (&start, &[channel], "To", Some(SECRET), number),
        (
            &start,
            &[channel],
            "To",
            Some("+999555012349"),
            "no country has this calling code: expected + and a country code",
        ),
        (
            &start,
            &[channel],
            "To",
            Some("+1202555012345"),
            "the country has no phone numbers of this length: expected ",
        ),
        (
            &start,
            &[channel],
            "To",
            Some(" 12025550123"),
            "a + in a form is a blank: write %2B; expected a phone number",
        ),
        (&start, &[("Channel", "email")], "To", Some("jo tag@example.com"), "a + in a form is a blank: write %2B; "),
        (&start, &[to, channel], "Locale", Some("it"), locale),
        (&start, &[to, channel], "CustomFriendlyName", Some(SECRET), name),
        (&start, &[to, channel], "AppHash", Some(SECRET), hash),
        (
            &start,
            &[to, channel],
            "AppHash",
            Some("FA 9qCX9VSu"),
            "a + in a form is a blank: write %2B; expected one of",
        ),
        (
            &start,
            &[("To", "a@b.example"), ("Channel", "email")],
            "AppHash",
            Some("x"),
            "it belongs to text messages; expected",
        ),
        (&start, &[to, channel], "CustomCode", Some("12"), digits),
        (&update, &[], "Status", None, "it is missing; expected canceled or approved"),
        (&update, &[], "Status", Some("done"), "expected canceled or approved"),
        (&check, &[to], "Code", None, "it is missing; expected 4 to 10 ASCII digits"),
        (&check, &[to], "Code", Some("123 456"), digits),
        (&check, &[code], "To", Some(" 12025550123"), "a + in a form is a blank: write %2B; expected a phone number"),
        (&check, &[code], "VerificationSid", Some("VE1"), sid),
        ("/v2/Services?", &[], "PageSize", Some("0"), "expected a number from 1 to 1000"),
        ("/v2/Services?", &[], "PageSize", Some("1001"), "expected a number from 1 to 1000"),
        ("/v2/Services?", &[], "PageToken", Some("x"), "expected the one in next_page_url of the page before"),
        ("/v2/Services?", &[], "Page", Some("x"), page),
        ("/v2/Services?", &[], "Page", Some("1"), first),
    ] {
        let pairs = needed.iter().copied().chain(value.map(|value| (name, value)));
        let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let (status, message) = if path.ends_with('?') {
            told(&world, request(Method::GET, &format!("{path}{form}"), 1).body(Body::empty()).unwrap()).await
        } else {
            posted(&world, path, &form).await
        };
        assert_eq!(status, 400, "{form}: {message}");
        let told = message.strip_prefix(&format!("Invalid parameter: {name}: "));
        assert!(told.is_some_and(|told| told.starts_with(rule)), "{form}: {message}");
        assert!(!message.contains(SECRET), "{message}");
    }
}

#[tokio::test]
async fn a_form_is_refused_with_what_is_accepted() {
    let world = World::new(BUDGET).await;
    let many = (0..65).map(|number| format!("F{number}=")).collect::<Vec<_>>().join("&");
    for (form, rule) in [
        ("FriendlyName=a&FriendlyName=b", "FriendlyName: it is given twice; expected once"),
        ("FriendlyName=%FF", "FriendlyName: expected UTF-8, percent-encoded"),
        ("4929123456=1&4929123456=2", "body: it is given twice; expected once"),
        (&many[..], "body: expected at most 64 fields"),
    ] {
        let expected = (400, format!("Invalid parameter: {rule}"));
        assert_eq!(posted(&world, "/v2/Services", form).await, expected);
    }
}

#[tokio::test]
async fn page_0_needs_no_token_and_a_token_any_page() {
    let world = World::new(BUDGET).await;
    let token = crate::http::PageToken { created: 1, service: adyton_vault::ServiceId::from_bytes([1; 16]) }.text();
    for query in ["Page=0".to_owned(), format!("Page=7&PageToken={token}"), format!("PageToken={token}")] {
        let asked = request(Method::GET, &format!("/v2/Services?{query}"), 1).body(Body::empty()).unwrap();
        assert_eq!(world.ask(asked).await, (200, None), "{query}");
    }
}

#[tokio::test]
async fn a_body_in_a_coding_is_not_read() {
    let world = World::new(BUDGET).await;
    let asked = |name: &str, value: &str| {
        request(Method::POST, "/v2/Services", 1).header(name, value).body(Body::from("CodeLength=3")).unwrap()
    };
    let refused = world.send(asked("Content-Encoding", "gzip")).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["accept-encoding"].as_bytes()), (415, &b"identity"[..]));
    assert_eq!(world.ask(asked("Content-Encoding", "gzip")).await, (415, Some(20415)));
    assert_eq!(world.ask(asked("Transfer-Encoding", "gzip, chunked")).await, (501, Some(20501)));
    assert_eq!(world.ask(asked("Transfer-Encoding", "chunked, chunked")).await, (400, Some(60200)));
    for (name, value) in [("Content-Encoding", "identity"), ("Transfer-Encoding", "chunked")] {
        let (status, read) = told(&world, asked(name, value)).await;
        assert!(status == 400 && read.contains("FriendlyName: it is missing"), "{read}");
    }
    let empty = request(Method::GET, "/v2/Services", 1).header("Content-Encoding", "gzip").body(Body::empty()).unwrap();
    assert_eq!(world.ask(empty).await, (200, None));
}
