//! Keyed hashes by which state and log know tokens and destinations (`docs/spec/00-conventions.md`).

use adyton_seal::{HmacKey, KeyTree, Label, Opaque, keyed_hash, keyed_hash_16};
use adyton_vault::{Channel, Destination, Shared, Sid, SidKind, Subjects, User};

/// A token as its tenant's record holds it. `key` is derived for [`Label::Token`].
pub fn token_hash(key: &HmacKey, user: User, token: &[u8]) -> [u8; 32] {
    let user = match user {
        User::Account(sid) => sid.text(SidKind::Account),
        User::Key(sid) => sid.text(SidKind::Key),
    };
    keyed_hash(key, &[user.as_bytes(), token])
}

/// A destination as one tenant knows it: in a service, over all its services, and by its number block or mail domain.
///
/// # Errors
/// [`Opaque`] if the library refuses.
pub fn subjects(
    keys: &KeyTree,
    account: Sid,
    service: Sid,
    channel: Channel,
    destination: &Destination,
) -> Result<Subjects, Opaque> {
    let key = keys.derive(Label::Subject, &[account.text(SidKind::Account).as_bytes()])?;
    let key = HmacKey::new(&key);
    let counted = destination.counted();
    let hash = |of: &str, text: &str| keyed_hash_16(&key, &[of.as_bytes(), channel.text().as_bytes(), text.as_bytes()]);
    let prefix = hash("prefix", destination.prefix());
    Ok(Subjects {
        in_service: hash(&service.text(SidKind::Service), &counted),
        in_tenant: hash("tenant", &counted),
        shared: if destination.country().is_some() { Shared::NumberBlock(prefix) } else { Shared::MailDomain(prefix) },
    })
}
