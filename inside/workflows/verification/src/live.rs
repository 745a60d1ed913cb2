//! Live verifications, as the commands find them: by service, SID and subject.

use alloc::vec::Vec;

use adyton_decider::Seconds;
use adyton_destination::Destination;
use adyton_services::{EffectiveService, ServiceId, Services};
use adyton_tenancy::{AccountId, Caller, Scope};

use crate::hot::Verification;
use crate::{Effect, Event, Refusal, State, Status, Target, VerificationId, VerificationView};

/// A draft of this workflow.
pub type Draft = adyton_decider::Draft<Event, Effect>;

/// Read handles of the workflows beneath this one.
#[derive(Clone, Copy)]
pub struct ReadHandles<'a> {
    /// Tenants and their keys.
    pub tenancy: &'a adyton_tenancy::State,
    /// Services, under the rules of now.
    pub services: Services<'a>,
}

impl ReadHandles<'_> {
    /// An existing verification and its tenant, while its service exists: one of a deleted service
    /// only waits for its sweep.
    pub(crate) fn existing<'s>(
        &self,
        state: &'s State,
        verification: VerificationId,
    ) -> Option<(AccountId, &'s Verification)> {
        let held = state.hot.verifications.get(&verification)?;
        Some((self.services.get(held.service)?.account(), &**held))
    }
}

/// Cancels the deliveries under way for these verifications, if any.
pub(crate) fn cancel_deliveries(
    state: &State,
    verifications: impl Iterator<Item = VerificationId>,
    expired: bool,
    draft: &mut Draft,
) {
    let under_way = |sid: &VerificationId| state.hot.verifications.get(sid).is_some_and(|live| live.is_under_way());
    let verifications: Vec<_> = verifications.filter(under_way).collect();
    if !verifications.is_empty() {
        draft.effect(Effect::CancelDelivery { verifications, expired });
    }
}

/// A live verification.
pub(crate) struct Live<'a> {
    pub(crate) account: AccountId,
    pub(crate) sid: VerificationId,
    pub(crate) verification: &'a Verification,
    pub(crate) destination: &'a Destination,
}

impl Live<'_> {
    pub(crate) fn view(&self, status: Status, updated: Seconds) -> VerificationView {
        let Verification { service, channel, .. } = *self.verification;
        VerificationView {
            verification: self.sid,
            service,
            account: self.account,
            to: self.destination.duplicate(),
            channel,
            status,
            created: self.verification.created(),
            updated: updated.max(self.verification.updated),
            attempts: self.verification.attempts.to_vec(),
        }
    }
}

/// The live verification that a target names; if it has ended, the reason, but only if the caller
/// named it by SID.
pub(crate) fn live<'a>(
    state: &'a State,
    (account, service): (AccountId, ServiceId),
    target: Target,
    now: Seconds,
) -> Result<Live<'a>, Refusal> {
    let (sid, reason) = match target {
        Target::Sid(sid) | Target::Both(sid, _) => (sid, state.reason(service, sid, now)),
        Target::Subject(subject) => {
            let found = state.hot.by_subject.get(&(service, subject));
            (*found.ok_or(Refusal::NotFound(None))?, None)
        }
    };
    let verification = state.live_verification(service, sid, now).ok_or(Refusal::NotFound(reason))?;
    if let Target::Both(_, subject) = target
        && state.hot.by_subject.get(&(service, subject)) != Some(&sid)
    {
        return Err(Refusal::NotFound(None));
    }
    // Without a destination it is a replayed one, which a boot has voided.
    let destination = verification.destination.as_ref().ok_or(Refusal::NotFound(None))?;
    Ok(Live { account, sid, verification, destination })
}

/// A live verification of one of the caller's services, if its key may verify.
pub(crate) fn own<'a>(
    state: &'a State,
    handles: &ReadHandles<'_>,
    caller: &Caller,
    service: ServiceId,
    target: Target,
    now: Seconds,
) -> Result<Live<'a>, Refusal> {
    let account = own_service(handles, caller, service)?.account();
    live(state, (account, service), target, now)
}

/// One of the caller's services, if its key may verify.
pub(crate) fn own_service<'a>(
    handles: &'a ReadHandles<'_>,
    caller: &Caller,
    service: ServiceId,
) -> Result<EffectiveService<'a>, Refusal> {
    let account = handles.tenancy.authenticate(caller, Scope::Verify)?;
    handles.services.owned_by(account, service).ok_or(Refusal::NotFound(None))
}
