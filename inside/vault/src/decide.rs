//! `decide`: what a command leads to. Reads the state, changes nothing.
//!
//! The order is always: who asks, what it may touch, what the limits say, and only then secrets. So a refusal tells
//! nothing about things that are not the caller's.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use adyton_seal::{Code, SecretText, SlotKey, same};

use crate::event::EventKind;
use crate::state::{Service, Verification};
use crate::{
    Caller, Channel, Command, Context, Decision, Destination, Effect, Event, MAX_CHECKS, MAX_LIVE, MAX_SENDS, Refusal,
    Reply, SLOT, Seconds, ServiceView, Sid, SidKind, State, Status, Target, TenantView, VerificationView,
};

/// Code lengths a service may have.
const CODE_LENGTHS: core::ops::RangeInclusive<u8> = 6..=10;

/// Decides one command.
///
/// # Errors
/// A [`Refusal`]; then nothing happened and nothing is logged.
pub fn decide(state: &State, command: Command, context: &Context) -> Result<Decision, Refusal> {
    match command {
        Command::CreateTenant { account, token_hash, friendly_name } => {
            create_tenant(state, account, token_hash, friendly_name, context)
        }
        Command::CreateService { caller, friendly_name, code_length } => {
            create_service(state, &caller, friendly_name, code_length, context)
        }
        Command::Start { caller, service, destination, subject, channel } => {
            start(state, &caller, service, destination, subject, channel, context)
        }
        Command::Check { caller, service, target, code } => check(state, &caller, service, &target, &code, context),
        Command::ReportDelivery { verification, attempt, outcome, route } => {
            let kind = EventKind::DeliveryReported { verification, attempt, outcome, route };
            Ok(report_delivery(state, verification, kind, context))
        }
        Command::Tick => Ok(tick(state, context)),
    }
}

fn create_tenant(
    state: &State,
    account: Sid,
    token_hash: [u8; 32],
    friendly_name: String,
    context: &Context,
) -> Result<Decision, Refusal> {
    if let Some(tenant) = state.tenants.get(&account) {
        // A repeat after a lost answer finds its tenant. Constant time: keyed hashes of a secret token.
        if !same(&tenant.token_hash, &token_hash) {
            return Err(Refusal::AccountTaken);
        }
        let view = TenantView { account, friendly_name: tenant.friendly_name.clone(), created: tenant.created };
        return Ok(Decision { events: Vec::new(), reply: Reply::Tenant(view), effects: Vec::new() });
    }
    if !state.tenants.is_empty() {
        return Err(Refusal::TenantsClosed);
    }
    let view = TenantView { account, friendly_name: friendly_name.clone(), created: context.now };
    let created = event(context, EventKind::TenantCreated { account, token_hash, friendly_name });
    Ok(Decision { events: vec![created], reply: Reply::Tenant(view), effects: Vec::new() })
}

fn create_service(
    state: &State,
    caller: &Caller,
    friendly_name: String,
    code_length: u8,
    context: &Context,
) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller)?;
    if !CODE_LENGTHS.contains(&code_length) {
        return Err(Refusal::CodeLength);
    }
    let service = context.fresh.sid();
    let view =
        ServiceView { service, account, friendly_name: friendly_name.clone(), code_length, created: context.now };
    let created = event(context, EventKind::ServiceCreated { account, service, code_length, friendly_name });
    Ok(Decision { events: vec![created], reply: Reply::Service(view), effects: Vec::new() })
}

fn start(
    state: &State,
    caller: &Caller,
    service_sid: Sid,
    destination: Destination,
    subject: [u8; 16],
    channel: Channel,
    context: &Context,
) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller)?;
    let service = state.service(account, service_sid)?;
    let live = state
        .hot
        .by_subject
        .get(&(service_sid, subject))
        .and_then(|sid| Some((*sid, state.live_verification(service_sid, *sid, context.now)?)));
    if let Some((sid, (verification, key, _))) = live {
        return resend(service, sid, verification, key, destination, context);
    }
    if state.live() >= MAX_LIVE {
        return Err(Refusal::Full);
    }

    let verification = context.fresh.sid();
    let attempt = context.fresh.attempt();
    let slot = u32::try_from(context.now / SLOT).unwrap_or(u32::MAX);
    let mut events = Vec::with_capacity(2);
    let code = match state.hot.slots.get(&slot).and_then(|slot| slot.key.as_ref()) {
        Some(key) => derive(key, verification, service_sid, service),
        None => {
            let key = SlotKey::new(context.fresh.slot_key());
            let code = derive(&key, verification, service_sid, service);
            events.push(event(context, EventKind::SlotOpened { slot, key: Some(key) }));
            code
        }
    };
    events.push(event(
        context,
        EventKind::VerificationStarted {
            verification,
            account,
            service: service_sid,
            channel,
            subject,
            attempt,
            destination: Some(destination.duplicate()),
        },
    ));
    let view = VerificationView {
        verification,
        service: service_sid,
        account,
        to: destination.duplicate(),
        channel,
        status: Status::Pending,
        created: context.now,
        updated: context.now,
        attempts: vec![(context.now, attempt)],
    };
    let until = context.now.saturating_add(crate::CODE_LIFE);
    let effects = vec![send(service, verification, attempt, destination, channel, code, until)];
    Ok(Decision { events, reply: Reply::Verification(view), effects })
}

fn resend(
    service: &Service,
    sid: Sid,
    verification: &Verification,
    key: &SlotKey,
    destination: Destination,
    context: &Context,
) -> Result<Decision, Refusal> {
    if verification.failed_checks >= MAX_CHECKS {
        return Err(Refusal::TooManyChecks);
    }
    if verification.attempts.len() >= MAX_SENDS {
        return Err(Refusal::TooManySends);
    }
    let attempt = context.fresh.attempt();
    let code = derive(key, sid, verification.service, service);
    let mut view = view(sid, verification, destination.duplicate(), Status::Pending, context.now);
    view.attempts.push((context.now, attempt));
    let effects = vec![send(service, sid, attempt, destination, verification.channel, code, verification.ends())];
    let events = vec![event(context, EventKind::VerificationResent { verification: sid, attempt })];
    Ok(Decision { events, reply: Reply::Verification(view), effects })
}

fn check(
    state: &State,
    caller: &Caller,
    service_sid: Sid,
    target: &Target,
    code: &Code,
    context: &Context,
) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller)?;
    let service = state.service(account, service_sid)?;
    let sid = match target {
        Target::Sid(sid) => *sid,
        Target::Subject(subject) => *state.hot.by_subject.get(&(service_sid, *subject)).ok_or(Refusal::NotFound)?,
    };
    let (verification, key, destination) =
        state.live_verification(service_sid, sid, context.now).ok_or(Refusal::NotFound)?;
    if verification.failed_checks >= MAX_CHECKS {
        return Err(Refusal::TooManyChecks);
    }
    let (status, kind) = if derive(key, sid, service_sid, service).same(code) {
        (Status::Approved, EventKind::VerificationApproved { verification: sid })
    } else {
        (Status::Pending, EventKind::CheckFailed { verification: sid })
    };
    let view = view(sid, verification, destination.duplicate(), status, context.now);
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Verification(view), effects: Vec::new() })
}

fn report_delivery(state: &State, verification: Sid, kind: EventKind, context: &Context) -> Decision {
    // A verification that is over needs no outcome.
    let live = state.hot.verifications.contains_key(&verification);
    let events = if live { vec![event(context, kind)] } else { Vec::new() };
    Decision { events, reply: Reply::Done, effects: Vec::new() }
}

fn tick(state: &State, context: &Context) -> Decision {
    let due = state.hot.ends.first().is_some_and(|(ends, _)| *ends <= context.now);
    let events = if due { vec![event(context, EventKind::Expired)] } else { Vec::new() };
    Decision { events, reply: Reply::Done, effects: Vec::new() }
}

fn event(context: &Context, kind: EventKind) -> Event {
    Event { at: context.now, kind }
}

fn derive(key: &SlotKey, verification: Sid, service_sid: Sid, service: &Service) -> Code {
    key.code(&verification.text(SidKind::Verification), &service_sid.text(SidKind::Service), service.code_length)
}

fn send(
    service: &Service,
    verification: Sid,
    attempt: Sid,
    to: Destination,
    channel: Channel,
    code: Code,
    until: Seconds,
) -> Effect {
    let body = SecretText::join(&["Your ", &service.friendly_name, " verification code is: ", code.expose()]);
    Effect::Send { verification, attempt, to, channel, body, code, until }
}

fn view(sid: Sid, verification: &Verification, to: Destination, status: Status, updated: Seconds) -> VerificationView {
    VerificationView {
        verification: sid,
        service: verification.service,
        account: verification.account,
        to,
        channel: verification.channel,
        status,
        created: verification.created,
        updated: updated.max(verification.updated),
        attempts: verification.attempts.iter().map(|attempt| (attempt.at, attempt.sid)).collect(),
    }
}

#[cfg(test)]
mod tests;
