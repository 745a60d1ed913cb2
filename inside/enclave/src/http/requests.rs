//! `POST /adyton/v1/requests`: what owners and tenants signed (`docs/spec/08-signed-requests.md`).
//!
//! 1. the form;
//! 2. the signatures, in a worker (`workers`): anybody may send them;
//! 3. what the body says; of settings also the sequence, and in a worker their credentials; the owners' by one request at a time;
//! 4. settings go to the public log; then the decider, which has the last word on the sequence.
//!
//! For the owners', steps 3 and 4 are a task of their own: a client that hangs up does not leave them half done.

use std::sync::Arc;

use adyton_ledger::{
    Action, GovRecord, Request, SettingsRecord, Signer, Signers, SshPublicKey, VaultId, VerifiedRequest,
};
use adyton_vault::{Refusal, Sid};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::sync::Mutex;

use super::answer::{ApiError, json};
use super::body::Body;
use super::{Api, keys, loosening, tenants};
use crate::clock::Clock;
use crate::engine::Failure;
use crate::engine::gov::GovLog;
use crate::policy::InForce;
use crate::signed;

/// What signed requests need besides the rest.
pub struct Owners {
    /// Who signs for the owners, if there are any.
    pub signers: Option<Arc<Signers>>,
    /// The same keys, any one of which may read the settings.
    readers: Option<Arc<Signers>>,
    /// The policy in force.
    pub in_force: Arc<InForce>,
    /// The public log.
    pub gov: Arc<Mutex<GovLog>>,
    /// Time.
    pub clock: Arc<Clock>,
    turn: Arc<Mutex<()>>,
}

impl Owners {
    /// The owners of a policy, who sign for a vault.
    pub fn new(in_force: Arc<InForce>, gov: Arc<Mutex<GovLog>>, clock: Arc<Clock>) -> Self {
        // The keys of a parsed policy are keys.
        let owners = in_force.policy.owners.as_ref();
        let signers = owners.and_then(|owners| owners.signers().ok()).map(Arc::new);
        let alone = owners.map(|owners| adyton_policy::Owners { threshold: 1, keys: owners.keys.clone() });
        let readers = alone.and_then(|owners| owners.signers().ok()).map(Arc::new);
        Self { signers, readers, in_force, gov, clock, turn: Arc::default() }
    }
}

pub(crate) async fn submit(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, ApiError> {
    // 1.
    let signed = signed::parse(&body).map_err(|error| ApiError::signed_request(&error))?;
    let Request { action, signer, .. } = *signed.unverified();
    let signers = match (action, signer) {
        (Action::Settings | Action::TenantCreate, Signer::Owners) => {
            api.owners.signers.clone().ok_or_else(ApiError::no_owners)?
        }
        (Action::SettingsShow, Signer::Owners) => api.owners.readers.clone().ok_or_else(ApiError::no_owners)?,
        (Action::TenantKeys | Action::ServiceLoosen, Signer::Tenant(account)) => api.tenants_signers(account).await?,
        _ => return Err(ApiError::action()),
    };
    // 2.
    let vault = VaultId(api.vault_id);
    let verified = api.workers.run(move || signed.verify(&vault, &signers)).await?;
    let verified = verified.map_err(|error| ApiError::signers(&error))?;
    // 3. and 4.
    match (action, signer) {
        (Action::Settings | Action::TenantCreate, _) => {
            let turn = Arc::clone(&api.owners.turn).try_lock_owned().map_err(|_| ApiError::busy())?;
            let asked = tokio::spawn(async move {
                let answer = match action {
                    Action::Settings => change_settings(&api, verified).await,
                    _ => admit(&api, verified.request()).await,
                };
                drop(turn);
                answer
            });
            asked.await.map_err(|_| ApiError::busy())?
        }
        (Action::SettingsShow, _) => show_settings(&api, verified.request()),
        (Action::TenantKeys, Signer::Tenant(account)) => keys::change(&api, Sid(account), verified.request()).await,
        (Action::ServiceLoosen, Signer::Tenant(account)) => {
            loosening::schedule(&api, Sid(account), verified.request(), &headers).await
        }
        _ => Err(ApiError::action()),
    }
}

impl Api {
    /// Who signs for an account. One that the vault does not know answers as one whose key did not sign.
    async fn tenants_signers(&self, account: [u8; 16]) -> Result<Arc<Signers>, ApiError> {
        let key = self.engine.signer(Sid(account)).await.map_err(|failure| ApiError::failure(failure, ""))?;
        let key = key.and_then(|key| SshPublicKey::from_blob(&key).ok());
        Ok(Arc::new(key.and_then(|key| Signers::new([key], 1)).unwrap_or_else(Signers::nobody)))
    }
}

/// The settings' text and the policy's routes. It changes nothing and takes no sequence; a copy of the request is refused once the
/// owners have signed anything else.
fn show_settings(api: &Api, request: &Request) -> Result<Response, ApiError> {
    let expected = api.engine.next_owners_sequence();
    if request.sequence != expected {
        return Err(ApiError::failure(Failure::Refused(Refusal::Sequence { expected }), ""));
    }
    let current = api.current.now();
    let routes = api.owners.in_force.policy.routes.iter();
    let routes = routes
        .map(|route| adyton_api::RouteCredential { route: route.name.clone(), credential: route.credential.clone() });
    let shown = adyton_api::ShownSettings {
        sequence: current.sequence,
        text: current.settings.clone(),
        routes: routes.collect(),
    };
    Ok(json(StatusCode::OK, &shown))
}

/// In the owners' turn, so that it does not take the sequence of settings that `gov` shows already.
async fn admit(api: &Arc<Api>, request: &Request) -> Result<Response, ApiError> {
    tenants::admit(api, request.body.as_bytes(), Some(request.sequence)).await
}

/// Steps 3 and 4. Nobody else changes the settings meanwhile.
async fn change_settings(api: &Api, verified: VerifiedRequest) -> Result<Response, ApiError> {
    // 3.
    let request = verified.request();
    let expected = api.engine.next_owners_sequence();
    if request.sequence != expected {
        return Err(ApiError::failure(Failure::Refused(Refusal::Sequence { expected }), ""));
    }
    // Credentials are opened there.
    let (in_force, body) = (Arc::clone(&api.owners.in_force), request.body.clone());
    let (sequence, now) = (request.sequence, api.owners.clock.now());
    let current = api.workers.run(move || in_force.with(&body, sequence, now)).await?;
    let (current, resting) = current.map_err(|error| ApiError::settings(&error))?;
    if let Some(error) = resting.first() {
        return Err(ApiError::resting(error));
    }
    // 4.
    let record =
        SettingsRecord { sequence: request.sequence, hash: verified.body_hash(), signatures: verified.signatures() };
    let appended = api.owners.gov.lock().await.append(&GovRecord::Settings(record), api.owners.clock.now()).await;
    appended.map_err(|_| ApiError::failure(Failure::Unavailable, ""))?;
    let changed = api.engine.change_settings(request.body.clone(), current).await;
    changed.map_err(|failure| ApiError::failure(failure, ""))?;
    let (action, sequence) = (request.action.text().into(), request.sequence);
    Ok(json(StatusCode::OK, &adyton_api::AcceptedRequest { action, sequence }))
}
