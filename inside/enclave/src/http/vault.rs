//! `GET /adyton/v1/vault`: the vault's description of itself. Nothing of it is attested.
//!
//! `GET /adyton/v1/public-certificate-request` (`docs/spec/06-sealed-values.md`): the one who has
//! it signed must have received it from the vault, so the command asks over an attested connection.

use std::sync::Arc;

use adyton_api::timestamp;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::HEXLOWER;

use super::Api;
use super::answer::{ApiError, json};
use super::large::paid;
use crate::acme;
use crate::public::{self, PublicCertificate};

pub(crate) async fn fetch(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let view = api.view().await?;
    let effective = api.effective.now();
    let vault = adyton_api::Vault {
        vault_id: HEXLOWER.encode(&api.vault_id),
        release: api.release,
        policy_hash: HEXLOWER.encode(&api.policy_hash),
        profile: api.profile.text().into(),
        freshness: "none".into(),
        hpke_key: HEXLOWER.encode(&api.recipient.public_key().0),
        owners_sequence: view.next_owners_sequence() - 1,
        settings_sha256: HEXLOWER.encode(&effective.settings_hash),
        public_certificate_sha256: api.public_fingerprint().map(|hash| HEXLOWER.encode(&hash)),
    };
    Ok(json(StatusCode::OK, &vault))
}

impl Api {
    /// Of the public certificate that is shown: the owners' goes before the one that the vault obtained.
    fn public_fingerprint(&self) -> Option<[u8; 32]> {
        let imported = self.effective.now().public.as_ref().map(PublicCertificate::fingerprint);
        imported.or_else(|| Some(self.acme.as_ref()?.certificate()?.fingerprint()))
    }
}

/// `GET /adyton/v1/acme`: the account that the names' owner may bind them to, and how it goes.
pub(crate) async fn acme(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let acme::Status { directory, account, renews_at, failures, last_failure } =
        api.acme.as_ref().ok_or_else(ApiError::no_acme)?.status();
    let renews_at = renews_at.map(timestamp);
    Ok(json(StatusCode::OK, &adyton_api::Acme { directory, account, renews_at, failures, last_failure }))
}

/// The answer with this request. It is made once: all who ask share its bytes.
pub(crate) fn certificate_answer(request: public::Request) -> serde_json::Result<Bytes> {
    let public::Request { pem, sealed_key, names } = request;
    serde_json::to_vec(&adyton_api::CertificateRequest { names, request: pem, sealed_key }).map(Bytes::from)
}

pub(crate) async fn certificate_request(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let answer = api.public_request.clone().ok_or_else(ApiError::no_public_names)?;
    Ok(paid(StatusCode::OK, Body::from(answer)))
}
