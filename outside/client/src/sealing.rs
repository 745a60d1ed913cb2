//! Sealing to a vault that was appraised (`docs/spec/06-sealed-values.md`).

use adyton_attest::Appraised;
use adyton_seal::{RecipientPublicKey, SealedPurpose, Suite1Error};

/// Seals values that only one vault opens. There is no other way to get one than by an appraisal.
pub struct Sealer {
    key: RecipientPublicKey,
    vault_id: [u8; 32],
}

impl Sealer {
    /// To the vault of an appraisal.
    pub fn new(appraised: &Appraised) -> Self {
        let bundle = appraised.bundle();
        Self { key: RecipientPublicKey(bundle.hpke_key), vault_id: bundle.vault_id }
    }

    /// A tenant's token.
    ///
    /// # Errors
    /// [`Suite1Error`].
    pub fn tenant_token(&self, account_sid: &str, token: &[u8]) -> Result<Vec<u8>, Suite1Error> {
        self.key.seal(&SealedPurpose::tenant_token(&self.vault_id, account_sid), token)
    }

    /// The secret of an API key.
    ///
    /// # Errors
    /// [`Suite1Error`].
    pub fn api_key(&self, account_sid: &str, key_sid: &str, secret: &[u8]) -> Result<Vec<u8>, Suite1Error> {
        self.key.seal(&SealedPurpose::api_key(&self.vault_id, account_sid, key_sid), secret)
    }

    /// A route's credential; it opens for this name, host and port only.
    ///
    /// # Errors
    /// [`Suite1Error`].
    pub fn credential(&self, name: &str, host: &str, port: u16, secret: &[u8]) -> Result<Vec<u8>, Suite1Error> {
        self.key.seal(&SealedPurpose::credential(&self.vault_id, name, host, port), secret)
    }
}
