use adyton_engine::Machine as _;
use adyton_engine::snapshot::{Base, Manifest, SnapshotContext};
use adyton_ledger::{Frontier, Hash, leaf_hash, sha256};
use adyton_seal::KeyTree;
use adyton_vault::{Event, Requirements, ServiceSettings, State, SubjectSalt, TokenHash, services, tenancy};

use crate::reader::{self, Vector};
use crate::{keys, log, sid, vault};

#[test]
fn snapshots() {
    let vectors = reader::read(include_str!("../../../../vectors/snapshots.json"));
    for v in &vectors {
        match v.what() {
            "state" => {
                if let Some(decoded) = v.settle(State::decode_cold(&v.hex("hex")).map(|state| state.cold_bytes())) {
                    assert_eq!(decoded, v.hex("hex"), "{}", v.name());
                    assert_eq!(state(v).cold_bytes(), v.hex("hex"), "{}", v.name());
                }
            }
            "manifest" => {
                if let Some(manifest) = v.settle(Manifest::decode(&v.hex("hex"))) {
                    let chunks = hashes(v);
                    let expected = Manifest { id: v.fixed("snapshot_id"), covered: v.number("covered"), chunks };
                    assert_eq!(manifest, expected, "{}", v.name());
                    assert_eq!(manifest.encode(), v.hex("hex"), "{}", v.name());
                }
            }
            "snapshot" if v.is_refused() => {
                let manifest = Manifest::decode(&v.hex("manifest")).unwrap();
                v.settle(scope(v, &keys(v)).open::<State>(&manifest, &v.hexes("chunks")).map(drop));
            }
            "snapshot" => snapshot(v),
            "chunks_of" => {
                let of = vectors.iter().find(|of| of.name() == v.text("of")).unwrap();
                let (_, sealed) = seal(of);
                let order = v.0["order"].as_array().unwrap().iter();
                let chunks: Vec<_> =
                    order.map(|at| sealed[usize::try_from(at.as_u64().unwrap()).unwrap()].clone()).collect();
                let manifest = Manifest::decode(&v.hex("manifest")).unwrap();
                v.settle(scope(of, &keys(of)).open::<State>(&manifest, &chunks).map(drop));
            }
            other => panic!("{other}"),
        }
    }
}

fn snapshot(v: &Vector) {
    let (manifest, chunks) = seal(v);
    assert_eq!(manifest.encode(), v.hex("manifest"), "{}", v.name());
    assert_eq!(chunks.iter().map(|chunk| sha256(chunk)).collect::<Vec<_>>(), hashes(v), "{}", v.name());
    let lengths: Vec<_> = v.0["chunk_lengths"].as_array().unwrap().iter().map(|length| length.as_u64()).collect();
    assert_eq!(chunks.iter().map(|chunk| u64::try_from(chunk.len()).ok()).collect::<Vec<_>>(), lengths, "{}", v.name());
    if v.has("chunks") {
        assert_eq!(chunks, v.hexes("chunks"), "{}", v.name());
    }
    let opened = scope(v, &keys(v)).open(&manifest, &chunks);
    let (opened, covered) = v.settle(opened.map(|(state, base): (State, Base)| (state.cold_bytes(), base))).unwrap();
    assert_eq!(opened, state(v).cold_bytes(), "{}", v.name());
    assert_eq!(covered, frontier(v).into(), "{}", v.name());
}

fn seal(v: &Vector) -> (Manifest, Vec<Vec<u8>>) {
    let mut chunks = Vec::new();
    let give = |chunk| {
        chunks.push(chunk);
        true
    };
    let keys = keys(v);
    let sealed = scope(v, &keys).seal::<State>(v.fixed("snapshot_id"), &state(v).freeze(), &frontier(v).into(), give);
    (sealed.unwrap(), chunks)
}

fn scope<'a>(v: &Vector, keys: &'a KeyTree) -> SnapshotContext<'a> {
    SnapshotContext { keys, vault: vault(v), log: log(v), boot_id: v.fixed("boot_id") }
}

fn frontier(v: &Vector) -> Frontier {
    let mut frontier = Frontier::new();
    (0..v.number("covered")).for_each(|n| frontier.push(leaf_hash(format!("leaf {n}").as_bytes())));
    frontier
}

fn hashes(v: &Vector) -> Vec<Hash> {
    v.hexes("chunk_sha256").into_iter().map(|hash| Hash(hash.try_into().unwrap())).collect()
}

/// The state in which these tenants and services were created.
fn state(v: &Vector) -> State {
    let mut state = State::new();
    let name = |v: &Vector| v.text("friendly_name").repeat(v.small("times"));
    for tenant in v.list("tenants") {
        let account = sid(&tenant, "account");
        let (token_hash, friendly_name) = (TokenHash::from_bytes(tenant.fixed("token_hash")), name(&tenant));
        let created = tenancy::Event::TenantCreated {
            account,
            token_hash,
            salt: SubjectSalt::from_bytes(tenant.fixed("salt")),
            ssh_key: b"ssh".to_vec(),
            admitted: None,
            friendly_name,
        };
        state.apply_live(Event { at: tenant.number("created"), kind: created.into() });
    }
    for service in v.list("services") {
        let created = services::Event::ServiceCreated {
            account: sid(&service, "account"),
            service: sid(&service, "service"),
            settings: ServiceSettings {
                friendly_name: name(&service),
                code_length: service.small("code_length"),
                custom_code: false,
                do_not_share: false,
                requirements: Requirements::CODE,
                web_otp_domain: String::new(),
                app_hashes: Vec::new(),
            },
        };
        state.apply_live(Event { at: service.number("created"), kind: created.into() });
    }
    state
}
