//! Tenants, their keys, and the owners' settings. What changes them was signed by the owners or by the tenant itself; the
//! signature was verified at the edge, the sequence is checked here, so that a signed request counts once.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use adyton_seal::same;

use super::event;
use crate::event::EventKind;
use crate::{
    AccountView, Admission, Caller, Context, Decision, KeyChanges, KeyList, Refusal, Reply, Scope, Sid, State,
    TenantView,
};

/// API keys of one tenant at the most.
const MAX_KEYS: usize = 100;
/// Tenants whom nobody admitted; beyond it only the owners admit further ones. A tenant is kept for ever, and where
/// admission is open anybody makes one.
const MAX_STRANGERS: usize = 10_000;

pub(super) fn create(
    state: &State,
    account: Sid,
    token_hash: [u8; 32],
    friendly_name: String,
    ssh_key: Vec<u8>,
    admitted: Option<u64>,
    context: &Context<'_>,
) -> Result<Decision, Refusal> {
    if let Some(tenant) = state.tenants.get(&account) {
        // A repeat after a lost answer finds its tenant; with another SSH key it is no repeat, and its client would rely on a
        // key that signs for nobody. Constant time: keyed hashes of a secret token.
        if !same(&tenant.token_hash, &token_hash) || tenant.ssh_key != ssh_key {
            return Err(Refusal::AccountTaken);
        }
        let view = TenantView { account, friendly_name: tenant.friendly_name.clone(), created: tenant.created };
        return Ok(Decision::reply(Reply::Tenant(view)));
    }
    match admitted {
        Some(sequence) => expect(state.next_owners_sequence(), sequence)?,
        None if context.rules.admission == Admission::Owners => return Err(Refusal::TenantsClosed),
        None if state.tenants() >= MAX_STRANGERS => return Err(Refusal::Full),
        None => {}
    }
    let view = TenantView { account, friendly_name: friendly_name.clone(), created: context.now };
    let kind = EventKind::TenantCreated { account, token_hash, ssh_key, admitted, friendly_name };
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Tenant(view), effects: Vec::new() })
}

pub(super) fn fetch(state: &State, caller: &Caller) -> Result<Decision, Refusal> {
    let account = state.authenticate(caller, Scope::Admin)?;
    let tenant = state.tenants.get(&account).ok_or(Refusal::Unauthorized)?;
    let keys = state.keys.iter().filter(|(_, key)| key.account == account).map(|(sid, key)| (*sid, key.scopes));
    let waiting = state.loosenings.iter().filter_map(|(_, sid)| {
        let service = state.services.get(sid).filter(|service| service.account == account)?;
        Some((*sid, service.loosening?))
    });
    let view = AccountView {
        tenant: TenantView { account, friendly_name: tenant.friendly_name.clone(), created: tenant.created },
        ssh_key: tenant.ssh_key.clone(),
        next_sequence: tenant.sequence + 1,
        keys: keys.collect(),
        loosenings: waiting.collect(),
    };
    Ok(Decision::reply(Reply::Account(view)))
}

pub(super) fn change_keys(
    state: &State,
    account: Sid,
    sequence: u64,
    changes: KeyChanges,
    context: &Context<'_>,
) -> Result<Decision, Refusal> {
    let (_, next) = state.signer(account).ok_or(Refusal::Unauthorized)?;
    expect(next, sequence)?;
    for (list, length) in [(KeyList::Removed, changes.removed.len()), (KeyList::Added, changes.added.len())] {
        if length > MAX_KEYS {
            return Err(Refusal::TooManyKeys(list));
        }
    }
    let added: BTreeSet<_> = changes.added.iter().map(|(sid, ..)| sid).collect();
    if added.len() < changes.added.len() {
        return Err(Refusal::KeyTwice(KeyList::Added));
    }
    if changes.removed.iter().collect::<BTreeSet<_>>().len() < changes.removed.len() {
        return Err(Refusal::KeyTwice(KeyList::Removed));
    }
    // Whoever takes a key back must not believe it gone because its name was mistyped. Another tenant's is unknown here.
    if changes.removed.iter().any(|sid| state.keys.get(sid).is_none_or(|key| key.account != account)) {
        return Err(Refusal::NotFound(None));
    }
    let kept = |sid: &Sid| !changes.reset && !changes.removed.contains(sid);
    let taken = |sid: &Sid| state.keys.get(sid).is_some_and(|key| key.account != account || kept(sid));
    if changes.added.iter().any(|(sid, ..)| taken(sid)) {
        return Err(Refusal::KeyTaken);
    }
    let held = state.keys.iter().filter(|(sid, key)| key.account == account && kept(sid)).count();
    if held + changes.added.len() > MAX_KEYS {
        return Err(Refusal::Full);
    }
    let KeyChanges { reset, token_hash, removed, added } = changes;
    let kind = EventKind::KeysChanged { account, sequence, reset, token_hash, removed, added };
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Done, effects: Vec::new() })
}

pub(super) fn change_settings(
    state: &State,
    sequence: u64,
    text: String,
    context: &Context<'_>,
) -> Result<Decision, Refusal> {
    expect(state.next_owners_sequence(), sequence)?;
    let kind = EventKind::SettingsChanged { sequence, text };
    Ok(Decision { events: vec![event(context, kind)], reply: Reply::Done, effects: Vec::new() })
}

/// A signed request counts once, in its turn.
pub(super) fn expect(expected: u64, got: u64) -> Result<(), Refusal> {
    if expected == got { Ok(()) } else { Err(Refusal::Sequence { expected }) }
}
