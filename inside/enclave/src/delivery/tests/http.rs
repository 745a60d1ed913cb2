//! The carriers that speak HTTP, against a server that answers from a list and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::Mutex;

use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, LOCATION};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::super::carrier::{Carrier, Failure};
use super::*;
use crate::egress::EndpointError;
use crate::egress::{EgressError, TrustRefusal};

pub(super) const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const CREATED: &str = r#"{"sid":"SM0123456789abcdef0123456789abcdef","status":"queued"}"#;

/// What a server was asked.
pub(super) struct Asked {
    path: String,
    headers: HeaderMap,
    pub(super) body: String,
    /// The number of the connection it came on.
    connection: usize,
}

#[derive(Default)]
pub(super) struct Server {
    /// Status and body, one after the other; the last one stays. Status 0 closes the connection instead.
    pub(super) answers: Mutex<VecDeque<(u16, &'static str)>>,
    pub(super) asked: Mutex<Vec<Asked>>,
    /// Whether it closes a connection, without an answer, at the second request.
    closes: bool,
}

impl Server {
    pub(super) async fn start(
        answers: &[(u16, &'static str)],
        closes: bool,
        acceptor: TlsAcceptor,
    ) -> (Arc<Self>, SocketAddr) {
        let (listener, address) = listen().await;
        let answers = Mutex::new(answers.iter().copied().collect());
        let server = Arc::new(Self { answers, closes, ..Self::default() });
        let started = Arc::clone(&server);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let server = Arc::clone(&server);
                let service = service_fn(move |request| answer(Arc::clone(&server), request, connection));
                let http = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(http);
            }
        });
        (started, address)
    }
}

async fn answer(
    server: Arc<Server>,
    request: Request<Incoming>,
    connection: usize,
) -> Result<Response<Full<bytes::Bytes>>, &'static str> {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let mut asked = server.asked.lock().unwrap();
    let second_here = asked.iter().any(|before| before.connection == connection);
    asked.push(Asked { path: head.uri.path().to_owned(), headers: head.headers, body, connection });
    if server.closes && second_here {
        return Err("closed");
    }
    let mut answers = server.answers.lock().unwrap();
    let (status, body) = if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] };
    if status == 0 {
        return Err("closed");
    }
    let elsewhere = format!("https://{NAME}/elsewhere");
    Ok(Response::builder().status(status).header(LOCATION, elsewhere).body(body.into()).unwrap())
}

fn twilio() -> RouteKind {
    let (sender, retention) = (Sender::MessagingService("MG01".into()), Retention::default());
    RouteKind::TwilioMessages { account: ACCOUNT.into(), sender, retention }
}

pub(super) fn webhook() -> RouteKind {
    RouteKind::Webhook { path: "/messages".into(), from: None, seal_code_to: None }
}

fn credential(kind: &RouteKind, plaintext: &[u8]) -> Arc<Credential> {
    Arc::new(Credential::parse(kind, plaintext).unwrap())
}

#[tokio::test]
async fn a_messages_resource_gets_the_form_it_needs() {
    let identity = identity();
    let (server, address) = Server::start(&[(201, CREATED)], false, identity.acceptor).await;
    let world = World::new(address);
    let carrier = world.carrier(&twilio(), identity.trust);
    let credential = credential(&twilio(), b"Aladdin:open sesame");
    for _ in 0..2 {
        assert_eq!(carrier.hand_over(&letter("+15550100123"), &credential).await, Ok(()));
    }
    let asked = server.asked.lock().unwrap();
    let Asked { path, headers, body, .. } = &asked[0];
    assert_eq!(*path, format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json"));
    assert_eq!(headers["host"], NAME);
    assert_eq!(headers["authorization"], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(headers.get("i-twilio-idempotency-token"), None, "nothing says that creation heeds it");
    let form: Vec<(String, String)> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let (validity, rest) = form.split_last().unwrap();
    let expected = [
        ("To", "+15550100123"),
        ("MessagingServiceSid", "MG01"),
        ("Body", "Your Example verification code is: 975310"),
        ("SmartEncoded", "false"),
        ("ContentRetention", "discard"),
        ("AddressRetention", "obfuscate"),
    ];
    assert_eq!(rest, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(validity.0, "ValidityPeriod");
    // The code lived ten minutes when the letter was made, just now.
    assert!((540..=600).contains(&validity.1.parse::<u64>().unwrap()), "{}", validity.1);
    assert_eq!(asked[1].connection, asked[0].connection, "used again");
}

#[tokio::test]
async fn a_webhook_is_signed() {
    let identity = identity();
    let (server, address) = Server::start(&[(204, "")], false, identity.acceptor).await;
    let world = World::new(address);
    let carrier = world.carrier(&webhook(), identity.trust);
    let before = world.clock.now();
    assert_eq!(carrier.hand_over(&letter("+15550100123"), &credential(&webhook(), &[b'a'; 64])).await, Ok(()));
    let asked = server.asked.lock().unwrap();
    let Asked { path, headers, body, .. } = &asked[0];
    assert_eq!((path.as_str(), &headers["content-type"]), ("/messages", &"application/json".parse().unwrap()));
    let timestamp = headers["adyton-timestamp"].to_str().unwrap();
    assert!((before..=world.clock.now()).contains(&timestamp.parse().unwrap()));
    let key = adyton_seal::HmacKey::from_shared(&[0xAA; 32]).unwrap();
    let tag = data_encoding::HEXLOWER.encode(&key.tag(&[timestamp.as_bytes(), b".", body.as_bytes()]));
    assert_eq!(headers["adyton-signature"], format!("v1={tag}"));
}

#[tokio::test]
async fn another_certificate_is_told_nothing() {
    let (server, address) = Server::start(&[(204, "")], false, identity().acceptor).await;
    let world = World::new(address);
    let carrier = world.carrier(&webhook(), identity().trust);
    let handed = carrier.hand_over(&letter("+15550100123"), &credential(&webhook(), &[b'a'; 64])).await;
    assert_eq!(handed, Err(Failure::Transport(EgressError::Tls(TrustRefusal::Issuer))));
    assert!(server.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_there_is_no_connection() {
    let (listener, address) = listen().await;
    drop(listener);
    let world = World::new(address);
    let carrier = world.carrier(&webhook(), identity().trust);
    let handed = carrier.hand_over(&letter("+15550100123"), &credential(&webhook(), &[b'a'; 64])).await;
    assert_eq!(handed, Err(Failure::Transport(EgressError::Connect)));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let identity = identity();
    let (server, address) = Server::start(&[(307, "")], false, identity.acceptor).await;
    let world = World::new(address);
    for kind in [webhook(), twilio()] {
        let carrier = world.carrier(&kind, identity.trust.clone());
        let plaintext: &[u8] = if let RouteKind::Webhook { .. } = kind { &[b'a'; 64] } else { b"user:password" };
        let handed = carrier.hand_over(&letter("+15550100123"), &credential(&kind, plaintext)).await;
        assert_eq!(handed, Err(Failure::Unconfirmed));
    }
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|asked| asked.path != "/elsewhere"));
}

/// The server takes the second request of a connection and closes it without an answer.
#[tokio::test]
async fn a_request_that_left_over_a_kept_connection_is_not_sent_again() {
    let identity = identity();
    let (server, address) = Server::start(&[(204, "")], true, identity.acceptor).await;
    let world = World::new(address);
    let carrier = world.carrier(&webhook(), identity.trust);
    let credential = credential(&webhook(), &[b'a'; 64]);
    assert_eq!(carrier.hand_over(&letter("+15550100123"), &credential).await, Ok(()));
    assert_eq!(carrier.hand_over(&letter("+15550100123"), &credential).await, Err(Failure::Unconfirmed));
    assert_eq!(carrier.hand_over(&letter("+15550100123"), &credential).await, Ok(()));
    let connections: Vec<_> = server.asked.lock().unwrap().iter().map(|asked| asked.connection).collect();
    assert_eq!(connections, [0, 0, 1]);
}

/// What a policy leaves to the account is not asked for.
#[tokio::test]
async fn what_a_carrier_is_to_discard_is_the_policys() {
    let identity = identity();
    let (server, address) = Server::start(&[(201, CREATED)], false, identity.acceptor).await;
    let world = World::new(address);
    let asked_for = [(true, true), (true, false), (false, true), (false, false)];
    for (discard_content, obfuscate_address) in asked_for {
        let retention = Retention { discard_content, obfuscate_address };
        let kind = RouteKind::TwilioMessages { account: ACCOUNT.into(), sender: Sender::From("A".into()), retention };
        let carrier = world.carrier(&kind, identity.trust.clone());
        let credential = credential(&kind, b"user:password");
        assert_eq!(carrier.hand_over(&letter("+15550100123"), &credential).await, Ok(()));
    }
    let bodies = server.asked.lock().unwrap().iter().map(|asked| asked.body.clone()).collect::<Vec<_>>();
    let said = bodies
        .iter()
        .map(|body| (body.contains("ContentRetention=discard"), body.contains("AddressRetention=obfuscate")));
    assert_eq!(said.collect::<Vec<_>>(), asked_for);
}

#[tokio::test]
async fn a_credential_of_another_kind_is_not_shown() {
    let identity = identity();
    let (server, address) = Server::start(&[(204, "")], false, identity.acceptor).await;
    let world = World::new(address);
    let (basic, signing) = (credential(&twilio(), b"user:password"), credential(&webhook(), &[b'a'; 64]));
    for (kind, credential) in [(webhook(), &basic), (twilio(), &signing)] {
        let carrier = world.carrier(&kind, identity.trust.clone());
        assert_eq!(carrier.hand_over(&letter("+15550100123"), credential).await, Err(Failure::NotThisRoute));
    }
    assert!(server.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_route_that_would_lead_elsewhere_is_refused() {
    let (_, address) = listen().await;
    let world = World::new(address);
    let account = |account: &str| {
        let (sender, retention) = (Sender::From("A".into()), Retention::default());
        RouteKind::TwilioMessages { account: account.into(), sender, retention }
    };
    let path = |path: &str| RouteKind::Webhook { path: path.into(), from: None, seal_code_to: None };
    let mail = |from: &str| RouteKind::Smtp { tls: SmtpTls::Implicit, from: from.into() };
    for (kind, refusal) in [
        (account("AC01/../.."), EndpointError::Path),
        (account("SK0123456789abcdef0123456789abcdef"), EndpointError::Path),
        (path("https://elsewhere.test/"), EndpointError::Path),
        (path(""), EndpointError::Path),
        (mail("nobody"), EndpointError::Sender),
    ] {
        let route = world.route(&kind, Trust::PublicRoots);
        assert_eq!(AnyCarrier::new(&route, 0, &world.service, &world.clock).err(), Some(refusal), "{kind:?}");
    }
}
