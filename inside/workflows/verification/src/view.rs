//! What readers see of verifications.

use crate::State;
use crate::hot::{Hot, Verification};

/// Live verifications and why others are over, without codes, keys and counts.
#[derive(Clone, Default)]
pub struct View(pub(crate) alloc::sync::Arc<State>);

impl State {
    /// A copy of what readers see.
    pub fn view(&self) -> View {
        let shown = |live: &Verification| Verification {
            destination: live.destination.as_ref().map(adyton_destination::Destination::duplicate),
            custom_code: None,
            attempts: live.attempts.clone(),
            ..*live
        };
        let verifications = self.hot.verifications.iter().map(|(sid, live)| (*sid, shown(live))).collect();
        let hot = Hot { verifications, by_subject: self.hot.by_subject.clone(), ..Hot::default() };
        View(alloc::sync::Arc::new(State { ended: self.ended.clone(), hot, ..State::default() }))
    }
}
