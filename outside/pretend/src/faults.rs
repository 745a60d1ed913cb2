//! Faults on request, so that tests can see what a vault does about them.
//!
//! A fault belongs to a suffix of destinations: `0199` for every number that ends so, nothing for all. The longest
//! suffix decides.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Long enough to be noticed, short enough to be waited for.
const SLOW: Duration = Duration::from_secs(3);
/// Longer than a vault waits for an answer.
const LATE: Duration = Duration::from_secs(30);

/// What a carrier does instead of taking a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// It takes its time.
    Slow,
    /// It takes the message, and says so when nobody waits any more.
    Late,
    /// It is out of service and says so: it has not taken the message.
    Failure,
    /// It takes the message, and answers that it failed within.
    TakenThenError,
    /// It asks for patience.
    Busy,
    /// It says something that makes no sense.
    Garbage,
    /// It breaks off before its answer.
    Close,
    /// It takes the message and breaks off in the body of its answer.
    Cut,
    /// It sends elsewhere: to `elsewhere.adyton.test`.
    Redirect,
    /// It will never deliver to this destination.
    Refuse,
    /// It knows the vault's account no more.
    Suspended,
    /// The vault's account cannot have texts discarded.
    NoRedaction,
}

/// The faults that are set.
#[derive(Default)]
pub struct Faults(Mutex<BTreeMap<String, Fault>>);

impl Faults {
    /// Sets the faults, by suffix of destinations.
    pub fn set(&self, faults: BTreeMap<String, Fault>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// The fault for a destination; those that are only a wait before the message is taken are waited out here.
    pub async fn of(&self, to: &str) -> Option<Fault> {
        let fault = self.find(to);
        if fault == Some(Fault::Slow) {
            tokio::time::sleep(SLOW).await;
        }
        fault
    }

    fn find(&self, to: &str) -> Option<Fault> {
        let faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let matching = faults.iter().filter(|(suffix, _)| to.ends_with(suffix.as_str()));
        matching.max_by_key(|(suffix, _)| suffix.len()).map(|(_, fault)| *fault)
    }
}

/// What is waited after a message was taken.
pub(crate) async fn after(fault: Option<Fault>) {
    if fault == Some(Fault::Late) {
        tokio::time::sleep(LATE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_suffix_decides() {
        let faults = Faults::default();
        assert_eq!(faults.find("+15550100199"), None);
        let set = [("", Fault::Busy), ("99", Fault::Close), ("0199", Fault::Refuse)];
        faults.set(set.map(|(suffix, fault)| (suffix.to_owned(), fault)).into());
        assert_eq!(faults.find("+15550100199"), Some(Fault::Refuse));
        assert_eq!(faults.find("+15550100299"), Some(Fault::Close));
        assert_eq!(faults.find("+15550100200"), Some(Fault::Busy));
    }
}
