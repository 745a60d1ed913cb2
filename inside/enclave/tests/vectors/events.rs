use adyton_seal::Plaintext;
use adyton_vault::{
    AppHash, Channel, Class, Event, EventKind, Loosening, Outcome, Scopes, ServiceSettings, SidKind, User,
};

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
            "P" => Class::P,
            "S" => Class::S,
            "A" => Class::A,
            other => panic!("{other}"),
        };
        assert_eq!((again, class), (v.hex("hex"), expected), "{}", v.name());
        // Events have no equality, so what was decoded is compared by what the named fields encode to.
        let (made, class) = encoded(Event { at: v.number("time"), kind: kind(v) });
        assert_eq!((made, class), (v.hex("hex"), expected), "{}", v.name());
    }
}

fn settings(v: &Vector) -> ServiceSettings {
    ServiceSettings {
        friendly_name: v.text("friendly_name").to_owned(),
        code_length: v.small("code_length"),
        custom_code: v.flag("custom_code"),
        do_not_share: v.flag("do_not_share"),
        web_otp_domain: v.text("web_otp_domain").to_owned(),
        app_hashes: AppHash::parse_list(v.text("app_hashes")).unwrap(),
    }
}

fn keys_changed(v: &Vector) -> EventKind {
    let key = |v: &Vector| sid(v, SidKind::Key, "key");
    let added = |v: &Vector| (key(v), Scopes::from_bits(v.small("scopes")).unwrap(), v.fixed("token_hash"));
    EventKind::KeysChanged {
        account: sid(v, SidKind::Account, "account"),
        sequence: v.number("sequence"),
        reset: v.flag("reset"),
        token_hash: Some(v.hex("token_hash")).filter(|hash| !hash.is_empty()).map(|hash| hash.try_into().unwrap()),
        removed: v.list("removed").iter().map(key).collect(),
        added: v.list("added").iter().map(added).collect(),
    }
}

fn kind(v: &Vector) -> EventKind {
    let account = || sid(v, SidKind::Account, "account");
    let service = || sid(v, SidKind::Service, "service");
    let verification = || sid(v, SidKind::Verification, "verification");
    let attempt = || sid(v, SidKind::Attempt, "attempt");
    match v.text("event") {
        "Booted" => EventKind::Booted { boot_id: v.fixed("boot_id") },
        "TenantCreated" => EventKind::TenantCreated {
            account: account(),
            token_hash: v.fixed("token_hash"),
            ssh_key: v.text("ssh_key").into(),
            admitted: Some(v.number("admitted")).filter(|sequence| *sequence > 0),
            friendly_name: v.text("friendly_name").to_owned(),
        },
        "KeysChanged" => keys_changed(v),
        "SettingsChanged" => {
            EventKind::SettingsChanged { sequence: v.number("sequence"), text: v.text("text").to_owned() }
        }
        "ServiceCreated" => EventKind::ServiceCreated { account: account(), service: service(), settings: settings(v) },
        "ServiceUpdated" => EventKind::ServiceUpdated { service: service(), settings: settings(v) },
        "ServiceDeleted" => EventKind::ServiceDeleted { service: service() },
        "LooseningScheduled" => EventKind::LooseningScheduled {
            account: account(),
            sequence: v.number("sequence"),
            service: service(),
            loosening: Loosening {
                code_length: Some(v.small("code_length")).filter(|length| *length > 0),
                custom_code: v.flag("custom_code"),
                at: v.number("at"),
            },
        },
        "LooseningEnded" => EventKind::LooseningEnded { service: service(), in_effect: v.flag("in_effect") },
        "SlotOpened" => EventKind::SlotOpened { slot: v.small("slot"), key: None },
        "VerificationStarted" => EventKind::VerificationStarted {
            verification: verification(),
            account: account(),
            service: service(),
            channel: Channel::parse(v.text("channel")).unwrap(),
            subject: v.fixed("subject"),
            attempt: attempt(),
            code_length: v.small("code_length"),
            sent: None,
            destination: None,
            custom_code: None,
        },
        "VerificationResent" => {
            EventKind::VerificationResent { verification: verification(), attempt: attempt(), sent: None }
        }
        "SendRepeated" => EventKind::SendRepeated { verification: verification(), attempt: attempt(), sent: None },
        "CheckFailed" => EventKind::CheckFailed {
            verification: verification(),
            service: service(),
            subject: v.fixed("subject"),
            full_again: v.number("full_again"),
        },
        "VerificationApproved" => EventKind::VerificationApproved {
            verification: verification(),
            service: service(),
            subject: v.fixed("subject"),
            proven: v.flag("proven"),
        },
        "VerificationCanceled" => EventKind::VerificationCanceled { verification: verification() },
        "Expired" => EventKind::Expired,
        "BudgetsForgotten" => EventKind::BudgetsForgotten,
        "DeliveryReported" => EventKind::DeliveryReported {
            verification: verification(),
            attempt: attempt(),
            outcome: match v.text("outcome") {
                "accepted" => Outcome::Accepted,
                "refused" => Outcome::Refused,
                "gave_up" => Outcome::GaveUp,
                "unreachable" => Outcome::Unreachable,
                "unconfirmed" => Outcome::Unconfirmed,
                "withdrawn" => Outcome::Withdrawn,
                other => panic!("{other}"),
            },
            route: (!v.0["route"].is_null()).then(|| v.small("route")),
        },
        "SupportLooked" => EventKind::SupportLooked {
            account: account(),
            user: match v.text("user").get(..2) {
                Some("AC") => User::Account(sid(v, SidKind::Account, "user")),
                _ => User::Key(sid(v, SidKind::Key, "user")),
            },
            verification: verification(),
        },
        other => panic!("{other}"),
    }
}
