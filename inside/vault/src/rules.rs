//! What the policy and the settings allow now: parameters of every decision, never part of the state.
//!
//! The policy is measured and the settings are logged, so both are parsed at the edge; a decider is handed the result
//! with its [`crate::Context`]. Events carry whatever they need of it, so that replay does not depend on it.

use alloc::collections::BTreeSet;

use crate::{Channel, Seconds, Sid};

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Start, check, fetch and cancel verifications.
    Verify,
    /// Make, change and delete services.
    Admin,
    /// Look at one verification, whose SID a person reads out.
    Support,
}

/// A set of [`Scope`]s; one byte on disk: 1 verify, 2 admin, 4 support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// What an account's own token may do.
    pub const AUTH_TOKEN: Self = Self(Scope::Verify.bit() | Scope::Admin.bit());

    /// The set of some scopes.
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// The scopes in it.
    pub fn list(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }

    /// Whether a scope is in it.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The byte.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The set of a byte; `None` for an empty one or a bit that no scope has.
    pub fn from_bits(bits: u8) -> Option<Self> {
        (1..=7).contains(&bits).then_some(Self(bits))
    }
}

impl Scope {
    const ALL: [Self; 3] = [Self::Verify, Self::Admin, Self::Support];

    const fn bit(self) -> u8 {
        match self {
            Self::Verify => 1,
            Self::Admin => 2,
            Self::Support => 4,
        }
    }

    /// The word in requests.
    pub fn text(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Admin => "admin",
            Self::Support => "support",
        }
    }

    /// Parses the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.text() == text)
    }
}

/// Who may create a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Whoever the owners' signature names.
    Owners,
    /// Anybody.
    Open,
}

/// Everything a decision depends on besides state, command, time and randomness.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Who may create a tenant.
    pub admission: Admission,
    /// Seconds that a loosening waits.
    pub loosening_wait: Seconds,
    /// Channels that are open.
    pub channels: BTreeSet<Channel>,
    /// Calling codes that are open.
    pub calling_codes: BTreeSet<u16>,
    /// Shortest code that a service may have.
    pub shortest_code: u8,
    /// Services that may use codes supplied by the caller, and approve by API.
    pub custom_code_services: BTreeSet<Sid>,
    /// Ceilings.
    pub limits: Limits,
}

/// Ceilings that protect people and purses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Wrong codes that a destination bears in one go, in one service.
    pub failed_checks: u32,
    /// Seconds after which it bears one more; also after a boot, where it begins at none.
    pub failed_checks_refill: Seconds,
    /// Consecutive wrong codes after which the destination is closed for a day.
    pub failed_checks_consecutive: u32,
    /// Messages to one destination in an hour.
    pub sends_per_destination_hour: u32,
    /// Messages to one block of 10,000 telephone numbers in an hour, by one tenant.
    pub sends_per_number_block_hour: u32,
    /// Messages to one mail domain in an hour, by one tenant.
    pub sends_per_mail_domain_hour: u32,
    /// Messages of one tenant in an hour.
    pub sends_per_tenant_hour: u32,
    /// What one tenant's messages may cost in an hour, in millionths of the policy's unit.
    pub spend_per_tenant_hour: u64,
    /// Live verifications that a shard holds.
    pub live_verifications: usize,
}

impl Default for Rules {
    /// What a policy says that says nothing: owners admit tenants, everything is closed.
    fn default() -> Self {
        Self {
            admission: Admission::Owners,
            loosening_wait: 86_400,
            channels: BTreeSet::new(),
            calling_codes: BTreeSet::new(),
            shortest_code: 6,
            custom_code_services: BTreeSet::new(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failed_checks: 20,
            failed_checks_refill: 120,
            failed_checks_consecutive: 100,
            sends_per_destination_hour: 10,
            sends_per_number_block_hour: 200,
            sends_per_mail_domain_hour: 20_000,
            sends_per_tenant_hour: 20_000,
            spend_per_tenant_hour: 1_000_000_000,
            live_verifications: 1_000_000,
        }
    }
}
