//! Which routes a message may take, in which order, with which credentials and at what cost: the part that settings change
//! at run time.
//!
//! For each channel the longest prefix that the destination begins with decides. A channel that the settings do not
//! mention takes the policy's order; a destination that no prefix of its channel matches has no route. That the settings'
//! names and prefixes are the policy's is for [`adyton_policy::Settings::parse`] to see to.

use std::collections::BTreeMap;
use std::sync::Arc;

use adyton_policy::RouteOrder;
use adyton_vault::Channel;

use super::{Credential, RouteConfig};

/// The routes as they stand now. Places are those of the policy's list.
#[derive(Default)]
pub struct RoutingTable {
    /// Longest prefix first.
    orders: BTreeMap<Channel, Vec<(String, Vec<u8>)>>,
    credentials: Vec<Option<Arc<Credential>>>,
    costs: Vec<u64>,
}

impl RoutingTable {
    /// Builds the table of `routes`, the policy's list, from the orders that settings have and what credentials each route
    /// has, by its place.
    pub fn new(
        routes: &[RouteConfig],
        orders: &BTreeMap<Channel, Vec<RouteOrder>>,
        credentials: Vec<Option<Arc<Credential>>>,
    ) -> Self {
        let places = || (0u8..).zip(routes);
        let mut table = BTreeMap::<Channel, Vec<(String, Vec<u8>)>>::new();
        for (channel, prefixes) in orders {
            let chosen = table.entry(*channel).or_default();
            for RouteOrder { prefix, routes: names } in prefixes {
                let place = |name: &String| places().find(|(_, route)| route.name == *name).map(|(place, _)| place);
                let mut order: Vec<u8> = Vec::with_capacity(names.len());
                for place in names.iter().filter_map(place) {
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
        Self { orders: table, credentials, costs: routes.iter().map(|route| route.cost).collect() }
    }

    /// The routes for a destination, first choice first; those without a credential are left out.
    pub(super) fn order(&self, channel: Channel, to: &str) -> Vec<u8> {
        self.usable(channel, to).collect()
    }

    /// Highest cost of a message, in millionths of the policy's unit: that of its dearest route,
    /// for an attacker on the network path chooses the route.
    pub fn cost(&self, channel: Channel, to: &str) -> u64 {
        self.usable(channel, to).filter_map(|place| self.costs.get(usize::from(place))).copied().max().unwrap_or(0)
    }

    fn usable(&self, channel: Channel, to: &str) -> impl Iterator<Item = u8> {
        let prefixes = self.orders.get(&channel).map(Vec::as_slice).unwrap_or_default();
        let chosen = prefixes.iter().find(|(prefix, _)| to.starts_with(prefix));
        let order = chosen.into_iter().flat_map(|(_, order)| order).copied();
        order.filter(|place| matches!(self.credentials.get(usize::from(*place)), Some(Some(_))))
    }

    /// The credential of a route.
    pub(super) fn credential(&self, place: u8) -> Option<Arc<Credential>> {
        self.credentials.get(usize::from(place))?.clone()
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::delivery::RouteKind;
    use crate::egress::Trust;

    /// A webhook's route.
    pub(in crate::delivery) fn route(name: &str, channels: &[Channel]) -> RouteConfig {
        RouteConfig {
            name: name.into(),
            kind: RouteKind::Webhook { path: "/".into(), from: None, seal_code_to: None },
            channels: channels.to_vec(),
            host: "carrier.adyton.test".into(),
            port: 443,
            trust: Trust::PublicRoots,
            credential: name.into(),
            cost: 10 * name.len() as u64,
        }
    }

    /// Credentials for the routes that are known.
    pub(in crate::delivery) fn credentials(routes: &[RouteConfig], known: &[&str]) -> Vec<Option<Arc<Credential>>> {
        let credential = |route: &RouteConfig| Arc::new(Credential::parse(&route.kind, &[b'0'; 64]).unwrap());
        routes.iter().map(|route| known.contains(&&*route.name).then(|| credential(route))).collect()
    }

    /// Orders of text messages.
    pub(in crate::delivery) fn orders(prefixes: &[(&str, &[&str])]) -> BTreeMap<Channel, Vec<RouteOrder>> {
        let order = |(prefix, routes): &(&str, &[&str])| RouteOrder {
            prefix: (*prefix).into(),
            routes: routes.iter().map(|name| (*name).into()).collect(),
        };
        BTreeMap::from([(Channel::Sms, prefixes.iter().map(order).collect())])
    }

    #[test]
    fn the_longest_prefix_decides() {
        let routes = [route("a", &[Channel::Sms]), route("bb", &[Channel::Sms]), route("ccc", &[Channel::Sms])];
        let orders = orders(&[("+4", &["a"]), ("+447", &["ccc", "bb", "ccc"]), ("+44", &["bb", "a"])]);
        let table = RoutingTable::new(&routes, &orders, credentials(&routes, &["a", "bb", "ccc"]));
        assert_eq!(table.order(Channel::Sms, "+447700900123"), [2, 1]);
        assert_eq!(table.order(Channel::Sms, "+441632960123"), [1, 0]);
        assert_eq!(table.order(Channel::Sms, "+4930"), [0]);
        assert_eq!(table.order(Channel::Sms, "+15550100123"), [0u8; 0]);
        let cost = |to| table.cost(Channel::Sms, to);
        assert_eq!(["+447700900123", "+441632960123", "+4930", "+1555"].map(cost), [30, 20, 10, 0], "the dearest");
    }

    #[test]
    fn without_settings_the_policys_order_holds() {
        let routes = [route("a", &[Channel::Sms]), route("mail", &[Channel::Email]), route("b", &[Channel::Sms])];
        let table = |known| RoutingTable::new(&routes, &BTreeMap::new(), credentials(&routes, known));
        assert_eq!(table(&["a", "b", "mail"]).order(Channel::Sms, "+15550100123"), [0, 2]);
        assert_eq!(table(&["a", "b", "mail"]).order(Channel::Email, "jo@example.com"), [1]);
        assert_eq!(table(&["b"]).order(Channel::Sms, "+15550100123"), [2], "a has no credential");
    }
}
