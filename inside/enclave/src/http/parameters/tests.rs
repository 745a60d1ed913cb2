#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use std::collections::BTreeSet;
use std::fmt::Write;

use axum::http::HeaderValue;
use axum::response::IntoResponse;
use http_body_util::BodyExt;

use super::table::ALL;
use super::*;

fn given(body: &str, query: &str) -> Given {
    let query = Some(query.to_owned()).filter(|query| !query.is_empty());
    Given { body: body.to_owned().into(), query, content_type: ContentType::Form }
}

/// Status, code and message of a refusal.
fn refusal(given: &Given, resource: &'static Resource) -> Option<(u16, u64, String)> {
    told(given.parameters(resource))
}

fn finished<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn invalid(message: &str) -> Option<(u16, u64, String)> {
    Some((400, 60200, format!("Invalid parameter: {message}")))
}

/// A request with this one parameter.
fn with(resource: &'static Resource, name: &str, value: &str) -> Given {
    let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    match resource.place {
        Place::Body => given(&pair, ""),
        Place::Query => given("", &pair),
    }
}

/// The router takes the path of one table for each path.
#[test]
fn tables_of_one_path_differ_by_method() {
    let routes: BTreeSet<_> = ALL.iter().map(|resource| (resource.path, resource.method.as_str())).collect();
    let paths: BTreeSet<_> = ALL.iter().map(|resource| resource.path).collect();
    assert_eq!((routes.len(), paths.len()), (ALL.len(), 5));
}

#[test]
fn no_table_has_a_parameter_twice() {
    for resource in ALL {
        let mut seen = BTreeSet::new();
        for parameter in resource.parameters.iter().copied().flatten() {
            assert!(seen.insert(parameter.name), "{}: {}", resource.title, parameter.name);
            assert_eq!(shown(parameter.name), parameter.name);
        }
    }
}

#[test]
fn each_parameter_gets_what_its_table_says() {
    for resource in ALL {
        for parameter in resource.parameters.iter().copied().flatten() {
            let (name, request) = (parameter.name, with(resource, parameter.name, "x"));
            match parameter.standing {
                Standing::Offered => assert_eq!(request.parameters(resource).ok().unwrap().get(name).0, Some("x")),
                Standing::WithoutEffect(_) => assert!(request.parameters(resource).is_ok(), "{name}"),
                Standing::Refused(nothing, why) => {
                    let message = format!("{name} is not offered by this vault: {why}");
                    assert_eq!(refusal(&request, resource), Some((403, 60204, message)));
                    for value in ["", "false", "False", "{}", "[]"] {
                        let accepted = with(resource, name, value).parameters(resource).is_ok();
                        assert_eq!(accepted, nothing.is(value), "{name}={value}");
                    }
                }
            }
        }
    }
}

#[test]
fn each_offered_parameter_has_an_accepted_form_and_no_other_has() {
    for parameter in ALL.iter().flat_map(|resource| resource.parameters.iter().copied().flatten()) {
        let (name, expected) = (parameter.name, parameter.expected);
        assert_eq!(!expected.is_empty(), parameter.standing == Standing::Offered, "{name}");
        assert!(!expected.ends_with('.') && !expected.starts_with("expected"), "{name}");
    }
}

/// Status, code and message of what a parser's refusal becomes.
fn told<T>(result: Result<T, ApiError>) -> Option<(u16, u64, String)> {
    let response = result.err()?.into_response();
    let status = response.status().as_u16();
    let body = finished(response.into_body().collect()).unwrap().to_bytes();
    let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
    Some((status, error["code"].as_u64().unwrap(), error["message"].as_str().unwrap().into()))
}

#[test]
fn a_refused_or_missing_value_is_told_the_accepted_form() {
    for resource in ALL {
        for parameter in resource.parameters.iter().copied().flatten() {
            let (name, expected) = (parameter.name, parameter.expected);
            if parameter.standing != Standing::Offered {
                continue;
            }
            let request = with(resource, name, "a b");
            let given = request.parameters(resource).ok().unwrap();
            let refused = |_: &str| Err::<(), _>(Unfit::Form);
            assert_eq!(told(given.read(name, refused)), invalid(&format!("{name}: expected {expected}")));
            assert_eq!(told(given.need(name, refused)), invalid(&format!("{name}: expected {expected}")));
            let ruled = |_: &str| Err::<(), _>(Unfit::rule("the rule"));
            assert_eq!(told(given.read(name, ruled)), invalid(&format!("{name}: the rule")));
            let empty = Given { body: Bytes::new(), query: None, content_type: ContentType::Form };
            let empty = empty.parameters(resource).ok().unwrap();
            assert!(matches!(empty.read(name, refused), Ok(None)));
            assert_eq!(
                told(empty.need(name, refused)),
                invalid(&format!("{name}: it is missing; expected {expected}"))
            );
        }
    }
}

#[test]
fn a_plus_that_became_a_blank_is_named_where_a_plus_belongs() {
    // `form` is what stands in the request, and `accepted` what the parser takes.
    let told = |resource: &'static Resource, name: &str, form: &str, accepted: &str| {
        let request = given(form, "");
        let parameters = request.parameters(resource).ok().unwrap();
        told(parameters.read(name, |text| if text == accepted { Ok(()) } else { Err(Unfit::rule("the rule")) }))
    };
    let blank = |name: &str| invalid(&format!("{name}: a + in a form is a blank: write %2B; the rule"));
    assert_eq!(told(&START, "To", "To=+12025550123", "+12025550123"), blank("To"));
    // Even if it is no number with a plus either.
    assert_eq!(told(&START, "To", "To=+1202", "+12025550123"), blank("To"));
    assert_eq!(told(&CHECK, "To", "To=jo+tag@example.com", "jo+tag@example.com"), blank("To"));
    assert_eq!(told(&START, "AppHash", "AppHash=FA+9qCX9VSu", "FA+9qCX9VSu"), blank("AppHash"));
    assert_eq!(told(&CREATE_SERVICE, "AppHashes", "AppHashes=FA+9qCX9VSu", "FA+9qCX9VSu"), blank("AppHashes"));
    // No plus would make these valid, or belongs there.
    assert_eq!(told(&START, "To", "To=%2B1+2025550123", "+12025550123"), invalid("To: the rule"));
    assert_eq!(told(&START, "To", "To=12025550123", "+12025550123"), invalid("To: the rule"));
    assert_eq!(told(&CHECK, "Code", "Code=+123456", "+123456"), invalid("Code: the rule"));
    assert_eq!(told(&START, "To", "To=%2B12025550123", "+12025550123"), None);
}

#[test]
fn a_parameter_that_no_table_has_is_refused_by_its_name() {
    for resource in ALL {
        for name in ["FooBar", "friendlyname", "to", "Mode", "X-Y_z.9"] {
            let message = invalid(&format!("{name}: this request has no such parameter"));
            assert_eq!(refusal(&with(resource, name, ""), resource), message, "{}", resource.title);
            // In the other place as well.
            let other = match resource.place {
                Place::Body => given("", &format!("{name}=1")),
                Place::Query => given(&format!("{name}=1"), ""),
            };
            let message = match resource.place {
                Place::Body => message,
                Place::Query => invalid("body: this request takes none"),
            };
            assert_eq!(refusal(&other, resource), message, "{}", resource.title);
        }
    }
    let known = invalid("To: a query has no parameters here; send it in the form");
    assert_eq!(refusal(&given("", "To=%2B12025550123"), &START), known);
}

#[test]
fn a_name_that_is_none_is_not_repeated() {
    let message = invalid("body: this request has no such parameter");
    for name in
        ["+12025550123", "12025550123", "n12025550123", "jo@example.com", "", " ", "a b", "ä", "<b>", &"a".repeat(41)]
    {
        assert_eq!(refusal(&with(&START, name, "1"), &START), message, "{name}");
    }
}

#[test]
fn a_body_of_another_content_type_is_refused() {
    let of = |value: &'static str| {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
        ContentType::of(&headers)
    };
    for value in ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=utf-8"] {
        assert_eq!(of(value), ContentType::Form);
    }
    for value in ["application/json", "application/json; charset=utf-8", "application/scim+json"] {
        assert_eq!(of(value), ContentType::Json);
    }
    for value in ["text/plain", "multipart/form-data; boundary=x", "application/xml", ""] {
        assert_eq!(of(value), ContentType::Other);
    }
    assert_eq!(ContentType::of(&HeaderMap::new()), ContentType::Form);
    let mut twice = HeaderMap::new();
    for value in ["application/x-www-form-urlencoded", "application/json"] {
        twice.append(CONTENT_TYPE, HeaderValue::from_static(value));
    }
    assert_eq!(ContentType::of(&twice), ContentType::Other);

    let json = "Invalid parameter: body: JSON is not read here; send a form (application/x-www-form-urlencoded)";
    let other = "Invalid parameter: body: expected a form (application/x-www-form-urlencoded)";
    for (body, content_type, message) in [
        (r#"{"To":"+12025550123"}"#, ContentType::Json, json),
        (r#"{"To":"+12025550123"}"#, ContentType::Form, json),
        ("To=x", ContentType::Other, other),
    ] {
        let given = Given { content_type, ..given(body, "") };
        assert_eq!(refusal(&given, &START), Some((415, 20415, message.into())));
    }
    // Without a body there is nothing to be read as anything.
    for content_type in [ContentType::Json, ContentType::Other] {
        assert!(Given { content_type, ..given("", "") }.parameters(&FETCH_SERVICE).is_ok());
    }
}

/// What the tables do not say.
const DIFFERENCES: &str = "
## What differs from Twilio, and what is not supported

- There are services, verifications and checks. Twilio's other resources of Verify (entities, factors, challenges, attempts, rate limits,
  templates, webhooks, messaging configurations, the safe list) answer 404/20404.
- A `FriendlyName` has up to 30 characters of the GSM alphabet, or 15 others; Twilio's specification says 32. It has no address, no four
  digits without a letter between them and no outer blanks. A service that moves from Twilio may need a shorter name.
- Messages leave by `sms` and `email`. `call`, `whatsapp`, `sna`, `auto`, `rbm` and `rcs` are refused with 403/60204.
- `CustomCode` and `Status=approved` are off, but for services that the policy names.
- `Page` above 0 needs the `PageToken` of `next_page_url`, and `previous_page_url` is always null.
- A restart of the vault ends every live verification. By its SID it then answers 404/20404 with `details.reason`
  `vault_restarted`.
- Texts of messages are not Twilio's. What programs should rely on is `status`, `code` and `details`.

Of what stands outside:

- A route of kind `twilio-messages` asks `/2010-04-01/Accounts/AC…/Messages.json`. Services that have the same API under another path
  or with other account names, such as SignalWire's `/api/laml/…`, cannot be named.
- A mail server must offer AUTH PLAIN or LOGIN. One that answers the initial response of AUTH PLAIN with 334 (RFC 4954 allows that only
  where none was sent) is given up for the next route. XOAUTH2 and other mechanisms are not spoken.
- A certificate chain is PEM blocks and nothing else: explanatory text around them, or a certificate that stands twice, is refused.
";

/// The page, as the tables have it.
fn page() -> String {
    let mut page = String::from(
        "# Parameters of the Verify API\n\n\
         Every parameter of Twilio Verify v2 for the resources that a vault has, and our own. This page is written from the \
         tables\nof the code (`inside/enclave/src/http/parameters/table.rs`); a test fails where they differ.\n\n\
         - **offered**: it does what it does at Twilio, or what the note says. Another value than the accepted ones is refused \
         with\n  400/60200, whose message names the parameter and what is accepted, and never repeats the value. A `+` has to be \
         written `%2B` in\n  a form: it is a blank otherwise, and a refusal says so where one is missing.\n\
         - **without effect**: it is accepted and changes nothing.\n\
         - **refused**: 403/60204, with the reason. The empty text asks for nothing and is accepted.\n\
         - Any other parameter is refused with 400/60200, by its name. So is one in the query where the form is read, and the \
         other\n  way round, and each query of the vault's own API (`/adyton/v1`).\n\
         - **of Adyton**: not Twilio's. An official SDK sends it by its generic request, for example in Python\n  \
         `client.request(\"POST\", f\"{api}/v2/Services\", data={\"FriendlyName\": \"Bank\", \"AppHashes\": \"He42w354ol9\"})`.\n\
         - A body that is not a form (`application/x-www-form-urlencoded`), JSON included, is refused with 415/20415. So is a \
         compressed one\n  (`Content-Encoding`); a `Transfer-Encoding` other than `chunked` alone is refused with 501/20501.\n",
    );
    page.push_str(DIFFERENCES);
    for resource in ALL {
        let _ = write!(page, "\n## {}\n\n`{} {}`", resource.title, resource.method, resource.path);
        if resource.parameters.is_empty() {
            page.push_str(" has no parameters.\n");
            continue;
        }
        let place = if resource.place == Place::Body { "form" } else { "query" };
        let _ = write!(page, ", in the {place}:\n\n| parameter | of | | note |\n|---|---|---|---|\n");
        for parameter in resource.parameters.iter().copied().flatten() {
            let remark = format!("Accepted: {}. {}", parameter.expected, parameter.remark);
            let of = if parameter.twilio { "Twilio" } else { "Adyton" };
            let (standing, note) = match parameter.standing {
                Standing::Offered => ("offered", remark.trim_end().to_owned()),
                Standing::WithoutEffect(why) => ("without effect", why.to_owned()),
                Standing::Refused(nothing, why) => ("refused", format!("{why}{}", nothing.text())),
            };
            let _ = writeln!(page, "| `{}` | {of} | {standing} | {note} |", parameter.name);
        }
    }
    page
}

#[test]
fn the_page_is_what_the_tables_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verify-parameters.md");
    let page = page();
    if std::env::var_os("ADYTON_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap_or_default() == page, "write it: ADYTON_WRITE_DOCS=1 cargo test");
}
