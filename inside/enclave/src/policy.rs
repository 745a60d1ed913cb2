//! The measured policy, and what it and the owners' settings allow now (DESIGN §3).
//!
//! The policy's bytes are hashed as they are; a vault remembers that hash and boots under no other
//! one. Settings take effect at once: they are read through a [`Watch`] on each use.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use adyton_ledger::{Profile, sha256};
use adyton_policy::{
    Admission, ChannelName, Limits, Policy, PolicyError, ProfileName, Settings, SettingsError, certificate,
};
use adyton_vault::{Channel, Rules, ServiceId, services, tenancy, verification};
use tokio::sync::watch;

use crate::acme::{ExternalAccount, ExternalAccountError};
use crate::delivery::{self, CredentialKey, RouteConfig, RouteError, RoutingTable, Unusable};
use crate::public::{PublicCertificate, PublicCertificateError, PublicKeys};

/// A policy and the hash of its bytes.
pub struct Measured {
    /// Its content.
    pub policy: Policy,
    /// Its bytes, as they were measured.
    pub bytes: Vec<u8>,
    /// SHA-256 of them.
    pub hash: [u8; 32],
    /// DER of the attestation root.
    pub attestation_root: Vec<u8>,
}

impl Measured {
    /// Parses the measured bytes.
    ///
    /// # Errors
    /// [`PolicyError`], the first rule that is broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let policy = Policy::parse(bytes)?;
        let attestation_root = certificate(&policy.attestation.root);
        let attestation_root = attestation_root.ok_or_else(|| PolicyError::Certificate("attestation.root".into()))?;
        Ok(Self { policy, bytes: bytes.to_vec(), hash: sha256(bytes).0, attestation_root })
    }

    /// The profile in records.
    pub fn profile(&self) -> Profile {
        match self.policy.profile {
            ProfileName::Dev => Profile::Dev,
            ProfileName::Kms => Profile::Kms,
        }
    }
}

/// Policy and settings combined, ready for use.
pub struct Effective {
    /// For the deciders.
    pub rules: Rules,
    /// For delivery.
    pub table: Arc<RoutingTable>,
    /// For clients that trust public CAs.
    pub public: Option<PublicCertificate>,
    /// The account with the CA to which the vault's is bound, if the policy names one.
    pub external: Result<Option<Arc<ExternalAccount>>, ExternalAccountError>,
    /// Address of an account at the CA that is not to be used any more.
    pub retired_account: Option<String>,
    /// Sequence of the owners' request that the settings came by; 0 for none.
    pub sequence: u64,
    /// SHA-256 of the settings as they were signed.
    pub settings_hash: [u8; 32],
    /// Their text; empty for none.
    pub settings: String,
}

/// Settings this policy cannot apply. New settings that contain any are refused; from settings
/// accepted earlier the rest still applies.
#[derive(Debug)]
pub enum Inapplicable {
    /// A credential that its route cannot use.
    Credential(Unusable),
    /// The public certificate.
    Certificate(PublicCertificateError),
    /// The external account at the CA.
    External(ExternalAccountError),
}

impl fmt::Display for Inapplicable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(error) => error.fmt(f),
            Self::Certificate(error) => error.fmt(f),
            Self::External(error) => error.fmt(f),
        }
    }
}

/// The policy in force, and what it takes to hold settings against it.
pub struct InForce {
    /// The policy.
    pub policy: Policy,
    routes: Vec<RouteConfig>,
    key: CredentialKey,
    public: Arc<PublicKeys>,
}

impl InForce {
    /// Prepares the policy's routes; `key` opens their credentials, `public` the keys of public certificates.
    ///
    /// # Errors
    /// [`RouteError`], the first route that cannot be used.
    pub fn new(policy: Policy, key: CredentialKey, public: Arc<PublicKeys>) -> Result<Self, RouteError> {
        Ok(Self { routes: delivery::routes(&policy)?, policy, key, public })
    }

    /// The policy's routes.
    pub fn routes(&self) -> &[RouteConfig] {
        &self.routes
    }

    /// What is allowed with settings that the owners sign now, and what of them cannot be used; `now` is Unix seconds.
    ///
    /// # Errors
    /// [`SettingsError`] if the policy does not allow them.
    pub fn with(&self, text: &str, sequence: u64, now: u64) -> Result<(Effective, Vec<Inapplicable>), SettingsError> {
        Ok(self.effective(&Settings::parse(text, &self.policy)?, text, sequence, now))
    }

    /// What is allowed with settings that were signed under this policy or an earlier one, as far as this one allows them; an
    /// empty text stands for no settings.
    ///
    /// # Errors
    /// [`SettingsError`] if they never were settings.
    pub fn with_kept(&self, text: &str, sequence: u64, now: u64) -> Result<Effective, SettingsError> {
        let settings = match text {
            "" => Settings { version: 1, ..Settings::default() },
            text => Settings::kept(text)?,
        };
        Ok(self.effective(&settings, text, sequence, now).0)
    }

    fn effective(&self, settings: &Settings, text: &str, sequence: u64, now: u64) -> (Effective, Vec<Inapplicable>) {
        let settings_hash = sha256(text.as_bytes()).0;
        let rules = rules(&self.policy, &settings.limits.within(&self.policy.limits));
        let (table, unusable) = delivery::table(&self.routes, settings, &self.key);
        let mut inapplicable: Vec<_> = unusable.into_iter().map(Inapplicable::Credential).collect();
        let public = self.public.open(settings, now).unwrap_or_else(|error| {
            inapplicable.push(Inapplicable::Certificate(error));
            None
        });
        let external = self.external(settings);
        // Settings without one are settings; the CA is not asked until there is one.
        if let Err(error @ (ExternalAccountError::Sealed { .. } | ExternalAccountError::Form { .. })) = &external {
            inapplicable.push(Inapplicable::External(error.clone()));
        }
        let retired_account = settings.acme.as_ref().map(|acme| acme.retired_account.clone());
        let (table, settings) = (Arc::new(table), text.to_owned());
        let effective =
            Effective { rules, table, public, external, retired_account, sequence, settings_hash, settings };
        (effective, inapplicable)
    }

    fn external(&self, settings: &Settings) -> Result<Option<Arc<ExternalAccount>>, ExternalAccountError> {
        let Some(acme) = &self.policy.acme else { return Ok(None) };
        let Some(credential) = &acme.external_account else { return Ok(None) };
        let name = || credential.clone();
        let sealed = settings.credentials.get(credential);
        let sealed = sealed.ok_or_else(|| ExternalAccountError::Missing { credential: name() })?;
        let place = format!("{}:{}", acme.host, acme.port);
        let opened = self.key.plaintext(credential, (&acme.host, acme.port), sealed);
        let opened = opened.ok_or_else(|| ExternalAccountError::Sealed { credential: name(), place })?;
        let account = ExternalAccount::parse(opened.as_bytes());
        account.map(|account| Some(Arc::new(account))).ok_or_else(|| ExternalAccountError::Form { credential: name() })
    }
}

/// Millionths of a unit of cost.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the policy's parser bounds both ends")]
pub(crate) fn millionths(amount: f64) -> u64 {
    (amount * 1e6).round() as u64
}

/// A channel of the policy as the deciders know it.
pub(crate) fn channel(name: ChannelName) -> Channel {
    match name {
        ChannelName::Sms => Channel::Sms,
        ChannelName::Email => Channel::Email,
    }
}

fn rules(policy: &Policy, limits: &Limits) -> Rules {
    let of = &policy.verification;
    // The parser has seen to the form of each.
    let codes = of.countries.iter().filter_map(|country| country.strip_prefix('+')?.parse().ok());
    let custom_code_services = of.custom_code_services.iter().filter_map(|sid| ServiceId::parse(sid).ok());
    Rules {
        tenancy: tenancy::Rules {
            admission: match policy.tenants.admission {
                Admission::Owners => adyton_vault::Admission::Owners,
                Admission::Open => adyton_vault::Admission::Open,
            },
        },
        services: services::Rules {
            loosening_wait: u64::from(policy.tenants.loosening_hours) * 3600,
            min_code_length: of.shortest_code,
            custom_code_services: custom_code_services.collect::<BTreeSet<_>>(),
        },
        verification: verification::Rules {
            channels: of.channels.iter().copied().map(channel).collect(),
            calling_codes: codes.collect(),
            limits: adyton_vault::Limits {
                failed_checks: limits.failed_checks,
                failed_checks_refill: limits.failed_checks_refill_seconds.into(),
                failed_checks_consecutive: limits.failed_checks_consecutive,
                sends_per_destination_hour: limits.sends_per_destination_hour,
                sends_per_number_block_hour: limits.sends_per_number_block_hour,
                sends_per_mail_domain_hour: limits.sends_per_mail_domain_hour,
                sends_per_tenant_hour: limits.sends_per_tenant_hour,
                spend_per_tenant_hour: millionths(limits.spend_per_tenant_hour),
                live_verifications: usize::try_from(limits.live_verifications).unwrap_or(usize::MAX),
            },
        },
        records_operations: policy.audit.operations,
    }
}

/// The effective policy and settings: a value that all its readers see change.
#[derive(Clone)]
pub struct Watch(Arc<watch::Sender<Arc<Effective>>>);

impl Watch {
    /// Begins with what a boot found.
    pub fn new(effective: Effective) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(effective))))
    }

    /// The settings in effect.
    pub fn now(&self) -> Arc<Effective> {
        Arc::clone(&self.0.borrow())
    }

    /// Waits until settings later than those of a sequence are in force.
    pub async fn after(&self, sequence: u64) {
        // The sender is this value's own, so it is there.
        let _ = self.0.subscribe().wait_for(|effective| effective.sequence > sequence).await;
    }

    /// Settings take effect, unless later ones already have.
    pub fn set(&self, effective: Arc<Effective>) {
        self.0.send_if_modified(|held| {
            let newer = effective.sequence > held.sequence;
            if newer {
                *held = effective;
            }
            newer
        });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Nothing is allowed.
    pub(crate) fn effective() -> Effective {
        let (rules, table, external, settings) = (Rules::default(), Arc::default(), Ok(None), String::new());
        let (public, retired_account) = (None, None);
        Effective { rules, table, public, external, retired_account, sequence: 0, settings_hash: [0; 32], settings }
    }
}
