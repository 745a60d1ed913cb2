//! The ceilings of sending: what each counts, how much one message uses of it, and when it is
//! nearly used up.

use adyton_decider::Seconds;
use adyton_tenancy::AccountId;

use crate::sends::Counted;
use crate::{Ceiling, Event, Limits, SharedSubject, State, Subjects};

/// Look-ups by one tenant's support in an hour.
pub(crate) const SUPPORT_LOOKUPS: u64 = 600;

/// A request's use of a ceiling.
#[derive(Clone, Copy)]
pub(crate) struct CeilingUsage {
    pub(crate) ceiling: Ceiling,
    pub(crate) key: Counted,
    pub(crate) amount: u64,
    pub(crate) limit: u64,
}

/// One message's use of the ceilings; the narrowest one first, which says most to the caller.
pub(crate) fn of_message(account: AccountId, subjects: &Subjects, cost: u64, limits: &Limits) -> [CeilingUsage; 4] {
    let shared = match subjects.shared {
        SharedSubject::NumberBlock(_) => (Ceiling::NumberBlock, limits.sends_per_number_block_hour),
        SharedSubject::MailDomain(_) => (Ceiling::MailDomain, limits.sends_per_mail_domain_hour),
    };
    let destination = (Ceiling::Destination, limits.sends_per_destination_hour);
    let tenant = (Ceiling::Tenant, limits.sends_per_tenant_hour);
    let one = |(ceiling, limit): (Ceiling, u32), key| CeilingUsage { ceiling, key, amount: 1, limit: limit.into() };
    [
        one(destination, Counted::Destination(subjects.in_tenant)),
        one(shared, Counted::SharedSubject(subjects.shared)),
        one(tenant, Counted::Tenant(account)),
        CeilingUsage {
            ceiling: Ceiling::Spend,
            key: Counted::Spend(account),
            amount: cost,
            limit: limits.spend_per_tenant_hour,
        },
    ]
}

/// One support look-up's use of its ceiling.
pub(crate) fn of_lookup(account: AccountId) -> CeilingUsage {
    CeilingUsage { ceiling: Ceiling::Support, key: Counted::Support(account), amount: 1, limit: SUPPORT_LOOKUPS }
}

impl State {
    /// The ceilings of which an event uses something and of which, with it, 80 % or more are used.
    /// The state is that before the event. [`Ceiling::Destination`] is left out: it is met by one
    /// person's own resends.
    pub fn ceilings_near(
        &self,
        at: Seconds,
        event: &Event,
        services: &adyton_services::State,
        limits: &Limits,
    ) -> impl Iterator<Item = Ceiling> + use<> {
        let message = |account: AccountId, sent: &Option<(Subjects, u64)>| {
            sent.as_ref().map(|(subjects, cost)| of_message(account, subjects, *cost, limits))
        };
        let mut used = [None; 4];
        match event {
            Event::VerificationStarted { account, sent, .. } => {
                used = message(*account, sent).map_or(used, |all| all.map(Some))
            }
            Event::VerificationResent { verification, sent, .. } | Event::SendRepeated { verification, sent, .. } => {
                let live = self.hot.verifications.get(verification);
                if let Some(account) = live.and_then(|live| services.owner(live.service)) {
                    used = message(account, sent).map_or(used, |all| all.map(Some));
                }
            }
            Event::SupportLooked { account, .. } => used[0] = Some(of_lookup(*account)),
            _ => {}
        }
        let near = used.map(|used| used.filter(|used| used.ceiling != Ceiling::Destination && self.is_near(used, at)));
        near.into_iter().flatten().map(|used| used.ceiling)
    }

    fn is_near(&self, used: &CeilingUsage, now: Seconds) -> bool {
        let after = self.hot.sends.in_last_hour(&used.key, now).saturating_add(used.amount);
        // A message that costs nothing brings nobody closer to a cap.
        used.amount > 0 && after.saturating_mul(5) >= used.limit.saturating_mul(4)
    }
}
