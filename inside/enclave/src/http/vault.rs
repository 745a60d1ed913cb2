//! `GET /adyton/v1/vault`: what the vault says of itself. Nothing of it is attested.
//!
//! `GET /adyton/v1/public-certificate-request` (`docs/spec/06-sealed-values.md`): whoever has it signed must have had it from the
//! vault, so the command asks over an attested connection.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::HEXLOWER;

use super::Api;
use super::answer::{ApiError, json};
use crate::public;

pub(crate) async fn fetch(State(api): State<Arc<Api>>) -> Response {
    let current = api.current.now();
    let vault = adyton_api::Vault {
        vault_id: HEXLOWER.encode(&api.vault_id),
        release: api.release,
        policy_hash: HEXLOWER.encode(&api.policy_hash),
        profile: api.profile.text().into(),
        freshness: "none".into(),
        hpke_key: HEXLOWER.encode(&api.recipient.public_key().0),
        owners_sequence: api.engine.next_owners_sequence() - 1,
        settings_sha256: HEXLOWER.encode(&current.settings_hash),
        public_certificate_sha256: current.public.as_ref().map(|public| HEXLOWER.encode(&public.fingerprint())),
    };
    json(StatusCode::OK, &vault)
}

pub(crate) async fn certificate_request(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let public::Request { pem, sealed_key, names } =
        api.public_request.as_ref().ok_or_else(ApiError::no_public_names)?;
    let (request, sealed_key, names) = (pem.clone(), sealed_key.clone(), names.clone());
    Ok(json(StatusCode::OK, &adyton_api::CertificateRequest { names, request, sealed_key }))
}
