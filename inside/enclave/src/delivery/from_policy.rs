//! The one place where a policy becomes routes.
//!
//! Today's policy has one carrier and no credentials. It is taken for a webhook whose signing key is public, which
//! authenticates nothing: it keeps the pretend carrier in work until a policy names routes and settings hold
//! credentials.

use std::collections::BTreeMap;

use adyton_vault::Channel;

use super::{Credential, RouteConfig, RouteKind, RoutingTable, TableError};
use crate::egress::Trust;
use crate::policy::{Policy, PolicyError, certificate};

/// 32 bytes as hexadecimal: "adyton pretend webhook key, open".
const PUBLIC_KEY: &[u8] = b"616479746f6e2070726574656e6420776562686f6f6b206b65792c206f70656e";

/// The routes of a policy.
///
/// # Errors
/// [`PolicyError`].
pub fn routes(policy: &Policy) -> Result<Vec<RouteConfig>, PolicyError> {
    let carrier = &policy.content.carrier;
    Ok(vec![RouteConfig {
        name: "carrier".into(),
        kind: RouteKind::Webhook { path: "/carrier/messages".into(), from: None, seal_code_to: None },
        channels: vec![Channel::Sms],
        host: carrier.host.clone(),
        port: carrier.port,
        trust: Trust::Ca(certificate(&carrier.trust, "carrier.trust")?),
    }])
}

/// Their order and credentials.
///
/// # Errors
/// [`TableError`].
pub fn table(routes: &[RouteConfig]) -> Result<RoutingTable, TableError> {
    let credential = |route: &RouteConfig| Some((route.name.clone(), Credential::parse(&route.kind, PUBLIC_KEY).ok()?));
    let credentials: BTreeMap<_, _> = routes.iter().filter_map(credential).collect();
    RoutingTable::new(routes, &BTreeMap::new(), credentials)
}
