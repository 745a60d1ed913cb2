//! The one place where a policy and its settings become routes, their order and their credentials.
//!
//! A sealed credential is bound to vault, name, host and port: one that was sealed for another place does not open, and the
//! route is as if it had none. New settings with such a credential are refused ([`Unusable`]); settings that were taken
//! under an earlier policy, whose routes led elsewhere, stay and the route rests.

use std::fmt;
use std::sync::Arc;

use adyton_ledger::base64;
use adyton_policy::{AddressRetention, ContentRetention, Policy, Route, Settings};
use adyton_seal::{Plaintext, RecipientKey, SealedPurpose};
use data_encoding::HEXLOWER;

use super::{Credential, CredentialError, Retention, RouteConfig, RouteKind, RoutingTable, Sender, SmtpTls};
use crate::egress::Trust;
use crate::policy::{channel, millionths};

/// A route of the policy that cannot be used, by its name: something that the policy's parser lets pass is not usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteError(pub String);

/// The routes of a policy.
///
/// # Errors
/// [`RouteError`], the first one.
pub fn routes(policy: &Policy) -> Result<Vec<RouteConfig>, RouteError> {
    policy.routes.iter().map(|route| config(route).ok_or_else(|| RouteError(route.name.clone()))).collect()
}

fn config(route: &Route) -> Option<RouteConfig> {
    let kind = match route.kind {
        adyton_policy::RouteKind::TwilioMessages => RouteKind::TwilioMessages {
            account: route.account.clone()?,
            sender: match (&route.from, &route.messaging_service) {
                (Some(from), None) => Sender::From(from.clone()),
                (None, Some(service)) => Sender::MessagingService(service.clone()),
                _ => return None,
            },
            retention: Retention {
                discard_content: route.content_retention.unwrap_or_default() == ContentRetention::Discard,
                obfuscate_address: route.address_retention.unwrap_or_default() == AddressRetention::Obfuscate,
            },
        },
        adyton_policy::RouteKind::Webhook => RouteKind::Webhook {
            path: route.path.clone()?,
            from: route.from.clone(),
            seal_code_to: match &route.seal_code_to {
                None => None,
                Some(hex) => Some(HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()?),
            },
        },
        adyton_policy::RouteKind::Smtp => RouteKind::Smtp {
            tls: match route.tls? {
                adyton_policy::SmtpTls::Implicit => SmtpTls::Implicit,
                adyton_policy::SmtpTls::Starttls => SmtpTls::StartTls,
            },
            from: route.from.clone()?,
        },
    };
    Some(RouteConfig {
        name: route.name.clone(),
        kind,
        channels: route.channels.iter().copied().map(channel).collect(),
        host: route.host.clone(),
        port: route.port,
        trust: Trust::parse(&route.trust)?,
        credential: route.credential.clone(),
        cost: millionths(route.cost),
    })
}

/// A credential of the settings that a route cannot use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Its name.
    pub credential: String,
    /// The route that names it, with its host and port.
    pub route: String,
    /// What is wrong with what it holds; `None` if it does not even open.
    pub form: Option<CredentialError>,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { credential, route, form } = self;
        match form {
            Some(error) => write!(f, "credentials.{credential}: {error} (route {route})"),
            None => write!(
                f,
                "credentials.{credential}: it does not open for route {route}; `adyton seal --policy FILE --for {credential}` seals it anew"
            ),
        }
    }
}

impl std::error::Error for Unusable {}

/// Opens credentials: with the vault's key, for the vault that has this id.
#[derive(Clone)]
pub struct CredentialKey {
    /// The vault's key.
    pub recipient: Arc<RecipientKey>,
    /// The vault.
    pub vault_id: [u8; 32],
}

impl CredentialKey {
    /// What a sealed value of the settings holds; `None` if it does not open for this vault, name, host and port.
    pub(crate) fn plaintext(&self, name: &str, (host, port): (&str, u16), sealed: &str) -> Option<Plaintext> {
        let purpose = SealedPurpose::credential(&self.vault_id, name, host, port);
        self.recipient.open(&purpose, &base64::decode(sealed.as_bytes())?).ok()
    }

    fn open(&self, route: &RouteConfig, sealed: &str) -> Result<Credential, Unusable> {
        let unusable = |form| Unusable {
            credential: route.credential.clone(),
            route: format!("{} ({}:{})", route.name, route.host, route.port),
            form,
        };
        let plaintext = self.plaintext(&route.credential, (&route.host, route.port), sealed);
        let plaintext = plaintext.ok_or_else(|| unusable(None))?;
        Credential::parse(&route.kind, plaintext.as_bytes()).map_err(|error| unusable(Some(error)))
    }
}

/// The routes' order and credentials as settings have them, and what of the credentials is not usable.
pub fn table(routes: &[RouteConfig], settings: &Settings, key: &CredentialKey) -> (RoutingTable, Vec<Unusable>) {
    let orders = settings.routes.iter().map(|(name, orders)| (channel(*name), orders.clone())).collect();
    let mut unusable = Vec::new();
    let credential = |route: &RouteConfig| {
        let sealed = settings.credentials.get(&route.credential)?;
        key.open(route, sealed).map_err(|error| unusable.push(error)).ok().map(Arc::new)
    };
    let credentials = routes.iter().map(credential).collect();
    (RoutingTable::new(routes, &orders, credentials), unusable)
}
