use adyton_seal::Plaintext;
use adyton_vault::{Channel, Class, Event, EventKind, Outcome, SidKind};

use crate::reader::{self, Vector};
use crate::sid;

#[test]
fn events() {
    let vectors = reader::read(include_str!("../../../../vectors/entries.json"));
    for v in vectors.iter().filter(|v| v.what() == "event") {
        let encoded = |event: Event| {
            let mut out = Plaintext::with_capacity(64);
            event.encode(&mut out);
            (out.as_bytes().to_vec(), event.class())
        };
        let Some((again, class)) = v.settle(Event::decode(&v.hex("hex")).map(encoded)) else { continue };
        let expected = match v.text("class") {
            "H" => Class::H,
            "S" => Class::S,
            other => panic!("{other}"),
        };
        assert_eq!((again, class), (v.hex("hex"), expected), "{}", v.name());
        // Events have no equality, so what was decoded is compared by what the named fields encode to.
        let (made, class) = encoded(Event { at: v.number("time"), kind: kind(v) });
        assert_eq!((made, class), (v.hex("hex"), expected), "{}", v.name());
    }
}

fn kind(v: &Vector) -> EventKind {
    let account = || sid(v, SidKind::Account, "account");
    let service = || sid(v, SidKind::Service, "service");
    let verification = || sid(v, SidKind::Verification, "verification");
    let attempt = || sid(v, SidKind::Attempt, "attempt");
    let friendly_name = || v.text("friendly_name").to_owned();
    match v.text("event") {
        "Booted" => EventKind::Booted { boot_id: v.fixed("boot_id") },
        "TenantCreated" => EventKind::TenantCreated {
            account: account(),
            token_hash: v.fixed("token_hash"),
            friendly_name: friendly_name(),
        },
        "ServiceCreated" => EventKind::ServiceCreated {
            account: account(),
            service: service(),
            code_length: v.small("code_length"),
            friendly_name: friendly_name(),
        },
        "SlotOpened" => EventKind::SlotOpened { slot: v.small("slot"), key: None },
        "VerificationStarted" => EventKind::VerificationStarted {
            verification: verification(),
            account: account(),
            service: service(),
            channel: Channel::parse(v.text("channel")).unwrap(),
            subject: v.fixed("subject"),
            attempt: attempt(),
            destination: None,
        },
        "VerificationResent" => EventKind::VerificationResent { verification: verification(), attempt: attempt() },
        "CheckFailed" => EventKind::CheckFailed { verification: verification() },
        "VerificationApproved" => EventKind::VerificationApproved { verification: verification() },
        "Expired" => EventKind::Expired,
        "DeliveryReported" => EventKind::DeliveryReported {
            verification: verification(),
            attempt: attempt(),
            outcome: match v.text("outcome") {
                "accepted" => Outcome::Accepted,
                "refused" => Outcome::Refused,
                "gave_up" => Outcome::GaveUp,
                other => panic!("{other}"),
            },
        },
        other => panic!("{other}"),
    }
}
