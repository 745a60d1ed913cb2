//! `POST /adyton/v1/tenants`: a tenant's client introduces itself with a token that it made and sealed.

use std::sync::Arc;

use adyton_api::{CreateTenant, Tenant, timestamp};
use adyton_seal::SealedPurpose;
use adyton_vault::{Command, Reply, Sid, SidKind};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::BASE64;

use super::answer::{ApiError, json};
use super::{Api, verify};
use crate::engine::Failure;

pub(crate) async fn create(State(api): State<Arc<Api>>, body: Bytes) -> Result<Response, ApiError> {
    let request: CreateTenant = serde_json::from_slice(&body).map_err(|_| ApiError::parameter("body"))?;
    let account = Sid::parse(SidKind::Account, &request.account_sid).map_err(|_| ApiError::parameter("account_sid"))?;
    let friendly_name = verify::friendly_name(&request.friendly_name, "friendly_name")?;
    let sealed = BASE64.decode(request.sealed_token.as_bytes()).map_err(|_| ApiError::sealed())?;
    let purpose = SealedPurpose::tenant_token(&api.vault_id, &account.text(SidKind::Account));
    let token = api.recipient.open(&purpose, &sealed).map_err(|_| ApiError::sealed())?;
    let well_formed = (32..=64).contains(&token.len()) && token.as_bytes().iter().all(u8::is_ascii_alphanumeric);
    if !well_formed {
        return Err(ApiError::sealed());
    }
    let token_hash = api.token_hash(account, token.as_bytes());
    let reply = api.engine.submit(Command::CreateTenant { account, token_hash, friendly_name }).await;
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
