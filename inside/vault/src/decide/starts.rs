//! Starting a verification, and sending its code again.

use alloc::vec;
use alloc::vec::Vec;

use adyton_seal::{Code, SlotKey};

use super::{event, stop, view};
use crate::ceilings::{Use, of_message};
use crate::event::EventKind;
use crate::hot::Verification;
use crate::message::{TooLong, brings_a_hash, render};
use crate::state::Service;
use crate::{
    Attempt, CODE_LIFE, Caller, Context, Decision, Effect, MAX_CHECKS, MAX_REPEATS, MAX_SENDS, Outcome, Refusal, Reply,
    SLOT, Scope, Seconds, Sid, SidKind, Start, State, Status, Subjects, VerificationView,
};

pub(super) fn start(
    state: &State,
    caller: &Caller,
    start: Start,
    context: &mut Context<'_>,
) -> Result<Decision, Refusal> {
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
    ceilings(state, account, &start.subjects, start.cost, context)?;
    match code_of_live {
        Some((sid, live, code)) => resend(state, service, (sid, live), &code, start, context),
        None if state.live() >= context.rules.limits.live_verifications => Err(Refusal::Full),
        // A code of the caller's never joins a verification, and none joins one with such a code: the old one is over.
        None => begin(state, account, service, live.map(|(sid, _)| sid), start, context),
    }
}

/// What policy and service open.
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
    // Phones hand the code to the app that the hash names.
    if start.look.app_hash.as_ref().is_some_and(|hash| !service.settings.app_hashes.contains(hash)) {
        return Err(Refusal::AppHash);
    }
    if start.look.name.as_ref().is_some_and(|name| brings_a_hash(name.text(), &service.settings.friendly_name)) {
        return Err(Refusal::LongWord { custom: true });
    }
    let custom = service.settings.custom_code && rules.custom_code_services.contains(&start.service);
    match &start.custom_code {
        Some(_) if !custom => Err(Refusal::CustomCode),
        Some(code) if code.expose().len() < usize::from(rules.shortest_code) => Err(Refusal::CodeLength),
        _ => Ok(()),
    }
}

/// The ceilings of sending.
fn ceilings(state: &State, account: Sid, subjects: &Subjects, cost: u64, context: &Context<'_>) -> Result<(), Refusal> {
    for Use { ceiling, key, amount, limit } in of_message(account, subjects, cost, &context.rules.limits) {
        let fits = state.hot.sends.0.fits(&key, amount, limit, context.now);
        fits.map_err(|retry_after| Refusal::SendLimit { ceiling, retry_after })?;
    }
    Ok(())
}

/// One more hand-over of the newest attempt of a live verification, which may have left already: it counts as a message.
pub(super) fn count_repeat(
    state: &State,
    verification: Sid,
    attempt: Sid,
    subjects: Subjects,
    cost: u64,
    context: &Context<'_>,
) -> Result<Decision, Refusal> {
    let live = state.hot.verifications.get(&verification);
    let live = live.filter(|live| live.ends() > context.now && live.failed_checks < MAX_CHECKS);
    let live = live.ok_or(Refusal::NotFound(None))?;
    let newest = live.attempts.last().filter(|newest| newest.sid == attempt && newest.outcome.is_none());
    if newest.ok_or(Refusal::NotFound(None))?.repeats >= MAX_REPEATS {
        return Err(Refusal::TooManySends { retry_after: live.ends() - context.now });
    }
    ceilings(state, live.account, &subjects, cost, context)?;
    let kind = EventKind::SendRepeated { verification, attempt, sent: Some((subjects, cost)) };
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Done, effects: Vec::new() })
}

fn begin(
    state: &State,
    account: Sid,
    service: &Service,
    replaced: Option<Sid>,
    start: Start,
    context: &mut Context<'_>,
) -> Result<Decision, Refusal> {
    let Start { service: service_sid, destination, subjects, channel, custom_code, look, cost } = start;
    let (verification, attempt) =
        (Sid(*context.fresh.id::<()>().as_bytes()), Sid(*context.fresh.id::<()>().as_bytes()));
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
    let fresh_key = key.is_none().then(|| SlotKey::new(context.fresh.secret()));
    let code = match (&custom_code, key.or(fresh_key.as_ref())) {
        (Some(custom), _) => custom.duplicate(),
        (None, Some(key)) => derive(key, verification, service_sid, code_length),
        // One of the two is there.
        (None, None) => return Ok(Decision::reply(Reply::Done)),
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
        attempts: vec![Attempt::new(attempt, context.now)],
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
    let message = render(channel, &service.settings, &look, &code).map_err(too_long)?;
    let counts = (subjects, cost);
    let send = Effect::Send { verification, attempt, to: destination, channel, message, until, counts, avoid: None };
    // Also one whose life is over, but which no tick has ended yet.
    let older = state.hot.by_subject.get(&(service_sid, subjects.in_service));
    let mut effects: Vec<Effect> = stop(state, older.copied().into_iter(), false).into_iter().collect();
    effects.push(send);
    Ok(Decision { events, reply: Reply::Verification(view), effects })
}

fn resend(
    state: &State,
    service: &Service,
    (sid, live): (Sid, &Verification),
    code: &Code,
    start: Start,
    context: &mut Context<'_>,
) -> Result<Decision, Refusal> {
    let Start { destination, subjects, channel, look, cost, .. } = start;
    let attempt = Sid(*context.fresh.id::<()>().as_bytes());
    let mut view = view(sid, live, destination.duplicate(), Status::Pending, context.now);
    view.attempts.push(Attempt::new(attempt, context.now));
    let message = render(channel, &service.settings, &look, code).map_err(too_long)?;
    let unconfirmed = |attempt: &&Attempt| attempt.outcome == Some(Outcome::Unconfirmed);
    let send = Effect::Send {
        verification: sid,
        attempt,
        to: destination,
        channel,
        message,
        until: live.ends(),
        counts: (subjects, cost),
        avoid: live.attempts.iter().rev().find(unconfirmed).and_then(|attempt| attempt.route),
    };
    // One message of a verification is under way at a time.
    let mut effects: Vec<Effect> = stop(state, core::iter::once(sid), false).into_iter().collect();
    effects.push(send);
    let kind = EventKind::VerificationResent { verification: sid, attempt, sent: Some((subjects, cost)) };
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Verification(view), effects })
}

fn too_long(TooLong { excess }: TooLong) -> Refusal {
    Refusal::MessageTooLong { excess }
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
