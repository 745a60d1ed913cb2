//! `GET /adyton/v1/support/{VE…}`: one verification, whose SID a person reads from their screen. No list, no search, no
//! digits; counted and logged (DESIGN §1: support staff are insiders too).

use std::sync::Arc;

use adyton_api::Support;
use adyton_vault::{LookUp, SupportView, VerificationId};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Api;
use super::answer::{ApiError, json, outcome_text, reason_text};
use super::path::Named;

pub(super) const PATH: &str = "/adyton/v1/support/{verification}";

pub(crate) async fn look(
    State(api): State<Arc<Api>>,
    Named(verification): Named<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let verification =
        VerificationId::parse(&verification).map_err(|error| ApiError::because("sid", &error.to_string()))?;
    let view = api.ask(LookUp { caller, verification }).await.map_err(|failure| ApiError::failure(failure, ""))?;
    Ok(json(StatusCode::OK, &support(verification, view)))
}

fn support(verification: VerificationId, view: SupportView) -> Support {
    Support {
        sid: verification.text(),
        status: if view.live { "pending" } else { "unknown" }.into(),
        reason: view.reason.map(|reason| reason_text(reason).into()),
        channel: view.channel.map(|channel| channel.text().into()),
        country: view.calling_code.map(|code| format!("+{code}")),
        attempts: view.outcomes.iter().map(|outcome| outcome_text(*outcome).into()).collect(),
    }
}
