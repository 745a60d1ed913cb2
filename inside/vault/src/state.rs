//! What the vault remembers.
//!
//! Tenants, keys, services and settings are class S, failed-check budgets class P: both go into snapshots. Everything
//! about live codes is class H ([`crate::hot`]): it lives in the memory of one boot and is void after the next.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use adyton_seal::same;

use crate::budgets::Budgets;
use crate::hot::{Ended, Hot, Verification};
use crate::{AppHash, Caller, Event, EventKind, Reason, Refusal, Scope, Scopes, Seconds, Sid, User};

/// The state of one shard.
#[derive(Default)]
pub struct State {
    pub(crate) tenants: BTreeMap<Sid, Tenant>,
    /// API keys by their SID.
    pub(crate) keys: BTreeMap<Sid, ApiKey>,
    pub(crate) services: BTreeMap<Sid, Service>,
    /// (account, created, service): a tenant's services in order.
    pub(crate) services_of: BTreeSet<(Sid, Seconds, Sid)>,
    /// (when, service): loosenings that wait, soonest first.
    pub(crate) loosenings: BTreeSet<(Seconds, Sid)>,
    /// The owners' last signed request.
    pub(crate) owners_sequence: u64,
    /// The owners' settings, as they were signed; empty until there are some.
    pub(crate) settings: String,
    pub(crate) budgets: Budgets,
    /// Why verifications that are over ended; kept for a while, through a restart as far as the log still tells.
    pub(crate) ended: Ended,
    pub(crate) hot: Hot,
}

pub(crate) struct Tenant {
    pub(crate) token_hash: [u8; 32],
    pub(crate) friendly_name: String,
    /// OpenSSH public key that signs this tenant's own requests; empty if it has none.
    pub(crate) ssh_key: Vec<u8>,
    /// The tenant's last signed request.
    pub(crate) sequence: u64,
    pub(crate) created: Seconds,
    /// Number of its services; counted, not written.
    pub(crate) services: u32,
    /// Number of its loosenings that wait; counted, not written.
    pub(crate) loosenings: u32,
}

pub(crate) struct ApiKey {
    pub(crate) account: Sid,
    pub(crate) token_hash: [u8; 32],
    pub(crate) scopes: Scopes,
}

/// What an admin chooses of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// A name for people; it stands in the message.
    pub friendly_name: String,
    /// Digits of its codes.
    pub code_length: u8,
    /// Whether callers may supply codes, as far as the policy lets them.
    pub custom_code: bool,
    /// Whether messages ask not to share the code.
    pub do_not_share: bool,
    /// Domain that codes are bound to in the message's last line (WebOTP); empty for none.
    pub web_otp_domain: String,
    /// Android apps that a request may have the message handed to, each once; at most [`AppHash::MOST`].
    pub app_hashes: Vec<AppHash>,
}

pub(crate) struct Service {
    pub(crate) account: Sid,
    pub(crate) settings: ServiceSettings,
    pub(crate) created: Seconds,
    pub(crate) updated: Seconds,
    pub(crate) loosening: Option<Loosening>,
}

/// A change that makes a service weaker and therefore waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loosening {
    /// Code length from then on, if it becomes shorter.
    pub code_length: Option<u8>,
    /// Whether callers may supply codes from then on.
    pub custom_code: bool,
    /// When it takes effect.
    pub at: Seconds,
}

impl Loosening {
    /// What a service's settings become by it.
    pub(crate) fn apply(&self, settings: &mut ServiceSettings) {
        settings.code_length = self.code_length.unwrap_or(settings.code_length);
        settings.custom_code |= self.custom_code;
    }
}

impl State {
    /// A vault in which nothing happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether something is due that the last tick left ([`crate::Command::Tick`]).
    pub fn has_due(&self, now: Seconds) -> bool {
        self.loosenings.first().is_some_and(|(at, _)| *at <= now)
    }

    /// A loosening of a service of a tenant's waits from now on.
    pub(crate) fn put_loosening(&mut self, account: Sid, service: Sid, at: Seconds) {
        if self.loosenings.insert((at, service))
            && let Some(tenant) = self.tenants.get_mut(&account)
        {
            tenant.loosenings = tenant.loosenings.saturating_add(1);
        }
    }

    /// A loosening waits no longer.
    pub(crate) fn take_loosening(&mut self, account: Sid, service: Sid, at: Seconds) {
        if self.loosenings.remove(&(at, service))
            && let Some(tenant) = self.tenants.get_mut(&account)
        {
            tenant.loosenings = tenant.loosenings.saturating_sub(1);
        }
    }

    /// Number of verifications held, expired ones included until the next tick.
    pub fn live(&self) -> usize {
        self.hot.verifications.len()
    }

    /// Number of slot keys held.
    pub fn slots(&self) -> usize {
        self.hot.slots.len()
    }

    /// Number of tenants.
    pub fn tenants(&self) -> usize {
        self.tenants.len()
    }

    /// Drops budgets that are as good as new. No event says so, so whoever keeps a state for long does it now and then.
    pub fn drop_full_budgets(&mut self, now: Seconds) {
        self.budgets.drop_full(now, crate::evolve::owner(&self.services));
    }

    /// Sequence that the owners' next signed request must have.
    pub fn next_owners_sequence(&self) -> u64 {
        self.owners_sequence + 1
    }

    /// The owners' settings, as they were signed; empty until there are some.
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// API keys and the accounts that they belong to.
    pub fn keys(&self) -> impl Iterator<Item = (Sid, Sid)> {
        self.keys.iter().map(|(sid, key)| (*sid, key.account))
    }

    /// A tenant's SSH public key and the sequence that its next signed request must have.
    pub fn signer(&self, account: Sid) -> Option<(&[u8], u64)> {
        let tenant = self.tenants.get(&account)?;
        Some((&tenant.ssh_key, tenant.sequence + 1))
    }

    /// Public facts of every live verification, in order: SID, service, attempts sent, outcomes known, failed checks.
    /// For comparing two states in tests; it holds no destination and no key.
    pub fn hot_facts(&self) -> Vec<(Sid, Sid, usize, usize, u8)> {
        let facts = |(sid, live): (&Sid, &Verification)| {
            let known = live.attempts.iter().filter(|attempt| attempt.outcome.is_some()).count();
            (*sid, live.service, live.attempts.len(), known, live.failed_checks)
        };
        self.hot.verifications.iter().map(facts).collect()
    }

    /// The caller's account, if its token is right and may do this. Unknown users cost the same comparison.
    pub(crate) fn authenticate(&self, caller: &Caller, scope: Scope) -> Result<Sid, Refusal> {
        let found = match caller.user {
            User::Account(account) => {
                self.tenants.get(&account).map(|tenant| (account, &tenant.token_hash, Scopes::AUTH_TOKEN))
            }
            User::Key(sid) => self.keys.get(&sid).map(|key| (key.account, &key.token_hash, key.scopes)),
        };
        let expected = found.map_or(&[0; 32], |(_, token_hash, _)| token_hash);
        // Constant time: both sides are keyed hashes of a secret token.
        let right = same(expected, &caller.token_hash);
        match found {
            Some((account, _, scopes)) if right && scopes.contains(scope) => Ok(account),
            Some(_) if right => Err(Refusal::Scope),
            _ => Err(Refusal::Unauthorized),
        }
    }

    /// The service, if it is the caller's; another tenant's service answers as an unknown one.
    pub(crate) fn service(&self, account: Sid, service: Sid) -> Result<&Service, Refusal> {
        self.services.get(&service).filter(|found| found.account == account).ok_or(Refusal::NotFound(None))
    }

    /// The verification, if it is of that service and its life is not over.
    pub(crate) fn live_verification(&self, service: Sid, verification: Sid, now: Seconds) -> Option<&Verification> {
        let found = self.hot.verifications.get(&verification)?;
        (found.service == service && found.ends() > now).then_some(found)
    }

    /// Why a verification of a service is over, if that is still known.
    pub(crate) fn reason(&self, service: Sid, verification: Sid, now: Seconds) -> Option<Reason> {
        if let Some(found) = self.hot.verifications.get(&verification) {
            // Its life is over, though no tick has come yet.
            return (found.service == service && found.ends() <= now).then(|| found.reason_at_end());
        }
        self.ended.reason(service, verification, now)
    }

    /// The same for whoever may look at all of an account's verifications.
    pub(crate) fn reason_of_account(&self, account: Sid, verification: Sid, now: Seconds) -> Option<Reason> {
        let live = self.hot.verifications.get(&verification).map(|found| found.service);
        let service = live.or_else(|| self.ended.service(verification))?;
        self.service(account, service).ok()?;
        self.reason(service, verification, now)
    }

    /// The tenant that an event concerns, as far as the state before it knows.
    pub fn tenant_of(&self, event: &Event) -> Option<Sid> {
        let of = |verification: &Sid| self.hot.verifications.get(verification).map(|live| live.account);
        let of_service = |service: &Sid| self.services.get(service).map(|service| service.account);
        match &event.kind {
            EventKind::TenantCreated { account, .. }
            | EventKind::KeysChanged { account, .. }
            | EventKind::ServiceCreated { account, .. }
            | EventKind::LooseningScheduled { account, .. }
            | EventKind::SupportLooked { account, .. }
            | EventKind::VerificationStarted { account, .. } => Some(*account),
            EventKind::ServiceUpdated { service, .. }
            | EventKind::ServiceDeleted { service }
            | EventKind::LooseningEnded { service, .. } => of_service(service),
            EventKind::VerificationResent { verification, .. }
            | EventKind::SendRepeated { verification, .. }
            | EventKind::CheckFailed { verification, .. }
            | EventKind::VerificationApproved { verification, .. }
            | EventKind::VerificationCanceled { verification }
            | EventKind::DeliveryReported { verification, .. } => of(verification),
            EventKind::Booted { .. }
            | EventKind::SettingsChanged { .. }
            | EventKind::SlotOpened { .. }
            | EventKind::Expired
            | EventKind::BudgetsForgotten => None,
        }
    }
}
