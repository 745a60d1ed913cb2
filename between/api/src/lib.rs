//! Request and response types of the inner API, and its form of a date.
//!
//! Why: the enclave answers with them and clients read them, so that a field has one name in one place. The shapes of
//! `Service`, `Verification` and `VerificationCheck` are Twilio Verify v2's, which the official SDKs parse; an unused
//! field is present and null, as they expect.
//!
//! Scope: shapes only. No secret type is here, no HTTP, no IO, no clock.

#![no_std]

extern crate alloc;

mod date;
mod object;
mod service;
mod tenant;
mod vault;
mod verification;

use alloc::collections::BTreeMap;
use alloc::string::String;

pub use date::timestamp;
pub use object::Object;
pub use service::{Meta, Passkeys, PendingLoosening, Push, RelyingParty, Service, ServiceList, Totp, Whatsapp};
pub use tenant::{Account, ApiKey, ChangeKeys, CreateTenant, LoosenService, NewKey, ServiceLoosening, Tenant};
pub use vault::{
    AcceptedRequest, Acme, CertificateRequest, ChannelBinding, Evidence, NonceProof, RouteCredential, ShownSettings,
    SignedRequest, Vault,
};
pub use verification::{SendCodeAttempt, Support, Verification, VerificationCheck};

use serde::{Deserialize, Serialize};

/// The error shape that the SDKs know (the legacy one: RFC 9457's would raise another exception type in Python).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Twilio's number for it.
    pub code: u32,
    /// For people; it quotes nothing that came in, but for settings that the owners signed.
    pub message: String,
    /// Where the number is explained.
    pub more_info: String,
    /// The HTTP status.
    pub status: u16,
    /// What else is known; only when a verification that has ended was named by its SID, or a
    /// sequence is wrong.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub details: BTreeMap<String, String>,
}
