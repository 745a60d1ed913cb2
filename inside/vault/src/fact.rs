//! Facts: consequences of one workflow's event for the others.

use adyton_decider::Seconds;
use adyton_services::ServiceId;
use adyton_tenancy::AccountId;

use crate::verification::cancel_deliveries_of;
use crate::{Effect, EventKind, State, services, verification};

/// A fact. It is derived from a logged event and never logged itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// A boot begins.
    Booted,
    /// A signed request of a tenant counted.
    Signed(AccountId, u64),
    /// A service of a tenant was deleted.
    ServiceDeleted(AccountId, ServiceId),
}

impl State {
    /// The fact that follows from an event, as the state before it knows.
    pub(crate) fn fact(&self, event: &EventKind) -> Option<Fact> {
        match event {
            EventKind::Booted(_) => Some(Fact::Booted),
            EventKind::Services(services::Event::LooseningScheduled { account, sequence, .. }) => {
                Some(Fact::Signed(*account, *sequence))
            }
            EventKind::Services(services::Event::ServiceDeleted { service }) => {
                Some(Fact::ServiceDeleted(self.services.owner(*service)?, *service))
            }
            EventKind::Operation(_) | EventKind::Tenancy(_) | EventKind::Services(_) | EventKind::Verification(_) => {
                None
            }
        }
    }

    /// Applies the fact to every workflow.
    pub(crate) fn apply_fact(&mut self, at: Seconds, fact: Fact) {
        match fact {
            Fact::Booted => self.verification.on_boot(at),
            Fact::Signed(account, sequence) => self.tenancy.signed(account, sequence),
            Fact::ServiceDeleted(account, service) => self.verification.on_service_deleted(at, account, service),
        }
    }

    /// Effects of other workflows that a fact causes.
    pub(crate) fn effects_of_fact(&self, fact: Fact) -> impl Iterator<Item = Effect> + use<> {
        let mut draft = verification::Draft::default();
        match fact {
            Fact::Booted | Fact::Signed(..) => {}
            Fact::ServiceDeleted(_, service) => cancel_deliveries_of(&self.verification, service, &mut draft),
        }
        draft.effects.into_iter()
    }
}
