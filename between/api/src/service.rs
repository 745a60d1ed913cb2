//! Verification services, in Twilio's shapes.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

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
    /// Whether messages ask not to share the code.
    pub do_not_share_warning_enabled: bool,
    /// Whether callers may supply codes, which are then known outside; off unless the policy names this service.
    pub custom_code_enabled: bool,
    /// Not offered: as it is without.
    pub push: Push,
    /// Not offered: as it is without.
    pub totp: Totp,
    /// Not offered: always null.
    pub default_template_sid: Option<String>,
    /// Not offered: as it is without.
    pub whatsapp: Whatsapp,
    /// Not offered: as it is without.
    pub passkeys: Passkeys,
    /// Not offered: always false.
    pub verify_event_subscription_enabled: bool,
    /// Domain that codes are bound to in a message's last line; ours, not Twilio's.
    pub web_otp_domain: Option<String>,
    /// Android apps that a verification may name; ours, not Twilio's.
    #[serde(default)]
    pub app_hashes: Vec<String>,
    /// A change that makes the service weaker and waits; ours, not Twilio's.
    pub pending_loosening: Option<PendingLoosening>,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub date_created: String,
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    pub date_updated: String,
    /// Absolute address of this service.
    pub url: String,
    /// Absolute addresses of what belongs to it.
    pub links: BTreeMap<String, String>,
}

/// A change that makes a service weaker and waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingLoosening {
    /// Code length from then on, if it becomes shorter.
    pub code_length: Option<u8>,
    /// Whether callers may supply codes from then on.
    pub custom_code_enabled: bool,
    /// `YYYY-MM-DDTHH:MM:SSZ`: when it takes effect.
    pub effective: String,
}

/// Push factors, which are not offered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Push {
    /// Always false.
    pub include_date: bool,
    /// Always null.
    pub apn_credential_sid: Option<String>,
    /// Always null.
    pub fcm_credential_sid: Option<String>,
}

/// TOTP factors: Twilio's defaults.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Totp {
    /// The service's name.
    pub issuer: String,
    /// Seconds.
    pub time_step: u8,
    /// Digits.
    pub code_length: u8,
    /// Steps.
    pub skew: u8,
}

/// WhatsApp, which is not offered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Whatsapp {
    /// Always null.
    pub msg_service_sid: Option<String>,
    /// Always null.
    pub from: Option<String>,
}

/// Passkeys, which are not offered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Passkeys {
    /// Always empty.
    pub relying_party: RelyingParty,
    /// Always null.
    pub authenticator_attachment: Option<String>,
    /// Always null.
    pub discoverable_credentials: Option<String>,
    /// Always null.
    pub user_verification: Option<String>,
}

/// Whom passkeys are for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RelyingParty {
    /// Always null.
    pub id: Option<String>,
    /// Always null.
    pub name: Option<String>,
    /// Always empty.
    pub origins: Vec<String>,
}

/// A page of services.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceList {
    /// Where this page lies.
    pub meta: Meta,
    /// The services, newest first.
    pub services: Vec<Service>,
}

/// Where a page lies. Addresses are absolute, and the SDKs follow them with credentials: they lead nowhere but to this
/// vault.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Meta {
    /// Number of the page.
    pub page: u32,
    /// Entries of a full page.
    pub page_size: u32,
    /// The first page.
    pub first_page_url: String,
    /// Always null: pages are read forward.
    pub previous_page_url: Option<String>,
    /// The next page, unless this is the last.
    pub next_page_url: Option<String>,
    /// This page.
    pub url: String,
    /// Name of the member that holds the entries.
    pub key: String,
}
