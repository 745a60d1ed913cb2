//! `GET /adyton/v1/vault`: what the vault says of itself. Nothing of it is attested.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::HEXLOWER;

use super::Api;
use super::answer::json;

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
    };
    json(StatusCode::OK, &vault)
}
