#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets an impossible value should stop")]

mod accounts;
mod faults;
mod scripted;
mod waits;

use super::*;
use crate::public::tests::{Cas, NAME, NOW, keys, named, params_until};

fn policy(host: &str) -> adyton_policy::Acme {
    let (path, trust) = ("/directory".into(), "public-roots".into());
    adyton_policy::Acme { host: host.into(), port: 443, path, trust, contact: None, external_account: None }
}

fn ca(host: &str) -> Acme {
    Acme::new(&policy(host), Address::Unix("host.sock".into()), clock(NOW)).unwrap()
}

fn clock(now: u64) -> Arc<Clock> {
    let clock = Clock::new();
    clock.at_least(now);
    Arc::new(clock)
}

/// What a vault wrote: an account, and a certificate that holds until a day of January 2027.
fn record(keys: &PublicKeys, names: &[&str], until: u8) -> CertificateRecord {
    let account = EcdsaKey::generate().unwrap();
    let sealed = keys.seal(ACCOUNT_KEY, &account.public_der().unwrap(), account.to_pkcs8().unwrap()).unwrap();
    let (cas, asked) = (Cas::new(), keys.asked().unwrap().unwrap());
    let leaf = cas.sign_sealed(&asked.sealed_key, |leaf| {
        leaf.subject_alt_names = named(names);
        params_until(leaf, until);
    });
    CertificateRecord {
        account: b"https://acme.example/account/1".to_vec(),
        sealed_account_key: sealed,
        sealed_key: asked.sealed_key,
        chain: vec![leaf, cas.chain[0].clone()],
    }
}

#[test]
fn a_boot_goes_on_with_account_and_certificate() {
    let keys = keys(1);
    let record = record(&keys, &[NAME, "codes.example.com"], 30);
    let mut acme = ca("acme.example");
    assert_eq!(acme.shared().status().directory, "https://acme.example/directory");
    assert_eq!(acme.due(&keys), 0, "there is none yet");
    acme.resume(&record, None, &keys);
    assert_eq!(acme.shared().status().account.as_deref(), Some("https://acme.example/account/1"));
    assert_eq!(acme.account.as_ref().unwrap().sealed_key, record.sealed_account_key);
    assert!(acme.shared().certified(NAME).is_some());
    assert!(acme.shared().certified("other.example.com").is_none());
    // 2026-11-01 to 2027-01-30: ninety days, and sixty of them.
    let first = NOW - 25 * 86_400;
    assert_eq!(acme.due(&keys), first + 60 * 86_400);
}

#[test]
fn what_is_not_this_vaults_or_this_cas_is_begun_anew() {
    let (ours, theirs) = (keys(1), keys(2));
    let written = record(&ours, &[NAME, "codes.example.com"], 30);
    let mut other_vault = ca("acme.example");
    other_vault.resume(&written, None, &theirs);
    assert!(other_vault.account.is_none() && other_vault.shared().certificate().is_none());
    // The certificate holds; the account is another CA's.
    let mut other_ca = ca("acme.example.net");
    other_ca.resume(&written, None, &ours);
    assert!(other_ca.account.is_none() && other_ca.shared().certificate().is_some());
    // An account's key is no certificate's, nor the other way round.
    let mut exchanged = ca("acme.example");
    let (sealed_account_key, sealed_key) = (written.sealed_key.clone(), written.sealed_account_key.clone());
    exchanged.resume(&CertificateRecord { sealed_account_key, sealed_key, ..written.clone() }, None, &ours);
    assert!(exchanged.account.is_none() && exchanged.shared().certificate().is_none());
    let mut expired = ca("acme.example");
    expired.clock.at_least(NOW + 70 * 86_400);
    expired.resume(&written, None, &ours);
    assert!(expired.account.is_some() && expired.shared().certificate().is_none());
    assert_eq!(expired.due(&ours), 0);
    // A name of the policy that it does not have.
    let mut fewer = ca("acme.example");
    fewer.resume(&record(&ours, &[NAME], 30), None, &ours);
    assert!(fewer.shared().certificate().is_some());
    assert_eq!(fewer.due(&ours), 0);
}

#[test]
fn a_challenge_is_answered_by_a_certificate_of_that_name_alone() {
    let acme = ca("acme.example");
    let shared = acme.shared();
    let challenge = Challenge { name: NAME.into(), address: String::new(), token: "token".into() };
    assert!(shared.challenge(NAME).is_none());
    let answer = answer(&challenge, &EcdsaKey::generate().unwrap(), NOW).unwrap();
    shared.answer(NAME, Arc::clone(&answer));
    assert!(Arc::ptr_eq(&shared.challenge(NAME).unwrap(), &answer));
    assert!(shared.challenge("codes.example.com").is_none());
    // RFC 8737 §3: the extension's identifier, and that it is critical.
    let identifier = [0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1F, 0x01, 0x01, 0xFF];
    assert!(answer.cert[0].windows(identifier.len()).any(|bytes| bytes == identifier));
    assert!(!answer.cert[0].windows(4).any(|bytes| bytes == b"4096"), "it lives a day");
}

#[test]
fn a_ca_is_named_and_pinned() {
    let refused = |change: fn(&mut adyton_policy::Acme)| {
        let mut policy = policy("acme.example");
        change(&mut policy);
        Acme::new(&policy, Address::Unix("host.sock".into()), clock(NOW)).err()
    };
    assert_eq!(refused(|policy| policy.host = "127.0.0.1".into()), Some(EndpointError::Name));
    assert_eq!(refused(|policy| policy.trust = "anybody".into()), Some(EndpointError::Certificate));
    assert_eq!(refused(|_| ()), None);
    let mut other_port = policy("acme.example");
    other_port.port = 14_000;
    let acme = Acme::new(&other_port, Address::Unix("host.sock".into()), clock(NOW)).unwrap();
    assert_eq!(acme.shared().status().directory, "https://acme.example:14000/directory");
    assert_eq!(acme.place.path("https://acme.example/a"), Err(AcmeError::Address));
}

#[test]
fn the_next_attempt_is_not_before_the_ca_wants_to_be_asked() {
    let busy = |retry_after| AcmeError::Busy { reason: "rateLimited".into(), retry_after };
    for (error, failures, expected) in [
        (busy(None), 1, 60),
        (busy(Some(10)), 1, 60),
        (busy(Some(150)), 1, 150),
        (busy(Some(150)), 2, 300),
        (busy(Some(604_800)), 9, 604_800),
        (AcmeError::Slow { retry_after: 2 }, 1, 60),
        (AcmeError::Slow { retry_after: 2 }, 5, 43_200),
        (AcmeError::Slow { retry_after: 600 }, 1, 600),
        (AcmeError::Slow { retry_after: 2 }, u32::MAX, 43_200),
    ] {
        assert_eq!(wait_after(&error, failures), expected, "{error} {failures}");
    }
}
