//! `POST /adyton/v1/requests`: what owners and tenants signed (`docs/spec/08-signed-requests.md`).
//!
//! 1. the form. Its body is given back then: what is parsed of it, and later what is made of the text in it, have been charged
//!    instead and are held until the answer;
//! 2. the signatures: what keys they are of, then in a worker (`workers`) whether they verify; anybody may send them;
//! 3. the sequence, before anything is opened; what the body says, and in a worker what is sealed in it; the owners' by one request
//!    at a time;
//! 4. settings go to the public log; then the decider, which has the last word on the sequence.
//!
//! For the owners', steps 3 and 4 are a task of their own: a client that hangs up does not leave them half done.

use std::sync::Arc;

use adyton_ledger::{
    Action, GovRecord, Request, SettingsRecord, Signer, Signers, SshPublicKey, VaultId, VerifiedRequest,
};
use adyton_vault::{AccountId, WrongSequence};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::sync::Mutex;

use super::answer::{ApiError, json};
use super::body::Body;
use super::budget::Payer;
use super::large::measured;
use super::refusals::Refused;
use super::workers::Kind;
use super::{Api, TenantRequest, keys, loosening, tenants};
use crate::clock::Clock;
use crate::engine::gov::GovLog;
use crate::policy::InForce;
use crate::signed;

/// Copies of a body that a request holds while it waits: the parsed one, and what is made of the text in it.
const COPIES: usize = 2;

/// Further dependencies of signed requests.
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
    let copies = api.budget.take(Payer::Signer, body.len().saturating_mul(COPIES))?;
    let signed = signed::parse(&body).map_err(|error| ApiError::signed_request(&error))?;
    drop(body);
    let Request { action, signer, .. } = *signed.unverified();
    let (signers, next, kind) = match (action, signer) {
        (Action::Settings | Action::TenantCreate, Signer::Owners) => {
            let signers = api.owners.signers.clone().ok_or_else(ApiError::no_owners)?;
            (signers, 0, Kind::OwnersSignatures)
        }
        (Action::SettingsShow, Signer::Owners) => {
            let readers = api.owners.readers.clone().ok_or_else(ApiError::no_owners)?;
            (readers, 0, Kind::OwnersSignatures)
        }
        (Action::TenantKeys | Action::ServiceLoosen, Signer::Tenant(account)) => {
            let (signers, next) = api.tenants_signers(account).await?;
            (signers, next, Kind::TenantsSignatures(AccountId::from_bytes(account)))
        }
        _ => return Err(ApiError::action()),
    };
    // 2.
    signed.admit(&signers).map_err(|error| ApiError::signers(&error))?;
    let vault = VaultId(api.vault_id);
    let verified = api.workers.run(kind, move || signed.verify(&vault, &signers)).await?;
    let verified = verified.map_err(|error| ApiError::signers(&error))?;
    // 3. and 4.
    match (action, signer) {
        (Action::Settings | Action::TenantCreate, _) => {
            let turn = Arc::clone(&api.owners.turn).try_lock_owned().map_err(|_| ApiError::busy())?;
            let asked = tokio::spawn(async move {
                let answer = owners_request(&api, verified).await;
                drop((turn, copies));
                answer
            });
            asked.await.map_err(|_| ApiError::busy())?
        }
        (Action::SettingsShow, _) => show_settings(&api, verified.request()).await,
        (Action::TenantKeys, Signer::Tenant(account)) => {
            in_turn(verified.request(), next)?;
            keys::change(&api, AccountId::from_bytes(account), verified.request()).await
        }
        (Action::ServiceLoosen, Signer::Tenant(account)) => {
            loosening::schedule(&api, AccountId::from_bytes(account), verified.request(), &headers).await
        }
        _ => Err(ApiError::action()),
    }
}

impl Api {
    /// Who signs for an account, and the sequence of its next request. One that the vault does not know answers as one whose key did
    /// not sign.
    async fn tenants_signers(&self, account: [u8; 16]) -> Result<(Arc<Signers>, u64), ApiError> {
        let view = self.view().await?;
        let (key, next) = view.signer(AccountId::from_bytes(account)).unwrap_or_default();
        let signers = SshPublicKey::from_blob(key).ok().and_then(|key| Signers::new([key], 1));
        Ok((Arc::new(signers.unwrap_or_else(Signers::nobody)), next))
    }
}

/// Refuses another sequence than the next one before anything is opened. The decider has the last word.
fn in_turn(request: &Request, expected: u64) -> Result<(), ApiError> {
    if request.sequence == expected { Ok(()) } else { Err(WrongSequence { expected }.error("")) }
}

/// The settings' text and the policy's routes. It changes nothing and takes no sequence; a copy of the request is refused once the
/// owners have signed anything else.
async fn show_settings(api: &Api, request: &Request) -> Result<Response, ApiError> {
    in_turn(request, api.view().await?.next_owners_sequence())?;
    let effective = api.effective.now();
    let routes = api.owners.in_force.policy.routes.iter();
    let routes = routes
        .map(|route| adyton_api::RouteCredential { route: route.name.clone(), credential: route.credential.clone() });
    let (sequence, text) = (effective.sequence, &effective.settings);
    let _copy = api.budget.take(Payer::Signer, text.len())?;
    let shown = adyton_api::ShownSettings { sequence, text: text.clone(), routes: routes.collect() };
    measured(&api.budget, Payer::Signer, StatusCode::OK, &shown)
}

/// Steps 3 and 4 of what the owners signed, in their turn: a tenant's admission does not take the sequence of settings that `gov` shows
/// already.
async fn owners_request(api: &Arc<Api>, verified: VerifiedRequest) -> Result<Response, ApiError> {
    let request = verified.request();
    in_turn(request, api.view().await?.next_owners_sequence())?;
    match request.action {
        Action::Settings => change_settings(api, verified).await,
        _ => tenants::admit(api, TenantRequest::parse(request.body.as_bytes())?, Some(request.sequence)).await,
    }
}

/// Steps 3 and 4. Nobody else changes the settings meanwhile.
async fn change_settings(api: &Api, verified: VerifiedRequest) -> Result<Response, ApiError> {
    // 3.
    let request = verified.request();
    // Credentials are opened there.
    let (in_force, body) = (Arc::clone(&api.owners.in_force), request.body.clone());
    let (sequence, now) = (request.sequence, api.owners.clock.now());
    let effective = api.workers.run(Kind::Owners, move || in_force.with(&body, sequence, now)).await?;
    let (effective, inapplicable) = effective.map_err(|error| ApiError::settings(&error))?;
    if let Some(error) = inapplicable.first() {
        return Err(ApiError::inapplicable(error));
    }
    // 4.
    let record =
        SettingsRecord { sequence: request.sequence, hash: verified.body_hash(), signatures: verified.signatures() };
    let appended = api.owners.gov.lock().await.append(&GovRecord::Settings(record), api.owners.clock.now()).await;
    appended.map_err(|_| ApiError::unavailable())?;
    let changed = api.engine.change_settings(request.body.clone(), effective).await;
    changed.map_err(|failure| ApiError::failure(failure.into(), ""))?;
    let (action, sequence) = (request.action.text().into(), request.sequence);
    Ok(json(StatusCode::OK, &adyton_api::AcceptedRequest { action, sequence }))
}
