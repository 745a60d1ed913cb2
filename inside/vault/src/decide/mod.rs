//! `decide`: what a command leads to. Reads the state, changes nothing.
//!
//! The order is always: who asks, what it may touch, what the rules and limits say, and only then secrets. So a refusal
//! tells nothing about things that are not the caller's.

pub use services::{MAX_TICK_LOOSENINGS, MAX_WAITING_LOOSENINGS};
pub(crate) use starts::slot;

mod checks;
mod services;
mod starts;
mod tenants;

use alloc::vec;
use alloc::vec::Vec;

use crate::event::EventKind;
use crate::hot::Verification;
use crate::{
    Command, Context, Decision, Destination, Effect, Event, Refusal, Reply, Seconds, Sid, State, Status, Target,
    VerificationView,
};

/// Decides one command.
///
/// # Errors
/// A [`Refusal`]; then nothing happened and nothing is logged.
pub fn decide(state: &State, command: Command, context: &mut Context<'_>) -> Result<Decision, Refusal> {
    match command {
        Command::CreateTenant { account, token_hash, friendly_name, ssh_key, admitted } => {
            tenants::create(state, account, token_hash, friendly_name, ssh_key, admitted, context)
        }
        Command::ChangeKeys { account, sequence, changes } => {
            tenants::change_keys(state, account, sequence, changes, context)
        }
        Command::FetchTenant { caller } => tenants::fetch(state, &caller),
        Command::ChangeSettings { sequence, text } => tenants::change_settings(state, sequence, text, context),
        Command::Loosen { caller, account, sequence, service, code_length, custom_code } => {
            let signed = (account, sequence);
            services::loosen(state, &caller, signed, service, code_length, custom_code, context)
        }
        Command::WithdrawLoosening { caller, service } => services::withdraw(state, &caller, service, context),
        Command::CreateService { caller, settings } => services::create(state, &caller, settings, context),
        Command::UpdateService { caller, service, update } => {
            services::update(state, &caller, service, update, context)
        }
        Command::DeleteService { caller, service } => services::delete(state, &caller, service, context),
        Command::FetchService { caller, service } => services::fetch(state, &caller, service),
        Command::ListServices { caller, after, most } => services::list(state, &caller, after, most),
        Command::Start(caller, start) => starts::start(state, &caller, start, context),
        Command::Check { caller, service, target, code } => {
            checks::check(state, &caller, service, &target, &code, context)
        }
        Command::FetchVerification { caller, service, target } => {
            checks::fetch(state, &caller, service, &target, context)
        }
        Command::Cancel { caller, service, target } => checks::cancel(state, &caller, service, &target, context),
        Command::Approve { caller, service, target } => checks::approve(state, &caller, service, &target, context),
        Command::Support { caller, verification } => checks::support(state, &caller, verification, context),
        Command::ReportDelivery { verification, attempt, outcome, route } => {
            let kind = EventKind::DeliveryReported { verification, attempt, outcome, route };
            Ok(report_delivery(state, verification, kind, context))
        }
        Command::CountRepeat { verification, attempt, subjects, cost } => {
            starts::count_repeat(state, verification, attempt, subjects, cost, context)
        }
        Command::Tick => Ok(tick(state, context)),
    }
}

fn report_delivery(state: &State, verification: Sid, kind: EventKind, context: &Context<'_>) -> Decision {
    // A verification that is over needs no outcome.
    let live = state.hot.verifications.contains_key(&verification);
    let events = if live { vec![event(context, kind)] } else { Vec::new() };
    Decision { events, reply: Reply::Done, effects: Vec::new() }
}

/// What is due, as far as one batch bears it: one event for all that expired, one for all counts that are forgotten, whatever
/// their number, and [`MAX_TICK_LOOSENINGS`] loosenings. What is left is due at the next tick ([`State::has_due`]).
fn tick(state: &State, context: &Context<'_>) -> Decision {
    let now = context.now;
    let mut events = Vec::new();
    let due = state.hot.ends.first().is_some_and(|(ends, _)| *ends <= now);
    let counted = !state.hot.sends.0.is_empty() || state.budgets.len() > 0;
    let another_hour = counted && state.hot.swept != now / 3600;
    if due || another_hour || state.ended.is_due(now) {
        events.push(event(context, EventKind::Expired));
    }
    if another_hour && state.budgets.any_old(now) {
        events.push(event(context, EventKind::BudgetsForgotten));
    }
    events.extend(services::due_loosenings(state, context));
    let expired = state.hot.ends.iter().take_while(|(ends, _)| *ends <= now).map(|(_, sid)| *sid);
    let effects = stop(state, expired, true).into_iter().collect();
    Decision { events, reply: Reply::Done, effects }
}

fn event(context: &Context<'_>, kind: EventKind) -> Event {
    Event { at: context.now, kind }
}

/// Ends the delivery of what is under way for these verifications; `None` if nothing is.
fn stop(state: &State, verifications: impl Iterator<Item = Sid>, expired: bool) -> Option<Effect> {
    let under_way = |sid: &Sid| state.hot.verifications.get(sid).is_some_and(Verification::is_under_way);
    let verifications: Vec<Sid> = verifications.filter(under_way).collect();
    (!verifications.is_empty()).then_some(Effect::Stop { verifications, expired })
}

/// The live verification that a target names; if it is over, why, but only to who named its SID.
fn live<'a>(
    state: &'a State,
    service: Sid,
    target: &Target,
    now: Seconds,
) -> Result<(Sid, &'a Verification, &'a Destination), Refusal> {
    let (sid, reason) = match target {
        Target::Sid(sid) => (*sid, state.reason(service, *sid, now)),
        Target::Subject(subject) => {
            let found = state.hot.by_subject.get(&(service, *subject));
            (*found.ok_or(Refusal::NotFound(None))?, None)
        }
    };
    let found = state.live_verification(service, sid, now).ok_or(Refusal::NotFound(reason))?;
    // Without a destination it is a replayed one, which a boot has voided.
    let destination = found.destination.as_ref().ok_or(Refusal::NotFound(None))?;
    Ok((sid, found, destination))
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
        attempts: verification.attempts.clone(),
    }
}

#[cfg(test)]
mod tests;
