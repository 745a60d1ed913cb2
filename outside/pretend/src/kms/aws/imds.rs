//! The metadata service of an instance, version 2: a token first, then the role and its credentials. Plain HTTP, as AWS's.

use std::sync::Arc;

use adyton_api::timestamp;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use serde_json::json;

use super::Kms;
use super::identity::ROLE;

/// Longest life of a token, in seconds.
const MAX_TTL: u32 = 21_600;

struct Service {
    kms: Arc<Kms>,
    token: String,
}

type Answer = Result<String, StatusCode>;

/// The paths of the service.
///
/// # Errors
/// If there is no randomness.
pub fn router(kms: Arc<Kms>) -> std::io::Result<Router> {
    let token = adyton_seal::random::<42>().map_err(std::io::Error::other)?;
    let service = Service { kms, token: data_encoding::BASE64.encode(&token) };
    Ok(Router::new()
        .route("/latest/api/token", put(token_for))
        .route("/latest/meta-data/iam/security-credentials/", get(role))
        .route("/latest/meta-data/iam/security-credentials/{role}", get(credentials))
        .with_state(Arc::new(service)))
}

async fn token_for(State(service): State<Arc<Service>>, headers: HeaderMap) -> Answer {
    let ttl = headers.get("x-aws-ec2-metadata-token-ttl-seconds").and_then(|ttl| ttl.to_str().ok()?.parse().ok());
    match ttl {
        Some(1..=MAX_TTL) => Ok(service.token.clone()),
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

impl Service {
    fn check(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        let given = headers.get("x-aws-ec2-metadata-token").map(axum::http::HeaderValue::as_bytes);
        if given == Some(self.token.as_bytes()) { Ok(()) } else { Err(StatusCode::UNAUTHORIZED) }
    }
}

async fn role(State(service): State<Arc<Service>>, headers: HeaderMap) -> Answer {
    service.check(&headers)?;
    Ok(ROLE.into())
}

async fn credentials(State(service): State<Arc<Service>>, Path(role): Path<String>, headers: HeaderMap) -> Answer {
    service.check(&headers)?;
    if role != ROLE {
        return Err(StatusCode::NOT_FOUND);
    }
    let identity = &service.kms.identities().role;
    Ok(json!({
        "Code": "Success", "LastUpdated": timestamp(super::now()), "Type": "AWS-HMAC",
        "AccessKeyId": identity.access_key_id, "SecretAccessKey": identity.secret_access_key,
        "Token": identity.session_token, "Expiration": timestamp(super::now() + u64::from(MAX_TTL)),
    })
    .to_string())
}
