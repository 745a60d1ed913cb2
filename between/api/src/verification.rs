//! Verifications, in Twilio's shapes.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// One attempt to send a code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendCodeAttempt {
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub time: String,
    /// Upper case, as Twilio writes it here.
    pub channel: String,
    /// `VL…`.
    pub attempt_sid: String,
    /// What became of it: `accepted`, `refused`, `gave_up`, `unreachable`, `unconfirmed`, `withdrawn`, or `unknown` as yet.
    /// Twilio has no such member.
    pub outcome: String,
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
    /// `sms` or `email`.
    pub channel: String,
    /// `pending`, `approved` or `canceled`.
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
    /// `sms` or `email`.
    pub channel: String,
    /// `pending`, `approved` or `canceled`.
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

/// What support sees of one verification: no address, no digits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Support {
    /// `VE…`, as it was asked for.
    pub sid: String,
    /// `pending`, or `unknown` if it has ended or never existed.
    pub status: String,
    /// Why it ended, for ten minutes.
    pub reason: Option<String>,
    /// `sms` or `email`, while it is pending.
    pub channel: Option<String>,
    /// Calling code of the number, such as `+1`, while it is pending.
    pub country: Option<String>,
    /// What became of each sending: `accepted`, `refused`, `gave_up`, `unreachable`, `unconfirmed`, `withdrawn`, `unknown`.
    pub attempts: Vec<String>,
}
