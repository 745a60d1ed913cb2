//! State of all workflows.

use alloc::vec::Vec;

use adyton_decider::{Corrupt, Record, Seconds};
use adyton_engine::{Machine, SectionReader, Sections};
use adyton_seal::Plaintext;
use adyton_tenancy::AccountId;
use adyton_verification::{Ceiling, HotFacts, Limits};

use crate::{Class, Event, EventKind, services, tenancy, verification};

/// The state of one shard.
#[derive(Default)]
pub struct State {
    pub(crate) tenancy: tenancy::State,
    pub(crate) services: services::State,
    pub(crate) verification: verification::State,
}

impl State {
    /// A new vault.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one event. Total and deterministic.
    pub fn apply_live(&mut self, Event { at, kind }: Event) {
        if let Some(fact) = self.fact(&kind) {
            self.apply_fact(at, fact);
        }
        match kind {
            EventKind::Booted(_) | EventKind::Operation(_) => {}
            EventKind::Tenancy(event) => self.tenancy.apply(at, event),
            EventKind::Services(event) => self.services.apply(at, event),
            EventKind::Verification(event) => self.verification.apply(at, event, &self.services),
        }
    }

    /// Applies one event to a state that keeps only what survives a restart: the one that a boot
    /// replays and that snapshots are made from.
    pub fn apply_cold(&mut self, event: Event) {
        let Event { at, kind } = event;
        match kind {
            EventKind::Verification(event) => self.verification.apply_cold(at, event, &self.services),
            kind => {
                let event = Event { at, kind };
                if matches!(event.class(), Class::S | Class::P) {
                    self.apply_live(event);
                }
            }
        }
    }

    /// The ceilings of which an event uses something and of which, with it, 80 % or more are used.
    /// The state is that before the event.
    pub fn ceilings_near(&self, event: &Event, limits: &Limits) -> impl Iterator<Item = Ceiling> + use<> {
        let near = match &event.kind {
            EventKind::Verification(of) => Some(self.verification.ceilings_near(event.at, of, &self.services, limits)),
            _ => None,
        };
        near.into_iter().flatten()
    }

    /// Whether work is due ([`crate::Tick`]).
    pub fn is_due(&self, now: Seconds) -> bool {
        self.services.is_due(now) || self.verification.is_due(now)
    }

    /// Writes classes S and P, one section for each workflow; nothing hot.
    pub fn encode_cold(&self, out: &mut Plaintext) {
        Self::save(&self.freeze(), &mut Sections::new(out));
    }

    /// Reads what [`State::encode_cold`] wrote; the whole input is one state.
    ///
    /// # Errors
    /// [`Corrupt`] for anything else.
    pub fn decode_cold(bytes: &[u8]) -> Result<Self, Corrupt> {
        Self::load(&mut SectionReader::new(bytes))
    }

    /// [`State::encode_cold`] as a comparable value, for tests that hold two states side by side.
    pub fn cold_bytes(&self) -> Vec<u8> {
        let mut out = Plaintext::with_capacity(256);
        self.encode_cold(&mut out);
        out.as_bytes().to_vec()
    }

    /// Number of verifications held, expired ones included until the next tick.
    pub fn live(&self) -> usize {
        self.verification.live()
    }

    /// Number of slot keys held.
    pub fn slots(&self) -> usize {
        self.verification.slots()
    }

    /// Number of budgets held, and whether each tenant's share of them is counted right: for tests.
    pub fn budgets(&self) -> (usize, bool) {
        self.verification.budgets(&self.services)
    }

    /// Public facts of every live verification, for comparing two states in tests.
    pub fn hot_facts(&self) -> Vec<HotFacts> {
        self.verification.hot_facts()
    }

    /// Number of tenants.
    pub fn tenants(&self) -> usize {
        self.tenancy.tenants()
    }

    /// Sequence that the owners' next signed request must have.
    pub fn next_owners_sequence(&self) -> u64 {
        self.tenancy.next_owners_sequence()
    }

    /// The owners' settings, as they were signed; empty until there are some.
    pub fn settings(&self) -> &str {
        self.tenancy.settings()
    }

    /// A tenant's SSH public key and the sequence that its next signed request must have.
    pub fn signer(&self, account: AccountId) -> Option<(&[u8], u64)> {
        self.tenancy.signer(account)
    }
}
