//! `vectors/keys.json` and `vectors/sealed_values.json`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

#[path = "../../../vectors/reader.rs"]
mod reader;

use adyton_seal::{
    HmacKey, KeyTree, Label, Plaintext, RecipientKey, RootKey, SealedPurpose, Secret, SigningKey, SlotKey, keyed_hash,
    keyed_hash_16, same,
};
use reader::Vector;

fn secret(v: &Vector, field: &str) -> Secret<32> {
    Secret::try_from(&v.hex(field)[..]).unwrap()
}

fn tree(v: &Vector) -> KeyTree {
    KeyTree::new(&RootKey::new(secret(v, "root_key")), v.small("epoch"))
}

fn label(text: &str) -> Label {
    match text {
        "log" => Label::Log,
        "commitment" => Label::Commitment,
        "log signing" => Label::LogSigning,
        "snapshot" => Label::Snapshot,
        "hpke" => Label::Hpke,
        "ca wrap" => Label::CaWrap,
        "public key wrap" => Label::PublicKeyWrap,
        "token" => Label::Token,
        "subject" => Label::Subject,
        other => panic!("{other}"),
    }
}

#[test]
fn keys() {
    for v in reader::read(include_str!("../../../vectors/keys.json")) {
        let name = v.name();
        let hmac = |label, parts: &[&[u8]]| HmacKey::new(&tree(&v).derive(label, parts).unwrap());
        let bytes = |field| v.text(field).as_bytes();
        match v.what() {
            "derive" => {
                let parts = v.hexes("parts");
                let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                let key = tree(&v).derive(label(v.text("label")), &parts).unwrap();
                assert!(same(key.expose(), &v.hex("key")), "{name}");
            }
            "public_keys" => {
                let key = |label| tree(&v).derive(label, &[]).unwrap();
                let signing = SigningKey::from_seed(&key(Label::LogSigning)).unwrap();
                assert_eq!(signing.public_key(), v.fixed("ed25519_log_key"), "{name}");
                let recipient = RecipientKey::new(&key(Label::Hpke)).unwrap();
                assert_eq!(recipient.public_key().0, v.fixed("x25519_hpke_key"), "{name}");
            }
            "token_hash" => {
                let hash = keyed_hash(&hmac(Label::Token, &[]), &[bytes("account"), bytes("token")]);
                assert_eq!(hash, v.fixed("hash"), "{name}");
            }
            "subjects" => {
                let counted = v.text("destination").to_ascii_lowercase();
                let parts = [bytes("service"), bytes("channel"), counted.as_bytes()];
                let hash = keyed_hash_16(&hmac(Label::Subject, &[bytes("account"), &v.hex("salt")]), &parts);
                assert_eq!(hash, v.fixed("in_service"), "{name}");
            }
            "code" => {
                let key = SlotKey::new(secret(&v, "slot_key"));
                let code = key.code(v.text("verification"), v.text("service"), v.small("digits"));
                assert_eq!(code.expose(), v.text("code"), "{name}");
            }
            // The unit test of rejection reads these.
            "code_block" => (),
            // The enclave opens these.
            "sealed_public_key" => (),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn sealed_values() {
    for v in reader::read(include_str!("../../../vectors/sealed_values.json")) {
        let recipient = RecipientKey::new(&secret(&v, "private_key")).unwrap();
        assert_eq!(recipient.public_key().0, v.fixed("public_key"), "{}", v.name());
        let purpose = match v.text("purpose") {
            "tenant token" => SealedPurpose::tenant_token(&v.fixed("vault_id"), v.text("account")),
            "api key" => SealedPurpose::api_key(&v.fixed("vault_id"), v.text("account"), v.text("key")),
            "data key" => SealedPurpose::kms_data_key(),
            other => panic!("{other}"),
        };
        let revealed = |opened: Plaintext| opened.as_bytes().to_vec();
        if let Some(plaintext) = v.settle(recipient.open(&purpose, &v.hex("sealed")).map(revealed)) {
            assert_eq!(plaintext, v.hex("plaintext"), "{}", v.name());
            // What is sealed here under a fresh ephemeral key opens as well, and is another sealed value.
            let again = recipient.public_key().seal(&purpose, &plaintext).unwrap();
            assert_ne!(again, v.hex("sealed"), "{}", v.name());
            assert_eq!(revealed(recipient.open(&purpose, &again).unwrap()), plaintext, "{}", v.name());
        }
    }
}
