//! Keyed hashes by which state and log know tokens and destinations (`docs/spec/00-conventions.md`).

use adyton_seal::{HmacKey, KeyTree, Label, Opaque, keyed_hash, keyed_hash_16};
use adyton_vault::{Channel, Destination, Sid, SidKind};

/// A token as its tenant's record holds it. `key` is derived for [`Label::Token`].
pub fn token_hash(key: &HmacKey, account: Sid, token: &[u8]) -> [u8; 32] {
    keyed_hash(key, &[account.text(SidKind::Account).as_bytes(), token])
}

/// A destination as one service of one tenant knows it.
///
/// # Errors
/// [`Opaque`] if the library refuses.
pub fn subject(
    keys: &KeyTree,
    account: Sid,
    service: Sid,
    channel: Channel,
    destination: &Destination,
) -> Result<[u8; 16], Opaque> {
    let key = keys.derive(Label::Subject, &[account.text(SidKind::Account).as_bytes()])?;
    let service = service.text(SidKind::Service);
    let parts = [service.as_bytes(), channel.text().as_bytes(), destination.expose().as_bytes()];
    Ok(keyed_hash_16(&HmacKey::new(&key), &parts))
}
