//! Checking a code, and what else is asked of a verification.

use alloc::vec::Vec;

use adyton_decider::{Context, Seconds};
use adyton_seal::Code;
use adyton_services::ServiceId;
use adyton_tenancy::Scope;

use crate::ceilings::{CeilingUsage, of_lookup};
use crate::live::{Live, cancel_deliveries, live, own_service};
use crate::starts::derived;
use crate::{
    Approve, Cancel, Check, CheckOutcome, Draft, Event, LookUp, MAX_CHECKS, ReadHandles, Refusal, Rules, State, Status,
    Subject, SupportView, Target, VerificationId, VerificationView,
};

pub(crate) fn check(
    state: &State,
    handles: &ReadHandles<'_>,
    Check { caller, service, target, code }: &Check,
    context: &Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<VerificationView, Refusal> {
    let account = own_service(handles, caller, *service)?.account();
    // From here on one event, whatever the outcome.
    let found = live(state, (account, *service), *target, context.now);
    let (verification, subject) = match &found {
        Ok(live) => (live.sid, live.verification.subject),
        Err(_) => named(*target),
    };
    let compared = found.and_then(|live| {
        let (outcome, full_again) = compare(state, &live, code, context)?;
        Ok((live, outcome, full_again))
    });
    let (outcome, full_again) = match &compared {
        Ok((_, outcome, full_again)) => (*outcome, *full_again),
        Err(Refusal::TooManyChecks { .. }) => (CheckOutcome::TooMany, 0),
        Err(Refusal::ChecksClosed { .. } | Refusal::Full) => (CheckOutcome::Closed, 0),
        Err(_) => (CheckOutcome::Unknown, 0),
    };
    draft.log(Event::Checked { verification, service: *service, subject, full_again, outcome });
    // No delivery is canceled: a message is sent whatever was checked and however often.
    let (live, ..) = compared?;
    let status = if outcome.is_right() { Status::Approved } else { Status::Pending };
    Ok(live.view(status, context.now))
}

/// The verification of a service that a target names, approved ones included.
fn find_including_approved(state: &State, service: ServiceId, target: Target) -> Option<VerificationId> {
    let of_subject = |subject| state.hot.by_subject.get(&(service, subject)).copied();
    let sid = match target {
        Target::Sid(sid) => Some(sid),
        Target::Subject(subject) => of_subject(subject),
        Target::Both(sid, subject) => of_subject(subject).filter(|found| *found == sid),
    };
    sid.filter(|sid| state.hot.verifications.get(sid).is_some_and(|found| found.service == service))
}

/// The target's id, where it names no live verification.
fn named(target: Target) -> (VerificationId, Subject) {
    match target {
        Target::Sid(sid) => (sid, Subject::MIN),
        Target::Subject(subject) => (VerificationId::MIN, subject),
        Target::Both(sid, subject) => (sid, subject),
    }
}

/// Compares a code, and what the destination's budget becomes if it is wrong.
fn compare(
    state: &State,
    Live { account, sid, verification: found, .. }: &Live<'_>,
    code: &Code,
    context: &Context<'_, Rules>,
) -> Result<(CheckOutcome, Seconds), Refusal> {
    if found.checks >= MAX_CHECKS {
        return Err(Refusal::TooManyChecks { retry_after: found.expires_at() - context.now });
    }
    let place = (found.service, found.subject);
    let full_again = state.budgets.try_one(&place, &context.rules.limits, context.now);
    let full_again = full_again.map_err(|closed| Refusal::ChecksClosed { retry_after: closed.retry_after })?;
    if !state.budgets.has_room(*account, &place) {
        return Err(Refusal::Full);
    }
    let (expected, right) = match &found.custom_code {
        Some(custom) => (custom.duplicate(), CheckOutcome::Supplied),
        // Without its slot's key it is a replayed one, which a boot has voided.
        None => (derived(state, *sid, found).ok_or(Refusal::NotFound(None))?, CheckOutcome::Proven),
    };
    // Constant time, digits and length.
    Ok((if expected.same(code) { right } else { CheckOutcome::Wrong }, full_again))
}

pub(crate) fn cancel(
    state: &State,
    handles: &ReadHandles<'_>,
    cancel: &Cancel,
    now: Seconds,
    draft: &mut Draft,
) -> Result<VerificationView, Refusal> {
    let Cancel { caller, service, target } = cancel;
    let account = own_service(handles, caller, *service)?.account();
    // From here on one event, whether a right code has approved it, or it is there at all.
    let verification = find_including_approved(state, *service, *target).unwrap_or(VerificationId::MIN);
    draft.log(Event::VerificationCanceled { verification });
    cancel_deliveries(state, core::iter::once(verification), false, draft);
    Ok(live(state, (account, *service), *target, now)?.view(Status::Canceled, now))
}

/// Only a verification whose code the caller itself supplied, in a service that the policy names.
pub(crate) fn approve(
    state: &State,
    handles: &ReadHandles<'_>,
    approve: &Approve,
    now: Seconds,
    draft: &mut Draft,
) -> Result<VerificationView, Refusal> {
    let service = own_service(handles, &approve.caller, approve.service)?;
    if !service.takes_custom_codes() {
        return Err(Refusal::CustomCode);
    }
    // From here on one event, as for a check.
    let live = live(state, (service.account(), approve.service), approve.target, now);
    let live = live.and_then(|live| match live.verification.is_supplied {
        true => Ok(live),
        false => Err(Refusal::CustomCode),
    });
    // One that a right code has approved already ends by it as well; its caller is refused.
    let ends = find_including_approved(state, approve.service, approve.target)
        .and_then(|sid| Some((sid, state.hot.verifications.get(&sid)?)))
        .filter(|(_, held)| held.is_supplied && held.expires_at() > now);
    let (verification, subject, outcome) = match ends {
        Some((sid, held)) => (sid, held.subject, CheckOutcome::ByApi),
        None => {
            let (verification, subject) = named(approve.target);
            (verification, subject, CheckOutcome::Unknown)
        }
    };
    draft.log(Event::Checked { verification, service: approve.service, subject, full_again: 0, outcome });
    cancel_deliveries(state, ends.map(|(sid, _)| sid).into_iter(), false, draft);
    Ok(live?.view(Status::Approved, now))
}

/// No list, no search, no digits: one verification, whose SID a person reads out.
pub(crate) fn look_up(
    state: &State,
    handles: &ReadHandles<'_>,
    LookUp { caller, verification }: &LookUp,
    now: Seconds,
    draft: &mut Draft,
) -> Result<SupportView, Refusal> {
    let account = handles.tenancy.authenticate(caller, Scope::Support)?;
    let CeilingUsage { ceiling, key, amount, limit } = of_lookup(account);
    let fits = state.hot.sends.fits(&key, amount, limit, now);
    fits.map_err(|retry_after| Refusal::SendLimit { ceiling, retry_after })?;
    // Looking is counted and logged whether or not there was anything to see.
    draft.log(Event::SupportLooked { account, user: caller.user, verification: *verification });
    let live = handles.existing(state, *verification).filter(|(owner, _)| *owner == account);
    Ok(match live.filter(|(_, found)| found.expires_at() > now && !found.approved) {
        Some((_, found)) => SupportView {
            live: true,
            reason: None,
            channel: Some(found.channel),
            calling_code: found.destination.as_ref().and_then(|to| Some(to.country()?.calling_code)),
            outcomes: found.attempts.iter().map(|attempt| attempt.outcome).collect(),
        },
        None => SupportView {
            live: false,
            reason: state.reason_of_account(account, &handles.services, *verification, now),
            channel: None,
            calling_code: None,
            outcomes: Vec::new(),
        },
    })
}
