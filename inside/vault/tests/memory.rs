//! Measured cost of API keys, waiting loosenings and live verifications: rows of the memory table
//! in `docs/LIMITS.md`.
//!
//! The process holds nothing else, so what its resident memory grows by is theirs. SIDs of keys are
//! the clients' to choose: the measure takes scattered ones, and ones in order, which leave the
//! nodes of a tree half empty.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use adyton_vault::{
    Channel, Destination, Event, EventKind, Id, KeyedHash, Loosening, NewKey, Requirements, Scope, Scopes,
    ServiceSettings, SharedSubject, State, SubjectSalt, Subjects, TokenHash, services, tenancy, verification,
};

/// Items of each measure.
const ITEMS: u32 = 50_000;
/// Items of one tenant: the most keys and the most loosenings that it may have.
const EACH: u32 = 100;

/// Bytes of an API key in one state, as the table counts it.
const KEY: usize = 192;
/// Bytes of a waiting loosening in one state, besides its service.
const LOOSENING: usize = 96;
/// Bytes of a live verification in one state with its counts of sending, as the table counts them.
const VERIFICATION: usize = 448;

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Cost of each item of a measure.
fn each(before: usize) -> usize {
    resident().saturating_sub(before) / ITEMS as usize
}

/// An id by its number: in order, or scattered.
fn id<K>(number: u32, scattered: bool) -> Id<K> {
    let place = if scattered { number.wrapping_mul(0x9E37_79B1) } else { number };
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&place.to_be_bytes());
    Id::from_bytes(bytes)
}

fn happened(state: &mut State, kind: impl Into<EventKind>) {
    state.apply_live(Event { at: 1_800_000_000, kind: kind.into() });
}

/// A vault with so many tenants that each has [`EACH`] of what is measured.
fn tenants() -> State {
    let mut state = State::new();
    for number in 0..ITEMS / EACH {
        let (account, friendly_name) = (id(number, true), "Acme".to_owned());
        let event = tenancy::Event::TenantCreated {
            account,
            token_hash: TokenHash::from_bytes([1; 32]),
            salt: SubjectSalt::from_bytes([3; 16]),
            ssh_key: Vec::new(),
            admitted: None,
            friendly_name,
        };
        happened(&mut state, event);
    }
    state
}

#[test]
fn memory_per_item_is_within_limits_md() {
    // Kept, so that no measure finds room that an earlier one gave back.
    let _kept = [keys(true), keys(false), loosenings(), live_verifications()];
}

fn keys(scattered: bool) -> State {
    let mut state = tenants();
    let before = resident();
    for number in 0..ITEMS / EACH {
        let key = |at| NewKey {
            key: id(number * EACH + at, scattered),
            scopes: Scopes::from_slice(&[Scope::Verify]),
            token_hash: TokenHash::from_bytes([2; 32]),
        };
        let (account, added) = (id(number, true), (0..EACH).map(key).collect());
        let event = tenancy::Event::KeysChanged {
            account,
            sequence: 1,
            reset: false,
            token_hash: None,
            removed: Vec::new(),
            added,
        };
        happened(&mut state, event);
    }
    let cost = each(before);
    assert!((40..=KEY).contains(&cost), "{cost} bytes for a key, scattered: {scattered}");
    state
}

fn loosenings() -> State {
    let mut state = tenants();
    let settings = ServiceSettings {
        friendly_name: "Acme".into(),
        code_length: 6,
        custom_code: false,
        do_not_share: false,
        requirements: Requirements::CODE,
        web_otp_domain: String::new(),
        app_hashes: Vec::new(),
    };
    let service_of = |number| (id(number / EACH, true), id(number, true));
    for (account, service) in (0..ITEMS).map(service_of) {
        happened(&mut state, services::Event::ServiceCreated { account, service, settings: settings.clone() });
    }
    let before = resident();
    for (number, (account, service)) in (0..ITEMS).map(service_of).enumerate() {
        // Each due later than the one before, which is the order that leaves most room.
        let loosening = Loosening { code_length: Some(5), custom_code: false, at: 1_900_000_000 + number as u64 };
        happened(&mut state, services::Event::LooseningScheduled { account, sequence: 1, service, loosening });
    }
    let cost = each(before);
    assert!(state.is_due(1_900_000_000));
    assert!((16..=LOOSENING).contains(&cost), "{cost} bytes for a waiting loosening");
    state
}

/// A number of the many.
fn started(number: u32, service: u32) -> verification::Event {
    let hash = |purpose: u8| {
        let mut bytes = [purpose; 16];
        bytes[..4].copy_from_slice(&number.wrapping_mul(0x9E37_79B1).to_be_bytes());
        bytes
    };
    let subjects = Subjects {
        in_service: KeyedHash::from_bytes(hash(1)),
        in_tenant: KeyedHash::from_bytes(hash(2)),
        shared: SharedSubject::NumberBlock(KeyedHash::from_bytes(hash(3))),
    };
    verification::Event::VerificationStarted {
        verification: id(number, true),
        account: id(0, true),
        service: id(service, true),
        channel: Channel::Sms,
        subject: subjects.in_service,
        attempt: id(number, true),
        code_length: 6,
        sent: Some((subjects, 10_000)),
        destination: Some(Destination::phone(&format!("+1202{:07}", 5_000_000 + number)).unwrap()),
        custom_code: None,
        slot_key: None,
    }
}

fn live_verifications() -> State {
    let mut state = tenants();
    let before = resident();
    // Each to a number block of its own, which takes most room.
    for number in 0..ITEMS {
        happened(&mut state, started(number, 0));
    }
    let cost = each(before);
    assert_eq!(state.live(), ITEMS as usize);
    assert!((256..=VERIFICATION).contains(&cost), "{cost} bytes for a live verification");
    state
}
