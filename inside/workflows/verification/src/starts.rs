//! Starting a verification, and sending its code again.

use alloc::vec;

use adyton_decider::{Context, Seconds};
use adyton_seal::{Code, SlotKey};
use adyton_services::{EffectiveService, ServiceId, TooLong, brings_a_hash, render};
use adyton_tenancy::{AccountId, Scope};

use crate::ceilings::{CeilingUsage, of_message};
use crate::hot::{Verification, slot};
use crate::live::{Live, cancel_deliveries};
use crate::{
    Attempt, CODE_LIFE, CountRepeat, Draft, Effect, Event, Limits, MAX_CHECKS, MAX_REPEATS, MAX_SENDS, ReadHandles,
    Refusal, Rules, Start, State, Status, Subjects, VerificationId, VerificationView,
};

pub(crate) fn start(
    state: &State,
    handles: &ReadHandles<'_>,
    start: Start,
    context: &mut Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<VerificationView, Refusal> {
    let account = handles.tenancy.authenticate(&start.caller, Scope::Verify)?;
    let service = handles.services.owned_by(account, start.service).ok_or(Refusal::NotFound(None))?;
    open(&service, &start, context.rules)?;
    let place = (start.service, start.subjects.in_service);
    let live = state.hot.by_subject.get(&place);
    let live = live.and_then(|sid| Some((*sid, state.live_verification(start.service, *sid, context.now)?)));
    let again = live.filter(|(_, live)| start.custom_code.is_none() && live.custom_code.is_none());
    let code_of_live = again.and_then(|(sid, live)| Some((sid, live, derived(state, sid, live)?)));
    if let Some((_, live, _)) = &code_of_live {
        let retry_after = live.expires_at() - context.now;
        if live.checks >= MAX_CHECKS {
            return Err(Refusal::TooManyChecks { retry_after });
        }
        if live.attempts.len() >= MAX_SENDS {
            return Err(Refusal::TooManySends { retry_after });
        }
    }
    let limits = &context.rules.limits;
    ceilings(state, account, &start.subjects, start.cost, limits, context.now)?;
    match code_of_live {
        Some((sid, live, code)) => resend(state, &service, (sid, live), &code, start, context, draft),
        None if state.live() >= limits.live_verifications => Err(Refusal::Full),
        None => begin(state, (account, &service), start, context, draft),
    }
}

/// Checks what policy and service allow.
fn open(service: &EffectiveService<'_>, start: &Start, rules: &Rules) -> Result<(), Refusal> {
    if !rules.channels.contains(&start.channel) {
        return Err(Refusal::ChannelClosed);
    }
    if let Some(country) = start.destination.country()
        && !rules.calling_codes.contains(&country.calling_code)
    {
        return Err(Refusal::CountryClosed);
    }
    // Nobody verifies that they own one, and its owner is paid for each message.
    if start.destination.is_premium_rate() {
        return Err(Refusal::CountryClosed);
    }
    let settings = service.settings();
    // Phones hand the code to the app that the hash names.
    if start.look.app_hash.as_ref().is_some_and(|hash| !settings.app_hashes.contains(hash)) {
        return Err(Refusal::AppHash);
    }
    if start.look.name.as_ref().is_some_and(|name| brings_a_hash(name.text(), &settings.friendly_name)) {
        return Err(Refusal::LongWord);
    }
    match &start.custom_code {
        Some(_) if !service.takes_custom_codes() => Err(Refusal::CustomCode),
        Some(code) if code.expose().len() < usize::from(service.min_code_length()) => {
            Err(Refusal::CodeLength { shortest: service.min_code_length() })
        }
        _ => Ok(()),
    }
}

/// The ceilings of sending.
fn ceilings(
    state: &State,
    account: AccountId,
    subjects: &Subjects,
    cost: u64,
    limits: &Limits,
    now: Seconds,
) -> Result<(), Refusal> {
    for CeilingUsage { ceiling, key, amount, limit } in of_message(account, subjects, cost, limits) {
        let fits = state.hot.sends.fits(&key, amount, limit, now);
        fits.map_err(|retry_after| Refusal::SendLimit { ceiling, retry_after })?;
    }
    Ok(())
}

/// One more hand-over of the newest attempt of a live verification, which may have left already: it
/// counts as a message.
pub(crate) fn count_repeat(
    state: &State,
    handles: &ReadHandles<'_>,
    repeat: &CountRepeat,
    context: &Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<(), Refusal> {
    let CountRepeat { verification, attempt, subjects, cost } = *repeat;
    let live = handles.existing(state, verification);
    let live = live.filter(|(_, live)| live.expires_at() > context.now);
    let (account, live) = live.ok_or(Refusal::NotFound(None))?;
    let newest = live.attempts.last();
    if newest.sid != attempt || newest.outcome.is_some() {
        return Err(Refusal::NotFound(None));
    }
    if newest.repeats >= MAX_REPEATS {
        return Err(Refusal::TooManySends { retry_after: live.expires_at() - context.now });
    }
    ceilings(state, account, &subjects, cost, &context.rules.limits, context.now)?;
    draft.log(Event::SendRepeated { verification, attempt, sent: Some((subjects, cost)) });
    Ok(())
}

fn begin(
    state: &State,
    (account, effective): (AccountId, &EffectiveService<'_>),
    start: Start,
    context: &mut Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<VerificationView, Refusal> {
    let Start { caller: _, service, destination, subjects, channel, custom_code, look, cost } = start;
    let (verification, attempt) = (context.fresh.id(), context.fresh.id());
    let code_length = effective.code_length();
    // The verification that has the place of the destination, approved or not. A code that the
    // caller supplied never joins a verification, and none joins one with such a code: the old one
    // ends.
    let older = state.hot.by_subject.get(&(service, subjects.in_service)).copied();
    let held = older.and_then(|sid| state.hot.verifications.get(&sid)).filter(|held| held.expires_at() > context.now);
    let replaced = held.filter(|held| custom_code.is_some() || held.is_supplied).and(older);
    if let Some(verification) = replaced {
        draft.log(Event::VerificationCanceled { verification });
    }
    let avoid = held.and_then(|held| held.route_to_avoid());
    let slot = slot(context.now);
    // A slot's key is erased with its last live code, which may be the replaced one.
    let last = replaced.and_then(|sid| state.hot.verifications.get(&sid)).is_some_and(|old| old.slot() == slot)
        && state.hot.slots.get(&slot).is_some_and(|slot| slot.live == 1);
    let slot_held = state.hot.slots.get(&slot).and_then(|slot| slot.key.as_ref()).filter(|_| !last);
    let code_under = |key: &SlotKey| match &custom_code {
        Some(custom) => custom.duplicate(),
        None => derive(key, verification, service, code_length),
    };
    let (code, slot_key) = match slot_held {
        Some(key) => (code_under(key), None),
        None => {
            let key = SlotKey::new(context.fresh.secret());
            (code_under(&key), Some(key))
        }
    };
    let message = render(channel, effective.settings(), &look, &code).map_err(too_long)?;
    draft.log(Event::VerificationStarted {
        verification,
        account,
        service,
        channel,
        subject: subjects.in_service,
        attempt,
        code_length,
        sent: Some((subjects, cost)),
        destination: Some(destination.duplicate()),
        custom_code,
        slot_key,
    });
    // Also of one that has ended, but stays until a sweep removes it.
    cancel_deliveries(state, older.into_iter(), false, draft);
    let to = destination.duplicate();
    let until = context.now.saturating_add(CODE_LIFE);
    let counts = (subjects, cost);
    draft.effect(Effect::Send {
        verification,
        attempt,
        to: destination,
        channel,
        message,
        until,
        counts,
        older,
        avoid,
    });
    Ok(VerificationView {
        verification,
        service,
        account,
        to,
        channel,
        status: Status::Pending,
        created: context.now,
        updated: context.now,
        attempts: vec![Attempt::new(attempt, context.now)],
    })
}

fn resend(
    state: &State,
    effective: &EffectiveService<'_>,
    (sid, verification): (VerificationId, &Verification),
    code: &Code,
    start: Start,
    context: &mut Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<VerificationView, Refusal> {
    let Start { destination, subjects, channel, look, cost, .. } = start;
    let attempt = context.fresh.id();
    let live = Live { account: effective.account(), sid, verification, destination: &destination };
    let mut view = live.view(Status::Pending, context.now);
    view.attempts.push(Attempt::new(attempt, context.now));
    let message = render(channel, effective.settings(), &look, code).map_err(too_long)?;
    draft.log(Event::VerificationResent { verification: sid, attempt, sent: Some((subjects, cost)) });
    // One message of a verification is under way at a time.
    cancel_deliveries(state, core::iter::once(sid), false, draft);
    draft.effect(Effect::Send {
        verification: sid,
        attempt,
        to: destination,
        channel,
        message,
        until: verification.expires_at(),
        counts: (subjects, cost),
        older: Some(sid),
        avoid: verification.route_to_avoid(),
    });
    Ok(view)
}

fn too_long(TooLong { excess }: TooLong) -> Refusal {
    Refusal::MessageTooLong { excess }
}

/// The derived code of a live verification, recomputed.
pub(crate) fn derived(state: &State, sid: VerificationId, live: &Verification) -> Option<Code> {
    let key = state.hot.slots.get(&live.slot())?.key.as_ref()?;
    Some(derive(key, sid, live.service, live.code_length))
}

fn derive(key: &SlotKey, verification: VerificationId, service: ServiceId, length: u8) -> Code {
    key.code(&verification.text(), &service.text(), length)
}
