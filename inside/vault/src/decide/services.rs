//! Verification services. Making one stronger is immediate; making it weaker needs the tenant's signature besides an
//! admin key, and waits, so that a stolen key cannot weaken what its owner relies on before anybody notices.

use alloc::vec;
use alloc::vec::Vec;

use super::tenants::expect;
use super::{event, stop};
use crate::event::EventKind;
use crate::message::{TooLong, brings_a_hash, check_service};
use crate::state::Service;
use crate::{
    Caller, Context, Decision, Event, Loosening, Refusal, Reply, Scope, Seconds, ServiceSettings, ServiceUpdate,
    ServiceView, Sid, State,
};

/// The longest code.
const LONGEST_CODE: u8 = 10;
/// The highest floor of code lengths that a policy can set.
const HIGHEST_FLOOR: u8 = 6;
/// Services of one tenant at the most.
const MAX_SERVICES: u32 = 20_000;
/// Loosenings of one tenant that wait at the same time.
pub const MAX_WAITING_LOOSENINGS: u32 = 100;
/// Loosenings that one tick ends. Each may be of another tenant, and so an entry of its own, of which a batch has 512 at the
/// most.
pub const MAX_TICK_LOOSENINGS: usize = 256;
/// Services of all tenants together.
const MAX_SERVICES_IN_ALL: usize = 1_000_000;

fn view(sid: Sid, service: &Service) -> ServiceView {
    ServiceView {
        service: sid,
        account: service.account,
        settings: service.settings.clone(),
        loosening: service.loosening,
        created: service.created,
        updated: service.updated,
    }
}

fn of_account(account: Sid) -> core::ops::RangeInclusive<(Sid, Seconds, Sid)> {
    (account, 0, Sid([0; 16]))..=(account, Seconds::MAX, Sid([0xFF; 16]))
}

/// What the policy says of a service's settings.
fn allowed(sid: Sid, settings: &ServiceSettings, context: &Context<'_>) -> Result<(), Refusal> {
    if !(context.rules.shortest_code..=LONGEST_CODE).contains(&settings.code_length) {
        return Err(Refusal::CodeLength);
    }
    if settings.custom_code && !context.rules.custom_code_services.contains(&sid) {
        return Err(Refusal::CustomCode);
    }
    // The longest code that a message of the service may carry. A policy's floor, which is 6 at the most, may lie above it.
    let longest = if settings.custom_code { LONGEST_CODE } else { settings.code_length.max(HIGHEST_FLOOR) };
    check_service(settings, usize::from(longest)).map_err(|TooLong { excess }| Refusal::ServiceTooLong { excess })
}

pub(super) fn create(
    state: &State,
    caller: &Caller,
    settings: ServiceSettings,
    context: &mut Context<'_>,
) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller, Scope::Admin)?;
    let sid = Sid(*context.fresh.id::<()>().as_bytes());
    allowed(sid, &settings, context)?;
    let share = state.tenants.get(&account).is_some_and(|tenant| tenant.services >= MAX_SERVICES);
    if share || state.services.len() >= MAX_SERVICES_IN_ALL {
        return Err(Refusal::Full);
    }
    let service =
        Service { account, settings: settings.clone(), created: context.now, updated: context.now, loosening: None };
    let reply = Reply::Service(view(sid, &service));
    let kind = EventKind::ServiceCreated { account, service: sid, settings };
    Ok(Decision { events: vec![event(context, kind)], reply, effects: Vec::new() })
}

pub(super) fn update(
    state: &State,
    caller: &Caller,
    sid: Sid,
    update: ServiceUpdate,
    context: &Context<'_>,
) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller, Scope::Admin)?;
    let service = state.service(account, sid)?;
    let old = &service.settings;
    let ServiceUpdate { friendly_name, code_length, custom_code, do_not_share, web_otp_domain, app_hashes } = update;
    let settings = ServiceSettings {
        friendly_name: friendly_name.unwrap_or_else(|| old.friendly_name.clone()),
        code_length: code_length.unwrap_or(old.code_length),
        custom_code: custom_code.unwrap_or(old.custom_code),
        do_not_share: do_not_share.unwrap_or(old.do_not_share),
        web_otp_domain: web_otp_domain.unwrap_or_else(|| old.web_otp_domain.clone()),
        app_hashes: app_hashes.unwrap_or_else(|| old.app_hashes.clone()),
    };
    allowed(sid, &settings, context)?;
    if settings.code_length < old.code_length || (settings.custom_code && !old.custom_code) {
        return Err(Refusal::Loosening);
    }
    // Browsers hand the code to the domain, phones hand it to the apps, and people heed the warning: a stolen key must not
    // change where codes go.
    let other_domain = settings.web_otp_domain != old.web_otp_domain && !settings.web_otp_domain.is_empty();
    let other_app = settings.app_hashes.iter().any(|hash| !old.app_hashes.contains(hash));
    if other_domain || other_app || (old.do_not_share && !settings.do_not_share) {
        return Err(Refusal::FixedAtCreation);
    }
    if brings_a_hash(&settings.friendly_name, &old.friendly_name) {
        return Err(Refusal::LongWord { custom: false });
    }
    let mut view = view(sid, service);
    // Whoever makes a service stronger does not want what was asked for before to undo it.
    let stronger = settings.code_length > old.code_length || (old.custom_code && !settings.custom_code);
    let undone = stronger && service.loosening.is_some();
    if undone {
        view.loosening = None;
    }
    view.settings = settings.clone();
    view.updated = context.now;
    let mut events = vec![event(context, EventKind::ServiceUpdated { service: sid, settings })];
    if undone {
        events.push(event(context, EventKind::LooseningEnded { service: sid, in_effect: false }));
    }
    Ok(Decision { events, reply: Reply::Service(view), effects: Vec::new() })
}

pub(super) fn delete(state: &State, caller: &Caller, sid: Sid, context: &Context<'_>) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller, Scope::Admin)?;
    state.service(account, sid)?;
    let kind = EventKind::ServiceDeleted { service: sid };
    let effects = stop(state, state.hot.of_service(sid).into_iter(), false).into_iter().collect();
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Done, effects })
}

pub(super) fn fetch(state: &State, caller: &Caller, sid: Sid) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller, Scope::Admin)?;
    Ok(Decision::reply(Reply::Service(view(sid, state.service(account, sid)?))))
}

pub(super) fn list(
    state: &State,
    caller: &Caller,
    after: Option<(Seconds, Sid)>,
    most: usize,
) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller, Scope::Admin)?;
    let (first, last) = of_account(account).into_inner();
    let mut found = match after {
        None => state.services_of.range(first..=last),
        Some((created, sid)) if (account, created, sid) > first => {
            state.services_of.range(first..=(account, created, sid))
        }
        Some(_) => state.services_of.range(first..=first),
    }
    .rev()
    .filter(|place| after.is_none_or(|(created, sid)| **place != (account, created, sid)));
    let views: Vec<_> =
        found.by_ref().take(most).filter_map(|(_, _, sid)| Some(view(*sid, state.services.get(sid)?))).collect();
    Ok(Decision::reply(Reply::Services(views, found.next().is_some())))
}

pub(super) fn loosen(
    state: &State,
    caller: &Caller,
    (signer, sequence): (Sid, u64),
    sid: Sid,
    code_length: Option<u8>,
    custom_code: bool,
    context: &Context<'_>,
) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller, Scope::Admin)?;
    // Key and signature are two proofs of one tenant, not one each of two.
    if account != signer {
        return Err(Refusal::Unauthorized);
    }
    let service = state.service(account, sid)?;
    let (_, next) = state.signer(account).ok_or(Refusal::Unauthorized)?;
    expect(next, sequence)?;
    // Nothing that is stronger or the same waits: a client that asks for it here means something else.
    let old = &service.settings;
    let weaker = code_length.is_some_and(|length| length < old.code_length) || (custom_code && !old.custom_code);
    if !weaker || code_length.is_some_and(|length| length > old.code_length) {
        return Err(Refusal::NotWeaker);
    }
    // One that replaces another of the same service takes no further place.
    let waiting = state.tenants.get(&account).map_or(0, |tenant| tenant.loosenings);
    if service.loosening.is_none() && waiting >= MAX_WAITING_LOOSENINGS {
        return Err(Refusal::TooManyLoosenings);
    }
    let mut settings = service.settings.clone();
    let at = context.now.saturating_add(context.rules.loosening_wait);
    let loosening = Loosening { code_length, custom_code, at };
    loosening.apply(&mut settings);
    allowed(sid, &settings, context)?;
    let mut view = view(sid, service);
    view.loosening = Some(loosening);
    let kind = EventKind::LooseningScheduled { account, sequence, service: sid, loosening };
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Service(view), effects: Vec::new() })
}

pub(super) fn withdraw(state: &State, caller: &Caller, sid: Sid, context: &Context<'_>) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller, Scope::Admin)?;
    let service = state.service(account, sid)?;
    let mut view = view(sid, service);
    view.loosening = None;
    let ended = EventKind::LooseningEnded { service: sid, in_effect: false };
    let events = if service.loosening.is_some() { vec![event(context, ended)] } else { Vec::new() };
    Ok(Decision { events, reply: Reply::Service(view), effects: Vec::new() })
}

/// Loosenings whose wait is over take effect, the soonest first, if the policy still allows them.
pub(super) fn due_loosenings(state: &State, context: &Context<'_>) -> Vec<Event> {
    let due = state.loosenings.iter().take_while(|(at, _)| *at <= context.now).take(MAX_TICK_LOOSENINGS);
    due.map(|(_, sid)| {
        let in_effect = state.services.get(sid).is_some_and(|service| {
            let mut settings = service.settings.clone();
            service.loosening.iter().for_each(|loosening| loosening.apply(&mut settings));
            allowed(*sid, &settings, context).is_ok()
        });
        event(context, EventKind::LooseningEnded { service: *sid, in_effect })
    })
    .collect()
}
