//! `vectors/bundle.json`.
#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

#[path = "../../../vectors/reader.rs"]
mod reader;

use adyton_attest::{Bundle, NotarySet};

#[test]
fn bundle() {
    for v in reader::read(include_str!("../../../vectors/bundle.json")) {
        let Some(bundle) = v.settle(Bundle::decode(&v.hex("hex"))) else { continue };
        let fields = v.object("fields");
        let reveals = fields.0["reveals"].as_array().unwrap().iter().map(|reveal| reveal.as_str().unwrap().to_owned());
        let expected = Bundle {
            vault_id: fields.fixed("vault_id"),
            release: fields.number("release"),
            policy_hash: fields.fixed("policy_hash"),
            boot_id: fields.fixed("boot_id"),
            profile: fields.small("profile"),
            tls_key: fields.fixed("tls_key"),
            hpke_key: fields.fixed("hpke_key"),
            log_key: fields.fixed("log_key"),
            ca_key: fields.fixed("ca_key"),
            notaries: NotarySet {
                keys: fields.hexes("notaries").into_iter().map(|key| key.try_into().unwrap()).collect(),
                quorum: fields.small("quorum"),
            },
            reveals: reveals.collect(),
        };
        assert_eq!(bundle, expected, "{}", v.name());
        assert_eq!(bundle.encode().unwrap(), v.hex("hex"), "{}", v.name());
        assert_eq!(bundle.hash().unwrap(), v.fixed("sha256"), "{}", v.name());
    }
}
