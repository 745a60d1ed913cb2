//! Carriers through the real host's dial channel, against servers that are played here.
#![allow(clippy::unwrap_used, reason = "tests")]

mod engine;
mod floods;
mod http;
mod mail;

use std::net::SocketAddr;
use std::sync::Arc;

use adyton_host::{Approvals, RedbStore, Routes, Writer, serve_channels};
use adyton_seal::{Code, SecretText};
use adyton_transport::Listener;
use adyton_vault::{Channel, Part, Text};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::egress::Trust;

const NAME: &str = "carrier.adyton.test";
/// Nobody listens there.
const DEAD_NAME: &str = "dead.adyton.test";
const PORT: u16 = 443;

/// A host that dials `NAME:PORT` to `server`.
struct World {
    _folder: tempfile::TempDir,
    service: Address,
    clock: Arc<Clock>,
}

impl World {
    fn new(server: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = Address::Unix(folder.path().join("host.sock"));
        let (store, _) = Writer::start(RedbStore::open(folder.path()).unwrap()).unwrap();
        let mut routes = Routes::default();
        routes.add(format!("{NAME}:{PORT}={server}").parse().unwrap());
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        routes.add(format!("{DEAD_NAME}:{PORT}={closed}").parse().unwrap());
        let listener = Listener::bind(&service).unwrap();
        tokio::spawn(serve_channels(listener, store, Approvals::new(folder.path()), routes, Arc::new(|_| ())));
        Self { _folder: folder, service, clock: Arc::new(Clock::new()) }
    }

    fn carrier(&self, kind: &RouteKind, trust: Trust) -> AnyCarrier {
        AnyCarrier::new(&self.route(kind, trust), 3, &self.service, &self.clock).unwrap()
    }

    fn route(&self, kind: &RouteKind, trust: Trust) -> RouteConfig {
        RouteConfig {
            name: "route".into(),
            kind: kind.clone(),
            channels: vec![Channel::Sms],
            host: NAME.into(),
            port: PORT,
            trust,
            credential: "route".into(),
            cost: 0,
        }
    }
}

/// A server's certificate, and how to trust it.
struct Identity {
    acceptor: TlsAcceptor,
    trust: Trust,
}

fn identity() -> Identity {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca: CertificateDer<'static> = params.self_signed(&ca_key).unwrap().der().clone();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(params, ca_key)).unwrap().der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(crate::identity::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .unwrap();
    Identity { acceptor: TlsAcceptor::from(Arc::new(config)), trust: Trust::Ca(ca.to_vec()) }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(super) fn letter(to: &str) -> Letter {
    let code = Code::parse("975310").unwrap();
    let text = |before, after| Text::new(&[Part::Literal(before), Part::Code, Part::Literal(after)], &code);
    let (text, html) =
        (text("Your Example verification code is: ", ""), text("<p>Ihr Code für Example: <b>", "</b></p>"));
    Letter {
        attempt: "VL0123456789abcdef0123456789abcdef".into(),
        to: SecretText::join(&[to]),
        channel: Channel::Sms,
        subject: Some("Your Example verification".into()),
        progress: Arc::default(),
        text,
        html: Some(html),
        code,
        until: 1_790_000_600,
        deadline: Instant::now() + Duration::from_secs(600),
    }
}
