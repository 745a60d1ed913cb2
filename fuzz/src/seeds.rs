//! Seeds made from the vectors and from the system's own encoders. `adyton-fuzz --write-corpus` writes them; a test
//! says when a layout has moved away from what is committed. More than 500 lines, since it is one list: a function for each
//! target that has seeds.
//!
//! Inputs that once failed are committed beside them by hand, under a name that says what was wrong. Inputs named
//! `found_…` are kept by `cargo xtask fuzz --keep`: together they reach what the seeds do not.
//!
//! It is one long file because it is a table: one place for each target, and nothing that could be read apart.

use adyton_image::Eif;
use adyton_ledger::{Frontier, Hash};
use adyton_seal::Plaintext;
use adyton_vault::{
    AccountId, AppHash, AttemptId, BootId, Channel, CredentialKind, Event, EventKind, Id, KeyId, KeyedHash, Loosening,
    NewKey, OperationKind, OperationOutcome, OperationRecord, Outcome, Record as _, Requirements, Scope, Scopes,
    ServiceId, ServiceSettings, State, Subject, SubjectSalt, TokenHash, User, VerificationId, services, tenancy,
    verification,
};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use crate::corpus::Seed;

/// Longest vector that becomes a seed.
const MAX_SEED: usize = 1024;

/// Images that become seeds, of those in the vectors.
const EIFS: [&str; 4] = ["smallest", "three_ramdisks", "fail_hidden_section", "fail_ramdisk_after_the_signature"];

/// A token sealed to the test key of the target `sealed_value`. HPKE is randomised, so it was made once.
const SEALED_TOKEN: &str = "010127196d20fe02bae63d69d32a8657e1e902a9a7958b9d4c19323c7b2dc5b6233d76c763f910cf819e56327b837d3ca3ca44b765b0a1127017214f43baa4c8a8643e1ee82545efe9ce830e2290627c1dc3";

/// Inputs and their names.
type Named = Vec<(&'static str, Vec<u8>)>;

/// Every seed and its target.
pub fn all() -> Vec<(&'static str, Seed)> {
    let mut seeds = Vec::new();
    vectors(&mut seeds);
    let groups: [(&str, Named); 28] = [
        ("frame_append", frame_append()),
        ("frame_stream", frame_stream()),
        ("address", texts(&["unix:/run/adyton/service.sock", "vsock:3:5000", "vsock:+3:5000", "unix:", "tcp:1:2"])),
        ("frontier", frontiers()),
        ("proof", vec![("one_of_seven", [&[7, 3, 5][..], &[1; 96]].concat()), ("empty", vec![0, 0, 0])]),
        (
            "tile_request",
            texts(&[
                "/gov/checkpoint",
                "/ops-0/tile/entries/x001/x234/067.p/112",
                "/ops-65534/tile/63/000",
                "/ops-00/checkpoint",
                "/gov/tile/0/x000/001",
                "/gov/",
            ]),
        ),
        ("vault_id", texts(&[&"ab".repeat(32), &"AB".repeat(32), &"ab".repeat(31)])),
        ("evidence", evidence()),
        ("sealed_value", vec![("token", hex(SEALED_TOKEN)), ("plaintext", vec![b'A'; 32]), ("empty", Vec::new())]),
        ("code", texts(&["123456", "0000", "1234567890", "12345678901", "+12345", "\u{0661}\u{0662}\u{0663}"])),
        (
            "reader",
            vec![
                ("every_operation", reader()),
                ("lp_beyond_the_end", vec![1, 3, 0, 0, 0, 9, 1]),
                ("lp_beyond_its_bound", vec![1, 3 | 1 << 3, 0, 0, 0, 2, 1, 2]),
                ("list_beyond_the_end", vec![1, 7 | 2 << 3, 1, 2, 3]),
            ],
        ),
        ("event", events()),
        ("apply", histories()),
        ("state", states()),
        ("sid", texts(&[&sid("AC"), &sid("VA"), &sid("VE"), &sid("VL"), &sid("XX"), &sid("AC").to_uppercase()])),
        (
            "destination",
            texts(&[
                "+15550100123",
                "+4915550100",
                "15550100123",
                "+0155501001",
                "+1 555 0100123",
                "+390669812345",
                "Jo.Doe+x@Example.com",
                "\"jo\"@[127.0.0.1]",
            ]),
        ),
        ("locale", texts(&["en", "de-AT", "ES-419", "en_GB", "fr-"])),
        ("app_hash", texts(&["He42w354ol9", "+/+/+/+/+/+", "He42w354ol9="])),
        ("service_name", texts(&["Acme", "U.S. Bank", "Банк Пример 123", "go to evil.example", "is 493-817"])),
        ("web_otp_domain", texts(&["login.example.com", "LOGIN.example", "127.0.0.1", "a.com #1"])),
        (
            "key_policy",
            vec![
                ("good", key_policy(0xAB, "kms:Decrypt", json!({ "Effect": "Deny", "Action": "kms:CreateGrant" }))),
                ("other", key_policy(0xAC, "kms:Decrypt", json!({ "Effect": "Deny", "Action": "kms:CreateGrant" }))),
                ("star", key_policy(0xAB, "kms:*", json!({ "Effect": "Deny", "Action": "kms:CreateGrant" }))),
                ("denied", key_policy(0xAB, "kms:Decrypt", json!({ "Effect": "Deny", "Action": "kms:D*" }))),
                (
                    "not_action",
                    key_policy(0xAB, "kms:Decrypt", json!({ "Effect": "Deny", "NotAction": "kms:Decrypt" })),
                ),
                (
                    "two_effects",
                    key_policy(0xAB, "kms:Decrypt", json!({ "Effect": "Deny", "effect": "Allow", "Action": "kms:*" })),
                ),
                ("conditional", conditional_key_policy()),
                ("of_the_aws_cli", of_the_aws_cli(&conditional_key_policy())),
            ],
        ),
        ("manifest", vec![("none", manifest(0)), ("three_chunks", manifest(3))]),
        ("entry_body", bodies()),
        ("snapshot", snapshots()),
        ("image_signature", image_signature()),
        (
            "smtp_reply",
            texts(&[
                "250 ok\r\n",
                "250\r\n",
                "250\tqueued\n",
                "250-mail\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n",
                "550-5.1.1 unknown\r\n550 5.1.1 see\r\n",
                "553 not in my list (#5.7.1)\r\n",
                "250-a\r\n550 b\r\n",
                "who are you?\r\n",
            ]),
        ),
        ("domain_name", texts(&["carrier.adyton.test", "localhost.", "127.1", "0x7f000001", "a.0x1", "::1", "a..b"])),
        ("route", texts(&["carrier.test:443=127.0.0.1:8443", "Kms.test:1=[::1]:2", "127.1:443=127.0.0.1:1", ":1=:2"])),
    ];
    for (target, group) in groups.into_iter().chain(requests()) {
        seeds.extend(group.into_iter().map(|(name, input)| (target, Seed { name: name.into(), input })));
    }
    seeds
}

fn vectors(seeds: &mut Vec<(&'static str, Seed)>) {
    let mut add = |target, name: &str, input: Vec<u8>| {
        if input.len() <= MAX_SEED {
            seeds.push((target, Seed { name: name.into(), input }));
        }
    };
    let read = |text: &str| serde_json::from_str::<Vec<Value>>(text).expect("vectors are a list");
    let field = |vector: &Value, name: &str| vector[name].as_str().unwrap_or_default().to_owned();
    for vector in read(include_str!("../../vectors/frames.json")) {
        // The length before a frame is the stream's.
        add("frame", &field(&vector, "name"), hex(&field(&vector, "hex"))[4..].to_vec());
    }
    for vector in read(include_str!("../../vectors/bundle.json")) {
        add("bundle", &field(&vector, "name"), hex(&field(&vector, "hex")));
    }
    for vector in read(include_str!("../../vectors/kms_envelopes.json")) {
        add("kms_envelope", &field(&vector, "name"), hex(&field(&vector, "envelope")));
    }
    for vector in read(include_str!("../../vectors/ssh.json")) {
        let (name, signature, key) = (field(&vector, "name"), field(&vector, "signature"), field(&vector, "key"));
        let blob = |base64: String| BASE64.decode(base64.as_bytes()).expect("a vector is base64");
        let lines = signature.lines().filter(|line| !line.starts_with('-'));
        add("ssh_signature", &format!("{name}_blob"), blob(lines.collect()));
        add("ssh_key", &format!("{name}_blob"), blob(key.split(' ').nth(1).unwrap_or_default().into()));
        // One of each line is enough: what differs stands in the blob.
        if name == "sk_ecdsa" || name == "fail_rsa" {
            let request = json!({
                "action": "settings", "signer": "owners", "sequence": 1, "body": "version = 1", "signatures": [signature],
            });
            add("signed_request", &name, request.to_string().into_bytes());
            add("ssh_signature", &name, signature.into_bytes());
            add("ssh_key", &name, key.into_bytes());
        }
    }
    for vector in read(include_str!("../../vectors/images.json")) {
        let (name, bytes) = (field(&vector, "name"), hex(&field(&vector, "hex")));
        match field(&vector, "what").as_str() {
            // All differ in the 548 bytes of the header, which mutation finds by itself.
            "eif" if EIFS.contains(&&name[..]) => add("eif", &name, bytes),
            // Stored blocks, whose content the target packs again.
            "ramdisk" if !vector["archive"].is_null() => add("ramdisk", &name, hex(&field(&vector, "archive"))),
            _ => {}
        }
    }
    // Of a vector that has several byte strings, the one that its kind is named for.
    let files = [
        include_str!("../../vectors/entries.json"),
        include_str!("../../vectors/heads.json"),
        include_str!("../../vectors/snapshots.json"),
    ];
    for vector in files.into_iter().flat_map(read) {
        let (name, what) = (field(&vector, "name"), field(&vector, "what"));
        match &what[..] {
            "entry" => add("entry", &name, hex(&field(&vector, "entry"))),
            "header" => add("entry", &name, hex(&field(&vector, "hex"))),
            "tile_path" => add("tile_path", &name, field(&vector, "path").into_bytes()),
            "head" => add("head", &name, field(&vector, "note").into_bytes()),
            "gov" => add("gov_record", &name, hex(&field(&vector, "hex"))),
            "event" => add("event", &name, hex(&field(&vector, "hex"))),
            "frontier" => add("frontier", &name, hex(&field(&vector, "hex"))),
            "manifest" => add("manifest", &name, hex(&field(&vector, "hex"))),
            "state" => add("state", &name, hex(&field(&vector, "hex"))),
            _ => {}
        }
    }
}

/// The policy of a KMS key, by the registers that the target `key_policy` has, with a denial.
fn key_policy(image: u8, action: &str, mut denial: Value) -> Vec<u8> {
    let hex = |byte: u8| HEXLOWER.encode(&[byte; 48]);
    let pins = json!({
        "kms:RecipientAttestation:ImageSha384": hex(image), "kms:RecipientAttestation:PCR16": hex(0xCD),
    });
    let allow = |actions: Value| json!({ "Effect": "Allow", "Principal": "*", "Action": actions, "Resource": "*" });
    let mut release = allow(json!([action, "kms:GenerateDataKey"]));
    release["Condition"] = json!({ "StringEqualsIgnoreCase": pins });
    denial["Principal"] = "*".into();
    denial["Resource"] = "*".into();
    let looks = allow(json!(["kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"]));
    json!({ "Version": "2012-10-17", "Statement": [looks, release, denial] }).to_string().into_bytes()
}

/// The same with a denial under a condition that does not concern the enclave.
fn conditional_key_policy() -> Vec<u8> {
    let condition = json!({
        "StringNotEqualsIgnoreCase": { "kms:RecipientAttestation:ImageSha384": HEXLOWER.encode(&[0xAB; 48]) },
        "BoolIfExists": { "aws:MultiFactorAuthPresent": "false" },
    });
    key_policy(0xAB, "kms:Decrypt", json!({ "Effect": "Deny", "Action": "kms:Decrypt", "Condition": condition }))
}

/// A policy as the AWS command line prints it.
fn of_the_aws_cli(policy: &[u8]) -> Vec<u8> {
    json!({ "Policy": String::from_utf8_lossy(policy), "PolicyName": "default" }).to_string().into_bytes()
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).expect("lower-case hexadecimal")
}

fn texts(texts: &[&str]) -> Named {
    let names = ["text_1", "text_2", "text_3", "text_4", "text_5", "text_6", "text_7", "text_8"];
    names.into_iter().zip(texts).map(|(name, text)| (name, text.as_bytes().to_vec())).collect()
}

fn sid(letters: &str) -> String {
    format!("{letters}{}", "0123456789abcdef".repeat(2))
}

fn lp(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("seeds are short");
    [&length.to_be_bytes(), bytes].concat()
}

fn frame_append() -> Named {
    let two = [&[0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 2, 3][..], b"onetwo", b"adyton\n1\nAAAA\n"].concat();
    vec![("two_records", two), ("no_record", vec![0; 12])]
}

fn frame_stream() -> Named {
    let hello = hex("0000000c010000000000000000000101");
    let welcome = hex("0000000b0200000000000000000001");
    let both = [&hello[..], &welcome].concat();
    vec![("two_frames", both.clone()), ("cut", both[..both.len() - 1].to_vec()), ("too_long", vec![0, 16, 0, 1, 0])]
}

fn frontier(size: u64) -> Frontier {
    let mut frontier = Frontier::new();
    (0..size).for_each(|number| frontier.push(Hash([number as u8; 32])));
    frontier
}

fn frontiers() -> Named {
    let encoded = |size| {
        let mut out = Vec::new();
        frontier(size).encode(&mut out);
        out
    };
    vec![("empty", encoded(0)), ("seven", encoded(7)), ("largest", [&[0xFF; 8][..], &[64], &[1; 2048]].concat())]
}

/// Evidence of the vectors, and real documents.
fn evidence() -> Named {
    const CHOSEN: [&str; 10] = [
        "any_code",
        "indefinite_map",
        "tagged",
        "fail_bytes_after_the_document",
        "fail_unprotected_algorithm",
        "fail_nonce_twice",
        "fail_register_twice",
        "fail_swapped_issuers",
        "fail_bundle_of_no_form",
        "fail_reveal",
    ];
    let with = |document: &[u8], bundle: &[u8]| {
        [&u16::try_from(document.len()).expect("documents are short").to_be_bytes()[..], document, bundle].concat()
    };
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../vectors/attestation.json")).expect("vectors are a list");
    let find = |name: &str| vectors.iter().find(|vector| vector["name"] == name).expect("a chosen vector is there");
    let field = |vector: &Value, name: &str| hex(vector[name].as_str().unwrap_or_default());
    let chosen =
        CHOSEN.into_iter().map(|name| (name, with(&field(find(name), "document"), &field(find(name), "bundle"))));
    let real = [
        ("aws_2025", &include_bytes!("../../vectors/nitro/yawn-2025.cbor")[..]),
        ("aws_2024_debug", &include_bytes!("../../vectors/nitro/anjuna-2024-debug.cbor")[..]),
    ];
    let deep = ("fail_deep", with(&[0x81; 200], &[]));
    chosen.chain(real.map(|(name, document)| (name, with(document, &[])))).chain([deep]).collect()
}

/// Signature sections of images.
fn image_signature() -> Named {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../vectors/images.json")).expect("vectors are a list");
    let find = |name: &str| vectors.iter().find(|vector| vector["name"] == name).expect("a chosen vector is there");
    ["signed", "fail_members_swapped", "fail_tagged"]
        .into_iter()
        .map(|name| {
            let file = hex(find(name)["hex"].as_str().unwrap_or_default());
            (name, Eif::parse(&file).ok().and_then(|image| image.signature).expect("it is signed"))
        })
        .collect()
}

fn reader() -> Vec<u8> {
    let operations = [0, 1, 2, 3, 4, 5 | 3 << 3, 6, 7, 1 | 1 << 3, 3 | 2 << 3, 4 | 1 << 3, 7 | 2 << 3];
    let numbers = [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3];
    let fields = [&numbers[..], &lp(b"\xFF\xFE"), &lp("ä".as_bytes()), b"abc", &[6; 16], &[7; 32]].concat();
    let variants = [&[0, 4][..], &lp(b"in"), &lp(&lp(b"nested")), &[0, 1, 0, 2]].concat();
    [&[12][..], &operations, &fields, &variants].concat()
}

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
const VERIFICATION: VerificationId = VerificationId::from_bytes([4; 16]);
const SERVICE: ServiceId = ServiceId::from_bytes([2; 16]);
const ATTEMPT: AttemptId = AttemptId::from_bytes([5; 16]);
const AT: u64 = 1_780_000_000;

fn tenant(account: AccountId) -> EventKind {
    let (ssh_key, admitted) = (b"ssh-ed25519 AAAA".to_vec(), Some(3));
    let (token_hash, friendly_name) = (TokenHash::from_bytes([7; 32]), "Example".into());
    let salt = SubjectSalt::from_bytes([3; 16]);
    tenancy::Event::TenantCreated { account, token_hash, salt, ssh_key, admitted, friendly_name }.into()
}

fn service(account: AccountId, number: u8) -> EventKind {
    let service = ServiceId::from_bytes([number; 16]);
    services::Event::ServiceCreated { account, service, settings: settings() }.into()
}

fn settings() -> ServiceSettings {
    ServiceSettings {
        friendly_name: "Exämple".into(),
        code_length: 6,
        custom_code: false,
        do_not_share: true,
        requirements: Requirements::CODE,
        web_otp_domain: "login.example.com".into(),
        app_hashes: AppHash::parse_list("He42w354ol9,+/+/+/+/+/+").unwrap_or_default(),
    }
}

fn started() -> verification::Event {
    verification::Event::VerificationStarted {
        verification: VERIFICATION,
        account: ACCOUNT,
        service: SERVICE,
        channel: Channel::Sms,
        subject: Subject::from_bytes([6; 16]),
        attempt: ATTEMPT,
        code_length: 6,
        sent: None,
        destination: None,
        custom_code: None,
        slot_key: None,
    }
}

fn kinds() -> Vec<(&'static str, EventKind)> {
    let mut kinds = vec![("booted", EventKind::Booted(BootId([3; 16]))), ("tenant_created", tenant(ACCOUNT))];
    kinds.push(("service_created", service(ACCOUNT, 2)));
    kinds.push(("operation", EventKind::Operation(operation())));
    kinds.extend(of_verification().into_iter().map(|(name, event)| (name, event.into())));
    kinds.extend(of_tenancy().into_iter().map(|(name, event)| (name, event.into())));
    kinds.extend(of_services().into_iter().map(|(name, event)| (name, event.into())));
    kinds
}

fn of_tenancy() -> Vec<(&'static str, tenancy::Event)> {
    let key = |number: u8| KeyId::from_bytes([number; 16]);
    let scopes = Scopes::from_slice(&[Scope::Verify]);
    let keys_changed = tenancy::Event::KeysChanged {
        account: ACCOUNT,
        sequence: 1,
        reset: false,
        token_hash: Some(TokenHash::from_bytes([7; 32])),
        removed: vec![key(9)],
        added: vec![NewKey { key: key(8), scopes, token_hash: TokenHash::from_bytes([9; 32]) }],
    };
    let settings_changed = tenancy::Event::SettingsChanged { sequence: 4, text: "version = 1".into() };
    vec![("settings_changed", settings_changed), ("keys_changed", keys_changed)]
}

fn operation() -> OperationRecord {
    OperationRecord {
        credential: CredentialKind::Key,
        sid: Id::from_bytes([8; 16]),
        service: Id::from_bytes(*SERVICE.as_bytes()),
        kind: OperationKind::Check as u8,
        object: Id::from_bytes(*VERIFICATION.as_bytes()),
        outcome: OperationOutcome::Done,
        client: KeyedHash::from_bytes([5; 16]),
    }
}

fn of_services() -> Vec<(&'static str, services::Event)> {
    let (account, service) = (ACCOUNT, SERVICE);
    let loosening = Loosening { code_length: Some(6), custom_code: false, at: AT + 86_400 };
    vec![
        ("service_updated", services::Event::ServiceUpdated { service, settings: settings() }),
        ("loosening_scheduled", services::Event::LooseningScheduled { account, sequence: 2, service, loosening }),
        ("loosening_ended", services::Event::LooseningEnded { service, in_effect: true }),
        ("service_deleted", services::Event::ServiceDeleted { service }),
    ]
}

fn of_verification() -> Vec<(&'static str, verification::Event)> {
    use verification::{CheckOutcome, Event};
    let (verification, attempt, account, service) = (VERIFICATION, ATTEMPT, ACCOUNT, SERVICE);
    let subject = Subject::from_bytes([6; 16]);
    let checked = |outcome, full_again| Event::Checked { verification, service, subject, full_again, outcome };
    let user = User::Key(KeyId::from_bytes([8; 16]));
    vec![
        ("verification_started", started()),
        ("verification_resent", Event::VerificationResent { verification, attempt, sent: None }),
        ("checked_wrong", checked(CheckOutcome::Wrong, AT + 120)),
        ("delivery_reported", Event::DeliveryReported { verification, attempt, outcome: Outcome::GaveUp, route: None }),
        ("checked_proven", checked(CheckOutcome::Proven, AT + 120)),
        ("checked_unknown", checked(CheckOutcome::Unknown, 0)),
        ("checked_by_api", checked(CheckOutcome::ByApi, 0)),
        ("swept", Event::Swept),
        ("verification_canceled", Event::VerificationCanceled { verification }),
        ("support_looked", Event::SupportLooked { account, user, verification }),
    ]
}

fn encode(at: u64, kind: EventKind) -> Vec<u8> {
    let mut out = Plaintext::with_capacity(128);
    Event { at, kind }.encode(&mut out);
    out.as_bytes().to_vec()
}

fn events() -> Named {
    kinds().into_iter().map(|(name, kind)| (name, encode(AT, kind))).collect()
}

fn histories() -> Named {
    let history = |kinds: Vec<EventKind>| kinds.into_iter().flat_map(|kind| lp(&encode(AT, kind))).collect();
    let every = history(kinds().into_iter().map(|(_, kind)| kind).collect());
    let (one, two) = (ACCOUNT, AccountId::from_bytes([2; 16]));
    let tenants = vec![tenant(one), tenant(two), service(one, 9), service(two, 8)];
    let end = lp(&encode(u64::MAX, verification::Event::Swept.into()));
    vec![
        ("every_kind", every),
        ("services_against_accounts", history(tenants)),
        ("started_twice_then_ended", [history(vec![started().into(), started().into()]), end].concat()),
    ]
}

fn state() -> State {
    let mut state = State::new();
    for kind in [tenant(ACCOUNT), service(ACCOUNT, 2), service(ACCOUNT, 3)] {
        state.apply_live(Event { at: AT, kind });
    }
    state
}

fn states() -> Named {
    let bytes = state().cold_bytes();
    // The two services are as long as each other, and the section of verification follows them: its tag, its length, its
    // boots and no budgets.
    let (head, last) = bytes.split_at(bytes.len() - (4 + 4 + 8 + 4));
    let one = {
        let mut state = State::new();
        [tenant(ACCOUNT), service(ACCOUNT, 2)].into_iter().for_each(|kind| state.apply_live(Event { at: AT, kind }));
        state.cold_bytes().len()
    };
    let (head, services) = head.split_at(head.len() - 2 * (bytes.len() - one));
    let (first, second) = services.split_at(services.len() / 2);
    let swapped = [head, second, first, last].concat();
    vec![("empty", State::new().cold_bytes()), ("fail_order", swapped), ("tenant_and_services", bytes)]
}

fn manifest(chunks: u8) -> Vec<u8> {
    let mut out = [&[1][..], &[4; 16], &7u64.to_be_bytes(), &[0, 0, 0, chunks]].concat();
    (0..chunks).for_each(|chunk| out.extend_from_slice(&[chunk; 32]));
    out
}

fn bodies() -> Named {
    let padded = |operations: &[&[Vec<u8>]]| {
        let parts: Vec<u8> = operations
            .iter()
            .flat_map(|events| lp(&events.iter().flat_map(|one| lp(one)).collect::<Vec<_>>()))
            .collect();
        let used = u32::try_from(parts.len()).expect("seeds are short").to_be_bytes();
        let count = u16::try_from(operations.len()).expect("seeds are short").to_be_bytes();
        let mut out = [&used[..], &count, &parts].concat();
        out.resize(1024, 0);
        out
    };
    let expired = || encode(AT, verification::Event::Swept.into());
    let mut stained = padded(&[&[expired()]]);
    stained[1023] = 1;
    vec![
        ("no_operation", padded(&[])),
        ("two_operations", padded(&[&[encode(AT, tenant(ACCOUNT))], &[expired(), expired()]])),
        ("empty_part", padded(&[&[], &[expired()]])),
        ("manifest", padded(&[&[manifest(3)]])),
        ("fail_padding", stained),
    ]
}

fn snapshots() -> Named {
    let plaintext = |size: u64, roots: u8, state: &State| {
        let mut out = size.to_be_bytes().to_vec();
        frontier(size).encode(&mut out);
        out.push(roots);
        (0..roots).for_each(|root| out.extend_from_slice(&[root; 8 + 32]));
        out.extend_from_slice(&state.cold_bytes());
        // The smallest size of a last chunk.
        out.resize(4096, 0);
        out
    };
    let mut other = plaintext(7, 0, &state());
    other[7] = 6;
    let (empty, seven) = (plaintext(0, 0, &State::new()), plaintext(7, 0, &state()));
    vec![("empty", empty), ("seven", seven), ("two_roots", plaintext(7, 2, &state())), ("fail_covered", other)]
}

fn requests() -> [(&'static str, Named); 7] {
    let pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let policy = |host: &str, trust: &str| {
        format!(
            "version = 1\nprofile = \"dev\"\nretention_days = 30\n\n[attestation]\nroot = \"\"\"\n{pem}\"\"\"\n\n\
             [api]\nnames = [\"localhost\"]\naddresses = [\"127.0.0.1\"]\n\n\
             [custody]\nhost = \"{host}\"\nport = 443\ntrust = \"\"\"\n{trust}\"\"\"\n\n\
             [tenants]\nadmission = \"open\"\nloosening_hours = 24\n\n\
             [verification]\nchannels = [\"sms\"]\ncountries = [\"+1\"]\n\n\
             [[routes]]\nname = \"first\"\nkind = \"webhook\"\nchannels = [\"sms\"]\nhost = \"carrier.adyton.test\"\n\
             port = 443\npath = \"/\"\ncredential = \"first\"\ntrust = \"\"\"\n{pem}\"\"\"\n"
        )
    };
    let (name, two) = ("kms.adyton.test", pem.repeat(2));
    let arn = "arn:aws:kms:eu-central-1:111122223333:key/0f1e2d3c-0000-4000-8000-00112233aabb";
    let small = policy("kms.eu-central-1.amazonaws.com", pem).replace("\"dev\"", "\"kms\"").replacen(
        &format!("trust = \"\"\"\n{pem}\"\"\"\n\n[tenants]"),
        &format!("trust = \"public-roots\"\nkey = \"{arn}\"\ncredentials = \"instance-role\"\n\n[tenants]"),
        1,
    );
    let many: String = (0..65).map(|number| format!("f{number}&")).collect();
    let basic = |claimed: &str| format!("Basic {}", BASE64.encode(claimed.as_bytes()));
    let account = sid("AC");
    let json = |name: &str| {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
        format!(r#"{{"account_sid":"{account}","friendly_name":"{name}","sealed_token":"AQE=","ssh_key":"{key}"}}"#)
    };
    let (key, service) = (sid("SK"), sid("VA"));
    [
        ("policy", texts(&[&policy(name, pem), &policy(name, &two), &policy("127.1", pem), &small])),
        ("certificate_chain", texts(&[pem, &two, &two.replace('\n', "\r\n"), &format!("{pem}words"), ""])),
        (
            "form",
            texts(&["To=%2B15550100123&Channel=sms", "FriendlyName=Ex%C3%A4mple+1&CodeLength=6", "To=1&T%6F=2", &many]),
        ),
        (
            "basic_credentials",
            texts(&[
                &basic(&format!("{account}:{}", "t".repeat(32))),
                &basic(&format!("{account}:a:b")),
                "Bearer AA==",
            ]),
        ),
        ("tenant_request", texts(&[&json("Example"), &json("Ex\\u00e4mple"), &json(""), "{\"account_sid\":null}"])),
        (
            "keys_request",
            texts(&[
                "{}",
                r#"{"reset":true,"sealed_token":"AQE="}"#,
                &format!(
                    r#"{{"remove":["{key}"],"add":[{{"key_sid":"{key}","scopes":["verify","admin"],"sealed_secret":"AQ=="}}]}}"#
                ),
                &format!(r#"{{"add":[{{"key_sid":"{key}","scopes":[],"sealed_secret":""}}]}}"#),
            ]),
        ),
        (
            "loosening_request",
            texts(&[
                &format!(r#"{{"service_sid":"{service}","code_length":6,"custom_code_enabled":true}}"#),
                &format!(r#"{{"service_sid":"{service}"}}"#),
            ]),
        ),
    ]
}
