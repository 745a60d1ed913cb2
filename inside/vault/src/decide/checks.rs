//! Checking a code, and what else is asked of a verification.

use alloc::vec;
use alloc::vec::Vec;

use adyton_seal::Code;

use super::starts::derived;
use super::{event, live, stop, view};
use crate::ceilings::{Use, of_look};
use crate::event::EventKind;
use crate::hot::Verification;
use crate::{
    Caller, Context, Decision, Destination, Effect, MAX_CHECKS, Refusal, Reply, Scope, Sid, State, Status, SupportView,
    Target,
};

pub(super) fn check(
    state: &State,
    caller: &Caller,
    service: Sid,
    target: &Target,
    code: &Code,
    context: &Context<'_>,
) -> Result<Decision, Refusal> {
    let (sid, found, destination) = own(state, caller, service, target, context)?;
    if found.failed_checks >= MAX_CHECKS {
        return Err(Refusal::TooManyChecks { retry_after: found.ends() - context.now });
    }
    let place = (service, found.subject);
    let limits = &context.rules.limits;
    let full_again = state.budgets.try_one(&place, limits, context.now);
    let full_again = full_again.map_err(|closed| Refusal::ChecksClosed { retry_after: closed.retry_after })?;
    if !state.budgets.has_room(found.account, &place) {
        return Err(Refusal::Full);
    }
    let expected = match &found.custom_code {
        Some(custom) => custom.duplicate(),
        // Without its slot's key it is a replayed one, which a boot has voided.
        None => derived(state, sid, found).ok_or(Refusal::NotFound(None))?,
    };
    // Constant time, digits and length.
    let (status, kind) = if expected.same(code) {
        // Only a code that the vault made proves that the person got it; a caller's own would let the caller reset the
        // count of wrong ones.
        let proven = found.custom_code.is_none();
        (
            Status::Approved,
            EventKind::VerificationApproved { verification: sid, service, subject: found.subject, proven },
        )
    } else {
        let kind = EventKind::CheckFailed { verification: sid, service, subject: found.subject, full_again };
        (Status::Pending, kind)
    };
    let view = view(sid, found, destination.duplicate(), status, context.now);
    // After the last wrong code its life goes on, but the code is of no use.
    let over = status == Status::Approved || found.failed_checks.saturating_add(1) >= MAX_CHECKS;
    let effects = if over { ended(state, sid) } else { Vec::new() };
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Verification(view), effects })
}

/// The effects of a verification's end.
fn ended(state: &State, verification: Sid) -> Vec<Effect> {
    stop(state, core::iter::once(verification), false).into_iter().collect()
}

/// A live verification of a service of the caller's, if its key may verify.
fn own<'a>(
    state: &'a State,
    caller: &Caller,
    service: Sid,
    target: &Target,
    context: &Context<'_>,
) -> Result<(Sid, &'a Verification, &'a Destination), Refusal> {
    let account = state.authenticate(caller, Scope::Verify)?;
    state.service(account, service)?;
    live(state, service, target, context.now)
}

pub(super) fn fetch(
    state: &State,
    caller: &Caller,
    service: Sid,
    target: &Target,
    context: &Context<'_>,
) -> Result<Decision, Refusal> {
    let (sid, found, destination) = own(state, caller, service, target, context)?;
    Ok(Decision::reply(Reply::Verification(view(sid, found, destination.duplicate(), Status::Pending, found.updated))))
}

pub(super) fn cancel(
    state: &State,
    caller: &Caller,
    service: Sid,
    target: &Target,
    context: &Context<'_>,
) -> Result<Decision, Refusal> {
    let (sid, found, destination) = own(state, caller, service, target, context)?;
    let view = view(sid, found, destination.duplicate(), Status::Canceled, context.now);
    let kind = EventKind::VerificationCanceled { verification: sid };
    let effects = ended(state, sid);
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Verification(view), effects })
}

/// Only a verification whose code the caller itself supplied, in a service that the policy names.
pub(super) fn approve(
    state: &State,
    caller: &Caller,
    service_sid: Sid,
    target: &Target,
    context: &Context<'_>,
) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller, Scope::Verify)?;
    let service = state.service(account, service_sid)?;
    if !service.settings.custom_code || !context.rules.custom_code_services.contains(&service_sid) {
        return Err(Refusal::CustomCode);
    }
    let (sid, found, destination) = live(state, service_sid, target, context.now)?;
    if found.custom_code.is_none() {
        return Err(Refusal::CustomCode);
    }
    let view = view(sid, found, destination.duplicate(), Status::Approved, context.now);
    let kind = EventKind::VerificationApproved {
        verification: sid,
        service: service_sid,
        subject: found.subject,
        proven: false,
    };
    let effects = ended(state, sid);
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Verification(view), effects })
}

/// No list, no search, no digits: one verification, whose SID a person reads out.
pub(super) fn support(
    state: &State,
    caller: &Caller,
    verification: Sid,
    context: &Context<'_>,
) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller, Scope::Support)?;
    let Use { ceiling, key, amount, limit } = of_look(account);
    let fits = state.hot.sends.0.fits(&key, amount, limit, context.now);
    fits.map_err(|retry_after| Refusal::SendLimit { ceiling, retry_after })?;
    let live = state.hot.verifications.get(&verification).filter(|found| found.account == account);
    let live = live.filter(|found| found.ends() > context.now);
    let view = match live {
        Some(found) => SupportView {
            live: true,
            reason: None,
            channel: Some(found.channel),
            calling_code: found.destination.as_ref().and_then(|to| Some(to.country()?.calling_code)),
            outcomes: found.attempts.iter().map(|attempt| attempt.outcome).collect(),
        },
        None => SupportView {
            live: false,
            reason: state.reason_of_account(account, verification, context.now),
            channel: None,
            calling_code: None,
            outcomes: Vec::new(),
        },
    };
    // Looking is counted and logged whether or not there was anything to see.
    let kind = EventKind::SupportLooked { account, user: caller.user, verification };
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Support(view), effects: Vec::new() })
}
