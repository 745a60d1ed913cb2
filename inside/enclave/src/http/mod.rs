//! The HTTP API, served inside: TLS ends here (DESIGN §9).
//!
//! Twilio Verify v2 for applications (`verifications.create`, `verification_checks.create`, and enough of services to
//! have one), and the vault's own `POST /adyton/v1/tenants`, by which a tenant's client introduces itself.
//!
//! 1. a connection's TLS handshake, within a time;
//! 2. HTTP/1.1, with a limit on the time for a request's head and the size of its body;
//! 3. parsing and normalising, before anything is counted or compared;
//! 4. the decider, by the engine.

mod answer;
mod auth;
mod form;
mod tenants;
mod verify;

use std::sync::Arc;

use adyton_seal::{HmacKey, KeyTree, RecipientKey};
use adyton_transport::{Listener, Stream};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;

use crate::engine::Engine;

pub use auth::BasicCredentials;
pub use form::{FieldError, Form};
pub use tenants::{TenantRequest, TenantRequestError};

/// Longest wait for a handshake, and for a request's head.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest body of a request.
const MAX_BODY: usize = 64 * 1024;

/// What the handlers share.
pub struct Api {
    /// The decider.
    pub engine: Engine,
    /// Derives tenants' keys.
    pub keys: Arc<KeyTree>,
    /// Hashes tokens.
    pub token_key: HmacKey,
    /// Opens what clients seal.
    pub recipient: RecipientKey,
    /// The vault.
    pub vault_id: [u8; 32],
}

/// The routes.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/adyton/v1/tenants", post(tenants::create))
        .route("/v2/Services", post(verify::create_service))
        .route("/v2/Services/{service}/Verifications", post(verify::start))
        .route("/v2/Services/{service}/VerificationCheck", post(verify::check))
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(api)
}

/// Serves clients for ever.
pub async fn serve(listener: Listener, tls: Arc<ServerConfig>, router: Router) {
    let acceptor = TlsAcceptor::from(tls);
    loop {
        match listener.accept().await {
            Ok(stream) => drop(tokio::spawn(connection(stream, acceptor.clone(), router.clone()))),
            // Out of descriptors, most likely: let some go before trying again.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(stream: Stream, acceptor: TlsAcceptor, router: Router) {
    // 1.
    let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await else { return };
    // 2.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
}
