//! `vectors/entries.json` and `vectors/heads.json`, as far as they are public; what is sealed is read by the enclave's
//! tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "../../../vectors/reader.rs"]
mod reader;

use adyton_ledger::{
    ApprovalRecord, Body, BootRecord, CertificateRecord, Entry, Frontier, Genesis, GovRecord, Hash, Head, Header, Kind,
    LogId, OpsRoot, OrderRecord, PolicyRecord, Profile, SettingsRecord, Size, TileKind, TilePath, VaultId, leaf_hash,
    leaves_of, leaves_root, part_leaf, sha256, verifier_key, verify_consistency, verify_inclusion,
};
use reader::Vector;

fn hash(vector: &Vector, field: &str) -> Hash {
    Hash(vector.fixed(field))
}

fn proof(vector: &Vector) -> Vec<Hash> {
    vector.hexes("proof").into_iter().map(|hash| Hash(hash.try_into().unwrap())).collect()
}

#[test]
fn entries() {
    for v in reader::read(include_str!("../../../vectors/entries.json")) {
        match v.what() {
            "entry" => entry(&v),
            "header" => drop(v.settle(Header::decode(&v.fixed("hex")))),
            "leaves" => {
                let each = |leaf: Vector| {
                    let made = part_leaf(&leaf.fixed("salt"), &leaf.hex("part"));
                    assert_eq!(made, hash(&leaf, "leaf"), "{}", v.name());
                    made
                };
                let all: Vec<_> = v.list("leaves").into_iter().map(each).collect();
                assert_eq!(all.len(), leaves_of(v.small("operations")), "{}", v.name());
                assert_eq!(leaves_root(&all), hash(&v, "root"), "{}", v.name());
            }
            "size" => {
                let size = Size::holding(v.small("len"));
                if let Some(size) = v.settle(size.ok_or(None::<usize>)) {
                    assert_eq!(size.number(), v.small::<u8>("size"), "{}", v.name());
                    assert_eq!(size.bytes(), v.small::<usize>("bytes"), "{}", v.name());
                }
            }
            "event" | "body" => (),
            other => panic!("{other}"),
        }
    }
}

fn entry(v: &Vector) {
    let header = Header {
        kind: match v.text("kind") {
            "ops" => Kind::Ops,
            "boot" => Kind::Boot,
            "snapshot" => Kind::Snapshot,
            "gov" => Kind::Gov,
            other => panic!("{other}"),
        },
        hot_size: size(v, "hot_size"),
        kept_size: size(v, "kept_size"),
        index: v.number("index"),
        time_bucket: v.number("time_bucket"),
        boot_id: v.fixed("boot_id"),
        release: v.number("release"),
        hot_root: hash(v, "hot_root"),
        kept_root: hash(v, "kept_root"),
    };
    let body = |size: Size, name| (!size.is_absent()).then(|| v.hex(name));
    let (hot, kept) = (body(header.hot_size, "hot"), body(header.kept_size, "kept"));
    let entry = Entry::new(&header, hot.as_deref(), kept.as_deref());
    assert_eq!(entry, Entry::from_bytes(v.fixed("entry")), "{}", v.name());
    assert_eq!(entry.header(), Ok(header), "{}", v.name());
    assert_eq!(entry.body_hash(Body::Hot), hash(v, "hot_hash"), "{}", v.name());
    assert_eq!(entry.body_hash(Body::Kept), hash(v, "kept_hash"), "{}", v.name());
    assert_eq!(entry.leaf_hash(), hash(v, "leaf_hash"), "{}", v.name());
    assert_eq!(sha256(entry.as_bytes()), hash(v, "sha256"), "{}", v.name());
}

/// A size by its number.
fn size(v: &Vector, field: &str) -> Size {
    let number: u8 = v.small(field);
    (0..6).map(|k| Size::holding(1024 << (2 * k)).unwrap()).find(|size| size.number() == number).unwrap_or_default()
}

#[test]
fn heads() {
    for v in reader::read(include_str!("../../../vectors/heads.json")) {
        let name = v.name();
        match v.what() {
            "tree" => {
                let mut frontier = Frontier::new();
                (0..v.number("size")).for_each(|n| frontier.push(leaf_hash(format!("leaf {n}").as_bytes())));
                let mut bytes = Vec::new();
                frontier.encode(&mut bytes);
                assert_eq!((frontier.root(), &bytes), (hash(&v, "root"), &v.hex("frontier")), "{name}");
                assert_eq!(Frontier::decode(&bytes), Ok((frontier, bytes.len())), "{name}");
            }
            "frontier" => drop(v.settle(Frontier::decode(&v.hex("hex")))),
            "inclusion" => {
                let (index, size) = (v.number("index"), v.number("size"));
                v.settle(verify_inclusion(&hash(&v, "leaf"), index, size, &proof(&v), &hash(&v, "root")));
            }
            "consistency" => {
                let (old, new) = ((v.number("old"), hash(&v, "old_root")), (v.number("size"), hash(&v, "root")));
                v.settle(verify_consistency(old.0, &old.1, new.0, &new.1, &proof(&v)));
            }
            "tile_path" => {
                if let Some(path) = v.settle(v.text("path").parse::<TilePath>()) {
                    let kind = v.text("level").parse().map_or(TileKind::Entries, TileKind::Hashes);
                    assert_eq!(path, TilePath { kind, number: v.number("number"), width: v.small("width") }, "{name}");
                    assert_eq!(path.to_string(), v.text("path"), "{name}");
                }
            }
            "verifier_key" => {
                assert_eq!(verifier_key(v.text("origin"), &v.fixed("key")), v.text("vkey"), "{name}");
            }
            "head" => {
                if let Some(head) = v.settle(Head::open(v.text("note"), v.text("origin"), &v.fixed("key"))) {
                    assert_eq!((head.size, head.root), (v.number("size"), hash(&v, "root")), "{name}");
                    assert!(v.text("note").starts_with(&format!("{}\n", head.text())), "{name}");
                }
            }
            "gov" => {
                if let Some(record) = v.settle(GovRecord::decode(&v.hex("hex"))) {
                    assert_eq!(record, expected_record(&v), "{name}");
                    assert_eq!(record.encode(), v.hex("hex"), "{name}");
                }
            }
            "vault_id" => {
                let entry = Entry::from_bytes(v.fixed("entry"));
                assert_eq!(entry.body_hash(Body::Kept), sha256(&v.hex("genesis")), "{name}");
                assert_eq!(VaultId::of_genesis(&entry), VaultId(v.fixed("vault_id")), "{name}");
            }
            "wrapped_root" | "sealed_ca_key" => (),
            other => panic!("{other}"),
        }
    }
}

fn expected_record(v: &Vector) -> GovRecord {
    let fields = v.object("fields");
    match v.text("record") {
        "genesis" => GovRecord::Genesis(Genesis {
            profile: match v.text("profile") {
                "dev" => Profile::Dev,
                "kms" => Profile::Kms,
                "kms+quorum" => Profile::KmsQuorum,
                "quorum" => Profile::Quorum,
                other => panic!("{other}"),
            },
            nonce: fields.fixed("nonce"),
            attestation_root: fields.fixed("attestation_root"),
            policy_hash: fields.fixed("policy_hash"),
            log_key: fields.fixed("log_key"),
            hpke_key: fields.fixed("hpke_key"),
            ca_certificate: fields.hex("ca_certificate"),
            sealed_ca_key: fields.hex("sealed_ca_key"),
            wrapped_root: fields.hex("wrapped_root"),
            kms_ciphertext: fields.hex("kms_ciphertext"),
        }),
        "boot" => GovRecord::Boot(BootRecord {
            boot_id: fields.fixed("boot_id"),
            release: v.number("release"),
            policy_hash: fields.fixed("policy_hash"),
            bundle_hash: fields.fixed("bundle_hash"),
            time: v.number("time"),
        }),
        "policy" => GovRecord::Policy(PolicyRecord { release: v.number("release"), policy: fields.hex("policy") }),
        "approval" => GovRecord::Approval(ApprovalRecord {
            release: v.number("release"),
            old: fields.fixed("old"),
            new: fields.fixed("new"),
            signatures: v.hexes("signatures"),
        }),
        "certificate" => GovRecord::Certificate(CertificateRecord {
            account: fields.hex("account"),
            sealed_account_key: fields.hex("sealed_account_key"),
            sealed_key: fields.hex("sealed_key"),
            chain: v.hexes("chain"),
        }),
        "order" => {
            GovRecord::Order(OrderRecord { address: fields.hex("address"), sealed_key: fields.hex("sealed_key") })
        }
        "settings" => GovRecord::Settings(SettingsRecord {
            sequence: v.number("sequence"),
            hash: fields.fixed("hash"),
            signatures: v.hexes("signatures"),
        }),
        "ops_root" => {
            let log = LogId::ops(0);
            assert_eq!(log.name(), v.text("log"));
            GovRecord::OpsRoot(OpsRoot { log, size: v.number("size"), root: hash(&fields, "root") })
        }
        other => panic!("{other}"),
    }
}
