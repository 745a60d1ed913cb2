//! `vectors/attestation.json`: evidence from the document to the connection, each refusal by its word.

#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

#[path = "../../../vectors/reader.rs"]
mod reader;

use adyton_attest::{
    AppraisalPolicy, Freshness, Measurements, NonceProof, Pcr, Received, Refusal, Release, RememberedChains, Root,
};
use reader::Vector;

fn pcr(bytes: Vec<u8>) -> Pcr {
    Pcr::new(bytes.try_into().unwrap()).unwrap()
}

fn policy(v: &Vector) -> AppraisalPolicy {
    let hash = |field: &str| v.has(field).then(|| v.fixed(field));
    let registers = v.object("registers");
    let registers = registers.0.as_object().unwrap().keys().map(|number| {
        let value = registers.hex(number);
        (number.parse().unwrap(), pcr(value))
    });
    let registers: Vec<_> = registers.collect();
    let measurements = if v.has("releases") {
        let release = |v: &Vector| Release {
            number: v.number("number"),
            code: [pcr(v.hex("pcr0")), pcr(v.hex("pcr1")), pcr(v.hex("pcr2"))],
            policy_hash: v.fixed("policy_hash"),
        };
        Measurements::Releases(v.list("releases").iter().map(release).collect())
    } else if registers.is_empty() {
        Measurements::AnyCode
    } else {
        Measurements::Registers(registers)
    };
    let texts = |field: &str| v.0[field].as_array().unwrap().clone();
    AppraisalPolicy {
        vault_id: v.fixed("vault_id"),
        measurements,
        policy_hash: hash("policy_hash"),
        bundle_hash: hash("bundle_hash"),
        max_age_ms: v.number("max_age_ms"),
        freshness: if v.flag("certified") { Freshness::Certified } else { Freshness::None },
        reveals: texts("reveals").iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        profiles: texts("profiles").iter().map(|number| number.as_u64().unwrap().try_into().unwrap()).collect(),
    }
}

fn judge(v: &Vector, chains: &mut RememberedChains) -> Result<(), Refusal> {
    let now = v.number("now_ms");
    let proof = v.object("nonce_proof");
    let proof = NonceProof {
        index: proof.number("index"),
        count: proof.number("count"),
        path: proof.hexes("path").into_iter().map(|hash| hash.try_into().unwrap()).collect(),
    };
    let verified = Received::parse(&v.hex("document"))?.verify(&Root::explicit(v.hex("root")), now, chains)?;
    let appraised =
        verified.appraise(&v.hex("bundle"), &proof, &v.fixed("nonce"), now, &policy(&v.object("policy")))?;
    if v.has("channel") {
        let channel = v.object("channel");
        appraised.check_channel(&channel.fixed("exporter"), &channel.hex("signature"))?;
    }
    assert!(appraised.explain().contains("not AWS"), "{}", v.name());
    Ok(())
}

#[test]
fn attestation() {
    let cases = reader::read(include_str!("../../../vectors/attestation.json"));
    let mut remembered = RememberedChains::new(4);
    let mut wrong = Vec::new();
    for v in &cases {
        let judged = judge(v, &mut RememberedChains::new(0));
        // What is remembered changes no answer.
        assert_eq!(judged, judge(v, &mut remembered), "{}", v.name());
        let expected = v.is_refused().then(|| v.text("refusal"));
        if judged.as_ref().err().map(Refusal::code) != expected {
            wrong.push(format!("{}: {judged:?}", v.name()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cases.iter().filter(|v| v.is_refused()).count() > 120);
}

/// Every reason that there is has a case, but for what no document of this size can be.
#[test]
fn every_refusal_is_met() {
    let cases = reader::read(include_str!("../../../vectors/attestation.json"));
    let met: std::collections::BTreeSet<&str> =
        cases.iter().filter(|v| v.is_refused()).map(|v| v.text("refusal")).collect();
    for code in Refusal::CODES {
        assert!(met.contains(code) || ["certificate-other", "no-register"].contains(code), "{code} is not met");
    }
    assert!(met.iter().all(|code| Refusal::CODES.contains(code)), "{met:?}");
}

/// Only [`Measurements::AnyCode`] asks for any code; the vectors cannot say it otherwise.
#[test]
fn a_demand_without_registers_is_refused() {
    let cases = reader::read(include_str!("../../../vectors/attestation.json"));
    let v = cases.iter().find(|v| v.name() == "one_nonce").unwrap();
    let proof = NonceProof { index: 0, count: 1, path: Vec::new() };
    let policy = AppraisalPolicy { measurements: Measurements::Registers(Vec::new()), ..policy(&v.object("policy")) };
    let root = Root::explicit(v.hex("root"));
    let received = Received::parse(&v.hex("document")).unwrap();
    let verified = received.verify(&root, v.number("now_ms"), &mut RememberedChains::new(0)).unwrap();
    let refused = verified.appraise(&v.hex("bundle"), &proof, &v.fixed("nonce"), v.number("now_ms"), &policy);
    assert_eq!(refused.err(), Some(Refusal::NoRegister));
}

#[test]
fn nobody_can_want_debug_mode() {
    assert_eq!(Pcr::new([0; 48]), None);
}
