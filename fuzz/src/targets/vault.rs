//! Events, the state of snapshots, SIDs and destinations: `adyton-vault`.

use adyton_seal::Plaintext;
use adyton_vault::{
    AccountId, AttemptId, Channel, Class, Corrupt, Destination, Event, EventKind, Id, IdKind, KeyId, Record as _,
    ServiceId, State, VerificationId, services, tenancy, verification,
};
use adyton_wire::Reader;

use crate::accepted;

pub(crate) const DICTIONARY: &[&[u8]] = &[
    &[1; 16],
    &[2; 16],
    &[0, 0, 0, 1],
    &[0xFF; 8],
    &[0, 0, 0, 25, 7, 0, 0, 0, 0, 0, 0, 0, 0],
    &[0, 0, 0, 9, 9, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    "ä".as_bytes(),
];
pub(crate) const SIDS: &[&[u8]] =
    &[b"AC", b"VA", b"VE", b"VL", b"00000000", b"ffffffff", b"FFFFFFFF", b"g", "ä".as_bytes()];

/// What decodes is written back to the same bytes, and is no event with a byte more or less.
pub(crate) fn event(input: &[u8]) {
    let Ok(event) = Event::decode_all(input) else { return };
    accepted();
    let mut again = Plaintext::with_capacity(input.len());
    event.encode(&mut again);
    assert_eq!(again.as_bytes(), input);
    assert_eq!(Event::decode_all(&[input, &[0]].concat()).err(), Some(Corrupt));
    assert_eq!(Event::decode_all(&input[..input.len() - 1]).err(), Some(Corrupt));
}

/// `lp(event) || …`: any history can be replayed. Hot events change nothing that survives a restart, a boot leaves
/// nothing hot, time ends everything, and what survives is written and read back unchanged.
pub(crate) fn apply(input: &[u8]) {
    let mut reader = Reader::new(input);
    let (mut state, mut cold) = (State::new(), State::new());
    let mut orphans = false;
    while let Ok(bytes) = reader.lp() {
        let (Ok(event), Ok(again)) = (Event::decode_all(bytes), Event::decode_all(bytes)) else { return };
        accepted();
        let before = (event.class() == Class::H).then(|| state.cold_bytes());
        let (live, at) = (state.live(), event.at);
        let (booted, expired) = (
            matches!(event.kind, EventKind::Booted(_)),
            matches!(event.kind, EventKind::Verification(verification::Event::Swept)),
        );
        if let EventKind::Services(services::Event::ServiceCreated { account, .. }) = event.kind {
            // No decider makes a service without its tenant; such a state has no snapshot.
            let created = |bytes: &[u8]| {
                Event::decode_all(bytes).is_ok_and(|event| {
                    matches!(
                        event.kind,
                        EventKind::Tenancy(tenancy::Event::TenantCreated { account: known, .. }) if known == account
                    )
                })
            };
            let mut all = Reader::new(input);
            let known =
                std::iter::from_fn(|| all.lp().ok()).take_while(|seen| !std::ptr::eq(*seen, bytes)).any(created);
            orphans |= !known;
        }
        state.apply_live(event);
        cold.apply_cold(again);
        assert!(before.is_none_or(|before| before == state.cold_bytes()), "a hot event changed what survives");
        assert!(state.live() <= live + 1 && state.live() == state.hot_facts().len());
        assert!(!booted || state.live() + state.slots() == 0, "something hot outlived a boot");
        assert!(!(expired && at == u64::MAX) || state.live() == 0, "something outlived time");
    }
    assert_eq!(state.cold_bytes(), cold.cold_bytes());
    let bytes = state.cold_bytes();
    match State::decode_cold(&bytes) {
        Ok(read) => assert_eq!(read.cold_bytes(), bytes),
        Err(Corrupt) => assert!(orphans, "a state does not come back from its snapshot"),
    }
}

/// What decodes is written back to the same bytes, and is no state with a byte more or less.
pub(crate) fn state(input: &[u8]) {
    let Ok(state) = State::decode_cold(input) else { return };
    accepted();
    assert_eq!(state.cold_bytes(), input);
    assert_eq!(State::decode_cold(&[input, &[0]].concat()).err(), Some(Corrupt));
    assert_eq!(State::decode_cold(&input[..input.len() - 1]).err(), Some(Corrupt));
    assert_eq!(state.live() + state.slots(), 0);
}

/// A SID of one kind is none of another, and has one spelling but for the case of its digits.
pub(crate) fn sid(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    of_kind(text, AccountId::parse);
    of_kind(text, KeyId::parse);
    of_kind(text, ServiceId::parse);
    of_kind(text, VerificationId::parse);
    of_kind(text, AttemptId::parse);
}

fn of_kind<K: IdKind, E>(text: &str, parse: fn(&str) -> Result<Id<K>, E>) {
    let Ok(id) = parse(text) else { return };
    accepted();
    let written = id.text();
    assert_eq!(written.len(), 34);
    assert_eq!(written[..2], text[..2]);
    assert_eq!(written[2..], text[2..].to_ascii_lowercase());
    assert_eq!(parse(&written).ok(), Some(id));
}

/// What is taken has its one spelling, written back as it came but for the case of an e-mail's domain; a number is `+`
/// and 7 to 15 ASCII digits that do not begin with 0.
pub(crate) fn destination(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let digits = match input {
        [b'+', b'1'..=b'9', rest @ ..] => (6..=14).contains(&rest.len()) && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if let Ok(number) = Destination::parse(Channel::Sms, text) {
        accepted();
        assert!(digits, "{text:?}");
        assert_eq!((number.expose(), number.duplicate().expose()), (text, text));
        let country = number.country().expect("a number belongs somewhere");
        assert!(text[1..].starts_with(&country.calling_code.to_string()));
        assert!(country.region.len() == 2 && country.region.bytes().all(|byte| byte.is_ascii_uppercase()));
        assert!(text.starts_with(number.prefix()));
    }
    if let Ok(address) = Destination::parse(Channel::Email, text) {
        accepted();
        assert!(text.is_ascii() && address.expose().eq_ignore_ascii_case(text));
        assert_eq!(Destination::email(address.expose()).ok().as_ref().map(Destination::expose), Some(address.expose()));
        assert_eq!(*address.counted(), text.to_ascii_lowercase());
        assert!(address.expose().ends_with(address.prefix()) && address.country().is_none());
        assert!(Destination::parse(Channel::Sms, text).is_err());
    }
}
