//! Decider of the services workflow.

use core::convert::Infallible;

use adyton_decider::{Context, Seconds};
use adyton_tenancy::{AccountId, Caller, Denied, Scope, WrongSequence};

use crate::message::brings_a_hash;
use crate::state::Service;
use crate::{
    Command, CreateService, Event, Loosen, Loosening, Prover, Requirement, Rules, ServiceId, ServiceSettings, State,
    UpdateService,
};

/// The longest code.
pub const MAX_CODE_LENGTH: u8 = 10;
/// The highest floor of code lengths that a policy can set.
pub(crate) const MAX_CODE_LENGTH_FLOOR: u8 = 6;
/// Services of one tenant at the most.
const MAX_SERVICES: u32 = 20_000;
/// Services of all tenants together.
const MAX_SERVICES_IN_ALL: usize = 1_000_000;
/// Loosenings of one tenant that wait at the same time.
pub const MAX_WAITING_LOOSENINGS: usize = 100;
/// Loosenings that one sweep ends.
pub const MAX_SWEPT_LOOSENINGS: usize = 256;

/// A draft of this workflow. It has no effects.
pub type Draft = adyton_decider::Draft<Event, Infallible>;

/// The predefined outputs.
pub enum Reply {
    /// A service.
    Service(ServiceView),
    /// No content.
    Done,
}

/// A service as its tenant sees it.
pub struct ServiceView {
    /// Its SID.
    pub service: ServiceId,
    /// Its tenant.
    pub account: AccountId,
    /// Its settings.
    pub settings: ServiceSettings,
    /// A loosening that waits.
    pub loosening: Option<Loosening>,
    /// When it was created.
    pub created: Seconds,
    /// When it last changed.
    pub updated: Seconds,
}

/// Why a command was refused; nothing changed. Answers never depend on whether another tenant's
/// service exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The caller may not.
    Denied(Denied),
    /// A signed request is not the next one.
    Sequence(WrongSequence),
    /// The caller has no such service.
    NotFound,
    /// The policy lets callers of this service supply no codes.
    CustomCode,
    /// The code length is outside what the policy allows.
    CodeLength {
        /// Where it was given.
        given: CodeLengthGiven,
        /// The policy's floor; the longest is [`MAX_CODE_LENGTH`].
        shortest: u8,
    },
    /// Nothing in the vault proves what the service is to demand.
    NoProver(Requirement),
    /// This makes the service weaker: it needs the tenant's signature, and waits.
    Loosening,
    /// Another domain or app for the codes, or no warning: another service is needed for that.
    FixedAtCreation,
    /// The new name brings eleven letters and digits in a row that the old one does not have: they
    /// could be an app's hash.
    LongWord,
    /// A message of this service would not fit into a text message.
    ServiceTooLong {
        /// Characters that are too many.
        excess: usize,
    },
    /// This makes the service no weaker: it need not wait.
    NotWeaker,
    /// As many loosenings of this tenant wait already as may wait ([`MAX_WAITING_LOOSENINGS`]).
    TooManyLoosenings,
    /// The vault, or the tenant's share of it, is full.
    Full,
}

/// Where a request gives the length of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeLengthGiven {
    /// In a service's settings.
    Service,
    /// In a loosening of a service.
    Loosening,
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<WrongSequence> for Refusal {
    fn from(other: WrongSequence) -> Self {
        Self::Sequence(other)
    }
}

/// Decides one command.
///
/// # Errors
/// A [`Refusal`]; then the draft is to be discarded.
pub fn decide(
    state: &State,
    tenancy: &adyton_tenancy::State,
    prover: &impl Prover,
    command: Command,
    context: &mut Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<Reply, Refusal> {
    match command {
        Command::CreateService(create) => {
            create_service(state, tenancy, prover, create, context, draft).map(Reply::Service)
        }
        Command::UpdateService(update) => {
            update_service(state, tenancy, prover, update, context, draft).map(Reply::Service)
        }
        Command::DeleteService(delete) => {
            own(state, tenancy, &delete.caller, delete.service)?;
            draft.log(Event::ServiceDeleted { service: delete.service });
            Ok(Reply::Done)
        }
        Command::Loosen(ask) => loosen(state, tenancy, &ask, context, draft).map(Reply::Service),
        Command::WithdrawLoosening(withdraw) => {
            let service = own(state, tenancy, &withdraw.caller, withdraw.service)?;
            if service.loosening.is_some() {
                draft.log(Event::LooseningEnded { service: withdraw.service, in_effect: false });
            }
            Ok(Reply::Service(ServiceView { loosening: None, ..view(withdraw.service, service) }))
        }
    }
}

/// Loosenings whose wait has ended take effect, the soonest first, if the policy still allows them;
/// at most `cap`. The rest is due at the next sweep ([`State::is_due`]).
pub fn sweep(state: &State, context: &Context<'_, Rules>, cap: usize, draft: &mut Draft) {
    let due = state.loosenings.iter().take_while(|(at, _)| *at <= context.now).take(cap);
    for (_, id) in due {
        let in_effect = state.services.get(id).is_some_and(|service| {
            let mut settings = service.settings.clone();
            service.loosening.iter().for_each(|loosening| loosening.apply(&mut settings));
            context.rules.allow(*id, &settings, CodeLengthGiven::Loosening).is_ok()
        });
        draft.log(Event::LooseningEnded { service: *id, in_effect });
    }
}

/// One of the caller's services, if its key may administer.
pub(crate) fn own<'a>(
    state: &'a State,
    tenancy: &adyton_tenancy::State,
    caller: &Caller,
    id: ServiceId,
) -> Result<&'a Service, Refusal> {
    let account = tenancy.authenticate(caller, Scope::Admin)?;
    state.own(account, id).ok_or(Refusal::NotFound)
}

/// A service demands nothing that the vault cannot prove.
fn provable(settings: &ServiceSettings, prover: &impl Prover) -> Result<(), Refusal> {
    settings.requirements.unproven(prover).map_or(Ok(()), |requirement| Err(Refusal::NoProver(requirement)))
}

pub(crate) fn view(id: ServiceId, service: &Service) -> ServiceView {
    ServiceView {
        service: id,
        account: service.account,
        settings: service.settings.clone(),
        loosening: service.loosening,
        created: service.created,
        updated: service.updated,
    }
}

fn create_service(
    state: &State,
    tenancy: &adyton_tenancy::State,
    prover: &impl Prover,
    CreateService { caller, settings }: CreateService,
    context: &mut Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<ServiceView, Refusal> {
    let account = tenancy.authenticate(&caller, Scope::Admin)?;
    let service = context.fresh.id();
    context.rules.allow(service, &settings, CodeLengthGiven::Service)?;
    provable(&settings, prover)?;
    let share = state.share_of(account).services >= MAX_SERVICES;
    if share || state.services.len() >= MAX_SERVICES_IN_ALL {
        return Err(Refusal::Full);
    }
    draft.log(Event::ServiceCreated { account, service, settings: settings.clone() });
    let (created, updated) = (context.now, context.now);
    Ok(ServiceView { service, account, settings, loosening: None, created, updated })
}

fn update_service(
    state: &State,
    tenancy: &adyton_tenancy::State,
    prover: &impl Prover,
    UpdateService { caller, service: id, update }: UpdateService,
    context: &Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<ServiceView, Refusal> {
    let service = own(state, tenancy, &caller, id)?;
    let old = &service.settings;
    let settings = update.applied_to(old);
    context.rules.allow(id, &settings, CodeLengthGiven::Service)?;
    provable(&settings, prover)?;
    let fewer = !settings.requirements.covers(old.requirements);
    if settings.code_length < old.code_length || (settings.custom_code && !old.custom_code) || fewer {
        return Err(Refusal::Loosening);
    }
    // Browsers hand the code to the domain, phones hand it to the apps, and people heed the
    // warning: a stolen key must not change where codes go.
    let other_domain = settings.web_otp_domain != old.web_otp_domain && !settings.web_otp_domain.is_empty();
    let other_app = settings.app_hashes.iter().any(|hash| !old.app_hashes.contains(hash));
    if other_domain || other_app || (old.do_not_share && !settings.do_not_share) {
        return Err(Refusal::FixedAtCreation);
    }
    if brings_a_hash(&settings.friendly_name, &old.friendly_name) {
        return Err(Refusal::LongWord);
    }
    let mut view = view(id, service);
    // An admin who makes a service stronger does not want an earlier loosening to undo it.
    let stronger = settings.code_length > old.code_length || (old.custom_code && !settings.custom_code);
    let undone = stronger && service.loosening.is_some();
    if undone {
        view.loosening = None;
    }
    view.settings = settings.clone();
    view.updated = context.now;
    draft.log(Event::ServiceUpdated { service: id, settings });
    if undone {
        draft.log(Event::LooseningEnded { service: id, in_effect: false });
    }
    Ok(view)
}

fn loosen(
    state: &State,
    tenancy: &adyton_tenancy::State,
    ask: &Loosen,
    context: &Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<ServiceView, Refusal> {
    let Loosen { caller, account: signer, sequence, service: id, code_length, custom_code } = *ask;
    let account = tenancy.authenticate(&caller, Scope::Admin)?;
    // Key and signature are two proofs of one tenant, not one each of two.
    if account != signer {
        return Err(Refusal::Denied(Denied::Unauthorized));
    }
    let service = state.own(account, id).ok_or(Refusal::NotFound)?;
    tenancy.check_sequence(account, sequence)?;
    // Nothing that is stronger or the same waits: a client that asks for it here means something
    // else.
    let old = &service.settings;
    let weaker = code_length.is_some_and(|length| length < old.code_length) || (custom_code && !old.custom_code);
    if !weaker || code_length.is_some_and(|length| length > old.code_length) {
        return Err(Refusal::NotWeaker);
    }
    // One that replaces another of the same service takes no further place.
    if service.loosening.is_none() && state.share_of(account).loosenings.len() >= MAX_WAITING_LOOSENINGS {
        return Err(Refusal::TooManyLoosenings);
    }
    let mut settings = service.settings.clone();
    let at = context.now.saturating_add(context.rules.loosening_wait);
    let loosening = Loosening { code_length, custom_code, at };
    loosening.apply(&mut settings);
    context.rules.allow(id, &settings, CodeLengthGiven::Loosening)?;
    draft.log(Event::LooseningScheduled { account, sequence, service: id, loosening });
    Ok(ServiceView { loosening: Some(loosening), ..view(id, service) })
}
