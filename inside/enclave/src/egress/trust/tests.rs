#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData,
};
use rustls::CertificateError;

use super::*;

const NAME: &str = "carrier.example";
const NOW: u64 = 1_800_000_000;

struct Chain {
    leaf: CertificateDer<'static>,
    leaf_key: [u8; 32],
    ca: CertificateDer<'static>,
    ca_key: [u8; 32],
}

fn issuer() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Test CA");
    CertifiedIssuer::self_signed(params, KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()).unwrap()
}

fn chain() -> Chain {
    let ca = issuer();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2030, 1, 1);
    let leaf = params.signed_by(&key, &ca).unwrap();
    Chain {
        leaf: leaf.der().clone(),
        leaf_key: sha256(&key.subject_public_key_info()).0,
        ca_key: sha256(&ca.key().subject_public_key_info()).0,
        ca: ca.der().clone(),
    }
}

fn verify(pin: Pin, chain: &Chain, with_ca: bool, name: &str, now: u64) -> Result<(), Error> {
    let verifier = Pinned { pin, provider: crate::identity::provider() };
    let intermediates = if with_ca { vec![chain.ca.clone()] } else { Vec::new() };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
    verifier.verify_server_cert(&chain.leaf, &intermediates, &name, &[], time).map(drop)
}

#[test]
fn a_pinned_ca_must_be_presented_and_must_have_signed() {
    let (ours, other) = (chain(), chain());
    let unknown = Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
    for pin in [|chain: &Chain| Pin::Key(chain.ca_key), |chain: &Chain| Pin::Certificate(sha256(&chain.ca).0)] {
        assert_eq!(verify(pin(&ours), &ours, true, NAME, NOW), Ok(()));
        assert_eq!(verify(pin(&ours), &ours, false, NAME, NOW), unknown, "not presented");
        assert_eq!(verify(pin(&other), &ours, true, NAME, NOW), unknown, "another CA");
        // Another chain that presents the pinned CA beside a leaf that it did not sign.
        let forged = Chain { ca: ours.ca.clone(), ..chain() };
        assert!(verify(pin(&ours), &forged, true, NAME, NOW).is_err());
    }
}

#[test]
fn name_and_dates_count_besides_the_pin() {
    let ours = chain();
    let refused = |name, now| verify(Pin::Key(ours.ca_key), &ours, true, name, now).unwrap_err();
    assert!(matches!(
        refused("other.example", NOW),
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })
    ));
    assert!(matches!(refused(NAME, 2_000_000_000), Error::InvalidCertificate(CertificateError::ExpiredContext { .. })));
}

#[test]
fn a_pin_of_a_leaf_that_another_signed_trusts_nothing() {
    let ours = chain();
    assert!(verify(Pin::Key(ours.leaf_key), &ours, true, NAME, NOW).is_err());
}

#[test]
fn sequences_are_der() {
    assert_eq!(sequence(&[1, 2]), [0x30, 2, 1, 2]);
    assert_eq!(sequence(&[7; 200])[..3], [0x30, 0x81, 200]);
    assert_eq!(sequence(&[7; 300])[..4], [0x30, 0x82, 1, 44]);
}

#[test]
fn every_trust_gives_a_client() {
    let ours = chain();
    for trust in [Trust::Ca(ours.ca.to_vec()), Trust::PublicRoots, Trust::SpkiSha256([1; 32]), Trust::CaSha256([1; 32])]
    {
        assert!(client(&trust).is_some());
    }
    assert!(client(&Trust::Ca(vec![0x30, 0])).is_none());
}
