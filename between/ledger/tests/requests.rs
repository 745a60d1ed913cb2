//! Signed requests: one text, signed for one vault, by those who may.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "../../../vectors/ssh_signer.rs"]
mod ssh_signer;

use adyton_ledger::{
    Action, MAX_REQUEST_BODY, Request, RequestError, Signer, Signers, SignersError, SshSignatureError, VaultId, sha256,
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use ssh_signer::SshSigner;

const VAULT: VaultId = VaultId([0xAB; 32]);

fn owner(seed: u8) -> SshSigner<impl Fn(&[u8]) -> [u8; 64]> {
    let key = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = key.public_key().as_ref().try_into().unwrap();
    SshSigner { public, sign: move |text: &[u8]| key.sign(text).as_ref().try_into().unwrap() }
}

fn owners(threshold: usize) -> Signers {
    Signers::new([1, 2].map(|seed| owner(seed).line().parse().unwrap()), threshold).unwrap()
}

fn request() -> Request {
    Request {
        action: Action::Settings,
        signer: Signer::Owners,
        sequence: 7,
        body: "version = 1\n".into(),
        replaces: None,
    }
}

/// The signatures of these owners under a request, for a vault.
fn signatures(request: &Request, vault: &VaultId, seeds: &[u8]) -> Vec<String> {
    let hash = sha256(request.text(vault).as_bytes()).0;
    seeds.iter().map(|seed| owner(*seed).armored(&hash)).collect()
}

#[test]
fn the_text_is_the_pages() {
    let expected = format!(
        "adyton request v1\nvault {}\nsigner owners\nsequence 7\naction settings\nsha256 \
         dbab12665d98aef021ba64953c61b0ed8a908cfb56a1c01e2fcb4b052b71a2a1\n",
        "ab".repeat(32),
    );
    assert_eq!(request().text(&VAULT), expected);
    let approval = Request { action: Action::Policy, replaces: Some([0xCD; 32]), ..request() };
    assert!(approval.text(&VAULT).contains(&format!("\naction policy\nreplaces {}\nsha256 dbab", "cd".repeat(32))));
    let tenant = Request { signer: Signer::Tenant([0x0F; 16]), action: Action::TenantKeys, ..request() };
    assert!(tenant.text(&VAULT).contains(&format!("\nsigner AC{}\n", "0f".repeat(16))));
    assert!(tenant.text(&VAULT).contains("\naction tenant-keys\n"));
}

#[test]
fn a_request_that_its_signers_signed() {
    let signed = request().signed(&signatures(&request(), &VAULT, &[1, 2])).unwrap();
    assert_eq!(signed.unverified(), &request());
    let verified = signed.verify(&VAULT, &owners(2)).unwrap();
    assert_eq!((verified.request(), verified.body_hash()), (&request(), sha256(b"version = 1\n").0));
    assert_eq!(verified.signatures().len(), 2);
}

#[test]
fn every_field_and_the_vault_are_signed() {
    let signed = signatures(&request(), &VAULT, &[1]);
    let refused = Err(SignersError::Signature(SshSignatureError::Signature));
    for changed in [
        Request { action: Action::Policy, ..request() },
        Request { signer: Signer::Tenant([1; 16]), ..request() },
        Request { sequence: 8, ..request() },
        Request { body: "version = 2\n".into(), ..request() },
        Request { replaces: Some([1; 32]), ..request() },
    ] {
        assert_eq!(changed.signed(&signed).unwrap().verify(&VAULT, &owners(1)).map(drop), refused);
    }
    let elsewhere = request().signed(&signed).unwrap().verify(&VaultId([0xAC; 32]), &owners(1));
    assert_eq!(elsewhere.map(drop), refused);
}

#[test]
fn too_few_or_others_do_not_do() {
    let verify = |seeds: &[u8], threshold| {
        let signed = request().signed(&signatures(&request(), &VAULT, seeds)).unwrap();
        signed.verify(&VAULT, &owners(threshold)).map(drop)
    };
    assert_eq!(verify(&[2], 1), Ok(()));
    assert_eq!(verify(&[1, 1], 2), Err(SignersError::Twice));
    assert_eq!(verify(&[1, 3], 1), Err(SignersError::Stranger));
}

#[test]
fn forms_that_are_refused_before_anything_is_verified() {
    let one = signatures(&request(), &VAULT, &[1]);
    assert_eq!(Request { sequence: 0, ..request() }.signed(&one), Err(RequestError::Sequence));
    let longest = Request { body: "x".repeat(MAX_REQUEST_BODY), ..request() };
    assert!(longest.clone().signed(&one).is_ok());
    assert_eq!(Request { body: longest.body + "x", ..request() }.signed(&one), Err(RequestError::Body));
    assert_eq!(request().signed(&[] as &[String]), Err(RequestError::Count));
    assert_eq!(request().signed(&vec![&one[0]; 33]), Err(RequestError::Count));
    assert_eq!(request().signed(&["no"]), Err(RequestError::Signature(SshSignatureError::Armor)));
    for action in [
        Action::Settings,
        Action::TenantCreate,
        Action::TenantKeys,
        Action::ServiceLoosen,
        Action::Policy,
        Action::SettingsShow,
    ] {
        assert_eq!(action.text().parse(), Ok(action));
    }
    assert_eq!("Settings".parse::<Action>(), Err(RequestError::Action));
    let sid = format!("AC{}", "0f".repeat(16));
    assert_eq!((sid.parse(), "owners".parse()), (Ok(Signer::Tenant([0x0F; 16])), Ok(Signer::Owners)));
    for other in ["", "owner", &sid.to_uppercase(), &sid[..33], &format!("{sid}0"), &sid.replace("AC", "SK")] {
        assert_eq!(other.parse::<Signer>(), Err(RequestError::Signer), "{other}");
    }
}
