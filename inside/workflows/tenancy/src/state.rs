//! State of the tenancy workflow: class S.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use adyton_decider::{CowArc, Map, Owned, Seconds, TokenHash};

use crate::{AccountId, Caller, Denied, Event, KeyId, NewKey, Scope, Scopes, SubjectSalt, User, WrongSequence};

/// Tenants, keys and the owners' settings. Its clone costs O(1), and shows what it showed then.
#[derive(Clone, Default)]
pub struct State {
    pub(crate) tenants: Map<AccountId, CowArc<Tenant>>,
    pub(crate) keys: Owned<AccountId, KeyId, ApiKey>,
    /// The owners' last signed request.
    pub(crate) owners_sequence: u64,
    /// The owners' settings, as they were signed; empty until there are some.
    pub(crate) settings: Arc<str>,
}

#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) token_hash: TokenHash,
    /// Of its subject hashes.
    pub(crate) salt: SubjectSalt,
    pub(crate) friendly_name: String,
    /// OpenSSH public key that signs this tenant's own requests; empty if it has none.
    pub(crate) ssh_key: Vec<u8>,
    /// The tenant's last signed request.
    pub(crate) sequence: u64,
    pub(crate) created: Seconds,
}

#[derive(Clone, Copy)]
pub(crate) struct ApiKey {
    pub(crate) token_hash: TokenHash,
    pub(crate) scopes: Scopes,
}

impl State {
    /// Applies one event; one about a deleted tenant changes nothing.
    pub fn apply(&mut self, at: Seconds, event: Event) {
        match event {
            Event::TenantCreated { account, token_hash, salt, ssh_key, admitted, friendly_name } => {
                self.owners_sequence = self.owners_sequence.max(admitted.unwrap_or(0));
                let tenant = Tenant { token_hash, salt, friendly_name, ssh_key, sequence: 0, created: at };
                self.tenants.insert(account, tenant.into());
            }
            Event::KeysChanged { account, sequence, reset, token_hash, removed, added } => {
                let Some(tenant) = self.tenants.get_mut(&account) else { return };
                tenant.sequence = sequence;
                tenant.token_hash = token_hash.unwrap_or(tenant.token_hash);
                if reset {
                    self.keys.remove_all_of(account);
                }
                for key in removed {
                    if self.keys.has(account, &key) {
                        self.keys.remove(&key);
                    }
                }
                for NewKey { key, scopes, token_hash } in added {
                    self.keys.insert(account, key, ApiKey { token_hash, scopes });
                }
            }
            Event::SettingsChanged { sequence, text } => {
                self.owners_sequence = sequence;
                self.settings = text.into();
            }
        }
    }

    /// Hears that a signed request of a tenant counted in another workflow.
    pub fn signed(&mut self, account: AccountId, sequence: u64) {
        if let Some(tenant) = self.tenants.get_mut(&account) {
            tenant.sequence = sequence;
        }
    }

    /// The caller's account and what it may do there, if its token is right and the account is the one
    /// that the request's addresses are hashed for. Unknown users cost the same comparison.
    pub fn identify(&self, caller: &Caller) -> Option<(AccountId, Scopes)> {
        let found = match caller.user {
            User::Account(account) => {
                self.tenants.get(&account).map(|tenant| (account, &tenant.token_hash, Scopes::AUTH_TOKEN))
            }
            User::Key(key) => self.keys.get(&key).map(|(account, key)| (account, &key.token_hash, key.scopes)),
        };
        let expected = found.map_or(&TokenHash::NONE, |(_, token_hash, _)| token_hash);
        // Constant time: both sides are keyed hashes of a secret token.
        let right = expected.matches(&caller.token_hash);
        // Accounts are public, so this need not be in constant time.
        let found = found.filter(|(account, ..)| right && *account == caller.account);
        found.map(|(account, _, scopes)| (account, scopes))
    }

    /// The caller's account, if its token is right and may do this.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn authenticate(&self, caller: &Caller, scope: Scope) -> Result<AccountId, Denied> {
        match self.identify(caller) {
            Some((account, scopes)) if scopes.contains(scope) => Ok(account),
            Some(_) => Err(Denied::Scope),
            None => Err(Denied::Unauthorized),
        }
    }

    /// Whether a signed request of a tenant that is there is its next one.
    ///
    /// # Errors
    /// [`WrongSequence`].
    pub fn check_sequence(&self, account: AccountId, sequence: u64) -> Result<(), WrongSequence> {
        let expected = self.tenants.get(&account).map_or(0, |tenant| tenant.sequence + 1);
        if expected == sequence { Ok(()) } else { Err(WrongSequence { expected }) }
    }

    /// A tenant's SSH public key and the sequence that its next signed request must have.
    pub fn signer(&self, account: AccountId) -> Option<(&[u8], u64)> {
        let tenant = self.tenants.get(&account)?;
        Some((&tenant.ssh_key, tenant.sequence + 1))
    }

    /// The salt of a tenant's subject hashes.
    pub fn salt(&self, account: AccountId) -> Option<SubjectSalt> {
        self.tenants.get(&account).map(|tenant| tenant.salt)
    }

    /// Whether there is such a tenant.
    pub fn has_account(&self, account: AccountId) -> bool {
        self.tenants.contains_key(&account)
    }

    /// Number of tenants.
    pub fn tenants(&self) -> usize {
        self.tenants.len()
    }

    /// The account that an API key belongs to.
    pub fn account_of(&self, key: KeyId) -> Option<AccountId> {
        self.keys.get(&key).map(|(account, _)| account)
    }

    /// Sequence that the owners' next signed request must have.
    pub fn next_owners_sequence(&self) -> u64 {
        self.owners_sequence + 1
    }

    /// The owners' settings, as they were signed; empty until there are some.
    pub fn settings(&self) -> &str {
        &self.settings
    }
}
