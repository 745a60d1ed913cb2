//! The policy `adyton.toml`, and the settings within it (DESIGN §3).
//!
//! Why a crate of its own: the enclave obeys a policy, and people's tools check, compare and approve it; both must read
//! the same thing in the same bytes. An unknown key refuses the whole file and names its nearest neighbour, because a
//! rule that was misspelt would be a rule that is not kept.
//!
//! Scope: text to types, ranges, plain words for a difference; and the rule for the policy of a KMS key ([`KeyPolicy`]), which a
//! vault and people's tools hold it to alike, and so that for the form of a credential ([`CredentialForm`]). What it is *not*: it hashes nothing, opens no file and
//! decides nothing.

mod audit;
mod credential;
mod custody;
mod diff;
mod direction;
mod error;
mod key_policy;
mod parse;
mod quoted;
mod settings;
mod succession;
mod unknown;

use core::net::IpAddr;

use serde::Deserialize;

pub use audit::Audit;
pub use credential::{CredentialFault, CredentialForm, CredentialParts};
pub use custody::{CredentialSource, Custody, KeyArn};
pub use diff::{Change, diff};
pub use direction::Direction;
pub use error::PolicyError;
pub use key_policy::{Changer, IamPrincipal, KeyPolicy, KeyPolicyError, Pins, StatementFault, Unmet, Withheld};
pub use parse::{Trust, certificate, certificates, is_host, is_peer};
pub use quoted::quoted;
pub use settings::{
    AcmeSettings, PublicCertificate, RouteOrder, Settings, SettingsError, TighterLimits, settings_diff,
};
pub use succession::{SuccessionError, may_follow};

/// A policy whose every value is in its range.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Version of the format: 1.
    pub version: u32,
    /// Custody profile; fixed at genesis.
    pub profile: ProfileName,
    /// Days that bodies are kept after a snapshot.
    pub retention_days: u32,
    /// What attests the enclave.
    pub attestation: Attestation,
    /// Who approves policies and signs settings. A vault without owners keeps its policy for ever.
    pub owners: Option<Owners>,
    /// Who may become a tenant, and how long a loosening waits.
    pub tenants: Tenants,
    /// The API.
    pub api: Api,
    /// Who certifies the public names without anybody's doing; without it the owners import certificates.
    pub acme: Option<Acme>,
    /// Who releases the root key.
    pub custody: Custody,
    /// What verification may do.
    pub verification: Verification,
    /// Ceilings.
    #[serde(default)]
    pub limits: Limits,
    /// What the log says of operations.
    #[serde(default)]
    pub audit: Audit,
    /// Where messages go, in order of failover.
    #[serde(default)]
    pub routes: Vec<Route>,
}

/// The profiles that this release can boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileName {
    /// A laptop.
    Dev,
    /// A cloud's KMS releases the root key to attested code.
    Kms,
}

/// `[attestation]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// PEM of the attestation root certificate.
    pub root: String,
}

/// `[owners]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owners {
    /// How many owners must sign.
    pub threshold: u32,
    /// OpenSSH public keys.
    pub keys: Vec<String>,
}

/// `[tenants]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenants {
    /// Who may create a tenant.
    pub admission: Admission,
    /// Hours that a loosening waits.
    pub loosening_hours: u32,
}

/// Who may create a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Admission {
    /// Only tenants that the owners' signature names.
    Owners,
    /// Anybody.
    Open,
}

/// `[api]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// DNS names that the vault's certificate may carry.
    pub names: Vec<String>,
    /// IP addresses that the vault's certificate may carry.
    pub addresses: Vec<IpAddr>,
    /// DNS names that a certificate of a public CA may carry for a key of the vault's; none of them is among `names`, so that
    /// a name always shows one kind of certificate.
    #[serde(default)]
    pub public_names: Vec<String>,
}

/// `[acme]`: a CA that speaks ACME (RFC 8555).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acme {
    /// DNS name of its server; everything that it names is there.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path of its directory.
    pub path: String,
    /// What its server's certificate must be, as a route's.
    pub trust: String,
    /// A mail address that it may write to.
    pub contact: Option<String>,
    /// Name of the settings' credential that binds the account to one at the CA (RFC 8555 §7.3.4).
    pub external_account: Option<String>,
}

/// `[verification]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// Channels that are open.
    pub channels: Vec<ChannelName>,
    /// Calling codes that are open, such as `+44`; every other country is closed.
    pub countries: Vec<String>,
    /// Floor of `CodeLength`, 4 to 6.
    #[serde(default = "shortest_code")]
    pub shortest_code: u8,
    /// `VA…` SIDs for which `CustomCode` and approval by API are allowed.
    #[serde(default)]
    pub custom_code_services: Vec<String>,
}

fn shortest_code() -> u8 {
    6
}

/// How a code is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelName {
    /// Text message.
    Sms,
    /// E-mail.
    Email,
}

impl ChannelName {
    /// The word.
    pub fn text(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

/// `[limits]`: ceilings that protect people and purses.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Wrong codes that a destination allows without waiting, in one service.
    pub failed_checks: u32,
    /// Seconds after which one more is allowed; after a boot none is allowed at first.
    pub failed_checks_refill_seconds: u32,
    /// Consecutive wrong codes after which the destination is closed for a day; 100 at most.
    pub failed_checks_consecutive: u32,
    /// Messages to one destination in an hour.
    pub sends_per_destination_hour: u32,
    /// Messages to one block of 10,000 telephone numbers (all digits alike but the last four) in an hour, by one tenant.
    pub sends_per_number_block_hour: u32,
    /// Messages to one mail domain in an hour, by one tenant.
    pub sends_per_mail_domain_hour: u32,
    /// Messages of one tenant in an hour.
    pub sends_per_tenant_hour: u32,
    /// What one tenant's messages may cost in an hour, in units of a route's `cost`.
    pub spend_per_tenant_hour: f64,
    /// Live verifications.
    pub live_verifications: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failed_checks: 20,
            failed_checks_refill_seconds: 120,
            failed_checks_consecutive: 100,
            sends_per_destination_hour: 10,
            // Two in a hundred numbers of a block: more people in an hour than a product meets there, far fewer than fraud
            // needs.
            sends_per_number_block_hour: 200,
            // As a tenant's: most people are at a few providers, and nobody is paid for a mail.
            sends_per_mail_domain_hour: 20_000,
            sends_per_tenant_hour: 20_000,
            spend_per_tenant_hour: 1000.0,
            live_verifications: 1_000_000,
        }
    }
}

/// `[[routes]]`: one way for messages.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name in the settings.
    pub name: String,
    /// What it speaks.
    pub kind: RouteKind,
    /// Channels that it serves.
    pub channels: Vec<ChannelName>,
    /// DNS name; never an address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What its certificate must be: PEM of its CA, `public-roots`, `spki-sha256:HEX` or `ca-sha256:HEX`.
    pub trust: String,
    /// Name of the sealed value in the settings by which the route knows the vault.
    pub credential: String,
    /// What one message costs, for the spend cap.
    #[serde(default)]
    pub cost: f64,
    /// `twilio-messages`: the account in its path.
    pub account: Option<String>,
    /// `twilio-messages` and `webhook`: the sender; `smtp`: the sender's address.
    pub from: Option<String>,
    /// `twilio-messages`: the messaging service, instead of a sender.
    pub messaging_service: Option<String>,
    /// `webhook`: path that is posted to.
    pub path: Option<String>,
    /// `webhook`: X25519 key that the code is sealed to, in hex.
    pub seal_code_to: Option<String>,
    /// `smtp`: when TLS begins.
    pub tls: Option<SmtpTls>,
    /// `twilio-messages`: whether the carrier is asked to discard the text once it is delivered.
    pub content_retention: Option<ContentRetention>,
    /// `twilio-messages`: whether the carrier is asked to obfuscate the number.
    pub address_retention: Option<AddressRetention>,
}

/// What a carrier is asked to do with a message's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentRetention {
    /// To discard it.
    #[default]
    Discard,
    /// Nothing: the account's own setting holds, under which it may be kept.
    AccountDefault,
}

/// What a carrier is asked to do with a message's number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressRetention {
    /// To obfuscate it.
    #[default]
    Obfuscate,
    /// Nothing: the account's own setting holds, under which it may be kept.
    AccountDefault,
}

/// What a route speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteKind {
    /// Twilio's Messages API, or one of its shape.
    TwilioMessages,
    /// A signed JSON webhook of any gateway.
    Webhook,
    /// SMTP submission.
    Smtp,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// At once.
    Implicit,
    /// After STARTTLS, without which nothing is sent.
    Starttls,
}
