//! The HTTP API, served inside: TLS ends here (DESIGN §9).
//!
//! Twilio Verify v2 for applications (`services`, `verifications`), and the vault's own: evidence of what runs (`evidence`),
//! tenants (`tenants`), what owners signed (`requests`) and support (`support`).
//!
//! 1. a connection's TLS handshake, within a time; from here on the client must take what it is sent (`taken`);
//! 2. HTTP/1.1, with limits on the head's size, fields and time, and on the body's (`body`), whatever is asked for;
//! 3. the host must be one of the vault's own names (`host`), but for health and evidence;
//! 4. parsing and normalising, before anything is counted or compared;
//! 5. the decider, by the engine.

mod answer;
mod auth;
mod body;
mod evidence;
mod form;
mod host;
mod json;
mod keys;
mod loosening;
mod parameters;
mod path;
mod requests;
mod services;
mod support;
mod taken;
mod tenants;
mod vault;
mod verifications;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use adyton_ledger::Profile;
use adyton_seal::{HmacKey, KeyTree, RecipientKey};
use adyton_transport::{Listener, Stream};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{delete, get, post};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, getrlimit};
use rustls::ServerConfig;
use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::sync::Semaphore;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower_service::Service as _;

use crate::acme::{self, CHALLENGE_PROTOCOL};
use crate::engine::Engine;
use crate::evidence::{Channel, Evidence};
use crate::policy::Holder;
use crate::public;
use parameters::{CHECK, CREATE_SERVICE, FETCH_SERVICE, FETCH_VERIFICATION, START};
use taken::Taken;

pub use auth::BasicCredentials;
pub use form::{FieldError, Form};
pub use host::Hosts;
pub use json::MemberError;
pub use keys::KeysRequest;
pub use loosening::LooseningRequest;
pub use requests::Owners;
pub use services::PageToken;
pub use tenants::{TenantRequest, TenantRequestError};

/// Longest wait for a handshake, and for a request's head.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest wait for a client to take what it is sent.
const TAKING: Duration = Duration::from_secs(20);
/// Longest wait for a client to end its side of a connection that is over.
const PARTING: Duration = Duration::from_secs(2);
/// Fields of a request's head.
const MAX_HEADERS: usize = 64;
/// Bytes of a request's head.
const MAX_HEAD: usize = 16 * 1024;
/// Clients at once; over it, new ones wait to be accepted.
const MAX_CONNECTIONS: usize = 16_384;
/// Descriptors that clients leave to channels, snapshots and connections to carriers.
const RESERVED: u64 = 256;

/// What the handlers share.
pub struct Api {
    /// What proves what runs.
    pub evidence: Evidence,
    /// The decider.
    pub engine: Engine,
    /// Derives tenants' keys.
    pub keys: Arc<KeyTree>,
    /// Hashes tokens.
    pub token_key: HmacKey,
    /// Opens what clients seal.
    pub recipient: Arc<RecipientKey>,
    /// The vault.
    pub vault_id: [u8; 32],
    /// The vault's own names.
    pub hosts: Hosts,
    /// What a public CA may be asked to sign, if the policy has public names.
    pub public_request: Option<public::Request>,
    /// What the vault obtains from a CA by itself, if the policy names one.
    pub acme: Option<Arc<acme::Shared>>,
    /// What is allowed now.
    pub current: Holder,
    /// The release in force.
    pub release: u64,
    /// SHA-256 of its policy.
    pub policy_hash: [u8; 32],
    /// Custody profile.
    pub profile: Profile,
    /// What signed requests need.
    pub owners: Owners,
}

/// The routes.
pub fn router(api: Arc<Api>) -> Router {
    let named = Router::new()
        .route("/adyton/v1/tenants", post(tenants::create))
        .route("/adyton/v1/requests", post(requests::submit))
        .route("/adyton/v1/account", get(tenants::fetch))
        .route("/adyton/v1/vault", get(vault::fetch))
        .route("/adyton/v1/public-certificate-request", get(vault::certificate_request))
        .route("/adyton/v1/acme", get(vault::acme))
        .route("/adyton/v1/support/{verification}", get(support::look))
        .route("/adyton/v1/services/{service}/loosening", delete(loosening::withdraw))
        .route(CREATE_SERVICE.path, post(services::create).get(services::list))
        .route(FETCH_SERVICE.path, get(services::fetch).post(services::update).delete(services::remove))
        .route(START.path, post(verifications::start))
        .route(FETCH_VERIFICATION.path, get(verifications::fetch).post(verifications::update))
        .route(CHECK.path, post(verifications::check))
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(middleware::from_fn(parameters::no_query))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), host::check));
    let anybody = Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .route("/.well-known/adyton/evidence", get(evidence::fetch))
        .route("/.well-known/adyton/binding", get(evidence::bind))
        .method_not_allowed_fallback(answer::method_not_allowed);
    let routes = anybody.merge(named).with_state(api);
    routes.layer(middleware::from_fn(body::read))
}

/// `GET /ready`: whether new work is taken. That the logs are replayed and the root key is there goes without saying, for
/// before that nobody is served; `GET /health` says that the process answers. Neither says anything else.
async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, &'static str) {
    if api.engine.is_ready() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") }
}

/// Serves clients for ever.
pub async fn serve(listener: Listener, tls: Arc<ServerConfig>, router: Router) {
    let acceptor = TlsAcceptor::from(tls);
    let places = Arc::new(Semaphore::new(places()));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok(stream) => {
                let (acceptor, router) = (acceptor.clone(), router.clone());
                tokio::spawn(async move {
                    connection(stream, acceptor, router).await;
                    drop(place);
                });
            }
            // Out of descriptors, most likely: let some go before trying again.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Clients that have descriptors. One more would take those by which batches are stored and codes are sent.
fn places() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(descriptors.saturating_sub(RESERVED)).unwrap_or(usize::MAX).clamp(1, MAX_CONNECTIONS)
}

async fn connection(stream: Stream, acceptor: TlsAcceptor, router: Router) {
    // 1.
    let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(Taken::new(stream, TAKING))).await else { return };
    // A CA that has its answer: the handshake was all of it (RFC 8737 §3).
    if stream.get_ref().1.alpn_protocol() == Some(CHALLENGE_PROTOCOL) {
        let _ = timeout(PARTING, part(stream)).await;
        return;
    }
    // Every connection of TLS 1.3 has one.
    let Some(channel) = Channel::of(&stream) else { return };
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(channel);
        // A router is always ready.
        router.clone().call(request)
    });
    // 2.
    let mut served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // How it ended is the client's affair.
    let _ = poll_fn(|cx| served.poll_without_shutdown(cx)).await;
    let _ = timeout(PARTING, part(served.into_parts().io.into_inner())).await;
}

/// Ends a connection so that its last answer arrives: one that is closed with an upload unread is reset. What still comes
/// is thrown away.
async fn part(mut stream: TlsStream<Taken<Stream>>) -> io::Result<()> {
    stream.shutdown().await?;
    let (mut stream, _) = stream.into_inner();
    copy(&mut stream, &mut sink()).await.map(drop)
}
