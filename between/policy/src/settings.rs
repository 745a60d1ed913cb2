//! Settings: choices within the policy, changed by the owners' signed request, at once.

mod diff;

use core::fmt;
use std::collections::BTreeMap;

use serde::Deserialize;

pub use diff::settings_diff;

use crate::parse::{certificates, check_limits};
use crate::{Acme, ChannelName, Limits, Policy, PolicyError, quoted, unknown};

/// Longest text.
const MAX_TEXT: usize = 64 * 1024;

/// Settings that the policy allows.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Version of the format: 1.
    pub version: u32,
    /// Order of failover by channel; a channel that is not named keeps the policy's order.
    #[serde(default)]
    pub routes: BTreeMap<ChannelName, Vec<RouteOrder>>,
    /// Ceilings, none looser than the policy's.
    #[serde(default)]
    pub limits: TighterLimits,
    /// Sealed values by name, base64.
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
    /// What the vault shows under its public names.
    pub public_certificate: Option<PublicCertificate>,
    /// The owners' word on the vault's account at its CA.
    pub acme: Option<AcmeSettings>,
}

/// `[acme]`: which account at the policy's CA the vault gives up.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcmeSettings {
    /// Address of an account that the vault does not use any more: it makes another one in its place.
    pub retired_account: String,
}

/// Longest address of an account, as the vault takes it from a CA.
const MAX_ACCOUNT: usize = 1024;

impl AcmeSettings {
    /// Whether it is an address at this CA.
    fn is_at(&self, acme: &Acme) -> bool {
        let Acme { host, port, .. } = acme;
        let mut origins = vec![format!("https://{host}:{port}/")];
        if *port == 443 {
            origins.push(format!("https://{host}/"));
        }
        let address = &self.retired_account;
        address.len() <= MAX_ACCOUNT
            && address.bytes().all(|byte| byte.is_ascii_graphic())
            && origins.iter().any(|origin| address.starts_with(origin))
    }
}

/// `[public_certificate]`: what a public CA signed, and the key that it signed for, which only the vault opens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicCertificate {
    /// PEM: the vault's own certificate, then each one's issuer.
    pub chain: String,
    /// The sealed key that came with the request for it, base64.
    pub sealed_key: String,
}

/// Certificates of a chain: the vault's and an issuer at least.
const CHAIN: core::ops::RangeInclusive<usize> = 2..=8;

impl PublicCertificate {
    /// DER of the chain; `None` if it is none.
    pub fn chain(&self) -> Option<Vec<Vec<u8>>> {
        certificates(&self.chain).filter(|chain| CHAIN.contains(&chain.len()))
    }
}

/// Ceilings of the settings; what is not named stays as the policy has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TighterLimits {
    failed_checks: Option<u32>,
    failed_checks_refill_seconds: Option<u32>,
    failed_checks_consecutive: Option<u32>,
    sends_per_destination_hour: Option<u32>,
    sends_per_number_block_hour: Option<u32>,
    sends_per_mail_domain_hour: Option<u32>,
    sends_per_tenant_hour: Option<u32>,
    spend_per_tenant_hour: Option<f64>,
    live_verifications: Option<u32>,
}

impl TighterLimits {
    /// The ceilings that hold, given the policy's: of two the tighter.
    pub fn within(&self, policy: &Limits) -> Limits {
        let asked = self.asked(policy);
        Limits {
            failed_checks: asked.failed_checks.min(policy.failed_checks),
            // More seconds are tighter.
            failed_checks_refill_seconds: asked.failed_checks_refill_seconds.max(policy.failed_checks_refill_seconds),
            failed_checks_consecutive: asked.failed_checks_consecutive.min(policy.failed_checks_consecutive),
            sends_per_destination_hour: asked.sends_per_destination_hour.min(policy.sends_per_destination_hour),
            sends_per_number_block_hour: asked.sends_per_number_block_hour.min(policy.sends_per_number_block_hour),
            sends_per_mail_domain_hour: asked.sends_per_mail_domain_hour.min(policy.sends_per_mail_domain_hour),
            sends_per_tenant_hour: asked.sends_per_tenant_hour.min(policy.sends_per_tenant_hour),
            spend_per_tenant_hour: asked.spend_per_tenant_hour.min(policy.spend_per_tenant_hour),
            live_verifications: asked.live_verifications.min(policy.live_verifications),
        }
    }

    /// The ceilings as they were asked for, some of them looser than the policy's perhaps.
    fn asked(&self, policy: &Limits) -> Limits {
        Limits {
            failed_checks: self.failed_checks.unwrap_or(policy.failed_checks),
            failed_checks_refill_seconds: self
                .failed_checks_refill_seconds
                .unwrap_or(policy.failed_checks_refill_seconds),
            failed_checks_consecutive: self.failed_checks_consecutive.unwrap_or(policy.failed_checks_consecutive),
            sends_per_destination_hour: self.sends_per_destination_hour.unwrap_or(policy.sends_per_destination_hour),
            sends_per_number_block_hour: self.sends_per_number_block_hour.unwrap_or(policy.sends_per_number_block_hour),
            sends_per_mail_domain_hour: self.sends_per_mail_domain_hour.unwrap_or(policy.sends_per_mail_domain_hour),
            sends_per_tenant_hour: self.sends_per_tenant_hour.unwrap_or(policy.sends_per_tenant_hour),
            spend_per_tenant_hour: self.spend_per_tenant_hour.unwrap_or(policy.spend_per_tenant_hour),
            live_verifications: self.live_verifications.unwrap_or(policy.live_verifications),
        }
    }
}

/// Routes for addresses that begin alike; the longest prefix that fits counts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteOrder {
    /// Beginning of a number, such as `+44`; empty for all.
    pub prefix: String,
    /// Names of routes, in order.
    #[serde(rename = "use")]
    pub routes: Vec<String>,
}

/// Why a text is not settings that this policy allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// It is longer than 64 KiB.
    Length,
    /// It is not TOML, or a value has another type; says where.
    Toml(String),
    /// A key that no settings have; its path, and the nearest one that there is.
    UnknownKey {
        /// Where.
        path: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// Another version.
    Version {
        /// What stands there.
        got: u32,
    },
    /// A route that the policy does not have, or not for this channel.
    Route(String),
    /// A prefix that is not the beginning of a number.
    Prefix(String),
    /// A prefix that stands twice in one channel.
    Twice(String),
    /// A credential that neither a route of the policy nor its `[acme]` names.
    Credential(String),
    /// A public certificate where the policy has no public names.
    NoPublicNames,
    /// What should be a chain of certificates is none.
    Chain,
    /// A retired account that is not at the policy's CA.
    RetiredAccount,
    /// A ceiling that is looser than the policy's; names it.
    Looser(&'static str),
    /// A ceiling outside its range.
    Limits(PolicyError),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings: ")?;
        match self {
            Self::Length => f.write_str("longer than 64 KiB"),
            Self::Toml(error) => f.write_str(error),
            Self::UnknownKey { path, nearest: Some(nearest) } => {
                write!(f, "{path}: unknown key; did you mean {nearest}?")
            }
            Self::UnknownKey { path, nearest: None } => write!(f, "{path}: unknown key"),
            Self::Version { got } => write!(f, "version: expected 1, got {got}"),
            Self::Route(name) => write!(f, "routes: the policy has no route {} for this channel", quoted(name)),
            Self::Prefix(prefix) => write!(f, "routes: {}: expected the beginning of a number, such as +44", quoted(prefix)),
            Self::Twice(prefix) => write!(f, "routes: {prefix:?} stands twice"),
            Self::Credential(name) => write!(f, "credentials: neither a route of the policy nor acme.external_account names {}", quoted(name)),
            Self::NoPublicNames => f.write_str("public_certificate: the policy has no public names (api.public_names)"),
            Self::Chain => f.write_str(
                "public_certificate.chain: expected 2 to 8 certificates in PEM and nothing else: the vault's own, then each \
                 one's issuer",
            ),
            Self::RetiredAccount => f.write_str(
                "acme.retired_account: expected the address of an account at the policy's CA, as `adyton certificate account` \
                 shows it",
            ),
            Self::Looser(name) => write!(f, "limits.{name}: looser than the policy allows"),
            Self::Limits(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SettingsError {}

impl Settings {
    /// Parses a text and holds it against the policy.
    ///
    /// # Errors
    /// [`SettingsError`], the first rule that is broken.
    pub fn parse(text: &str, policy: &Policy) -> Result<Self, SettingsError> {
        let settings = Self::read(text)?;
        settings.check(policy)?;
        Ok(settings)
    }

    /// Reads a text as settings of some policy: its keys and their types.
    ///
    /// # Errors
    /// [`SettingsError`], the first rule that is broken.
    pub fn read(text: &str) -> Result<Self, SettingsError> {
        if text.len() > MAX_TEXT {
            return Err(SettingsError::Length);
        }
        let toml = |error: toml::de::Error| SettingsError::Toml(error.to_string());
        let table: toml::Table = text.parse().map_err(toml)?;
        if let Some((path, nearest)) = unknown::in_settings(&table) {
            return Err(SettingsError::UnknownKey { path, nearest });
        }
        toml::from_str(text).map_err(toml)
    }

    /// Reads a text that an earlier policy allowed. What the present one does not know is passed over by those who use it,
    /// and of two ceilings the tighter holds ([`TighterLimits::within`]): settings are no reason not to boot under a policy
    /// that the owners approved.
    ///
    /// # Errors
    /// [`SettingsError::Toml`] if it never was settings.
    pub fn kept(text: &str) -> Result<Self, SettingsError> {
        toml::from_str(text).map_err(|error: toml::de::Error| SettingsError::Toml(error.to_string()))
    }

    fn check(&self, policy: &Policy) -> Result<(), SettingsError> {
        if self.version != 1 {
            return Err(SettingsError::Version { got: self.version });
        }
        for (channel, orders) in &self.routes {
            for (place, RouteOrder { prefix, routes }) in orders.iter().enumerate() {
                if orders[..place].iter().any(|other| other.prefix == *prefix) {
                    return Err(SettingsError::Twice(prefix.clone()));
                }
                let digits = prefix.strip_prefix('+').unwrap_or(prefix);
                let number =
                    prefix.is_empty() || (prefix.starts_with('+') && digits.bytes().all(|byte| byte.is_ascii_digit()));
                if !number || (*channel == ChannelName::Email && !prefix.is_empty()) {
                    return Err(SettingsError::Prefix(prefix.clone()));
                }
                let known = |name: &&String| {
                    !policy.routes.iter().any(|route| route.name == **name && route.channels.contains(channel))
                };
                if let Some(name) = routes.iter().find(known) {
                    return Err(SettingsError::Route(name.clone()));
                }
            }
        }
        if let Some(name) = self.credentials.keys().find(|name| policy.place_of_credential(name).is_none()) {
            return Err(SettingsError::Credential(name.clone()));
        }
        if let Some(certificate) = &self.public_certificate {
            if policy.api.public_names.is_empty() {
                return Err(SettingsError::NoPublicNames);
            }
            certificate.chain().ok_or(SettingsError::Chain)?;
        }
        if let Some(acme) = &self.acme
            && !policy.acme.as_ref().is_some_and(|ca| acme.is_at(ca))
        {
            return Err(SettingsError::RetiredAccount);
        }
        let limits = self.limits.asked(&policy.limits);
        check_limits(&limits).map_err(SettingsError::Limits)?;
        match looser(&limits, &policy.limits) {
            Some(name) => Err(SettingsError::Looser(name)),
            None => Ok(()),
        }
    }
}

/// The first ceiling of `new` that is looser than `old`'s.
pub(crate) fn looser(new: &Limits, old: &Limits) -> Option<&'static str> {
    // Destructured, so that a new ceiling cannot be forgotten here.
    let Limits {
        failed_checks,
        failed_checks_refill_seconds,
        failed_checks_consecutive,
        sends_per_destination_hour,
        sends_per_number_block_hour,
        sends_per_mail_domain_hour,
        sends_per_tenant_hour,
        spend_per_tenant_hour,
        live_verifications,
    } = new;
    let rows = [
        ("failed_checks", *failed_checks > old.failed_checks),
        ("failed_checks_refill_seconds", *failed_checks_refill_seconds < old.failed_checks_refill_seconds),
        ("failed_checks_consecutive", *failed_checks_consecutive > old.failed_checks_consecutive),
        ("sends_per_destination_hour", *sends_per_destination_hour > old.sends_per_destination_hour),
        ("sends_per_number_block_hour", *sends_per_number_block_hour > old.sends_per_number_block_hour),
        ("sends_per_mail_domain_hour", *sends_per_mail_domain_hour > old.sends_per_mail_domain_hour),
        ("sends_per_tenant_hour", *sends_per_tenant_hour > old.sends_per_tenant_hour),
        ("spend_per_tenant_hour", *spend_per_tenant_hour > old.spend_per_tenant_hour),
        ("live_verifications", *live_verifications > old.live_verifications),
    ];
    rows.into_iter().find(|(_, looser)| *looser).map(|(name, _)| name)
}

#[cfg(test)]
mod tests;
