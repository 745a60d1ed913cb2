//! Checking a code, and what else is asked of a verification.

use alloc::vec::Vec;

use adyton_decider::{Context, Seconds};
use adyton_tenancy::Scope;

use crate::ceilings::{Use, of_look};
use crate::decide::{Live, live, own, stop};
use crate::starts::derived;
use crate::{
    Approve, Beneath, Cancel, Check, Draft, Event, LookUp, MAX_CHECKS, Refusal, Rules, State, Status, SupportView,
    VerificationView,
};

pub(crate) fn check(
    state: &State,
    beneath: &Beneath<'_>,
    Check { caller, service, target, code }: &Check,
    context: &Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<VerificationView, Refusal> {
    let live = own(state, beneath, caller, *service, *target, context.now)?;
    let Live { sid, verification: found, .. } = live;
    if found.failed_checks >= MAX_CHECKS {
        return Err(Refusal::TooManyChecks { retry_after: found.ends() - context.now });
    }
    let place = (*service, found.subject);
    let full_again = state.budgets.try_one(&place, &context.rules.limits, context.now);
    let full_again = full_again.map_err(|closed| Refusal::ChecksClosed { retry_after: closed.retry_after })?;
    if !state.budgets.has_room(found.account, &place) {
        return Err(Refusal::Full);
    }
    let expected = match &found.custom_code {
        Some(custom) => custom.duplicate(),
        // Without its slot's key it is a replayed one, which a boot has voided.
        None => derived(state, sid, found).ok_or(Refusal::NotFound(None))?,
    };
    let (verification, service, subject) = (sid, *service, found.subject);
    // Constant time, digits and length.
    let status = if expected.same(code) {
        // Only a code that the vault made proves that the person got it; a caller's own would let
        // the caller reset the count of wrong ones.
        let proven = found.custom_code.is_none();
        draft.log(Event::VerificationApproved { verification, service, subject, proven });
        Status::Approved
    } else {
        draft.log(Event::CheckFailed { verification, service, subject, full_again });
        Status::Pending
    };
    // After the last wrong code its life goes on, but the code is of no use.
    if status == Status::Approved || found.failed_checks.saturating_add(1) >= MAX_CHECKS {
        stop(state, core::iter::once(sid), false, draft);
    }
    Ok(live.view(status, context.now))
}

pub(crate) fn cancel(
    state: &State,
    beneath: &Beneath<'_>,
    cancel: &Cancel,
    now: Seconds,
    draft: &mut Draft,
) -> Result<VerificationView, Refusal> {
    let live = own(state, beneath, &cancel.caller, cancel.service, cancel.target, now)?;
    draft.log(Event::VerificationCanceled { verification: live.sid });
    stop(state, core::iter::once(live.sid), false, draft);
    Ok(live.view(Status::Canceled, now))
}

/// Only a verification whose code the caller itself supplied, in a service that the policy names.
pub(crate) fn approve(
    state: &State,
    beneath: &Beneath<'_>,
    approve: &Approve,
    now: Seconds,
    draft: &mut Draft,
) -> Result<VerificationView, Refusal> {
    let account = beneath.tenancy.authenticate(&approve.caller, Scope::Verify)?;
    let service = beneath.services.of(account, approve.service).ok_or(Refusal::NotFound(None))?;
    if !service.takes_custom_codes() {
        return Err(Refusal::CustomCode);
    }
    let live = live(state, approve.service, approve.target, now)?;
    if live.verification.custom_code.is_none() {
        return Err(Refusal::CustomCode);
    }
    draft.log(Event::VerificationApproved {
        verification: live.sid,
        service: approve.service,
        subject: live.verification.subject,
        proven: false,
    });
    stop(state, core::iter::once(live.sid), false, draft);
    Ok(live.view(Status::Approved, now))
}

/// No list, no search, no digits: one verification, whose SID a person reads out.
pub(crate) fn look_up(
    state: &State,
    beneath: &Beneath<'_>,
    LookUp { caller, verification }: &LookUp,
    now: Seconds,
    draft: &mut Draft,
) -> Result<SupportView, Refusal> {
    let account = beneath.tenancy.authenticate(caller, Scope::Support)?;
    let Use { ceiling, key, amount, limit } = of_look(account);
    let fits = state.hot.sends.fits(&key, amount, limit, now);
    fits.map_err(|retry_after| Refusal::SendLimit { ceiling, retry_after })?;
    // Looking is counted and logged whether or not there was anything to see.
    draft.log(Event::SupportLooked { account, user: caller.user, verification: *verification });
    let live = beneath.held(state, *verification).filter(|found| found.account == account);
    Ok(match live.filter(|found| found.ends() > now) {
        Some(found) => SupportView {
            live: true,
            reason: None,
            channel: Some(found.channel),
            calling_code: found.destination.as_ref().and_then(|to| Some(to.country()?.calling_code)),
            outcomes: found.attempts.iter().map(|attempt| attempt.outcome).collect(),
        },
        None => SupportView {
            live: false,
            reason: state.reason_of_account(account, &beneath.services, *verification, now),
            channel: None,
            calling_code: None,
            outcomes: Vec::new(),
        },
    })
}
