//! Whether kept bodies were retired no earlier than the policy allowed (step 2 of the check).
//!
//! A body of time b may be retired at a time t by a boot of release r if t ≥ b + the retention of
//! r's policy. Only the boot that wrote the newest entry retires, so a release can have retired
//! until the next release's first entry, and the last one until now. A later body is harder to
//! explain than an earlier one: the youngest missing one is judged for all.

use alloc::collections::BTreeMap;

use super::Rule;
use crate::{Header, PolicyRecord};

/// Seconds by which the clocks of two boots may differ, with room. An entry was sealed before it
/// was appended, too.
const CLOCK_ROOM: u64 = 60;
/// Seconds of a time bucket.
const BUCKET: u64 = 10;

/// Inputs of a check besides the logs.
pub trait CheckContext {
    /// Seconds for which a policy keeps bodies; `None` if its bytes cannot be read.
    fn retention(&self, policy: &[u8]) -> Option<u64>;

    /// Unix seconds.
    fn now(&self) -> u64;
}

/// Which releases wrote a log until when, and the youngest kept body that is missing.
#[derive(Default)]
pub(super) struct Retained {
    /// Time bucket of the entry by which the next release took over.
    until: BTreeMap<u64, u64>,
    /// Release and time bucket of the newest entry.
    newest: Option<(u64, u64)>,
    /// Index and time bucket.
    missing: Option<(u64, u64)>,
}

impl Retained {
    /// The next entry.
    pub(super) fn entry(&mut self, header: &Header) {
        if let Some((release, _)) = self.newest.filter(|(release, _)| *release != header.release) {
            self.until.insert(release, header.time_bucket);
        }
        self.newest = Some((header.release, header.time_bucket));
    }

    /// Its kept body is missing.
    pub(super) fn missing(&mut self, header: &Header) {
        self.missing = Some((header.index, header.time_bucket));
    }

    /// Where and why a kept body cannot have been retired.
    pub(super) fn fault(&self, policies: &[PolicyRecord], terms: &impl CheckContext) -> Option<(u64, Rule)> {
        let (index, bucket) = self.missing?;
        let (last, newest) = self.newest?;
        // A clock that is behind the log's is not believed.
        let now = terms.now().max((newest + 1).saturating_mul(BUCKET));
        let ended = |bucket: u64| (bucket + 1).saturating_mul(BUCKET).saturating_add(CLOCK_ROOM);
        let of_each = self.until.iter().map(|(release, until)| (*release, ended(*until))).chain([(last, now)]);
        let mut closest: Option<(u64, u64)> = None;
        let mut unread = None;
        for (release, end) in of_each {
            let policy = policies.iter().find(|policy| policy.release == release);
            let Some(expected) = policy.and_then(|policy| terms.retention(&policy.policy)) else {
                unread = Some(release);
                continue;
            };
            // A release that ended before the body was written did not retire it.
            let Some(got) = end.checked_sub(bucket.saturating_mul(BUCKET)) else { continue };
            if got >= expected {
                return None;
            }
            let is_closer = closest.is_none_or(|(best, age)| expected - got < best - age);
            closest = if is_closer { Some((expected, got)) } else { closest };
        }
        let rule = match (unread, closest) {
            (Some(release), _) => Rule::Policy { release },
            (None, Some((expected, got))) => Rule::Retention { expected, got },
            (None, None) => return None,
        };
        Some((index, rule))
    }
}
