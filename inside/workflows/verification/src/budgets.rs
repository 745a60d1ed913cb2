//! Failed-check budgets of (service, destination): class P, so they outlive cancel, approve, new
//! sends and restarts.
//!
//! A budget is a [`TokenBucket`]: a check needs one token before anything is compared, and only a
//! wrong code spends it.
//!
//! After a boot that is not the vault's first every bucket begins empty, unseen destinations
//! included: a host that restarts the vault, over an old folder or not, gains nothing that waiting
//! would not have given it sooner.
//!
//! Beside it stands the number of consecutive wrong codes, which only a right code resets (NIST SP
//! 800-63B §5.2.2: at most 100). At its ceiling the destination is closed for a day; after that one
//! wrong code closes it for another.
//!
//! There is room for so many destinations and no more, so tenants share it: one may hold as many as
//! are still free (Choudhury and Hahne's dynamic threshold). Each thief of a tenant's keys halves
//! what remains, and a tenant who holds fewer than remain gets more; some twenty thieves of twenty
//! tenants leave none.

use alloc::vec::Vec;

use adyton_decider::{Map, NoToken, Seconds, TokenBucket};
use adyton_services::ServiceId;
use adyton_tenancy::AccountId;

use crate::{Limits, Subject};

/// How long a destination stays closed at the ceiling of consecutive wrong codes.
pub(crate) const CLOSED: Seconds = 86_400;
/// After this many seconds without a wrong code the consecutive ones are forgotten.
const FORGOTTEN: Seconds = 30 * 86_400;
/// Budgets that a shard holds; beyond it checks of further destinations are refused.
pub(crate) const MAX_BUDGETS: usize = 2_000_000;

/// Whose budget: a service and the keyed hash of a destination.
pub(crate) type Place = (ServiceId, Subject);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    /// When the bucket is full again.
    pub(crate) full_again: Seconds,
    /// Wrong codes since the last right one.
    pub(crate) consecutive: u32,
    /// When the last wrong code was.
    pub(crate) last: Seconds,
}

/// All budgets of a shard that are not as good as new. Its clone costs O(1).
#[derive(Clone, Default)]
pub(crate) struct Budgets {
    by_place: Map<Place, Budget>,
    /// How many of them are of a tenant's services.
    of_account: Map<AccountId, usize>,
    /// Boots that the log knows.
    pub(crate) boots: u64,
    /// When this boot began, unless it is the vault's first.
    empty_at: Option<Seconds>,
}

impl Budgets {
    /// A boot begins.
    pub(crate) fn boot(&mut self, at: Seconds) {
        self.empty_at = (self.boots > 0).then_some(at);
        self.boots += 1;
        let empty = |(place, budget): (&Place, &Budget)| (*place, Budget { full_again: 0, ..*budget });
        self.by_place = self.by_place.iter().map(empty).collect();
    }

    /// What `full_again` becomes if a code that is tried now turns out wrong; or why none may be
    /// tried.
    pub(crate) fn try_one(&self, place: &Place, limits: &Limits, now: Seconds) -> Result<Seconds, NoToken> {
        let budget = self.by_place.get(place).copied().unwrap_or_default();
        if budget.consecutive >= limits.failed_checks_consecutive {
            let open = budget.last.saturating_add(CLOSED);
            if open > now {
                return Err(NoToken { retry_after: open - now });
            }
        }
        let bucket = TokenBucket { size: limits.failed_checks, refill: limits.failed_checks_refill };
        let from_boot = self.empty_at.map_or(0, |at| at.saturating_add(bucket.span()));
        bucket.spend(budget.full_again.max(from_boot), now)
    }

    /// Whether the tenant has room for one more place, should `place` be a new one.
    pub(crate) fn has_room(&self, account: AccountId, place: &Place) -> bool {
        let free = MAX_BUDGETS.saturating_sub(self.by_place.len());
        let held = self.of_account.get(&account).copied().unwrap_or_default();
        held < free || self.by_place.contains_key(place)
    }

    /// How many places are known.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_place.len()
    }

    /// In the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Place, &Budget)> {
        self.by_place.iter()
    }

    /// Takes a budget of a snapshot, whose place is new. `account` is whose the service is, if it
    /// is there.
    pub(crate) fn put(&mut self, account: Option<AccountId>, place: Place, budget: Budget) {
        self.by_place.insert(place, budget);
        if let Some(account) = account {
            self.count(account);
        }
    }

    fn count(&mut self, account: AccountId) {
        self.of_account.update_or_default(account, |held| *held += 1);
    }

    /// A wrong code was tried.
    pub(crate) fn wrong(&mut self, account: AccountId, place: Place, full_again: Seconds, at: Seconds) {
        if !self.by_place.contains_key(&place) {
            self.count(account);
        }
        self.by_place.update_or_default(place, |budget| {
            budget.full_again = full_again;
            budget.consecutive = budget.consecutive.saturating_add(1);
            budget.last = at;
        });
    }

    /// A right code was tried.
    pub(crate) fn right(&mut self, place: &Place) {
        if let Some(budget) = self.by_place.get_mut(place) {
            budget.consecutive = 0;
        }
    }

    /// The destinations of a service that is gone. Its SID does not come again.
    pub(crate) fn service_deleted(&mut self, account: AccountId, service: ServiceId) {
        let places = (service, Subject::MIN)..=(service, Subject::MAX);
        let gone: Vec<Place> = self.by_place.range(places).map(|(place, _)| *place).collect();
        for place in &gone {
            self.by_place.remove(place);
        }
        if let Some(held) = self.of_account.get_mut(&account) {
            *held = held.saturating_sub(gone.len());
        }
    }

    /// Keeps some places, and counts down whose the others were. Places stand by service, so that
    /// there is one question for each service and not for each place.
    fn retain(&mut self, account: impl Fn(&ServiceId) -> Option<AccountId>, mut keep: impl FnMut(&Budget) -> bool) {
        let (mut last, of_account) = (None, &mut self.of_account);
        self.by_place.retain(|(service, _), budget: &Budget| {
            let kept = keep(budget);
            if !kept {
                let owner = match last {
                    Some((known, owner)) if known == *service => owner,
                    _ => account(service),
                };
                last = Some((*service, owner));
                if let Some(held) = owner.and_then(|owner| of_account.get_mut(&owner)) {
                    *held = held.saturating_sub(1);
                }
            }
            kept
        });
        of_account.retain(|_, held| *held > 0);
    }

    /// Drops buckets that are full and count nothing. They are as good as new, so no event need say
    /// so.
    pub(crate) fn drop_full(&mut self, now: Seconds, account: impl Fn(&ServiceId) -> Option<AccountId>) {
        self.retain(account, |budget| budget.consecutive > 0 || budget.full_again > now);
    }

    /// Whether any count is so old that it is to be forgotten.
    pub(crate) fn any_old(&self, now: Seconds) -> bool {
        self.by_place.values().any(|budget| budget.is_old(now))
    }

    /// Forgets old counts.
    pub(crate) fn forget_old(&mut self, now: Seconds, account: impl Fn(&ServiceId) -> Option<AccountId>) {
        self.retain(account, |budget| !budget.is_old(now));
    }
}

impl Budget {
    fn is_old(&self, now: Seconds) -> bool {
        self.consecutive > 0 && self.last.saturating_add(FORGOTTEN) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u8) -> AccountId {
        AccountId::from_bytes([number; 16])
    }

    fn place(service: u8, number: u32) -> Place {
        let mut subject = [0; 16];
        subject[..4].copy_from_slice(&number.to_be_bytes());
        (ServiceId::from_bytes([service; 16]), Subject::from_bytes(subject))
    }

    /// Tries wrong codes at ever new places until there is no room, and says how many there were.
    fn fill(budgets: &mut Budgets, tenant: u8) -> usize {
        let mut filled = 0;
        while budgets.has_room(account(tenant), &place(tenant, filled)) {
            budgets.wrong(account(tenant), place(tenant, filled), 0, 0);
            filled += 1;
        }
        filled as usize
    }

    #[test]
    fn who_fills_all_that_is_left_leaves_room_for_others() {
        let mut budgets = Budgets::default();
        assert_eq!(fill(&mut budgets, 1), MAX_BUDGETS / 2);
        assert_eq!(fill(&mut budgets, 2), MAX_BUDGETS / 4);
        assert!(budgets.has_room(account(3), &place(3, 0)));
        // A place that is known is no new one.
        assert!(budgets.has_room(account(1), &place(1, 0)));
        assert!(!budgets.has_room(account(1), &place(1, u32::MAX)));

        // A service that is gone gives its places back, and so do counts that are forgotten.
        budgets.service_deleted(account(2), place(2, 0).0);
        assert_eq!(budgets.len(), MAX_BUDGETS / 2);
        assert_eq!(fill(&mut budgets, 2), MAX_BUDGETS / 4);
        budgets.forget_old(FORGOTTEN - 1, |service| Some(AccountId::from_bytes(*service.as_bytes())));
        assert_eq!(budgets.len(), MAX_BUDGETS / 4 * 3);
        budgets.forget_old(FORGOTTEN, |service| Some(AccountId::from_bytes(*service.as_bytes())));
        assert_eq!((budgets.len(), budgets.of_account.len()), (0, 0));
    }
}
