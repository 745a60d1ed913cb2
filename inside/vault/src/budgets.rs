//! Failed-check budgets of (service, destination): class P, so they outlive cancel, approve, new sends and restarts.
//!
//! A budget is a token bucket in the form of the generic cell rate algorithm (ITU-T I.371): one instant, `full_again`,
//! at which the bucket will be full. A wrong code moves it by one refill; a check needs one token before anything is
//! compared, and only a wrong code spends it. The instant is computed by the decider and stands in the event, so replay
//! needs no limits.
//!
//! After a boot that is not the vault's first every bucket begins empty, unseen destinations included: a host that
//! restarts the vault, over an old folder or not, gains nothing that waiting would not have given it sooner.
//!
//! Beside it stands the number of consecutive wrong codes, which only a right code resets (NIST SP 800-63B §5.2.2: at
//! most 100). At its ceiling the destination is closed for a day; after that one wrong code closes it for another.

use alloc::collections::BTreeMap;

use crate::{Limits, Seconds, Sid};

/// How long a destination stays closed at the ceiling of consecutive wrong codes.
pub(crate) const CLOSED: Seconds = 86_400;
/// After this many seconds without a wrong code the consecutive ones are forgotten.
const FORGOTTEN: Seconds = 30 * 86_400;
/// Budgets that a shard holds; beyond it checks of further destinations are refused.
pub(crate) const MAX_BUDGETS: usize = 2_000_000;

/// Whose budget: a service and the keyed hash of a destination.
pub(crate) type Place = (Sid, [u8; 16]);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    /// When the bucket is full again.
    pub(crate) full_again: Seconds,
    /// Wrong codes since the last right one.
    pub(crate) consecutive: u32,
    /// When the last wrong code was.
    pub(crate) last: Seconds,
}

/// All budgets of a shard that are not as good as new.
#[derive(Default)]
pub(crate) struct Budgets {
    pub(crate) by_place: BTreeMap<Place, Budget>,
    /// Boots that the log knows.
    pub(crate) boots: u64,
    /// When this boot began, unless it is the vault's first.
    empty_at: Option<Seconds>,
}

/// The place has no token now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoToken {
    /// Seconds until it has one.
    pub(crate) retry_after: Seconds,
}

impl Budgets {
    /// A boot begins.
    pub(crate) fn boot(&mut self, at: Seconds) {
        self.empty_at = (self.boots > 0).then_some(at);
        self.boots += 1;
        self.by_place.values_mut().for_each(|budget| budget.full_again = 0);
    }

    /// What `full_again` becomes if a code that is tried now turns out wrong; or why none may be tried.
    pub(crate) fn try_one(&self, place: &Place, limits: &Limits, now: Seconds) -> Result<Seconds, NoToken> {
        let budget = self.by_place.get(place).copied().unwrap_or_default();
        if budget.consecutive >= limits.failed_checks_consecutive {
            let open = budget.last.saturating_add(CLOSED);
            if open > now {
                return Err(NoToken { retry_after: open - now });
            }
        }
        let refill = limits.failed_checks_refill;
        let size = refill.saturating_mul(limits.failed_checks.into());
        let from_boot = self.empty_at.map_or(0, |at| at.saturating_add(size));
        let full_again = budget.full_again.max(from_boot).max(now).saturating_add(refill);
        let latest = now.saturating_add(size);
        if full_again > latest { Err(NoToken { retry_after: full_again - latest }) } else { Ok(full_again) }
    }

    /// Whether there is room for one more place, should `place` be a new one.
    pub(crate) fn has_room(&self, place: &Place) -> bool {
        self.by_place.len() < MAX_BUDGETS || self.by_place.contains_key(place)
    }

    /// A wrong code was tried.
    pub(crate) fn wrong(&mut self, place: Place, full_again: Seconds, at: Seconds) {
        let budget = self.by_place.entry(place).or_default();
        budget.full_again = full_again;
        budget.consecutive = budget.consecutive.saturating_add(1);
        budget.last = at;
    }

    /// A right code was tried.
    pub(crate) fn right(&mut self, place: &Place) {
        if let Some(budget) = self.by_place.get_mut(place) {
            budget.consecutive = 0;
        }
    }

    /// Drops buckets that are full and count nothing. They are as good as new, so no event need say so.
    pub(crate) fn drop_full(&mut self, now: Seconds) {
        self.by_place.retain(|_, budget| budget.consecutive > 0 || budget.full_again > now);
    }

    /// Whether any count is so old that it is to be forgotten.
    pub(crate) fn any_old(&self, now: Seconds) -> bool {
        self.by_place.values().any(|budget| budget.is_old(now))
    }

    /// Forgets old counts.
    pub(crate) fn forget_old(&mut self, now: Seconds) {
        self.by_place.retain(|_, budget| !budget.is_old(now));
    }
}

impl Budget {
    fn is_old(&self, now: Seconds) -> bool {
        self.consecutive > 0 && self.last.saturating_add(FORGOTTEN) <= now
    }
}
