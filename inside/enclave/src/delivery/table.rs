//! Which routes a message may take, in which order, and with which credentials: the part that settings change at run
//! time.
//!
//! For each channel the longest prefix that the destination begins with decides. A channel that the settings do not
//! mention takes the policy's order; a destination that no prefix of its channel matches has no route.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use adyton_vault::Channel;

use super::{Credential, RouteConfig};

/// The order of routes for destinations that begin with a prefix.
#[derive(Clone, Debug)]
pub struct PrefixOrder {
    /// What destinations begin with; empty for all of them.
    pub prefix: String,
    /// Names of routes, the first choice first.
    pub routes: Vec<String>,
}

/// Why settings do not fit the policy's routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableError {
    /// The policy has no route of this name.
    UnknownRoute(String),
    /// The route of this name does not carry this channel.
    Channel(String, Channel),
    /// A prefix stands twice in one channel.
    Prefix(String),
    /// The policy has more routes than a record can name.
    TooManyRoutes,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownRoute(name) => write!(f, "the policy has no route {name:?}"),
            Self::Channel(name, channel) => write!(f, "route {name:?} does not carry {}", channel.text()),
            Self::Prefix(prefix) => write!(f, "prefix {prefix:?} stands twice"),
            Self::TooManyRoutes => write!(f, "the policy has more than {MAX_ROUTES} routes"),
        }
    }
}

impl std::error::Error for TableError {}

/// Routes of one policy: their places are written in one byte, of which 255 means none.
const MAX_ROUTES: usize = 255;

/// The routes as they stand now. Places are those of the policy's list.
pub struct RoutingTable {
    /// Longest prefix first.
    orders: BTreeMap<Channel, Vec<(String, Vec<u8>)>>,
    credentials: Vec<Option<Arc<Credential>>>,
}

impl RoutingTable {
    /// Builds the table of `routes`, the policy's list, from what settings say.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn new(
        routes: &[RouteConfig],
        orders: &BTreeMap<Channel, Vec<PrefixOrder>>,
        mut credentials: BTreeMap<String, Credential>,
    ) -> Result<Self, TableError> {
        if routes.len() > MAX_ROUTES {
            return Err(TableError::TooManyRoutes);
        }
        let places = || (0u8..).zip(routes);
        let mut table = BTreeMap::<Channel, Vec<(String, Vec<u8>)>>::new();
        for (channel, prefixes) in orders {
            let chosen = table.entry(*channel).or_default();
            for PrefixOrder { prefix, routes: names } in prefixes {
                if chosen.iter().any(|(known, _)| known == prefix) {
                    return Err(TableError::Prefix(prefix.clone()));
                }
                let mut order = Vec::with_capacity(names.len());
                for name in names {
                    let found = places().find(|(_, route)| route.name == *name);
                    let (place, route) = found.ok_or_else(|| TableError::UnknownRoute(name.clone()))?;
                    if !route.channels.contains(channel) {
                        return Err(TableError::Channel(name.clone(), *channel));
                    }
                    if !order.contains(&place) {
                        order.push(place);
                    }
                }
                chosen.push((prefix.clone(), order));
            }
            chosen.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        }
        for (place, route) in places() {
            for channel in route.channels.iter().filter(|channel| !orders.contains_key(channel)) {
                let order = table.entry(*channel).or_insert_with(|| vec![(String::new(), Vec::new())]);
                order.iter_mut().for_each(|(_, order)| order.push(place));
            }
        }
        let credentials = routes.iter().map(|route| credentials.remove(&route.name).map(Arc::new)).collect();
        Ok(Self { orders: table, credentials })
    }

    /// The routes for a destination, first choice first; those without a credential are left out.
    pub(super) fn order(&self, channel: Channel, to: &str) -> Vec<u8> {
        let prefixes = self.orders.get(&channel).map(Vec::as_slice).unwrap_or_default();
        let chosen = prefixes.iter().find(|(prefix, _)| to.starts_with(prefix));
        let order = chosen.into_iter().flat_map(|(_, order)| order).copied();
        order.filter(|place| self.credential(*place).is_some()).collect()
    }

    /// The credential of a route.
    pub(super) fn credential(&self, place: u8) -> Option<Arc<Credential>> {
        self.credentials.get(usize::from(place))?.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::delivery::RouteKind;
    use crate::egress::Trust;

    fn route(name: &str, channels: &[Channel]) -> RouteConfig {
        RouteConfig {
            name: name.into(),
            kind: RouteKind::Webhook { path: "/".into(), from: None, seal_code_to: None },
            channels: channels.to_vec(),
            host: "carrier.adyton.test".into(),
            port: 443,
            trust: Trust::PublicRoots,
        }
    }

    fn credentials(names: &[&str]) -> BTreeMap<String, Credential> {
        let kind = route("", &[]).kind;
        names.iter().map(|name| ((*name).into(), Credential::parse(&kind, &[b'0'; 64]).unwrap())).collect()
    }

    fn orders(prefixes: &[(&str, &[&str])]) -> BTreeMap<Channel, Vec<PrefixOrder>> {
        let order = |(prefix, routes): &(&str, &[&str])| PrefixOrder {
            prefix: (*prefix).into(),
            routes: routes.iter().map(|name| (*name).into()).collect(),
        };
        BTreeMap::from([(Channel::Sms, prefixes.iter().map(order).collect())])
    }

    #[test]
    fn the_longest_prefix_decides() {
        let routes = [route("a", &[Channel::Sms]), route("b", &[Channel::Sms]), route("c", &[Channel::Sms])];
        let orders = orders(&[("+4", &["a"]), ("+447", &["c", "b", "c"]), ("+44", &["b", "a"])]);
        let table = RoutingTable::new(&routes, &orders, credentials(&["a", "b", "c"])).unwrap();
        assert_eq!(table.order(Channel::Sms, "+447700900123"), [2, 1]);
        assert_eq!(table.order(Channel::Sms, "+441632960123"), [1, 0]);
        assert_eq!(table.order(Channel::Sms, "+4930"), [0]);
        assert_eq!(table.order(Channel::Sms, "+15550100123"), [0u8; 0]);
    }

    #[test]
    fn without_settings_the_policys_order_holds() {
        let routes = [route("a", &[Channel::Sms]), route("mail", &[]), route("b", &[Channel::Sms])];
        let table = RoutingTable::new(&routes, &BTreeMap::new(), credentials(&["a", "b", "mail"])).unwrap();
        assert_eq!(table.order(Channel::Sms, "+15550100123"), [0, 2]);
        let table = RoutingTable::new(&routes, &BTreeMap::new(), credentials(&["b"])).unwrap();
        assert_eq!(table.order(Channel::Sms, "+15550100123"), [2], "a has no credential");
    }

    #[test]
    fn settings_that_do_not_fit_are_refused() {
        let routes = [route("a", &[Channel::Sms]), route("mail", &[])];
        let refusal = |prefixes| RoutingTable::new(&routes, &orders(prefixes), BTreeMap::new()).err();
        assert_eq!(refusal(&[("+", &["x"])]), Some(TableError::UnknownRoute("x".into())));
        assert_eq!(refusal(&[("+", &["mail"])]), Some(TableError::Channel("mail".into(), Channel::Sms)));
        assert_eq!(refusal(&[("+", &["a"]), ("+", &["a"])]), Some(TableError::Prefix("+".into())));
        let many = vec![route("a", &[]); 256];
        let refusal = RoutingTable::new(&many, &BTreeMap::new(), BTreeMap::new()).err();
        assert_eq!(refusal, Some(TableError::TooManyRoutes));
    }
}
