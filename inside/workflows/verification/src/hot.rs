//! Live verifications: class H, void after a boot; and, for ten minutes, why one ended.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;

use adyton_decider::{CowArc, Map, Seconds, Set};
use adyton_destination::{Channel, Destination};
use adyton_seal::{Code, SlotKey};
use adyton_services::ServiceId;

use crate::attempts::Attempts;
use crate::sends::Sends;
use crate::{Attempt, CODE_LIFE, MAX_CHECKS, Outcome, Reason, SLOT, Subject, VerificationId};

/// How long the reason of an end is kept.
const END_REASON_RETENTION: Seconds = 600;
/// Most ends that are kept; the oldest is dropped first.
const MAX_ENDED: usize = 200_000;

/// Everything that lives in one boot.
#[derive(Default)]
pub(crate) struct Hot {
    pub(crate) slots: BTreeMap<u32, Slot>,
    pub(crate) verifications: Map<VerificationId, CowArc<Verification>>,
    /// (service, subject) to the live verification of that destination.
    pub(crate) by_subject: Map<(ServiceId, Subject), VerificationId>,
    /// Expiry of each verification, soonest first.
    pub(crate) by_expiry: Set<(Seconds, VerificationId)>,
    pub(crate) sends: Sends,
    /// Deleted services whose verifications wait for sweeps.
    pub(crate) deleted_services: BTreeSet<ServiceId>,
    /// Hour of the last sweep.
    pub(crate) swept: u64,
    /// A scan of the counts of sending is under way.
    pub(crate) forgetting: bool,
}

pub(crate) struct Slot {
    /// `None` only in a replayed state, where every code of the slot is void.
    pub(crate) key: Option<SlotKey>,
    pub(crate) live: u32,
}

/// One that is started and not expired. Its clone copies no secret.
pub(crate) struct Verification {
    pub(crate) service: ServiceId,
    pub(crate) subject: Subject,
    pub(crate) channel: Channel,
    /// `None` only in a replayed state.
    pub(crate) destination: Option<Destination>,
    /// A code that the caller supplied; otherwise it is derived from the slot's key.
    pub(crate) custom_code: Option<Arc<Code>>,
    pub(crate) code_length: u8,
    /// The caller supplied its code, which a right check erases.
    pub(crate) is_supplied: bool,
    pub(crate) updated: Seconds,
    pub(crate) attempts: Attempts,
    /// Codes that were compared.
    pub(crate) checks: u8,
    /// The right code was tried. It has ended for its tenant and has no code. It stays in the
    /// tables until it expires, so that timing is the same as after a wrong code.
    pub(crate) approved: bool,
}

impl Clone for Verification {
    fn clone(&self) -> Self {
        let Self { service, subject, channel, code_length, is_supplied, updated, checks, approved, .. } = *self;
        let destination = self.destination.as_ref().map(Destination::duplicate);
        let (custom_code, attempts) = (self.custom_code.clone(), self.attempts.clone());
        Self {
            service,
            subject,
            channel,
            destination,
            custom_code,
            code_length,
            is_supplied,
            updated,
            attempts,
            checks,
            approved,
        }
    }
}

impl Verification {
    pub(crate) fn expires_at(&self) -> Seconds {
        self.created().saturating_add(CODE_LIFE)
    }

    /// When it was started: its first attempt was sent then.
    pub(crate) fn created(&self) -> Seconds {
        self.attempts.first().at
    }

    /// The slot whose key its code is derived from.
    pub(crate) fn slot(&self) -> u32 {
        slot(self.created())
    }

    /// Whether its newest attempt's outcome is not known: that message may still be under way.
    /// Older ones were stopped.
    pub(crate) fn is_under_way(&self) -> bool {
        self.attempts.last().outcome.is_none()
    }

    /// The route of its newest message that nobody confirmed: the next one takes another first.
    pub(crate) fn route_to_avoid(&self) -> Option<u8> {
        let unconfirmed = |attempt: &&Attempt| attempt.outcome == Some(Outcome::Unconfirmed);
        self.attempts.iter().rev().find(unconfirmed).and_then(|attempt| attempt.route)
    }

    /// Reason recorded when it expires.
    pub(crate) fn reason_at_end(&self) -> Reason {
        match self.checks {
            _ if self.approved => Reason::Approved,
            MAX_CHECKS.. => Reason::MaxAttemptsReached,
            _ => Reason::Expired,
        }
    }
}

impl Hot {
    pub(crate) fn start(&mut self, sid: VerificationId, verification: Verification) {
        self.slots.entry(verification.slot()).or_insert(Slot { key: None, live: 0 }).live += 1;
        self.by_subject.insert((verification.service, verification.subject), sid);
        self.by_expiry.insert((verification.expires_at(), sid));
        self.verifications.insert(sid, verification.into());
    }

    /// Ends a verification and erases its slot's key with the slot's last live code.
    pub(crate) fn end(&mut self, sid: VerificationId) -> Option<CowArc<Verification>> {
        let ended = self.verifications.remove(&sid)?;
        self.by_expiry.remove(&(ended.expires_at(), sid));
        let subject = (ended.service, ended.subject);
        // A later verification of the same destination may have taken the place.
        if self.by_subject.get(&subject) == Some(&sid) {
            self.by_subject.remove(&subject);
        }
        if !ended.approved {
            self.leave_slot(ended.slot());
        }
        Some(ended)
    }

    /// A code was compared. A right one erases the verification's own code, and its slot's key with
    /// the slot's last live one.
    pub(crate) fn checked(&mut self, sid: VerificationId, right: bool, at: Seconds) {
        let Some(live) = self.verifications.get_mut(&sid) else { return };
        live.checks = live.checks.saturating_add(1);
        live.updated = at;
        if right && !live.approved {
            live.approved = true;
            live.custom_code = None;
            let slot = live.slot();
            self.leave_slot(slot);
        }
    }

    fn leave_slot(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(&number) else { return };
        slot.live = slot.live.saturating_sub(1);
        if slot.live == 0 {
            self.slots.remove(&number);
        }
    }
}

/// Why verifications ended, for ten minutes each.
#[derive(Default)]
pub(crate) struct RecentEnds {
    by_sid: Map<VerificationId, (ServiceId, Reason, Seconds)>,
    /// Oldest first.
    order: VecDeque<VerificationId>,
}

impl RecentEnds {
    /// The published part.
    pub(crate) fn shown(&self) -> Self {
        Self { by_sid: self.by_sid.clone(), order: VecDeque::new() }
    }

    pub(crate) fn put(&mut self, verification: VerificationId, service: ServiceId, reason: Reason, at: Seconds) {
        let until = at.saturating_add(END_REASON_RETENTION);
        if self.by_sid.insert(verification, (service, reason, until)).is_none() {
            self.order.push_back(verification);
        }
        if self.order.len() > MAX_ENDED
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_sid.remove(&oldest);
        }
    }

    /// Records in a replay that a verification's code was compared. How long it is kept depends on
    /// the start, as far as that is known, and never on the outcome.
    pub(crate) fn checked(&mut self, verification: VerificationId, service: ServiceId, right: bool, at: Seconds) {
        match self.by_sid.get_mut(&verification) {
            Some((_, reason, _)) if right => *reason = Reason::Approved,
            Some(_) => {}
            None if right => self.put(verification, service, Reason::Approved, at),
            None => self.put(verification, service, Reason::VaultRestarted, at),
        }
    }

    pub(crate) fn reason(&self, service: ServiceId, verification: VerificationId, now: Seconds) -> Option<Reason> {
        let (of, reason, until) = self.by_sid.get(&verification)?;
        (*of == service && *until > now).then_some(*reason)
    }

    /// Service and reason, however long ago it was.
    pub(crate) fn entry(&self, verification: VerificationId) -> Option<(ServiceId, Reason)> {
        self.by_sid.get(&verification).map(|(service, reason, _)| (*service, *reason))
    }

    /// Whether the oldest is due to be dropped.
    pub(crate) fn is_due(&self, now: Seconds) -> bool {
        let oldest = self.order.front().and_then(|sid| self.by_sid.get(sid));
        oldest.is_some_and(|(_, _, until)| *until <= now)
    }

    /// Drops reasons that are due, at most so many.
    pub(crate) fn evict_old(&mut self, now: Seconds, max: usize) {
        for _ in 0..max {
            if !self.is_due(now) {
                return;
            }
            if let Some(oldest) = self.order.pop_front() {
                self.by_sid.remove(&oldest);
            }
        }
    }
}

/// Number of the slot that a time lies in.
pub(crate) fn slot(at: Seconds) -> u32 {
    u32::try_from(at / SLOT).unwrap_or(u32::MAX)
}
