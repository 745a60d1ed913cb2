//! What the vault must show the pretend carriers. Constants: they protect nothing, they show that the vault uses them.

use adyton_seal::{HmacKey, Opaque, RecipientKey, Secret};

/// Account of the Messages resource.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// `user:password` of the Messages resource.
pub const MESSAGES: &str = "AC00000000000000000000000000000001:pretend-messages-token";
/// `user:password` of the mail server.
pub const MAIL: &str = "pretend:pretend-mail-password";
/// Key of the webhook's signatures.
pub const WEBHOOK_KEY: &[u8; 32] = b"adyton pretend webhook key, open";

/// The webhook's key, expanded.
///
/// # Errors
/// [`Opaque`], which a key of 32 bytes rules out.
pub fn webhook_key() -> Result<HmacKey, Opaque> {
    HmacKey::from_shared(WEBHOOK_KEY)
}

/// The gateway's key, to which codes may be sealed.
///
/// # Errors
/// [`Opaque`] if the library refuses the key.
pub fn gateway_key() -> Result<RecipientKey, Opaque> {
    RecipientKey::new(&Secret::init_with(|bytes| bytes.copy_from_slice(b"adyton pretend gateway key, open")))
}
