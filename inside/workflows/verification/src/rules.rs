//! Rules of policy and settings for verifications: parameters of every decision, never part of the
//! state. Events carry what they need of the rules, so that replay does not depend on it.

use alloc::collections::BTreeSet;

use adyton_decider::Seconds;
use adyton_destination::Channel;

/// Rules of policy and settings for verifications. By default everything is closed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Channels that are open.
    pub channels: BTreeSet<Channel>,
    /// Calling codes that are open.
    pub calling_codes: BTreeSet<u16>,
    /// Ceilings.
    pub limits: Limits,
}

/// Ceilings that protect people and purses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Wrong codes that a destination allows without waiting, in one service.
    pub failed_checks: u32,
    /// Seconds after which one more is allowed; after a boot none is allowed at first.
    pub failed_checks_refill: Seconds,
    /// Consecutive wrong codes after which the destination is closed for a day.
    pub failed_checks_consecutive: u32,
    /// Messages to one destination in an hour.
    pub sends_per_destination_hour: u32,
    /// Messages to one block of 10,000 telephone numbers in an hour, by one tenant.
    pub sends_per_number_block_hour: u32,
    /// Messages to one mail domain in an hour, by one tenant.
    pub sends_per_mail_domain_hour: u32,
    /// Messages of one tenant in an hour.
    pub sends_per_tenant_hour: u32,
    /// Cost limit of one tenant's messages in an hour, in millionths of the policy's unit.
    pub spend_per_tenant_hour: u64,
    /// Live verifications that a shard holds.
    pub live_verifications: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failed_checks: 20,
            failed_checks_refill: 120,
            failed_checks_consecutive: 100,
            sends_per_destination_hour: 10,
            sends_per_number_block_hour: 200,
            sends_per_mail_domain_hour: 20_000,
            sends_per_tenant_hour: 20_000,
            spend_per_tenant_hour: 1_000_000_000,
            live_verifications: 1_000_000,
        }
    }
}
