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

/// Every reason that there is has a case.
#[test]
fn every_refusal_is_met() {
    let cases = reader::read(include_str!("../../../vectors/attestation.json"));
    let met: std::collections::BTreeSet<&str> =
        cases.iter().filter(|v| v.is_refused()).map(|v| v.text("refusal")).collect();
    for code in Refusal::CODES {
        assert!(met.contains(code) || *code == "no-register", "{code} is not met");
    }
    assert!(met.iter().all(|code| Refusal::CODES.contains(code)), "{met:?}");
    let once: std::collections::BTreeSet<_> = Refusal::CODES.iter().collect();
    assert_eq!(once.len(), Refusal::CODES.len(), "a word stands twice");
}

#[test]
fn an_unknown_member_is_named() {
    let cases = reader::read(include_str!("../../../vectors/attestation.json"));
    for (case, name) in [("fail_unknown_member", "note"), ("fail_member_in_capitals", "Nonce")] {
        let v = cases.iter().find(|v| v.name() == case).unwrap();
        let refusal = Received::parse(&v.hex("document")).err().unwrap();
        assert_eq!(refusal.to_string(), format!("the payload has a member that no document has: {name:?}"));
    }
}

/// Of the first vector, judged by a policy that is changed.
fn judged(change: impl FnOnce(&mut AppraisalPolicy)) -> Result<String, Refusal> {
    let cases = reader::read(include_str!("../../../vectors/attestation.json"));
    let v = cases.iter().find(|v| !v.is_refused()).unwrap();
    let proof = v.object("nonce_proof");
    let proof = NonceProof {
        index: proof.number("index"),
        count: proof.number("count"),
        path: proof.hexes("path").into_iter().map(|hash| hash.try_into().unwrap()).collect(),
    };
    let (now, mut demands) = (v.number("now_ms"), policy(&v.object("policy")));
    change(&mut demands);
    let verified = Received::parse(&v.hex("document"))?;
    let verified = verified.verify(&Root::explicit(v.hex("root")), now, &mut RememberedChains::new(0))?;
    let appraised = verified.appraise(&v.hex("bundle"), &proof, &v.fixed("nonce"), now, &demands)?;
    Ok(appraised.explain())
}

#[test]
fn what_is_not_known_of_the_code_is_said() {
    let register = |number: u8| {
        let cases = reader::read(include_str!("../../../vectors/attestation.json"));
        let v = cases.iter().find(|v| !v.is_refused()).unwrap();
        let verified = Received::parse(&v.hex("document")).unwrap();
        let root = Root::explicit(v.hex("root"));
        let verified = verified.verify(&root, v.number("now_ms"), &mut RememberedChains::new(0)).unwrap();
        (number, Pcr::new(*verified.pcr(number).unwrap()).unwrap())
    };
    for (registers, known) in [
        (&[0][..], true),
        (&[0, 16], true),
        (&[1, 2], true),
        (&[1], false),
        (&[2], false),
        (&[3, 4], false),
        (&[16], false),
    ] {
        let wanted = Measurements::Registers(registers.iter().copied().map(register).collect());
        let said = judged(|policy| policy.measurements = wanted).unwrap();
        assert_eq!(!said.contains("Which code runs"), known, "{registers:?}: {said}");
    }
    // What unknown code says of its policy shows nothing.
    let policy_hash = |policy: &mut AppraisalPolicy| {
        let cases = reader::read(include_str!("../../../vectors/attestation.json"));
        let v = cases.iter().find(|v| !v.is_refused()).unwrap();
        policy.policy_hash = Some(adyton_attest::Bundle::decode(&v.hex("bundle")).unwrap().policy_hash);
    };
    let (shown, not) = ("The policy is the one", "Which policy is in force");
    let said = judged(policy_hash).unwrap();
    assert!(!said.contains(shown) && said.contains(not), "{said}");
    let said = judged(|policy| {
        policy_hash(policy);
        policy.measurements = Measurements::Registers(vec![register(0)]);
    });
    let said = said.unwrap();
    assert!(said.contains(shown) && !said.contains(not), "{said}");
}

#[test]
fn a_list_of_nothing_is_not_met() {
    let refused = judged(|policy| policy.measurements = Measurements::Registers(Vec::new())).err();
    assert_eq!(refused, Some(Refusal::NoRegister));
    let refused = judged(|policy| policy.measurements = Measurements::Releases(Vec::new())).err();
    assert!(matches!(refused, Some(Refusal::Release { wanted: 0, .. })), "{refused:?}");
}

#[test]
fn nobody_can_want_debug_mode() {
    assert_eq!(Pcr::new([0; 48]), None);
}
