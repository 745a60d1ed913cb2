//! Starting a verification, and sending its code again.

use alloc::vec;
use alloc::vec::Vec;

use adyton_seal::{Code, SlotKey};

use super::{event, view};
use crate::ceilings::{Use, of_message};
use crate::event::EventKind;
use crate::hot::Verification;
use crate::message::render;
use crate::state::Service;
use crate::{
    Attempt, CODE_LIFE, Caller, Context, Decision, Effect, MAX_CHECKS, MAX_SENDS, Refusal, Reply, SLOT, Scope, Seconds,
    Sid, SidKind, Start, State, Status, VerificationView,
};

pub(super) fn start(state: &State, caller: &Caller, start: Start, context: &Context<'_>) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller, Scope::Verify)?;
    let service = state.service(account, start.service)?;
    open(service, &start, context)?;
    let place = (start.service, start.subjects.in_service);
    let live = state.hot.by_subject.get(&place);
    let live = live.and_then(|sid| Some((*sid, state.live_verification(start.service, *sid, context.now)?)));
    let again = live.filter(|(_, live)| start.custom_code.is_none() && live.custom_code.is_none());
    let code_of_live = again.and_then(|(sid, live)| Some((sid, live, derived(state, sid, live)?)));
    if let Some((_, live, _)) = &code_of_live {
        let retry_after = live.ends() - context.now;
        if live.failed_checks >= MAX_CHECKS {
            return Err(Refusal::TooManyChecks { retry_after });
        }
        if live.attempts.len() >= MAX_SENDS {
            return Err(Refusal::TooManySends { retry_after });
        }
    }
    ceilings(state, account, &start, context)?;
    match code_of_live {
        Some((sid, live, code)) => Ok(resend(service, sid, live, &code, start, context)),
        None if state.live() >= context.rules.limits.live_verifications => Err(Refusal::Full),
        // A code of the caller's never joins a verification, and none joins one with such a code: the old one is over.
        None => Ok(begin(state, account, service, live.map(|(sid, _)| sid), start, context)),
    }
}

/// What the policy opens.
fn open(service: &Service, start: &Start, context: &Context<'_>) -> Result<(), Refusal> {
    let rules = context.rules;
    if !rules.channels.contains(&start.channel) {
        return Err(Refusal::ChannelClosed);
    }
    if let Some(country) = start.destination.country()
        && !rules.calling_codes.contains(&country.calling_code)
    {
        return Err(Refusal::CountryClosed);
    }
    // Nobody verifies that they own one, and whoever owns one is paid for each message.
    if start.destination.is_premium_rate() {
        return Err(Refusal::CountryClosed);
    }
    let custom = service.settings.custom_code && rules.custom_code_services.contains(&start.service);
    match &start.custom_code {
        Some(_) if !custom => Err(Refusal::CustomCode),
        Some(code) if code.expose().len() < usize::from(rules.shortest_code) => Err(Refusal::CodeLength),
        _ => Ok(()),
    }
}

/// The ceilings of sending.
fn ceilings(state: &State, account: Sid, start: &Start, context: &Context<'_>) -> Result<(), Refusal> {
    for Use { ceiling, key, amount, limit } in of_message(account, &start.subjects, start.cost, &context.rules.limits) {
        let fits = state.hot.sends.fits(key, amount, limit, context.now);
        fits.map_err(|retry_after| Refusal::SendLimit { ceiling, retry_after })?;
    }
    Ok(())
}

fn begin(
    state: &State,
    account: Sid,
    service: &Service,
    replaced: Option<Sid>,
    start: Start,
    context: &Context<'_>,
) -> Decision {
    let Start { service: service_sid, destination, subjects, channel, custom_code, look, cost } = start;
    let (verification, attempt) = (context.fresh.sid(), context.fresh.attempt());
    // A policy's floor binds services that were there before it.
    let code_length = service.settings.code_length.max(context.rules.shortest_code);
    let mut events = Vec::with_capacity(3);
    if let Some(verification) = replaced {
        events.push(event(context, EventKind::VerificationCanceled { verification }));
    }
    let slot = slot(context.now);
    // A slot's key goes with its last live code: the one that is replaced may be that.
    let last = replaced.and_then(|sid| state.hot.verifications.get(&sid)).is_some_and(|old| old.slot == slot)
        && state.hot.slots.get(&slot).is_some_and(|slot| slot.live == 1);
    let key = state.hot.slots.get(&slot).and_then(|slot| slot.key.as_ref()).filter(|_| !last);
    let fresh_key = key.is_none().then(|| SlotKey::new(context.fresh.slot_key()));
    let code = match (&custom_code, key.or(fresh_key.as_ref())) {
        (Some(custom), _) => custom.duplicate(),
        (None, Some(key)) => derive(key, verification, service_sid, code_length),
        // One of the two is there.
        (None, None) => return Decision::reply(Reply::Done),
    };
    if fresh_key.is_some() {
        events.push(event(context, EventKind::SlotOpened { slot, key: fresh_key }));
    }
    let view = VerificationView {
        verification,
        service: service_sid,
        account,
        to: destination.duplicate(),
        channel,
        status: Status::Pending,
        created: context.now,
        updated: context.now,
        attempts: vec![Attempt { sid: attempt, at: context.now, outcome: None }],
    };
    events.push(event(
        context,
        EventKind::VerificationStarted {
            verification,
            account,
            service: service_sid,
            channel,
            subject: subjects.in_service,
            attempt,
            code_length,
            sent: Some((subjects, cost)),
            destination: Some(destination.duplicate()),
            custom_code,
        },
    ));
    let until = context.now.saturating_add(CODE_LIFE);
    let message = render(channel, &service.settings, &look, &code);
    let effect = Effect::Send { verification, attempt, to: destination, channel, message, until };
    Decision { events, reply: Reply::Verification(view), effects: vec![effect] }
}

fn resend(
    service: &Service,
    sid: Sid,
    live: &Verification,
    code: &Code,
    start: Start,
    context: &Context<'_>,
) -> Decision {
    let Start { destination, subjects, channel, look, cost, .. } = start;
    let attempt = context.fresh.attempt();
    let mut view = view(sid, live, destination.duplicate(), Status::Pending, context.now);
    view.attempts.push(Attempt { sid: attempt, at: context.now, outcome: None });
    let message = render(channel, &service.settings, &look, code);
    let effect = Effect::Send { verification: sid, attempt, to: destination, channel, message, until: live.ends() };
    let kind = EventKind::VerificationResent { verification: sid, attempt, sent: Some((subjects, cost)) };
    Decision { events: vec![event(context, kind)], reply: Reply::Verification(view), effects: vec![effect] }
}

/// Number of the slot that a time lies in.
pub(crate) fn slot(at: Seconds) -> u32 {
    u32::try_from(at / SLOT).unwrap_or(u32::MAX)
}

/// The derived code of a live verification, recomputed.
pub(super) fn derived(state: &State, sid: Sid, live: &Verification) -> Option<Code> {
    let key = state.hot.slots.get(&live.slot)?.key.as_ref()?;
    Some(derive(key, sid, live.service, live.code_length))
}

fn derive(key: &SlotKey, verification: Sid, service: Sid, length: u8) -> Code {
    key.code(&verification.text(SidKind::Verification), &service.text(SidKind::Service), length)
}
