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

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub use date::timestamp;
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

/// A verification service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Service {
    /// `VA…`.
    pub sid: String,
    /// `AC…`.
    pub account_sid: String,
    /// Its name, which stands in the message.
    pub friendly_name: String,
    /// Digits of its codes.
    pub code_length: u8,
    /// Not offered: always false.
    pub lookup_enabled: bool,
    /// Not offered: always false.
    pub psd2_enabled: bool,
    /// Not offered: always false.
    pub skip_sms_to_landlines: bool,
    /// Not offered: always false.
    pub dtmf_input_required: bool,
    /// Not offered: always null.
    pub tts_name: Option<String>,
    /// Not offered: always false.
    pub do_not_share_warning_enabled: bool,
    /// A code supplied by the caller would be known outside: always false.
    pub custom_code_enabled: bool,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub date_created: String,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub date_updated: String,
    /// Absolute address of this service.
    pub url: String,
    /// Absolute addresses of what belongs to it.
    pub links: BTreeMap<String, String>,
}

/// One attempt to send a code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendCodeAttempt {
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub time: String,
    /// Upper case, as Twilio writes it here.
    pub channel: String,
    /// `VL…`.
    pub attempt_sid: String,
}

/// A verification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verification {
    /// `VE…`.
    pub sid: String,
    /// `VA…`.
    pub service_sid: String,
    /// `AC…`.
    pub account_sid: String,
    /// What the tenant gave.
    pub to: String,
    /// `sms`.
    pub channel: String,
    /// `pending` or `approved`.
    pub status: String,
    /// Whether the right code was seen.
    pub valid: bool,
    /// Not offered: always empty.
    pub lookup: BTreeMap<String, String>,
    /// Not offered: always null.
    pub amount: Option<String>,
    /// Not offered: always null.
    pub payee: Option<String>,
    /// Attempts so far.
    pub send_code_attempts: Vec<SendCodeAttempt>,
    /// Not offered: always null.
    pub sna: Option<String>,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub date_created: String,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub date_updated: String,
    /// Absolute address of this verification.
    pub url: String,
}

/// The answer to a check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerificationCheck {
    /// `VE…`.
    pub sid: String,
    /// `VA…`.
    pub service_sid: String,
    /// `AC…`.
    pub account_sid: String,
    /// What the tenant gave.
    pub to: String,
    /// `sms`.
    pub channel: String,
    /// `pending` or `approved`.
    pub status: String,
    /// Whether this code was right.
    pub valid: bool,
    /// Not offered: always null.
    pub amount: Option<String>,
    /// Not offered: always null.
    pub payee: Option<String>,
    /// Not offered: always empty.
    pub sna_attempts_error_codes: Vec<String>,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub date_created: String,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub date_updated: String,
}

/// The error shape that the SDKs know (the legacy one: RFC 9457's would raise another exception type in Python).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Twilio's number for it.
    pub code: u32,
    /// For people; it never quotes a value that came in.
    pub message: String,
    /// Where the number is explained.
    pub more_info: String,
    /// The HTTP status.
    pub status: u16,
}
