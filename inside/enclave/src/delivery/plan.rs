//! Which routes a message may take, in order, and what it costs.

use std::collections::BTreeMap;

use adyton_policy::{Policy, RouteOrder, Settings};
use adyton_vault::{Channel, Destination};

use crate::policy::{channel, millionths};

/// Orders of failover, costs and sealed credentials, as policy and settings have them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    orders: BTreeMap<Channel, Vec<Order>>,
    costs: Vec<u64>,
    credentials: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq)]
struct Order {
    prefix: String,
    routes: Vec<usize>,
}

impl Plan {
    /// Reads policy and settings; a channel that the settings do not order keeps the policy's order.
    pub fn new(policy: &Policy, settings: &Settings) -> Self {
        let mut orders: BTreeMap<Channel, Vec<Order>> = BTreeMap::new();
        for (place, route) in policy.routes.iter().enumerate() {
            for name in &route.channels {
                let of_channel = orders.entry(channel(*name)).or_default();
                match of_channel.first_mut() {
                    Some(order) => order.routes.push(place),
                    None => of_channel.push(Order { prefix: String::new(), routes: vec![place] }),
                }
            }
        }
        for (name, chosen) in &settings.routes {
            let place = |name: &String| policy.routes.iter().position(|route| route.name == *name);
            let order = |RouteOrder { prefix, routes }: &RouteOrder| Order {
                prefix: prefix.clone(),
                routes: routes.iter().filter_map(place).collect(),
            };
            let mut chosen: Vec<Order> = chosen.iter().map(order).collect();
            // The longest prefix that fits counts.
            chosen.sort_by_key(|order| std::cmp::Reverse(order.prefix.len()));
            orders.insert(channel(*name), chosen);
        }
        let costs = policy.routes.iter().map(|route| millionths(route.cost)).collect();
        Self { orders, costs, credentials: settings.credentials.clone() }
    }

    /// Numbers of the routes for an address, first choice first.
    pub fn routes(&self, channel: Channel, to: &Destination) -> &[usize] {
        let orders = self.orders.get(&channel).map(Vec::as_slice).unwrap_or_default();
        let fits = orders.iter().find(|order| to.expose().starts_with(&order.prefix));
        fits.map(|order| &order.routes[..]).unwrap_or_default()
    }

    /// What a message costs by its first route, in millionths of the policy's unit.
    pub fn cost(&self, channel: Channel, to: &Destination) -> u64 {
        let first = self.routes(channel, to).first();
        first.and_then(|route| self.costs.get(*route)).copied().unwrap_or(0)
    }

    /// A sealed credential, base64.
    pub fn credential(&self, name: &str) -> Option<&str> {
        self.credentials.get(name).map(String::as_str)
    }
}
