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
//! are still free (Choudhury and Hahne's dynamic threshold). Each tenant that fills its share
//! halves what remains, and a tenant that holds fewer than remain gets more; after some twenty such
//! tenants none remain.

use alloc::vec::Vec;
use core::ops::Bound;

use adyton_decider::{Map, NoToken, Seconds, TokenBucket};
use adyton_services::ServiceId;
use adyton_tenancy::AccountId;

use crate::{Limits, Subject};

/// How long a destination stays closed at the ceiling of consecutive wrong codes.
pub(crate) const CLOSED_FOR: Seconds = 86_400;
/// After this many seconds without a wrong code the consecutive ones count for nothing.
const FORGOTTEN_AFTER: Seconds = 30 * 86_400;
/// Budgets that a shard holds; beyond it checks of further destinations are refused.
pub(crate) const MAX_BUDGETS: usize = 2_000_000;

/// Whose budget: a service and the keyed hash of a destination.
pub(crate) type BudgetKey = (ServiceId, Subject);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    /// When the bucket is full again, as the boot `boot` knew it.
    full_again: Seconds,
    /// Wrong codes since the last right one.
    consecutive: u32,
    /// Number of the boot in which the last wrong code was; later ones begin with empty buckets.
    boot: u32,
    /// When the last wrong code was.
    pub(crate) last: Seconds,
}

/// All budgets of a shard that differ from an unused budget, and for a while others.
#[derive(Clone, Default)]
pub(crate) struct Budgets {
    by_place: Map<BudgetKey, Budget>,
    /// Number of budgets of each tenant's services, deleted services included.
    of_account: Map<AccountId, usize>,
    /// Deleted services whose budgets wait for sweeps, and their tenants.
    deleted_services: Map<ServiceId, AccountId>,
    /// The last place that a sweep scanned.
    cursor: Option<BudgetKey>,
    /// Boots that the log knows.
    pub(crate) boots: u64,
    /// When this boot began, unless it is the vault's first.
    empty_at: Option<Seconds>,
    /// Time of the newest event that a boot replays here. Counts are dropped by it and not by a
    /// later time, so that a state that was swept and one that was replayed hold the same counts.
    now: Seconds,
}

impl Budget {
    /// Of a snapshot.
    pub(crate) fn counted(consecutive: u32, last: Seconds) -> Self {
        Self { full_again: 0, consecutive, boot: 0, last }
    }

    /// Consecutive wrong codes, as far as they count at a time.
    pub(crate) fn consecutive(&self, now: Seconds) -> u32 {
        if self.last.saturating_add(FORGOTTEN_AFTER) <= now { 0 } else { self.consecutive }
    }
}

impl Budgets {
    /// An event that a boot replays is applied.
    fn pass(&mut self, at: Seconds) {
        self.now = self.now.max(at);
    }

    /// A boot begins: every bucket is empty.
    pub(crate) fn boot(&mut self, at: Seconds) {
        self.pass(at);
        self.empty_at = (self.boots > 0).then_some(at);
        self.boots += 1;
    }

    /// This boot's number as [`Budget`] keeps it. Nothing boots four thousand million times.
    fn this_boot(&self) -> u32 {
        u32::try_from(self.boots).unwrap_or(u32::MAX)
    }

    fn full_again(&self, budget: &Budget) -> Seconds {
        if budget.boot == self.this_boot() { budget.full_again } else { 0 }
    }

    /// The new `full_again` if a code that is tried now turns out wrong; or why none may be tried.
    pub(crate) fn try_one(&self, place: &BudgetKey, limits: &Limits, now: Seconds) -> Result<Seconds, NoToken> {
        let budget = self.by_place.get(place).copied().unwrap_or_default();
        if budget.consecutive(now) >= limits.failed_checks_consecutive {
            let open = budget.last.saturating_add(CLOSED_FOR);
            if open > now {
                return Err(NoToken { retry_after: open - now });
            }
        }
        let bucket = TokenBucket { size: limits.failed_checks, refill: limits.failed_checks_refill };
        let from_boot = self.empty_at.map_or(0, |at| at.saturating_add(bucket.span()));
        bucket.spend(self.full_again(&budget).max(from_boot), now)
    }

    fn count_of(&self, account: AccountId) -> usize {
        self.of_account.get(&account).copied().unwrap_or_default()
    }

    /// Whether the tenant has room for one more place, should `place` be a new one.
    pub(crate) fn has_room(&self, account: AccountId, place: &BudgetKey) -> bool {
        let free = MAX_BUDGETS.saturating_sub(self.by_place.len());
        self.count_of(account) < free || self.by_place.contains_key(place)
    }

    /// How many places are known.
    pub(crate) fn len(&self) -> usize {
        self.by_place.len()
    }

    /// Places with consecutive wrong codes that count at the newest event's time, in order.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&BudgetKey, u32, Seconds)> {
        let counts = |(place, budget): (&'_ BudgetKey, &Budget)| (budget.consecutive(self.now), budget.last, place.0);
        self.by_place.iter().filter_map(move |entry| {
            let (consecutive, last, service) = counts(entry);
            (consecutive > 0 && !self.deleted_services.contains_key(&service)).then_some((entry.0, consecutive, last))
        })
    }

    /// Takes a budget of a snapshot, whose place is new.
    pub(crate) fn put(&mut self, account: AccountId, place: BudgetKey, budget: Budget) {
        self.by_place.insert(place, budget);
        self.count(account);
    }

    fn count(&mut self, account: AccountId) {
        self.of_account.update_or_default(account, |held| *held += 1);
    }

    /// A wrong code was tried.
    pub(crate) fn wrong(&mut self, account: AccountId, place: BudgetKey, full_again: Seconds, at: Seconds) {
        self.pass(at);
        let known = self.by_place.get(&place);
        let consecutive = known.map_or(0, |budget| budget.consecutive(self.now)).saturating_add(1);
        let budget = Budget { full_again, consecutive, boot: self.this_boot(), last: at };
        if self.by_place.insert(place, budget).is_none() {
            self.count(account);
        }
    }

    /// A right code was tried.
    pub(crate) fn right(&mut self, place: &BudgetKey, at: Seconds) {
        self.pass(at);
        if let Some(budget) = self.by_place.get_mut(place) {
            budget.consecutive = 0;
        }
    }

    /// A service of a tenant was deleted. Its SID is not used again.
    pub(crate) fn on_service_deleted(&mut self, at: Seconds, account: AccountId, service: ServiceId) {
        self.pass(at);
        if self.first_of(service).is_some() {
            self.deleted_services.insert(service, account);
        }
    }

    fn first_of(&self, service: ServiceId) -> Option<BudgetKey> {
        let places = (service, Subject::MIN)..=(service, Subject::MAX);
        self.by_place.range(places).next().map(|(place, _)| *place)
    }

    /// Removes budgets of deleted services, in so many steps.
    pub(crate) fn remove_deleted(&mut self, steps: usize) {
        for _ in 0..steps {
            let Some((service, account)) = self.deleted_services.first().map(|(service, of)| (*service, *of)) else {
                return;
            };
            match self.first_of(service) {
                Some(place) => self.remove(&place, Some(account)),
                None => drop(self.deleted_services.remove(&service)),
            }
        }
    }

    /// Scans the next places, at most so many, and drops those whose bucket is full and that count
    /// nothing. They are equal to an unused budget, so no event is needed. After the last place the
    /// scan starts again.
    pub(crate) fn evict_full(&mut self, now: Seconds, max: usize, owner: impl Fn(&ServiceId) -> Option<AccountId>) {
        let from = self.cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let (mut looked, mut worthless) = (None, Vec::new());
        let next = self.by_place.range((from, Bound::Unbounded)).take(max);
        let seen = next.map(|(place, budget)| {
            looked = Some(*place);
            if budget.consecutive(self.now) == 0 && self.full_again(budget) <= now {
                worthless.push(*place);
            }
        });
        let all = seen.count() == max;
        self.cursor = looked.filter(|_| all);
        for place in worthless {
            let owner = owner(&place.0).or_else(|| self.deleted_services.get(&place.0).copied());
            self.remove(&place, owner);
        }
    }

    fn remove(&mut self, place: &BudgetKey, account: Option<AccountId>) {
        if self.by_place.remove(place).is_none() {
            return;
        }
        let Some(account) = account else { return };
        if let Some(held) = self.of_account.get_mut(&account) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.of_account.remove(&account);
            }
        }
    }

    /// Whether the number that is kept for each tenant is that of its places: for tests.
    pub(crate) fn are_counted(&self, owner: impl Fn(&ServiceId) -> Option<AccountId>) -> bool {
        let mut counted = Map::<AccountId, usize>::default();
        for ((service, _), _) in self.by_place.iter() {
            match owner(service).or_else(|| self.deleted_services.get(service).copied()) {
                Some(account) => counted.update_or_default(account, |held| *held += 1),
                None => return false,
            }
        }
        counted.iter().eq(self.of_account.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u8) -> AccountId {
        AccountId::from_bytes([number; 16])
    }

    fn place(service: u8, number: u32) -> BudgetKey {
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
    fn tenant_at_its_share_leaves_room_for_others() {
        let mut budgets = Budgets::default();
        assert_eq!(fill(&mut budgets, 1), MAX_BUDGETS / 2);
        assert_eq!(fill(&mut budgets, 2), MAX_BUDGETS / 4);
        assert!(budgets.has_room(account(3), &place(3, 0)));
        // A place that is known is no new one.
        assert!(budgets.has_room(account(1), &place(1, 0)));
        assert!(!budgets.has_room(account(1), &place(1, u32::MAX)));

        // A deleted service frees its places, step by step, and so do counts that have expired.
        let owner = |service: &ServiceId| Some(AccountId::from_bytes(*service.as_bytes()));
        budgets.on_service_deleted(0, account(2), place(2, 0).0);
        assert_eq!(budgets.counts().count(), MAX_BUDGETS / 2, "at once");
        budgets.remove_deleted(1000);
        assert_eq!((budgets.len(), budgets.count_of(account(2))), (MAX_BUDGETS / 4 * 3 - 1000, MAX_BUDGETS / 4 - 1000));
        budgets.remove_deleted(MAX_BUDGETS);
        assert_eq!((budgets.len(), budgets.deleted_services.len()), (MAX_BUDGETS / 2, 0));
        assert_eq!(fill(&mut budgets, 2), MAX_BUDGETS / 4);
        budgets.evict_full(FORGOTTEN_AFTER - 1, MAX_BUDGETS, owner);
        assert_eq!(budgets.len(), MAX_BUDGETS / 4 * 3);
        budgets.pass(FORGOTTEN_AFTER);
        budgets.evict_full(FORGOTTEN_AFTER, 1000, owner);
        assert_eq!((budgets.len(), budgets.count_of(account(1))), (MAX_BUDGETS / 4 * 3 - 1000, MAX_BUDGETS / 2 - 1000));
        budgets.evict_full(FORGOTTEN_AFTER, MAX_BUDGETS, owner);
        assert_eq!((budgets.len(), budgets.of_account.len()), (0, 0));
    }
}
