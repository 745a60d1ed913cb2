//! Twilio Verify v2: the shapes and traps of the official SDKs.

use std::collections::BTreeMap;
use std::sync::Arc;

use adyton_api::{SendCodeAttempt, Service, Verification, VerificationCheck, timestamp};
use adyton_seal::Code;
use adyton_vault::{Channel, Command, Destination, Reply, ServiceView, Sid, SidKind, Status, Target, VerificationView};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::answer::{ApiError, json};
use super::{Api, Form};
use crate::engine::Failure;
use crate::hashes;

pub(crate) async fn create_service(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let form = Form::parse(&body)?;
    let friendly_name = friendly_name(form.need("FriendlyName")?);
    let friendly_name = friendly_name.ok_or_else(|| ApiError::parameter("FriendlyName"))?;
    let code_length = match form.get("CodeLength") {
        None => 6,
        Some(text) => text.parse().map_err(|_| ApiError::parameter("CodeLength"))?,
    };
    let reply = api.engine.submit(Command::CreateService { caller, friendly_name, code_length }).await;
    match reply.map_err(|failure| ApiError::failure(failure, "/Services"))? {
        Reply::Service(view) => Ok(json(StatusCode::CREATED, &service(view, &headers))),
        _ => Err(ApiError::failure(Failure::Unavailable, "")),
    }
}

pub(crate) async fn start(
    State(api): State<Arc<Api>>,
    Path(service): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let form = Form::parse(&body)?;
    let resource = format!("/Services/{service}/Verifications");
    let service = service_sid(&service, &resource)?;
    if form.get("CustomCode").is_some() {
        return Err(ApiError::custom_code());
    }
    let channel = Channel::parse(form.need("Channel")?).ok_or_else(|| ApiError::parameter("Channel"))?;
    let destination = Destination::parse(form.need("To")?).map_err(|_| ApiError::parameter("To"))?;
    let subject = api.subject(&caller.account, &service, channel, &destination)?;
    let reply = api.engine.submit(Command::Start { caller, service, destination, subject, channel }).await;
    match reply.map_err(|failure| ApiError::failure(failure, &resource))? {
        Reply::Verification(view) => Ok(json(StatusCode::CREATED, &verification(&view, &headers))),
        _ => Err(ApiError::failure(Failure::Unavailable, "")),
    }
}

pub(crate) async fn check(
    State(api): State<Arc<Api>>,
    Path(service): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let form = Form::parse(&body)?;
    let resource = format!("/Services/{service}/VerificationCheck");
    let service = service_sid(&service, &resource)?;
    // 4 … 10 digits is what the API knows; a code of another length than the service's is a wrong code.
    let code = form.need("Code")?;
    let code = Code::parse(code).filter(|_| code.len() >= 4).ok_or_else(|| ApiError::parameter("Code"))?;
    let target = match (form.get("VerificationSid"), form.get("To")) {
        (Some(sid), _) => {
            Target::Sid(Sid::parse(SidKind::Verification, sid).map_err(|_| ApiError::parameter("VerificationSid"))?)
        }
        (None, Some(to)) => {
            let destination = Destination::parse(to).map_err(|_| ApiError::parameter("To"))?;
            Target::Subject(api.subject(&caller.account, &service, Channel::Sms, &destination)?)
        }
        (None, None) => return Err(ApiError::neither_to_nor_sid()),
    };
    let reply = api.engine.submit(Command::Check { caller, service, target, code }).await;
    match reply.map_err(|failure| ApiError::failure(failure, &resource))? {
        // Observed of the real API: 200, not 201.
        Reply::Verification(view) => Ok(json(StatusCode::OK, &verification_check(&view))),
        _ => Err(ApiError::failure(Failure::Unavailable, "")),
    }
}

impl Api {
    /// `subject` of `docs/spec/00-conventions.md`: a destination as one tenant's log knows it.
    fn subject(
        &self,
        account: &Sid,
        service: &Sid,
        channel: Channel,
        destination: &Destination,
    ) -> Result<[u8; 16], ApiError> {
        hashes::subject(&self.keys, *account, *service, channel, destination)
            .map_err(|_| ApiError::failure(Failure::Unavailable, ""))
    }
}

/// 1 … 64 characters without controls; it stands in a text message.
pub(crate) fn friendly_name(text: &str) -> Option<String> {
    let fits = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.into())
}

/// What is not a SID names nothing, so it answers as an unknown one.
fn service_sid(text: &str, resource: &str) -> Result<Sid, ApiError> {
    let not_found = Failure::Refused(adyton_vault::Refusal::NotFound);
    Sid::parse(SidKind::Service, text).map_err(|_| {
        // Only a well-formed path is repeated.
        let known = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        ApiError::failure(not_found, if known { resource } else { "" })
    })
}

/// `https://HOST` of the request, as far as it looks like a host; absolute addresses must never lead elsewhere.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    format!("https://{}", if plain { host } else { "" })
}

fn service(view: ServiceView, headers: &HeaderMap) -> Service {
    let sid = view.service.text(SidKind::Service);
    let url = format!("{}/v2/Services/{sid}", base(headers));
    let links = [("verifications", "Verifications"), ("verification_checks", "VerificationCheck")];
    Service {
        account_sid: view.account.text(SidKind::Account),
        friendly_name: view.friendly_name,
        code_length: view.code_length,
        lookup_enabled: false,
        psd2_enabled: false,
        skip_sms_to_landlines: false,
        dtmf_input_required: false,
        tts_name: None,
        do_not_share_warning_enabled: false,
        custom_code_enabled: false,
        date_created: timestamp(view.created),
        date_updated: timestamp(view.created),
        links: links.iter().map(|(name, path)| ((*name).into(), format!("{url}/{path}"))).collect(),
        url,
        sid,
    }
}

fn status(status: Status) -> (&'static str, bool) {
    match status {
        Status::Pending => ("pending", false),
        Status::Approved => ("approved", true),
    }
}

fn verification(view: &VerificationView, headers: &HeaderMap) -> Verification {
    let sid = view.verification.text(SidKind::Verification);
    let service_sid = view.service.text(SidKind::Service);
    let (status, valid) = status(view.status);
    let attempt = |(at, attempt): &(u64, Sid)| SendCodeAttempt {
        time: timestamp(*at),
        channel: view.channel.text().to_uppercase(),
        attempt_sid: attempt.text(SidKind::Attempt),
    };
    Verification {
        url: format!("{}/v2/Services/{service_sid}/Verifications/{sid}", base(headers)),
        sid,
        service_sid,
        account_sid: view.account.text(SidKind::Account),
        to: view.to.expose().into(),
        channel: view.channel.text().into(),
        status: status.into(),
        valid,
        lookup: BTreeMap::new(),
        amount: None,
        payee: None,
        send_code_attempts: view.attempts.iter().map(attempt).collect(),
        sna: None,
        date_created: timestamp(view.created),
        date_updated: timestamp(view.updated),
    }
}

fn verification_check(view: &VerificationView) -> VerificationCheck {
    let (status, valid) = status(view.status);
    VerificationCheck {
        sid: view.verification.text(SidKind::Verification),
        service_sid: view.service.text(SidKind::Service),
        account_sid: view.account.text(SidKind::Account),
        to: view.to.expose().into(),
        channel: view.channel.text().into(),
        status: status.into(),
        valid,
        amount: None,
        payee: None,
        sna_attempts_error_codes: Vec::new(),
        date_created: timestamp(view.created),
        date_updated: timestamp(view.updated),
    }
}
