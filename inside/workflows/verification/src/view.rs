//! Published view of verifications.

use alloc::vec::Vec;

use crate::hot::Hot;
use crate::{HotFacts, State};

/// Live verifications and why others ended: no slot key, no count of sending and no budget. Its
/// clone costs O(1), and shows what it showed then.
#[derive(Default)]
pub struct View(pub(crate) State);

impl Clone for View {
    fn clone(&self) -> Self {
        self.0.view()
    }
}

impl View {
    /// Public facts of every live verification, for comparing two states in tests.
    pub fn hot_facts(&self) -> Vec<HotFacts> {
        self.0.hot_facts()
    }
}

impl State {
    /// The published view of the current state, in O(1).
    pub fn view(&self) -> View {
        let Hot { verifications, by_subject, .. } = &self.hot;
        let hot = Hot { verifications: verifications.clone(), by_subject: by_subject.clone(), ..Hot::default() };
        View(State { ended: self.ended.shown(), hot, ..State::default() })
    }
}

#[cfg(test)]
mod tests {
    use adyton_seal::SlotKey;

    use super::*;
    use crate::hot::Slot;

    fn shared<T: Clone + Send + Sync + 'static>(of: &T) -> T {
        of.clone()
    }

    #[test]
    fn a_view_shows_no_key_and_no_count() {
        let mut state = State::default();
        let key = SlotKey::new(adyton_seal::Secret::init_with(|bytes| bytes.fill(1)));
        state.hot.slots.insert(1, Slot { key: Some(key), live: 1 });
        state.hot.by_expiry.insert((1, crate::VerificationId::MIN));
        state.hot.sends.add(crate::sends::Counted::Tenant(adyton_tenancy::AccountId::MIN), 1, 1);
        state.budgets.boots = 3;
        let State { budgets, ended: _, hot: Hot { slots, by_expiry, sends, .. } } = shared(&state.view()).0;
        assert!(slots.is_empty() && by_expiry.is_empty() && sends.is_empty());
        assert_eq!((budgets.len(), budgets.boots), (0, 0));
    }
}
