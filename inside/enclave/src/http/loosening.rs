//! Weaker services (DESIGN §3): asked for by the tenant's signature and an admin, after a wait; taken back by any admin.

use std::sync::Arc;

use adyton_api::LoosenService;
use adyton_ledger::Request;
use adyton_vault::{AccountId, Loosen, ServiceId, WithdrawLoosening};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Api;
use super::answer::ApiError;
use super::json::{MemberError, parse as parse_json};
use super::path::Named;
use super::services::{answer, service_sid};

const SERVICE_SID: MemberError = MemberError::field("service_sid", "VA and 32 hexadecimal digits");
const CODE_LENGTH: MemberError = MemberError::field("code_length", "a number from the policy's floor to 10");

/// A [`LoosenService`] whose fields have their form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LooseningRequest {
    /// The service.
    pub service: ServiceId,
    /// Code length from then on.
    pub code_length: Option<u8>,
    /// Whether callers may supply codes from then on.
    pub custom_code: bool,
}

impl LooseningRequest {
    /// Parses a body; the error names the field, or `body` if the whole is not the expected JSON.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn parse(body: &[u8]) -> Result<Self, MemberError> {
        let LoosenService { service_sid, code_length, custom_code_enabled } = parse_json(body)?;
        let service = ServiceId::parse(&service_sid).map_err(|_| SERVICE_SID)?;
        // 0 stands for "it stays" in the log.
        if code_length == Some(0) {
            return Err(CODE_LENGTH);
        }
        Ok(Self { service, code_length, custom_code: custom_code_enabled })
    }
}

/// The tenant's request `service-loosen`, whose signature was verified; an admin key of the same account sends it.
pub(super) async fn schedule(
    api: &Api,
    account: AccountId,
    request: &Request,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let caller = api.caller(headers)?;
    let body = LooseningRequest::parse(request.body.as_bytes())?;
    let LooseningRequest { service, code_length, custom_code } = body;
    let loosen = Loosen { caller, account, sequence: request.sequence, service, code_length, custom_code };
    let resource = format!("/Services/{}", service.text());
    answer(StatusCode::OK, api.ask(loosen).await, &resource, headers)
}

pub(crate) async fn withdraw(
    State(api): State<Arc<Api>>,
    Named(service): Named<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let (service, resource) = service_sid(&service, "")?;
    let reply = api.ask(WithdrawLoosening { caller, service }).await;
    answer(StatusCode::OK, reply, &resource, &headers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;
    use crate::http::JsonBody;

    #[test]
    fn a_loosening_has_one_form() {
        const SERVICE: &str = "VA00000000000000000000000000000001";
        let parse = |rest: &str| LooseningRequest::parse(format!(r#"{{"service_sid":"{SERVICE}"{rest}}}"#).as_bytes());
        assert_eq!(parse(r#","code_length":6"#).unwrap().code_length, Some(6));
        assert!(parse(r#","custom_code_enabled":true"#).unwrap().custom_code);
        assert_eq!(parse(r#","code_length":0"#), Err(CODE_LENGTH));
        for rest in [r#","code_length":256"#, r#","code_length":"6""#] {
            assert_eq!(parse(rest), Err(MemberError::field("body", LoosenService::FORM)), "{rest}");
        }
        assert_eq!(parse(r#","friendly_name":"x""#), Err(MemberError::Unknown("friendly_name".into())));
        let other = LooseningRequest::parse(br#"{"service_sid":"VE00000000000000000000000000000001","code_length":6}"#);
        assert_eq!(other, Err(SERVICE_SID));
        assert_eq!(
            LooseningRequest::parse(format!(r#"["{SERVICE}",6,true]"#).as_bytes()),
            Err(MemberError::field("body", LoosenService::FORM))
        );
    }
}
