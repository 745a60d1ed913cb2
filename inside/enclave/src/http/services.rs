//! Services of Twilio Verify v2: create, fetch, update, delete. `service_list` lists them.

use std::sync::Arc;

use adyton_api::{Passkeys, PendingLoosening, Push, Service, Totp, Whatsapp, timestamp};
use adyton_vault::{
    AppHash, CreateService, DeleteService, FetchService, Loosening, Requirements, ServiceId, ServiceName,
    ServiceSettings, ServiceUpdate, ServiceView, UpdateService, WebOtpDomain, services,
};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Api;
use super::answer::{ApiError, code_lengths, json};
use super::host::base;
use super::parameters::{self, Given, Parameters, Unfit};
use super::path::Named;
use crate::ask::AskError;

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    given: Given,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let form = given.parameters(&parameters::CREATE_SERVICE)?;
    let update = settings(&form, api.effective.now().rules.services.min_code_length)?;
    let settings = ServiceSettings {
        friendly_name: update.friendly_name.ok_or_else(|| form.missing("FriendlyName"))?,
        code_length: update.code_length.unwrap_or(6),
        custom_code: update.custom_code.unwrap_or(false),
        do_not_share: update.do_not_share.unwrap_or(false),
        requirements: Requirements::CODE,
        web_otp_domain: update.web_otp_domain.unwrap_or_default(),
        app_hashes: update.app_hashes.unwrap_or_default(),
    };
    let reply = api.ask(CreateService { caller, settings }).await;
    answer(StatusCode::CREATED, reply, "/Services", &headers)
}

pub(crate) async fn fetch(
    State(api): State<Arc<Api>>,
    Named(service): Named<String>,
    headers: HeaderMap,
    given: Given,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    given.parameters(&parameters::FETCH_SERVICE)?;
    let (service, resource) = service_sid(&service, "")?;
    answer(StatusCode::OK, api.read(&FetchService { caller, service }).await, &resource, &headers)
}

pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    Named(service): Named<String>,
    headers: HeaderMap,
    given: Given,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let (service, resource) = service_sid(&service, "")?;
    let shortest = api.effective.now().rules.services.min_code_length;
    let update = settings(&given.parameters(&parameters::UPDATE_SERVICE)?, shortest)?;
    let reply = api.ask(UpdateService { caller, service, update }).await;
    answer(StatusCode::OK, reply, &resource, &headers)
}

pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    Named(service): Named<String>,
    headers: HeaderMap,
    given: Given,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    given.parameters(&parameters::DELETE_SERVICE)?;
    let (service, resource) = service_sid(&service, "")?;
    let reply = api.ask(DeleteService { caller, service }).await;
    reply.map_err(|failure| ApiError::failure(failure, &resource))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What a form says of a service, under a policy with this floor of code lengths.
fn settings(form: &Parameters<'_>, shortest: u8) -> Result<ServiceUpdate, ApiError> {
    let switch = |text: &str| match text {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Unfit::Form),
    };
    let domain = |text: &str| match text {
        "" => Ok(String::new()),
        text => WebOtpDomain::parse(text).map(|domain| domain.text().to_owned()).ok_or(Unfit::Form),
    };
    Ok(ServiceUpdate {
        friendly_name: form.read("FriendlyName", |text| Ok(service_name(text)?.text().to_owned()))?,
        code_length: form
            .read("CodeLength", |text| decimal(text).ok_or_else(|| Unfit::Rule(code_lengths(shortest))))?,
        custom_code: form.read("CustomCodeEnabled", switch)?,
        do_not_share: form.read("DoNotShareWarningEnabled", switch)?,
        requirements: None,
        web_otp_domain: form.read("WebOtpDomain", domain)?,
        app_hashes: form.read("AppHashes", |text| AppHash::parse_list(text).map_err(Unfit::rule))?,
    })
}

/// A number in its one form: `parse` alone would take `+6` and `006` as well.
pub(crate) fn decimal<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    text.parse().ok().filter(|number: &T| number.to_string() == text)
}

/// A name for messages, or the rule that it breaks.
pub(crate) fn service_name(text: &str) -> Result<ServiceName, Unfit> {
    ServiceName::parse(text).map_err(Unfit::rule)
}

/// The service in a path, and the path for a message.
pub(crate) fn service_sid(text: &str, rest: &str) -> Result<(ServiceId, String), ApiError> {
    let not_found = AskError::Refused(services::Refusal::NotFound);
    let resource = format!("/Services/{text}{rest}");
    match ServiceId::parse(text) {
        Ok(sid) => Ok((sid, resource)),
        Err(_) => {
            // Only a well-formed path is repeated.
            let known =
                resource.len() <= 128 && resource.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/');
            Err(ApiError::failure(not_found, if known { &resource } else { "" }))
        }
    }
}

pub(super) fn answer(
    status: StatusCode,
    reply: Result<ServiceView, AskError<services::Refusal>>,
    resource: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let view = reply.map_err(|failure| ApiError::failure(failure, resource))?;
    Ok(json(status, &service(view, headers)))
}

/// A loosening that waits.
pub(super) fn pending(loosening: &Loosening) -> PendingLoosening {
    PendingLoosening {
        code_length: loosening.code_length,
        custom_code_enabled: loosening.custom_code,
        effective: timestamp(loosening.at),
    }
}

pub(super) fn service(view: ServiceView, headers: &HeaderMap) -> Service {
    let ServiceView { service, account, settings, loosening, created, updated } = view;
    let sid = service.text();
    let url = format!("{}/v2/Services/{sid}", base(headers));
    let links = [("verifications", "Verifications"), ("verification_checks", "VerificationCheck")];
    Service {
        account_sid: account.text(),
        code_length: settings.code_length,
        lookup_enabled: false,
        psd2_enabled: false,
        skip_sms_to_landlines: false,
        dtmf_input_required: false,
        tts_name: None,
        do_not_share_warning_enabled: settings.do_not_share,
        custom_code_enabled: settings.custom_code,
        push: Push::default(),
        totp: Totp { issuer: settings.friendly_name.clone(), time_step: 30, code_length: 6, skew: 1 },
        default_template_sid: None,
        whatsapp: Whatsapp::default(),
        passkeys: Passkeys::default(),
        verify_event_subscription_enabled: false,
        web_otp_domain: Some(settings.web_otp_domain).filter(|domain| !domain.is_empty()),
        app_hashes: settings.app_hashes.iter().map(|hash| hash.text().to_owned()).collect(),
        pending_loosening: loosening.as_ref().map(pending),
        friendly_name: settings.friendly_name,
        date_created: timestamp(created),
        date_updated: timestamp(updated),
        links: links.iter().map(|(name, path)| ((*name).into(), format!("{url}/{path}"))).collect(),
        url,
        sid,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

    use super::*;

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(decimal::<u8>("6"), Some(6));
        for text in ["+6", "06", " 6", "6.0", "", "256", "-1"] {
            assert_eq!(decimal::<u8>(text), None, "{text}");
        }
    }
}
