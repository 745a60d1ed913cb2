//! Verifications and their checks, as Twilio Verify v2 has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use adyton_api::{SendCodeAttempt, Verification, VerificationCheck, timestamp};
use adyton_seal::Code;
use adyton_vault::{
    AppHash, Approve, Attempt, Caller, Cancel, Channel, Check, Destination, FetchVerification, Locale, MessageOptions,
    ServiceId, Start, Status, Subject, Subjects, Target, VerificationId, VerificationView, verification::Refusal,
};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Api;
use super::answer::{ApiError, json, outcome_text};
use super::host::base;
use super::parameters::{self, Given, Parameters, Unfit};
use super::path::Named;
use super::services::{service_name, service_sid};
use crate::ask::AskError;
use crate::hashes;

/// Digits of a code that a caller supplies or a person types.
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 4..=10;

pub(crate) async fn start(
    State(api): State<Arc<Api>>,
    Named(service): Named<String>,
    headers: HeaderMap,
    given: Given,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let form = given.parameters(&parameters::START)?;
    let (service, resource) = service_sid(&service, "/Verifications")?;
    let channel = form.need("Channel", channel)?;
    let destination = form.need("To", |to| destination(channel, to))?;
    let look = look(&form, channel)?;
    let custom_code = form.read("CustomCode", code)?;
    let subjects = subjects(&api, &caller, service, channel, &destination)?;
    let cost = api.effective.now().table.cost(channel, destination.expose());
    let start = Start { caller, service, destination, subjects, channel, custom_code, look, cost };
    let reply = api.ask(start).await;
    answer(StatusCode::CREATED, reply, &resource, &headers)
}

pub(crate) async fn fetch(
    State(api): State<Arc<Api>>,
    Named((service, which)): Named<(String, String)>,
    headers: HeaderMap,
    given: Given,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    given.parameters(&parameters::FETCH_VERIFICATION)?;
    let (service, _) = service_sid(&service, "")?;
    let (target, resource) = target(&api, &caller, service, &which)?;
    let reply = api.read(&FetchVerification { caller, service, target }).await;
    answer(StatusCode::OK, reply, &resource, &headers)
}

pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    Named((service, which)): Named<(String, String)>,
    headers: HeaderMap,
    given: Given,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let form = given.parameters(&parameters::UPDATE_VERIFICATION)?;
    let (service, _) = service_sid(&service, "")?;
    let (target, resource) = target(&api, &caller, service, &which)?;
    let canceled = form.need("Status", |text| match text {
        "canceled" => Ok(true),
        "approved" => Ok(false),
        _ => Err(Unfit::Form),
    })?;
    let reply = if canceled {
        api.ask(Cancel { caller, service, target }).await
    } else {
        api.ask(Approve { caller, service, target }).await
    };
    answer(StatusCode::OK, reply, &resource, &headers)
}

pub(crate) async fn check(
    State(api): State<Arc<Api>>,
    Named(service): Named<String>,
    headers: HeaderMap,
    given: Given,
) -> Result<Response, ApiError> {
    let caller = api.caller(&headers)?;
    let form = given.parameters(&parameters::CHECK)?;
    let (service, resource) = service_sid(&service, "/VerificationCheck")?;
    // A code of another length than the verification's is a wrong code.
    let code = form.need("Code", code)?;
    let sid = form.read("VerificationSid", |text| VerificationId::parse(text).map_err(|_| Unfit::Form))?;
    let address = form.read("To", |to| subject(&api, &caller, service, to))?;
    let target = match (sid, address) {
        // A client that sends the SID that a browser brought, with the address that it knows, relies on both.
        (Some(sid), Some(address)) => Target::Both(sid, address),
        (Some(sid), None) => Target::Sid(sid),
        (None, Some(address)) => Target::Subject(address),
        (None, None) => return Err(ApiError::neither_to_nor_sid()),
    };
    let reply = api.ask(Check { caller, service, target, code }).await;
    let view = reply.map_err(|failure| ApiError::failure(failure, &resource))?;
    // Observed of the real API: 200, not 201.
    Ok(json(StatusCode::OK, &verification_check(&view)))
}

fn channel(text: &str) -> Result<Channel, Unfit> {
    match text {
        // Known to Twilio, so a caller deserves a better answer than "invalid".
        "call" | "whatsapp" | "sna" | "auto" | "rbm" | "rcs" => {
            Err(Unfit::Refused(ApiError::not_offered("Channel", "expected sms or email")))
        }
        text => Channel::parse(text).ok_or(Unfit::Form),
    }
}

fn code(text: &str) -> Result<Code, Unfit> {
    Code::parse(text).filter(|_| CODE_DIGITS.contains(&text.len())).ok_or(Unfit::Form)
}

/// An address, or the rule that it breaks and the form that is accepted, as far as a rule knows it. Neither quotes it.
fn destination(channel: Channel, to: &str) -> Result<Destination, Unfit> {
    Destination::parse(channel, to).map_err(|error| {
        let instead = Destination::written_instead(to).filter(|_| channel == Channel::Sms);
        instead.map_or_else(|| Unfit::rule(error), Unfit::rule)
    })
}

/// What the message is to look like.
fn look(form: &Parameters<'_>, channel: Channel) -> Result<MessageOptions, ApiError> {
    // The empty text asks for nothing.
    let name = form.read("CustomFriendlyName", |text| match text {
        "" => Ok(None),
        text => service_name(text).map(Some),
    })?;
    let locale = form.read("Locale", |tag| match tag {
        "" => Ok(Locale::default()),
        tag => Locale::parse(tag).ok_or(Unfit::Form),
    })?;
    let app_hash = form.read("AppHash", |text| match text {
        "" => Ok(None),
        _ if channel != Channel::Sms => {
            Err(Unfit::rule("it belongs to text messages; expected none with this Channel"))
        }
        text => AppHash::parse(text).map(Some).ok_or(Unfit::Form),
    })?;
    Ok(MessageOptions { name: name.flatten(), locale: locale.unwrap_or_default(), app_hash: app_hash.flatten() })
}

/// A verification in a path: its SID, or the address that it went to.
fn target(api: &Api, caller: &Caller, service: ServiceId, which: &str) -> Result<(Target, String), ApiError> {
    let path = format!("/Services/{}/Verifications", service.text());
    match VerificationId::parse(which) {
        Ok(sid) => Ok((Target::Sid(sid), format!("{path}/{}", sid.text()))),
        // The address is not repeated in a message.
        Err(_) => match subject(api, caller, service, which) {
            Ok(address) => Ok((Target::Subject(address), path)),
            Err(Unfit::Form) => Err(ApiError::because("To", "expected an address, or the SID of a verification")),
            Err(Unfit::Rule(rule)) => Err(ApiError::because("To", &rule)),
            Err(Unfit::Refused(error)) => Err(error),
        },
    }
}

/// The keyed hashes of an address, under the salt of the tenant that the caller says it is of.
fn subjects(
    api: &Api,
    caller: &Caller,
    service: ServiceId,
    channel: Channel,
    destination: &Destination,
) -> Result<Subjects, ApiError> {
    hashes::subjects(&api.keys, api.salt(caller), caller.account, service, channel, destination)
        .map_err(|_| ApiError::unavailable())
}

fn subject(api: &Api, caller: &Caller, service: ServiceId, to: &str) -> Result<Subject, Unfit> {
    let channel = if to.contains('@') { Channel::Email } else { Channel::Sms };
    let destination = destination(channel, to)?;
    Ok(subjects(api, caller, service, channel, &destination).map_err(Unfit::Refused)?.in_service)
}

fn answer(
    status: StatusCode,
    reply: Result<VerificationView, AskError<Refusal>>,
    resource: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let view = reply.map_err(|failure| ApiError::failure(failure, resource))?;
    Ok(json(status, &verification(&view, headers)))
}

fn status(status: Status) -> (&'static str, bool) {
    match status {
        Status::Pending => ("pending", false),
        Status::Approved => ("approved", true),
        Status::Canceled => ("canceled", false),
    }
}

fn verification(view: &VerificationView, headers: &HeaderMap) -> Verification {
    let sid = view.verification.text();
    let service_sid = view.service.text();
    let (status, valid) = status(view.status);
    let attempt = |attempt: &Attempt| SendCodeAttempt {
        time: timestamp(attempt.at),
        channel: view.channel.text().to_uppercase(),
        attempt_sid: attempt.sid.text(),
        outcome: outcome_text(attempt.outcome).into(),
    };
    Verification {
        url: format!("{}/v2/Services/{service_sid}/Verifications/{sid}", base(headers)),
        sid,
        service_sid,
        account_sid: view.account.text(),
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
        sid: view.verification.text(),
        service_sid: view.service.text(),
        account_sid: view.account.text(),
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
