//! Keyed hashes by which state and log know tokens and destinations (`docs/spec/00-conventions.md`).

use adyton_seal::{HmacKey, KeyTree, Label, Opaque, keyed_hash, keyed_hash_16};
use adyton_vault::{
    AccountId, Channel, Destination, KeyedHash, ServiceId, SharedSubject, SubjectSalt, Subjects, TokenHash, User,
};

/// A token as its tenant's record holds it. `key` is derived for [`Label::Token`].
pub fn token_hash(key: &HmacKey, user: User, token: &[u8]) -> TokenHash {
    let user = match user {
        User::Account(sid) => sid.text(),
        User::Key(sid) => sid.text(),
    };
    TokenHash::from_bytes(keyed_hash(key, &[user.as_bytes(), token]))
}

/// A destination as one tenant knows it: in a service, over all its services, and by its number block or mail domain.
///
/// `salt` is the tenant's own.
///
/// # Errors
/// [`Opaque`] if the library refuses.
pub fn subjects(
    keys: &KeyTree,
    salt: SubjectSalt,
    account: AccountId,
    service: ServiceId,
    channel: Channel,
    destination: &Destination,
) -> Result<Subjects, Opaque> {
    let key = keys.derive(Label::Subject, &[account.text().as_bytes(), salt.as_bytes()])?;
    let key = HmacKey::new(&key);
    let counted = destination.counted();
    let hash = |of: &str, text: &str| keyed_hash_16(&key, &[of.as_bytes(), channel.text().as_bytes(), text.as_bytes()]);
    let prefix = hash("prefix", destination.prefix());
    Ok(Subjects {
        in_service: KeyedHash::from_bytes(hash(&service.text(), &counted)),
        in_tenant: KeyedHash::from_bytes(hash("tenant", &counted)),
        shared: match destination.country() {
            Some(_) => SharedSubject::NumberBlock(KeyedHash::from_bytes(prefix)),
            None => SharedSubject::MailDomain(KeyedHash::from_bytes(prefix)),
        },
    })
}
