use adyton_seal::Plaintext;
use adyton_vault::{
    AppHash, BootId, Channel, Class, CredentialKind, Event, EventKind, Id, KeyedHash, Loosening, NewKey,
    OperationOutcome, OperationRecord, Outcome, Record as _, Requirements, Scopes, ServiceSettings, SubjectSalt,
    TokenHash, User, services, tenancy, verification, verification::CheckOutcome,
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
        let Some((again, class)) = v.settle(Event::decode_all(&v.hex("hex")).map(encoded)) else { continue };
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
        requirements: Requirements::CODE,
        web_otp_domain: v.text("web_otp_domain").to_owned(),
        app_hashes: AppHash::parse_list(v.text("app_hashes")).unwrap(),
    }
}

fn token_hash(v: &Vector) -> TokenHash {
    TokenHash::from_bytes(v.fixed("token_hash"))
}

fn kind(v: &Vector) -> EventKind {
    match v.text("event") {
        "Booted" => EventKind::Booted(BootId(v.fixed("boot_id"))),
        "Operation" => EventKind::Operation(operation(v)),
        "TenantCreated" | "KeysChanged" | "SettingsChanged" => of_tenancy(v).into(),
        "ServiceCreated" | "ServiceUpdated" | "ServiceDeleted" | "LooseningScheduled" | "LooseningEnded" => {
            of_services(v).into()
        }
        _ => of_verification(v).into(),
    }
}

fn operation(v: &Vector) -> OperationRecord {
    OperationRecord {
        credential: match v.text("credential") {
            "account" => CredentialKind::Account,
            "key" => CredentialKind::Key,
            "signer" => CredentialKind::Signer,
            "owners" => CredentialKind::Owners,
            other => panic!("{other}"),
        },
        sid: Id::from_bytes(v.fixed("sid")),
        service: Id::from_bytes(v.fixed("service")),
        kind: v.small("kind"),
        object: Id::from_bytes(v.fixed("object")),
        outcome: match v.text("outcome") {
            "done" => OperationOutcome::Done,
            "refused" => OperationOutcome::Refused,
            "not_permitted" => OperationOutcome::NotPermitted,
            other => panic!("{other}"),
        },
        client: KeyedHash::from_bytes(v.fixed("client")),
    }
}

fn of_tenancy(v: &Vector) -> tenancy::Event {
    let new_key = |v: &Vector| NewKey {
        key: sid(v, "key"),
        scopes: Scopes::from_bits(v.small("scopes")).unwrap(),
        token_hash: token_hash(v),
    };
    match v.text("event") {
        "TenantCreated" => tenancy::Event::TenantCreated {
            account: sid(v, "account"),
            token_hash: token_hash(v),
            salt: SubjectSalt::from_bytes(v.fixed("salt")),
            ssh_key: v.text("ssh_key").into(),
            admitted: Some(v.number("admitted")).filter(|sequence| *sequence > 0),
            friendly_name: v.text("friendly_name").to_owned(),
        },
        "KeysChanged" => tenancy::Event::KeysChanged {
            account: sid(v, "account"),
            sequence: v.number("sequence"),
            reset: v.flag("reset"),
            token_hash: (!v.hex("token_hash").is_empty()).then(|| token_hash(v)),
            removed: v.list("removed").iter().map(|v| sid(v, "key")).collect(),
            added: v.list("added").iter().map(new_key).collect(),
        },
        "SettingsChanged" => {
            tenancy::Event::SettingsChanged { sequence: v.number("sequence"), text: v.text("text").to_owned() }
        }
        other => panic!("{other}"),
    }
}

fn of_services(v: &Vector) -> services::Event {
    match v.text("event") {
        "ServiceCreated" => services::Event::ServiceCreated {
            account: sid(v, "account"),
            service: sid(v, "service"),
            settings: settings(v),
        },
        "ServiceUpdated" => services::Event::ServiceUpdated { service: sid(v, "service"), settings: settings(v) },
        "ServiceDeleted" => services::Event::ServiceDeleted { service: sid(v, "service") },
        "LooseningScheduled" => services::Event::LooseningScheduled {
            account: sid(v, "account"),
            sequence: v.number("sequence"),
            service: sid(v, "service"),
            loosening: Loosening {
                code_length: Some(v.small("code_length")).filter(|length| *length > 0),
                custom_code: v.flag("custom_code"),
                at: v.number("at"),
            },
        },
        "LooseningEnded" => {
            services::Event::LooseningEnded { service: sid(v, "service"), in_effect: v.flag("in_effect") }
        }
        other => panic!("{other}"),
    }
}

fn of_verification(v: &Vector) -> verification::Event {
    let verification = || sid(v, "verification");
    let attempt = || sid(v, "attempt");
    let subject = || KeyedHash::from_bytes(v.fixed("subject"));
    match v.text("event") {
        "VerificationStarted" => verification::Event::VerificationStarted {
            verification: verification(),
            account: sid(v, "account"),
            service: sid(v, "service"),
            channel: Channel::parse(v.text("channel")).unwrap(),
            subject: subject(),
            attempt: attempt(),
            code_length: v.small("code_length"),
            sent: None,
            destination: None,
            custom_code: None,
            slot_key: None,
        },
        "VerificationResent" => {
            verification::Event::VerificationResent { verification: verification(), attempt: attempt(), sent: None }
        }
        "SendRepeated" => {
            verification::Event::SendRepeated { verification: verification(), attempt: attempt(), sent: None }
        }
        "Checked" => verification::Event::Checked {
            verification: verification(),
            service: sid(v, "service"),
            subject: subject(),
            full_again: v.number("full_again"),
            outcome: match v.text("outcome") {
                "proven" => CheckOutcome::Proven,
                "supplied" => CheckOutcome::Supplied,
                "wrong" => CheckOutcome::Wrong,
                "too_many" => CheckOutcome::TooMany,
                "closed" => CheckOutcome::Closed,
                "unknown" => CheckOutcome::Unknown,
                "by_api" => CheckOutcome::ByApi,
                other => panic!("{other}"),
            },
        },
        "VerificationCanceled" => verification::Event::VerificationCanceled { verification: verification() },
        "Swept" => verification::Event::Swept,
        "DeliveryReported" => verification::Event::DeliveryReported {
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
        "SupportLooked" => verification::Event::SupportLooked {
            account: sid(v, "account"),
            user: match v.text("user").get(..2) {
                Some("AC") => User::Account(sid(v, "user")),
                _ => User::Key(sid(v, "user")),
            },
            verification: verification(),
        },
        other => panic!("{other}"),
    }
}
