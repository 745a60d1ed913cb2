//! What the enclave calls over HTTPS: the KMS and the carriers, behind one address.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, JsonRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use crate::carriers::{self, Carriers};
use crate::kms::{aws, dev};

/// The KMSs' and the carriers' paths.
pub fn router(dev: Arc<dev::Kms>, aws: Arc<aws::Kms>, carriers: Arc<Carriers>) -> Router {
    let dev = Router::new()
        .route("/kms/generate-data-key", post(dev::generate))
        .route("/kms/decrypt", post(dev::decrypt))
        .with_state(dev);
    let aws = Router::new().route("/", post(aws::call)).with_state(aws);
    dev.merge(aws).merge(carriers::router(carriers))
}

/// Why a peer did not do what it was asked, as `{"error": …}`.
#[derive(Debug)]
pub struct Refused {
    status: StatusCode,
    reason: String,
}

impl Refused {
    /// 400, for a request that has the right form.
    pub(crate) fn because(reason: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reason: reason.into() }
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self { status: rejection.status(), reason: rejection.body_text() }
    }
}

impl From<FormRejection> for Refused {
    fn from(rejection: FormRejection) -> Self {
        Self { status: rejection.status(), reason: rejection.body_text() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.reason }))).into_response()
    }
}
