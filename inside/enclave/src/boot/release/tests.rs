#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use adyton_ledger::{Request, RequestError, SshSignatureError, sha256};
use adyton_seal::{Secret, SigningKey};

use super::*;
use crate::http::{JsonBody, MemberError};
use crate::ssh_signer::SshSigner;

const VAULT: VaultId = VaultId([0xAB; 32]);
/// Hash of the policy in force.
const OLD: [u8; 32] = [8; 32];
const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

fn owner(seed: u8) -> SshSigner<impl Fn(&[u8]) -> [u8; 64]> {
    let key = SigningKey::from_seed(&Secret::init_with(|bytes| bytes.fill(seed))).unwrap();
    SshSigner { public: key.public_key(), sign: move |text: &[u8]| key.sign(text) }
}

/// A policy of these owners, of whom so many must sign; `days` makes it another one.
fn policy(owners: &[u8], threshold: usize, days: u32) -> Measured {
    let keys: Vec<String> = owners.iter().map(|seed| owner(*seed).line()).collect();
    let owners =
        if owners.is_empty() { String::new() } else { format!("[owners]\nthreshold = {threshold}\nkeys = {keys:?}\n") };
    let text = format!(
        "version = 1\nprofile = \"dev\"\nretention_days = {days}\n[attestation]\nroot = \"\"\"\n{PEM}\"\"\"\n{owners}\
         [tenants]\nadmission = \"open\"\nloosening_hours = 24\n[api]\nnames = [\"localhost\"]\naddresses = []\n\
         [custody]\nhost = \"kms.adyton.test\"\nport = 443\ntrust = \"\"\"\n{PEM}\"\"\"\n\
         [verification]\nchannels = []\ncountries = []\n"
    );
    Measured::parse(text.as_bytes()).unwrap()
}

fn request(policy: &Measured, release: u64) -> Request {
    let body = String::from_utf8(policy.bytes.clone()).unwrap();
    Request { action: Action::Policy, signer: Signer::Owners, sequence: release, body, replaces: Some(OLD) }
}

/// The file of an approval, signed by these.
fn file(request: &Request, seeds: &[u8]) -> Vec<u8> {
    let hash = sha256(request.text(&VAULT).as_bytes()).0;
    let signed = adyton_api::SignedRequest {
        action: request.action.text().into(),
        signer: request.signer.to_string(),
        sequence: request.sequence,
        body: request.body.clone(),
        signatures: seeds.iter().map(|seed| owner(*seed).armored(&hash)).collect(),
    };
    serde_json::to_vec(&signed).unwrap()
}

/// What release 2 says to an approval, with a policy of owners 1 and 2 in force, both of whom must sign.
fn refusal(approval: &[u8], measured: &Measured) -> Option<ApprovalError> {
    approve(approval, &VAULT, (2, OLD), &policy(&[1, 2], 2, 30).policy, measured).err()
}

#[test]
fn enough_owners_of_the_policy_in_force_approve_exactly_this_one() {
    // The new policy has other owners; they have no say in it.
    let new = policy(&[3], 1, 31);
    assert_eq!(refusal(&file(&request(&new, 2), &[1, 2]), &new), None);
    let verified =
        approve(&file(&request(&new, 2), &[2, 1]), &VAULT, (2, OLD), &policy(&[1, 2], 2, 30).policy, &new).unwrap();
    assert_eq!((verified.body_hash(), verified.signatures().len()), (new.hash, 2));
    let few = SignersError::Threshold { expected: 2, got: 1 };
    assert_eq!(refusal(&file(&request(&new, 2), &[1]), &new), Some(ApprovalError::Signers(few)));
    assert_eq!(refusal(&file(&request(&new, 2), &[1, 1]), &new), Some(ApprovalError::Signers(SignersError::Twice)));
    let stranger = Some(ApprovalError::Signers(SignersError::Stranger));
    assert_eq!(refusal(&file(&request(&new, 2), &[1, 2, 3]), &new), stranger);
}

#[test]
fn an_approval_of_something_else_is_none() {
    let (new, other) = (policy(&[1, 2], 2, 31), policy(&[1, 2], 2, 32));
    let good = request(&new, 2);
    for wrong in [
        request(&other, 2),
        // An older one, or one made ahead.
        request(&new, 1),
        request(&new, 3),
        Request { action: Action::Settings, ..good.clone() },
        Request { signer: Signer::Tenant([1; 16]), ..good.clone() },
    ] {
        assert_eq!(refusal(&file(&wrong, &[1, 2]), &new), Some(ApprovalError::Other), "{wrong:?}");
    }
    // Signed for something else, and then rewritten.
    let signatures = |bytes: &[u8]| serde_json::from_slice::<adyton_api::SignedRequest>(bytes).unwrap().signatures;
    let moved = signatures(&file(&request(&other, 2), &[1, 2]));
    let mut rewritten: adyton_api::SignedRequest = serde_json::from_slice(&file(&good, &[1, 2])).unwrap();
    rewritten.signatures = moved;
    let wrong = SignersError::Signature(SshSignatureError::Signature);
    let rewritten = serde_json::to_vec(&rewritten).unwrap();
    assert_eq!(refusal(&rewritten, &new), Some(ApprovalError::Signers(wrong)));
    let elsewhere = approve(&file(&good, &[1, 2]), &VaultId([1; 32]), (2, OLD), &policy(&[1, 2], 2, 30).policy, &new);
    assert_eq!(elsewhere.err(), Some(ApprovalError::Signers(wrong)));
    // Owners who were shown another policy in force approved another step.
    let from_another = file(&Request { replaces: Some([9; 32]), ..good.clone() }, &[1, 2]);
    assert_eq!(refusal(&from_another, &new), Some(ApprovalError::Signers(wrong)));
    let from_none = file(&Request { replaces: None, ..good }, &[1, 2]);
    assert_eq!(refusal(&from_none, &new), Some(ApprovalError::Signers(wrong)));
}

#[test]
fn without_owners_a_policy_stays() {
    let new = policy(&[1], 1, 31);
    let approved = approve(&file(&request(&new, 2), &[1]), &VAULT, (2, OLD), &policy(&[], 0, 30).policy, &new);
    assert_eq!(approved.err(), Some(ApprovalError::NoOwners));
}

#[test]
fn files_that_are_no_approval() {
    let new = policy(&[1, 2], 2, 31);
    let expected = adyton_api::SignedRequest::FORM;
    let form = |error| Some(ApprovalError::Form(SignedRequestError::Json(error)));
    let json = form(MemberError::field("body", expected));
    for other in [&b""[..], b"[]", b"\xff"] {
        assert_eq!(refusal(other, &new), json);
    }
    assert_eq!(refusal(b"{}", &new), form(MemberError::Missing { name: "action".into(), expected }));
    let good = String::from_utf8(file(&request(&new, 2), &[1, 2])).unwrap();
    let unknown = form(MemberError::Unknown("more".into()));
    assert_eq!(refusal(good.replacen('{', "{\"more\":1,", 1).as_bytes(), &new), unknown);
    assert_eq!(refusal(good.replacen('{', "{\"sequence\":2,", 1).as_bytes(), &new), json, "twice");
    let none = file(&request(&new, 2), &[]);
    assert_eq!(refusal(&none, &new), Some(ApprovalError::Form(SignedRequestError::Request(RequestError::Count))));
}

#[test]
fn a_policy_in_force_is_shown_once() {
    let genesis = |measured: &Measured| adyton_ledger::Genesis {
        profile: measured.profile(),
        nonce: [1; 32],
        attestation_root: [2; 32],
        policy_hash: measured.hash,
        log_key: [3; 32],
        hpke_key: [4; 32],
        ca_certificate: vec![],
        sealed_ca_key: vec![],
        wrapped_root: vec![],
        kms_ciphertext: vec![],
    };
    let measured = policy(&[1], 1, 30);
    let mut releases = Releases::new(&genesis(&measured));
    let first = in_force(&releases, &measured);
    assert_eq!(first.number, 1);
    let record = &first.records[0];
    assert_eq!(first.records.len(), 1);
    assert_eq!(record, &GovRecord::Policy(PolicyRecord { release: 1, policy: measured.bytes.clone() }));
    releases.follow(record).unwrap();
    assert_eq!(in_force(&releases, &measured), Admitted { number: 1, records: vec![] });
}

#[test]
fn the_thirteenth_boot_in_an_hour_waits_but_not_in_profile_dev() {
    let now = 1_800_003_600;
    let in_kms = |boots: &[u64]| too_many_boots(Profile::Kms, boots, now);
    assert_eq!(in_kms(&[now; 11]), None);
    assert_eq!(in_kms(&[now; 12]), Some(13));
    assert_eq!(in_kms(&[now - 3600; 100]), None, "an hour ago is over");
    assert_eq!(in_kms(&[now - 3599; 12]), Some(13));
    assert_eq!(in_kms(&[u64::MAX; 12]), Some(13), "dated ahead");
    for profile in [Profile::KmsQuorum, Profile::Quorum] {
        assert_eq!(too_many_boots(profile, &[now; 12], now), Some(13));
    }
    assert_eq!(too_many_boots(Profile::Dev, &[now; 1000], now), None);
}
