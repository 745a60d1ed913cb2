//! Reads of services. No read changes anything, so none is a command: they are answered from any
//! state, a published one too.

use alloc::vec::Vec;
use core::ops::Bound;

use adyton_decider::Seconds;
use adyton_tenancy::{AccountId, Caller, Scope};

use crate::decide::{own, view};
use crate::{Refusal, ServiceId, ServiceView, State};

/// Look at a service.
pub struct FetchService {
    /// The caller.
    pub caller: Caller,
    /// The service.
    pub service: ServiceId,
}

/// List the caller's services, newest first.
pub struct ListServices {
    /// The caller.
    pub caller: Caller,
    /// Go on after this one.
    pub after: Option<(Seconds, ServiceId)>,
    /// How many at most.
    pub most: usize,
}

/// A part of a list.
pub struct ServicePage {
    /// Newest first.
    pub services: Vec<ServiceView>,
    /// Whether more follow.
    pub more: bool,
}

/// One of the caller's services.
///
/// # Errors
/// [`Refusal::Denied`] or [`Refusal::NotFound`].
pub fn fetch(state: &State, tenancy: &adyton_tenancy::State, fetch: &FetchService) -> Result<ServiceView, Refusal> {
    let service = own(state, tenancy, &fetch.caller, fetch.service)?;
    Ok(view(fetch.service, service))
}

/// The caller's services, newest first.
///
/// # Errors
/// [`Refusal::Denied`].
pub fn list(
    state: &State,
    tenancy: &adyton_tenancy::State,
    ListServices { caller, after, most }: &ListServices,
) -> Result<ServicePage, Refusal> {
    let account = tenancy.authenticate(caller, Scope::Admin)?;
    let first = (account, 0, ServiceId::MIN);
    let end = match *after {
        None => Bound::Included((account, Seconds::MAX, ServiceId::MAX)),
        Some((created, id)) => Bound::Excluded((account, created, id)),
    };
    let mut found = state.services_of.range((Bound::Included(first), end)).rev();
    let view = |(_, _, id): &(AccountId, Seconds, ServiceId)| Some(view(*id, state.services.get(id)?));
    let services = found.by_ref().take(*most).filter_map(view).collect();
    Ok(ServicePage { services, more: found.next().is_some() })
}
