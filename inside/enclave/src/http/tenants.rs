//! `POST /adyton/v1/tenants`: a tenant's client introduces itself with a token that it made and sealed.

use std::sync::Arc;

use adyton_api::{CreateTenant, Tenant, timestamp};
use adyton_ledger::base64;
use adyton_seal::SealedPurpose;
use adyton_vault::{Command, Reply, Sid, SidKind, User};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Api;
use super::answer::{ApiError, json};
use super::body::Body;
use crate::engine::Failure;
use crate::hashes;

/// A [`CreateTenant`] whose fields have their form. Its token was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRequest {
    /// The account that the client chose.
    pub account: Sid,
    /// A name for people.
    pub friendly_name: String,
    /// The token, sealed to the vault.
    pub sealed_token: Vec<u8>,
}

/// Why a body is not a [`TenantRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantRequestError {
    /// This field; `body` if the whole is not the expected JSON.
    Field(&'static str),
    /// The token is not base64: it does not open.
    SealedToken,
}

impl TenantRequest {
    /// Parses a body.
    ///
    /// # Errors
    /// [`TenantRequestError`], the first field that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, TenantRequestError> {
        let request: CreateTenant = serde_json::from_slice(body).map_err(|_| TenantRequestError::Field("body"))?;
        let account = Sid::parse(SidKind::Account, &request.account_sid);
        let friendly_name = tenant_name(&request.friendly_name);
        let sealed_token = base64::decode(request.sealed_token.as_bytes());
        Ok(Self {
            account: account.map_err(|_| TenantRequestError::Field("account_sid"))?,
            friendly_name: friendly_name.ok_or(TenantRequestError::Field("friendly_name"))?,
            sealed_token: sealed_token.ok_or(TenantRequestError::SealedToken)?,
        })
    }
}

impl From<TenantRequestError> for ApiError {
    fn from(error: TenantRequestError) -> Self {
        match error {
            TenantRequestError::Field(name) => Self::parameter(name),
            TenantRequestError::SealedToken => Self::sealed(),
        }
    }
}

pub(crate) async fn create(State(api): State<Arc<Api>>, Body(body): Body) -> Result<Response, ApiError> {
    let TenantRequest { account, friendly_name, sealed_token } = TenantRequest::parse(&body)?;
    let purpose = SealedPurpose::tenant_token(&api.vault_id, &account.text(SidKind::Account));
    let token = api.recipient.open(&purpose, &sealed_token).map_err(|_| ApiError::sealed())?;
    let well_formed = (32..=64).contains(&token.len()) && token.as_bytes().iter().all(u8::is_ascii_alphanumeric);
    if !well_formed {
        return Err(ApiError::sealed());
    }
    let token_hash = hashes::token_hash(&api.token_key, User::Account(account), token.as_bytes());
    let command = Command::CreateTenant { account, token_hash, friendly_name, ssh_key: Vec::new(), admitted: None };
    let reply = api.engine.submit(command).await;
    match reply.map_err(|failure| ApiError::failure(failure, "/adyton/v1/tenants"))? {
        Reply::Tenant(view) => {
            let tenant = Tenant {
                account_sid: view.account.text(SidKind::Account),
                friendly_name: view.friendly_name,
                date_created: timestamp(view.created),
            };
            Ok(json(StatusCode::CREATED, &tenant))
        }
        _ => Err(ApiError::failure(Failure::Unavailable, "")),
    }
}

/// A tenant's name: 1 … 64 characters, none of them a control character.
fn tenant_name(text: &str) -> Option<String> {
    let plain = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    plain.then(|| text.to_owned())
}
