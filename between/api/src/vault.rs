//! The vault's own API: tenants.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// Body of `POST /adyton/v1/tenants`: a tenant's client introduces itself with a token that it made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// `AC` and 32 hexadecimal digits, chosen at random by the client.
    pub account_sid: String,
    /// 1 … 64 characters.
    pub friendly_name: String,
    /// Base64 of the token sealed to the vault (`docs/spec/06-sealed-values.md`, `tenant token`).
    pub sealed_token: String,
}

/// A tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tenant {
    /// Its SID.
    pub account_sid: String,
    /// Its name.
    pub friendly_name: String,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub date_created: String,
}
