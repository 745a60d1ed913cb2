//! Tenants, their keys, and what they sign for.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::PendingLoosening;
use crate::object::objects;

/// Body of `POST /adyton/v1/tenants` and of the owners' request `tenant-create`: a tenant's client introduces itself with a
/// token that it made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// `AC` and 32 hexadecimal digits, chosen at random by the client.
    pub account_sid: String,
    /// 1 … 64 characters.
    pub friendly_name: String,
    /// Base64 of the token sealed to the vault (`docs/spec/06-sealed-values.md`, `tenant token`).
    pub sealed_token: String,
    /// The SSH public key that signs this tenant's own requests, as the line of a `.pub` file.
    pub ssh_key: String,
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

/// Body of the tenant's request `tenant-keys`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeKeys {
    /// Every API key goes first; then a new token is needed too, and `remove` names none.
    #[serde(default)]
    pub reset: bool,
    /// A new token of the account itself, sealed as `tenant token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_token: Option<String>,
    /// `SK…` SIDs of API keys to remove; each must exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// API keys to add.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "objects")]
    pub add: Vec<NewKey>,
}

/// An API key to add.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// `SK` and 32 hexadecimal digits, chosen at random by the client.
    pub key_sid: String,
    /// `verify`, `admin`, `support`: one or more of them.
    pub scopes: Vec<String>,
    /// Base64 of its secret sealed to the vault (`docs/spec/06-sealed-values.md`, `api key`).
    pub sealed_secret: String,
}

/// Body of the tenant's request `service-loosen`, which an admin key sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoosenService {
    /// `VA…`.
    pub service_sid: String,
    /// Code length from then on; what it is, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_length: Option<u8>,
    /// Whether callers may supply codes from then on, as far as the policy lets them.
    #[serde(default)]
    pub custom_code_enabled: bool,
}

/// Answer of `GET /adyton/v1/account`, for the account's token or an admin key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its SID.
    pub account_sid: String,
    /// Its name.
    pub friendly_name: String,
    /// Fingerprint of the SSH key that signs its requests, as `ssh-keygen -l` prints it.
    pub ssh_key: String,
    /// Sequence of its next signed request.
    pub next_sequence: u64,
    /// Its API keys.
    pub keys: Vec<ApiKey>,
    /// Services of its that will become weaker, soonest first.
    pub pending_loosenings: Vec<ServiceLoosening>,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub date_created: String,
}

/// An API key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiKey {
    /// `SK…`.
    pub key_sid: String,
    /// Its scopes.
    pub scopes: Vec<String>,
}

/// A loosening that waits, and of what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceLoosening {
    /// `VA…`.
    pub service_sid: String,
    /// What changes, and when.
    #[serde(flatten)]
    pub loosening: PendingLoosening,
}
