//! Known answers of `vectors/ledger_entries.json` and `vectors/ledger_heads.json`, made by an independent implementation.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use adyton_ledger::{
    Entry, Frontier, GovRecord, Hash, Head, Header, Keep, Kind, LogId, Profile, commitment, commitments_root,
    leaf_hash, sha256, size_class, tile_path, verify_consistency, verify_inclusion,
};
use data_encoding::HEXLOWER;
use serde_json::Value;

fn vectors(json: &str) -> Vec<Value> {
    let vectors: Vec<Value> = serde_json::from_str(json).unwrap();
    assert!(vectors.iter().all(|v| text(v, "name").starts_with("fail_") == v.get("refusal").is_some()));
    vectors
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_else(|| panic!("{field} of {vector}"))
}

fn number(vector: &Value, field: &str) -> u64 {
    vector[field].as_u64().unwrap_or_else(|| panic!("{field} of {vector}"))
}

fn hex(vector: &Value, field: &str) -> Vec<u8> {
    HEXLOWER.decode(text(vector, field).as_bytes()).unwrap()
}

fn fixed<const N: usize>(vector: &Value, field: &str) -> [u8; N] {
    hex(vector, field).try_into().unwrap()
}

fn hash(vector: &Value, field: &str) -> Hash {
    Hash(fixed(vector, field))
}

fn proof(vector: &Value) -> Vec<Hash> {
    let hashes = vector["proof"].as_array().unwrap();
    hashes.iter().map(|h| Hash(HEXLOWER.decode(h.as_str().unwrap().as_bytes()).unwrap().try_into().unwrap())).collect()
}

/// A good vector gives its value; a `fail_` one is refused with the refusal it names and gives nothing.
fn accepted<T: std::fmt::Debug, E: std::fmt::Debug>(vector: &Value, result: Result<T, E>) -> Option<T> {
    let name = text(vector, "name");
    match (result, vector.get("refusal")) {
        (Ok(value), None) => Some(value),
        (Err(error), Some(refusal)) => {
            let said = format!("{error:?}");
            assert_eq!(said.split([' ', '(']).next(), refusal.as_str(), "{name}");
            None
        }
        (result, _) => panic!("{name}: {result:?}"),
    }
}

#[test]
fn entries() {
    for vector in vectors(include_str!("../../../vectors/ledger_entries.json")) {
        let name = text(&vector, "name");
        match text(&vector, "what") {
            "entry" => entry(&vector),
            "header" => drop(accepted(&vector, Header::decode(&fixed(&vector, "hex")))),
            "commitments" => {
                let events = vector["events"].as_array().unwrap();
                let each: Vec<_> = events.iter().map(|e| commitment(&fixed(e, "salt"), &hex(e, "event"))).collect();
                assert!(events.iter().zip(&each).all(|(e, got)| hash(e, "commitment") == *got), "{name}");
                assert_eq!(commitments_root(&each), hash(&vector, "root"), "{name}");
            }
            "size_class" => {
                let class = size_class(usize::try_from(number(&vector, "len")).unwrap());
                assert_eq!(class.map(|class| class as u64), vector["size_class"].as_u64(), "{name}");
            }
            other => panic!("{other}"),
        }
    }
}

fn entry(vector: &Value) {
    let name = text(vector, "name");
    let header = Header {
        kind: match text(vector, "kind") {
            "ops" => Kind::Ops,
            "boot" => Kind::Boot,
            "snapshot" => Kind::Snapshot,
            "gov" => Kind::Gov,
            other => panic!("{other}"),
        },
        keep: [Keep::UntilSnapshot, Keep::Retention, Keep::Forever][usize::try_from(number(vector, "keep")).unwrap()],
        body_len: u32::try_from(number(vector, "body_len")).unwrap(),
        index: number(vector, "index"),
        time_bucket: number(vector, "time_bucket"),
        tenant: fixed(vector, "tenant"),
        boot_id: fixed(vector, "boot_id"),
        release: number(vector, "release"),
        commitments: hash(vector, "commitments"),
    };
    let entry = Entry::new(&header, &hex(vector, "body"));
    assert_eq!(entry.as_bytes(), &fixed(vector, "entry"), "{name}");
    assert_eq!(entry.header(), Ok(header), "{name}");
    assert_eq!(entry.body_hash(), hash(vector, "body_hash"), "{name}");
    assert_eq!(entry.leaf_hash(), hash(vector, "leaf_hash"), "{name}");
    assert_eq!(sha256(entry.as_bytes()), hash(vector, "sha256"), "{name}");
}

#[test]
fn heads() {
    for vector in vectors(include_str!("../../../vectors/ledger_heads.json")) {
        let v = &vector;
        let name = text(v, "name");
        match text(v, "what") {
            "tree" => {
                let mut frontier = Frontier::new();
                (0..number(v, "size")).for_each(|n| frontier.push(leaf_hash(format!("leaf {n}").as_bytes())));
                let mut bytes = Vec::new();
                frontier.encode(&mut bytes);
                assert_eq!((frontier.root(), bytes), (hash(v, "root"), hex(v, "frontier")), "{name}");
            }
            "frontier" => drop(accepted(v, Frontier::decode(&hex(v, "hex")))),
            "inclusion" => {
                let (index, size) = (number(v, "index"), number(v, "size"));
                accepted(v, verify_inclusion(&hash(v, "leaf"), index, size, &proof(v), &hash(v, "root")));
            }
            "consistency" => {
                let (old, new) = ((number(v, "old"), hash(v, "old_root")), (number(v, "size"), hash(v, "root")));
                accepted(v, verify_consistency(old.0, &old.1, new.0, &new.1, &proof(v)));
            }
            "tile_path" => {
                let (level, width) = (number(v, "level"), number(v, "width"));
                let path = tile_path(level.try_into().unwrap(), number(v, "number"), width.try_into().unwrap());
                assert_eq!(path, text(v, "path"), "{name}");
            }
            "head" => {
                if let Some(head) = accepted(v, Head::open(text(v, "note"), text(v, "origin"), &fixed(v, "key"))) {
                    assert_eq!((head.size, head.root), (number(v, "size"), hash(v, "root")), "{name}");
                    assert!(text(v, "note").starts_with(&format!("{}\n", head.text())), "{name}");
                }
            }
            "gov" => {
                if let Some(record) = accepted(v, GovRecord::decode(&hex(v, "hex"))) {
                    assert_eq!(record.encode(), hex(v, "hex"), "{name}");
                    gov_fields(v, &record);
                }
            }
            other => panic!("{other}"),
        }
    }
}

fn gov_fields(vector: &Value, record: &GovRecord) {
    let fields = &vector["fields"];
    match record {
        GovRecord::Genesis(genesis) => {
            assert_eq!((text(vector, "record"), genesis.profile), ("genesis", Profile::Small));
            let fixed_fields = [
                ("nonce", genesis.nonce),
                ("attestation_root", genesis.attestation_root),
                ("policy_hash", genesis.policy_hash),
                ("log_key", genesis.log_key),
                ("hpke_key", genesis.hpke_key),
            ];
            fixed_fields.iter().for_each(|(name, value)| assert_eq!(fixed(fields, name), *value, "{name}"));
            let fields_of_any_length = [
                ("ca_certificate", &genesis.ca_certificate),
                ("sealed_ca_key", &genesis.sealed_ca_key),
                ("wrapped_root", &genesis.wrapped_root),
                ("kms_ciphertext", &genesis.kms_ciphertext),
            ];
            fields_of_any_length.iter().for_each(|(name, value)| assert_eq!(&hex(fields, name), *value, "{name}"));
        }
        GovRecord::Boot(boot) => {
            assert_eq!(boot.boot_id, fixed(fields, "boot_id"));
            assert_eq!(boot.policy_hash, fixed(fields, "policy_hash"));
            assert_eq!(boot.bundle_hash, fixed(fields, "bundle_hash"));
            assert_eq!((boot.release, boot.time), (number(vector, "release"), number(vector, "time")));
        }
        GovRecord::OpsRoot(ops) => {
            assert_eq!((ops.log, ops.size), (LogId::ops(0), number(vector, "size")));
            assert_eq!((ops.log.name().as_str(), ops.root), (text(vector, "log"), hash(fields, "root")));
        }
    }
}
