//! The HTTP API, served inside: TLS ends here (DESIGN §9).
//!
//! Twilio Verify v2 for applications (`services`, `verifications`), and the vault's own: evidence of what runs (`evidence`),
//! tenants (`tenants`), what owners signed (`requests`) and support (`support`).
//!
//! 1. a connection's TLS handshake, within a time; from here on the client must read what it is sent (`write_deadline`);
//! 2. HTTP/1.1, with limits on the head's size, fields and time (`connection`);
//! 3. admission (`admission`): the host is well-formed, the body in no coding (`coding`) and read, within the payer's share of the byte
//!    budget (`budget`);
//! 4. the host must be one of the vault's own names (`host`), but for health and evidence;
//! 5. parsing and normalising, before anything is counted or compared; asymmetric cryptography in `workers`;
//! 6. the engine: a command goes to the decider (`Api::ask`), once; a read is answered from the published view (`Api::read`).

mod admission;
mod answer;
mod auth;
mod body;
mod budget;
mod coding;
mod connection;
mod evidence;
mod form;
mod host;
mod json;
mod keys;
mod large;
mod loosening;
mod padding;
mod parameters;
mod path;
mod refusals;
mod requests;
mod service_list;
mod services;
mod support;
mod tenants;
#[cfg(test)]
mod tests;
mod vault;
mod verifications;
mod workers;
mod write_deadline;

use std::sync::Arc;

use adyton_ledger::Profile;
use adyton_seal::{HmacKey, KeyTree, RecipientKey};
use adyton_vault::{Ask, Read, View};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{delete, get, post};

use crate::acme;
use crate::ask::{AskError, ask, read, read_more};
use crate::engine::Engine;
use crate::evidence::Evidence;
use crate::policy::Watch;
use answer::ApiError;
use parameters::{CHECK, CREATE_SERVICE, FETCH_SERVICE, FETCH_VERIFICATION, START};

pub use auth::BasicCredentials;
pub use budget::{BUDGET, Budget};
pub use connection::{MAX_CONNECTIONS, serve};
pub use form::{FieldError, Form, FormRule};
pub use host::Hosts;
pub use json::{JsonBody, MemberError, parse as parse_json};
pub use keys::KeysRequest;
pub use loosening::LooseningRequest;
pub use requests::Owners;
pub use service_list::PageToken;
pub use tenants::{TenantRequest, TenantRequestError};
pub(crate) use vault::certificate_answer;
pub use workers::Workers;

/// State shared by the handlers.
pub struct Api {
    /// Evidence of the running code.
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
    /// The answer with what a public CA may be asked to sign, if the policy has public names.
    pub public_request: Option<Bytes>,
    /// Status of the certificates that the vault obtains from a CA by itself, if the policy names
    /// one.
    pub acme: Option<Arc<acme::AcmeStatus>>,
    /// The settings in force.
    pub effective: Watch,
    /// The release in force.
    pub release: u64,
    /// SHA-256 of its policy.
    pub policy_hash: [u8; 32],
    /// Custody profile.
    pub profile: Profile,
    /// Dependencies of signed requests.
    pub owners: Owners,
    /// Bytes of requests and answers in flight.
    pub budget: Budget,
    /// Workers for asymmetric cryptography.
    pub workers: Workers,
}

impl Api {
    /// Puts a request to its decider.
    pub(crate) async fn ask<A: Ask>(&self, request: A) -> Result<A::Reply, AskError<A::Refusal>> {
        ask(&self.engine, request).await
    }

    /// The published view, once it may answer.
    pub(crate) async fn view(&self) -> Result<Arc<View>, ApiError> {
        self.engine.view().await.map_err(|_| ApiError::unavailable())
    }

    /// Answers a read: no command, whatever it asks.
    pub(crate) async fn read<R: Read>(&self, request: &R) -> Result<R::Reply, AskError<R::Refusal>> {
        read(&self.engine, request, &self.effective, &self.owners.clock).await
    }

    /// Goes on with a read that has left its record.
    pub(crate) async fn read_more<R: Read>(&self, request: &R) -> Result<R::Reply, AskError<R::Refusal>> {
        read_more(&self.engine, request, &self.effective, &self.owners.clock).await
    }
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
        .route(support::PATH, get(support::look))
        .route("/adyton/v1/services/{service}/loosening", delete(loosening::withdraw))
        .route(CREATE_SERVICE.path, post(services::create).get(service_list::list))
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
    let routes = anybody.merge(named).with_state(Arc::clone(&api));
    routes.layer(middleware::from_fn_with_state(api, admission::admit))
}

/// `GET /ready`: whether new work is taken. That the logs are replayed and the root key is there goes without saying, for
/// before that nobody is served; `GET /health` says that the process answers. Neither says anything else.
async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, &'static str) {
    if api.engine.is_ready() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") }
}
