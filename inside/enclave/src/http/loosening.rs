//! Weaker services (DESIGN §3): asked for by the tenant's signature and an admin, after a wait; taken back by any admin.

use std::sync::Arc;

use adyton_api::{LoosenService, Object};
use adyton_ledger::Request;
use adyton_vault::{Command, Sid, SidKind};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Api;
use super::answer::ApiError;
use super::path::Named;
use super::services::{answer, service_sid};

/// The tenant's request `service-loosen`, whose signature was verified; an admin key of the same account sends it.
pub(super) async fn schedule(
    api: &Api,
    account: Sid,
    request: &Request,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let caller = api.caller(headers)?;
    let body: Result<Object<LoosenService>, _> = serde_json::from_str(&request.body);
    let Object(body) = body.map_err(|_| ApiError::parameter("body"))?;
    let LoosenService { service_sid, code_length, custom_code_enabled: custom_code } = body;
    let service = Sid::parse(SidKind::Service, &service_sid).map_err(|_| ApiError::parameter("service_sid"))?;
    let command = Command::Loosen { caller, account, sequence: request.sequence, service, code_length, custom_code };
    answer(StatusCode::OK, api.engine.submit(command).await, "/adyton/v1/requests", headers)
}

pub(crate) async fn withdraw(
    State(api): State<Arc<Api>>,
    Named(service): Named<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let (service, resource) = service_sid(&service, "")?;
    let reply = api.engine.submit(Command::WithdrawLoosening { caller, service }).await;
    answer(StatusCode::OK, reply, &resource, &headers)
}
