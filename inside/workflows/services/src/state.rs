//! State of the services workflow: class S.

use alloc::vec::Vec;

use adyton_decider::{CowArc, Map, Seconds, Set};
use adyton_tenancy::AccountId;

use crate::{Event, Loosening, ServiceId, ServiceSettings};

/// Services and the loosenings that wait. Its clone costs O(1), and shows what it showed then.
#[derive(Clone, Default)]
pub struct State {
    pub(crate) services: Map<ServiceId, CowArc<Service>>,
    /// (account, created, service): a tenant's services in order.
    pub(crate) services_of: Set<(AccountId, Seconds, ServiceId)>,
    /// (when, service): loosenings that wait, soonest first.
    pub(crate) loosenings: Set<(Seconds, ServiceId)>,
    /// Totals of each tenant; derived, not written.
    shares: Map<AccountId, Share>,
}

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) account: AccountId,
    pub(crate) settings: ServiceSettings,
    pub(crate) created: Seconds,
    pub(crate) updated: Seconds,
    pub(crate) loosening: Option<Loosening>,
}

/// A tenant's totals in this workflow.
#[derive(Clone, Default)]
pub(crate) struct Share {
    /// How many services.
    pub(crate) services: u32,
    /// The services whose loosening waits.
    pub(crate) loosenings: Set<ServiceId>,
}

impl State {
    /// Applies one event; one about a deleted service changes nothing.
    pub fn apply(&mut self, at: Seconds, event: Event) {
        match event {
            Event::ServiceCreated { account, service, settings } => {
                self.insert(service, Service { account, settings, created: at, updated: at, loosening: None });
            }
            Event::ServiceUpdated { service, settings } => {
                if let Some(found) = self.services.get_mut(&service) {
                    found.settings = settings;
                    found.updated = at;
                }
            }
            Event::ServiceDeleted { service } => drop(self.remove(service)),
            Event::LooseningScheduled { service, loosening, .. } => self.schedule(service, loosening),
            Event::LooseningEnded { service, in_effect } => {
                let Some(loosening) = self.unschedule(service) else { return };
                if let Some(found) = self.services.get_mut(&service).filter(|_| in_effect) {
                    loosening.apply(&mut found.settings);
                    found.updated = at;
                }
            }
        }
    }

    /// Takes a service in, with its loosening if one waits; whether there was none of this SID.
    pub(crate) fn insert(&mut self, id: ServiceId, service: Service) -> bool {
        // No decider makes a SID twice; a log that does leaves one service.
        let new = self.remove(id).is_none();
        self.services_of.insert((service.account, service.created, id));
        self.share(service.account, |share| share.services = share.services.saturating_add(1));
        if let Some(loosening) = service.loosening {
            self.index_loosening(service.account, id, loosening.at);
        }
        self.services.insert(id, service.into());
        new
    }

    fn remove(&mut self, id: ServiceId) -> Option<CowArc<Service>> {
        self.unschedule(id);
        let gone = self.services.remove(&id)?;
        self.services_of.remove(&(gone.account, gone.created, id));
        self.share(gone.account, |share| share.services = share.services.saturating_sub(1));
        Some(gone)
    }

    fn schedule(&mut self, id: ServiceId, loosening: Loosening) {
        self.unschedule(id);
        let Some(found) = self.services.get_mut(&id) else { return };
        found.loosening = Some(loosening);
        let account = found.account;
        self.index_loosening(account, id, loosening.at);
    }

    fn unschedule(&mut self, id: ServiceId) -> Option<Loosening> {
        let found = self.services.get_mut(&id)?;
        let (account, loosening) = (found.account, found.loosening.take()?);
        self.loosenings.remove(&(loosening.at, id));
        self.share(account, |share| {
            share.loosenings.remove(&id);
        });
        Some(loosening)
    }

    fn index_loosening(&mut self, account: AccountId, id: ServiceId, at: Seconds) {
        self.loosenings.insert((at, id));
        self.share(account, |share| {
            share.loosenings.insert(id);
        });
    }

    fn share(&mut self, account: AccountId, change: impl FnOnce(&mut Share)) {
        let is_empty = self.shares.update_or_default(account, |share| {
            change(share);
            share.services == 0 && share.loosenings.is_empty()
        });
        if is_empty {
            self.shares.remove(&account);
        }
    }

    /// A tenant's totals.
    pub(crate) fn share_of(&self, account: AccountId) -> Share {
        self.shares.get(&account).cloned().unwrap_or_default()
    }

    /// The service, of any tenant.
    pub(crate) fn get(&self, id: ServiceId) -> Option<&Service> {
        self.services.get(&id).map(|found| &**found)
    }

    /// The service, if it is the account's.
    pub(crate) fn own(&self, account: AccountId, id: ServiceId) -> Option<&Service> {
        self.get(id).filter(|found| found.account == account)
    }

    /// Whose a service is.
    pub fn owner(&self, id: ServiceId) -> Option<AccountId> {
        self.get(id).map(|service| service.account)
    }

    /// A tenant's waiting loosenings, soonest first.
    pub fn loosenings_of(&self, account: AccountId) -> impl Iterator<Item = (ServiceId, Loosening)> {
        let share = self.share_of(account);
        let waiting = share.loosenings.iter();
        let mut waiting: Vec<_> = waiting.filter_map(|id| Some((*id, self.services.get(id)?.loosening?))).collect();
        waiting.sort_by_key(|(id, loosening)| (loosening.at, *id));
        waiting.into_iter()
    }

    /// Whether a loosening is due that the last sweep left.
    pub fn is_due(&self, now: Seconds) -> bool {
        self.loosenings.first().is_some_and(|(at, _)| *at <= now)
    }
}
