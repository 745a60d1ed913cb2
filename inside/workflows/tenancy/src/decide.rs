//! Decider of the tenancy workflow.

use alloc::collections::BTreeSet;
use core::convert::Infallible;

use adyton_decider::Context;

use crate::{
    AccountId, AccountView, Admission, Caller, ChangeKeys, ChangeSettings, Command, CreateTenant, Denied, Event,
    KeyChanges, KeyId, KeyList, Refusal, Reply, Rules, Scope, State, SubjectSalt, TenantView, WrongSequence,
};

/// API keys of one tenant at the most.
const MAX_KEYS: usize = 100;
/// Tenants whom nobody admitted; beyond it only the owners admit further ones. A tenant is kept for
/// ever, and where admission is open anybody makes one.
const MAX_SELF_REGISTERED: usize = 10_000;

/// A draft of this workflow. It has no effects.
pub type Draft = adyton_decider::Draft<Event, Infallible>;

/// Decides one command.
///
/// # Errors
/// A [`Refusal`]; then the draft is to be discarded.
pub fn decide(
    state: &State,
    command: Command,
    context: &mut Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<Reply, Refusal> {
    match command {
        Command::CreateTenant(create) => create_tenant(state, create, context, draft).map(Reply::Tenant),
        Command::ChangeKeys(change) => change_keys(state, change, draft).map(|()| Reply::Done),
        Command::ChangeSettings(change) => change_settings(state, change, draft).map(|()| Reply::Done),
    }
}

/// A tenant and its keys, for its admin.
///
/// # Errors
/// [`Denied`].
pub fn account(state: &State, caller: &Caller) -> Result<AccountView, Denied> {
    let account = state.authenticate(caller, Scope::Admin)?;
    let tenant = state.tenants.get(&account).ok_or(Denied::Unauthorized)?;
    Ok(AccountView {
        tenant: TenantView { account, friendly_name: tenant.friendly_name.clone(), created: tenant.created },
        ssh_key: tenant.ssh_key.clone(),
        next_sequence: tenant.sequence + 1,
        keys: state.keys.of_owner(account).map(|(sid, key)| (sid, key.scopes)).collect(),
    })
}

fn create_tenant(
    state: &State,
    create: CreateTenant,
    context: &mut Context<'_, Rules>,
    draft: &mut Draft,
) -> Result<TenantView, Refusal> {
    let CreateTenant { account, token_hash, friendly_name, ssh_key, admitted } = create;
    // Zeros stand for no account, in records and in what the edge hashes for an unknown key.
    if account == AccountId::MIN {
        return Err(Refusal::AccountTaken);
    }
    if let Some(tenant) = state.tenants.get(&account) {
        // A repeat after a lost answer finds its tenant; with another SSH key it is no repeat, and
        // its client would rely on a key that signs for nobody. Constant time: keyed hashes of a
        // secret token.
        if !tenant.token_hash.matches(&token_hash) || tenant.ssh_key != ssh_key {
            return Err(Refusal::AccountTaken);
        }
        return Ok(TenantView { account, friendly_name: tenant.friendly_name.clone(), created: tenant.created });
    }
    match admitted {
        Some(sequence) => expect_owners(state, sequence)?,
        None if context.rules.admission == Admission::Owners => return Err(Refusal::TenantsClosed),
        None if state.tenants() >= MAX_SELF_REGISTERED => return Err(Refusal::Full),
        None => {}
    }
    let view = TenantView { account, friendly_name: friendly_name.clone(), created: context.now };
    let salt = SubjectSalt::draw(context.fresh);
    draft.log(Event::TenantCreated { account, token_hash, salt, ssh_key, admitted, friendly_name });
    Ok(view)
}

fn change_keys(state: &State, change: ChangeKeys, draft: &mut Draft) -> Result<(), Refusal> {
    let ChangeKeys { account, sequence, changes } = change;
    if !state.has_account(account) {
        return Err(Refusal::Denied(Denied::Unauthorized));
    }
    state.check_sequence(account, sequence)?;
    for (list, length) in [(KeyList::Removed, changes.removed.len()), (KeyList::Added, changes.added.len())] {
        if length > MAX_KEYS {
            return Err(Refusal::TooManyKeys(list));
        }
    }
    let added: BTreeSet<KeyId> = changes.added.iter().map(|new| new.key).collect();
    if added.len() < changes.added.len() {
        return Err(Refusal::KeyTwice(KeyList::Added));
    }
    let removed: BTreeSet<KeyId> = changes.removed.iter().copied().collect();
    if removed.len() < changes.removed.len() {
        return Err(Refusal::KeyTwice(KeyList::Removed));
    }
    // A tenant that takes a key back must not believe it removed because its name was mistyped.
    // Another tenant's is unknown here.
    if removed.iter().any(|key| !state.keys.has(account, key)) {
        return Err(Refusal::UnknownKey);
    }
    let kept = |key: &KeyId| !changes.reset && !removed.contains(key);
    // Zeros stand for no key in records.
    let taken =
        |key: &KeyId| *key == KeyId::MIN || state.keys.get(key).is_some_and(|(owner, _)| owner != account || kept(key));
    if added.iter().any(taken) {
        return Err(Refusal::KeyTaken);
    }
    // All that go are the tenant's.
    let kept = if changes.reset { 0 } else { state.keys.count_of(account) - removed.len() };
    if kept + added.len() > MAX_KEYS {
        return Err(Refusal::Full);
    }
    let KeyChanges { reset, token_hash, removed, added } = changes;
    draft.log(Event::KeysChanged { account, sequence, reset, token_hash, removed, added });
    Ok(())
}

fn change_settings(state: &State, change: ChangeSettings, draft: &mut Draft) -> Result<(), Refusal> {
    let ChangeSettings { sequence, text } = change;
    expect_owners(state, sequence)?;
    draft.log(Event::SettingsChanged { sequence, text });
    Ok(())
}

/// A signed request of the owners counts once, in its turn.
fn expect_owners(state: &State, sequence: u64) -> Result<(), WrongSequence> {
    let expected = state.next_owners_sequence();
    if expected == sequence { Ok(()) } else { Err(WrongSequence { expected }) }
}
