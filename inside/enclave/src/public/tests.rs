#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

use adyton_seal::{RootKey, Secret};
use rcgen::{
    BasicConstraints, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, SignatureAlgorithm, date_time_ymd,
};

use super::*;
use crate::policy::Effective;

pub(crate) const NAME: &str = "verify.example.com";
/// 2026-11-26.
pub(crate) const NOW: u64 = 1_795_651_200;

pub(crate) fn keys(vault: u8) -> PublicKeys {
    let tree = KeyTree::new(&RootKey::new(Secret::init_with(|bytes| bytes.fill(7))), 1);
    PublicKeys::new(&tree, [vault; 32], &[NAME.into(), "codes.example.com".into()]).unwrap()
}

/// The key of a request, as a CA knows it.
pub(crate) struct Subject(pub(crate) Vec<u8>);

impl PublicKeyData for Subject {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// A CA of two levels: the root, and who signs for it.
pub(crate) struct Cas {
    pub(crate) chain: [Vec<u8>; 2],
    issuer: Issuer<'static, KeyPair>,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 11, 1);
    params.not_after = date_time_ymd(2027, 1, 30);
    params
}

fn ca(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

impl Cas {
    pub(crate) fn new() -> Self {
        let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root = ca("root").self_signed(&root_key).unwrap().der().to_vec();
        let root_issuer = Issuer::new(ca("root"), root_key);
        let between = ca("between").signed_by(&key, &root_issuer).unwrap().der().to_vec();
        Self { chain: [between, root], issuer: Issuer::new(ca("between"), key) }
    }

    /// A certificate for a request's key, changed by `change`.
    fn sign(&self, sealed_key: &str, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        self.sign_sealed(&base64::decode(sealed_key.as_bytes()).unwrap(), change)
    }

    pub(crate) fn sign_sealed(&self, sealed: &[u8], change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        // Version, length, and then the key, whose point stands last.
        let subject = Subject(sealed[5..96][26..].to_vec());
        let mut leaf = params("leaf");
        leaf.subject_alt_names = vec![rcgen::SanType::DnsName(NAME.try_into().unwrap())];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut leaf);
        leaf.signed_by(&subject, &self.issuer).unwrap().der().to_vec()
    }
}

pub(crate) fn named(names: &[&str]) -> Vec<rcgen::SanType> {
    names.iter().map(|name| rcgen::SanType::DnsName((*name).try_into().unwrap())).collect()
}

/// Valid until a day of January 2027.
pub(crate) fn params_until(params: &mut CertificateParams, day: u8) {
    params.not_after = date_time_ymd(2027, 1, day);
}

fn settings(chain: &[&Vec<u8>], sealed_key: &str) -> Settings {
    let pem = |der: &&Vec<u8>| {
        let base64 = BASE64.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
    };
    let chain = chain.iter().map(pem).collect();
    let public_certificate = Some(adyton_policy::PublicCertificate { chain, sealed_key: sealed_key.into() });
    Settings { version: 1, public_certificate, ..Settings::default() }
}

/// What a vault says of a certificate that a CA gave for its request.
fn judged(change: impl FnOnce(&mut CertificateParams)) -> Result<Vec<String>, PublicCertificateError> {
    let (keys, cas) = (keys(1), Cas::new());
    let request = keys.request().unwrap().unwrap();
    let leaf = cas.sign(&request.sealed_key, change);
    let [between, root] = &cas.chain;
    keys.open(&settings(&[&leaf, between, root], &request.sealed_key), NOW).map(|public| public.unwrap().names)
}

#[test]
fn a_request_names_all_public_names_and_no_secret() {
    let request = keys(1).request().unwrap().unwrap();
    assert!(request.pem.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
    assert_eq!(request.names, [NAME, "codes.example.com"]);
    let again = keys(1).request().unwrap().unwrap();
    assert_ne!(again.sealed_key, request.sealed_key, "every boot has a key of its own");
    let tree = KeyTree::new(&RootKey::new(Secret::init_with(|bytes| bytes.fill(7))), 1);
    assert!(PublicKeys::new(&tree, [1; 32], &[]).unwrap().request().unwrap().is_none());
}

#[test]
fn a_certificate_is_within_the_policys_names_valid_and_for_servers() {
    let san = |name: &str| rcgen::SanType::DnsName(name.try_into().unwrap());
    assert_eq!(judged(|_| ()), Ok(vec![NAME.into()]));
    assert_eq!(
        judged(|leaf| leaf.subject_alt_names.push(san("CODES.example.com"))),
        Ok(vec![NAME.into(), "codes.example.com".into()])
    );
    let other = PublicCertificateError::Name("www.example.com".into());
    assert_eq!(judged(|leaf| leaf.subject_alt_names.push(san("www.example.com"))), Err(other));
    let wildcard = PublicCertificateError::Name("*.example.com".into());
    assert_eq!(judged(|leaf| leaf.subject_alt_names = vec![san("*.example.com")]), Err(wildcard));
    assert_eq!(judged(|leaf| leaf.subject_alt_names.clear()), Err(PublicCertificateError::NoName));
    assert_eq!(judged(|leaf| leaf.not_after = date_time_ymd(2026, 11, 25)), Err(PublicCertificateError::Expired));
    assert_eq!(judged(|leaf| leaf.not_before = date_time_ymd(2026, 11, 27)), Err(PublicCertificateError::NotYetValid));
    let for_clients = |leaf: &mut CertificateParams| {
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    assert_eq!(judged(for_clients), Err(PublicCertificateError::Chain));
}

#[test]
fn a_chain_has_an_order() {
    let (keys, cas, others) = (keys(1), Cas::new(), Cas::new());
    let sealed_key = keys.request().unwrap().unwrap().sealed_key;
    let (leaf, [between, root]) = (cas.sign(&sealed_key, |_| ()), &cas.chain);
    let open = |chain: &[&Vec<u8>]| keys.open(&settings(chain, &sealed_key), NOW).map(|public| public.unwrap().names);
    let holds = Ok(vec![NAME.to_owned()]);
    assert_eq!(open(&[&leaf, between, root]), holds);
    assert_eq!(open(&[&leaf, between]), holds, "the root may be left out");
    for chain in [
        &[&leaf, root, between][..],
        &[&leaf, root],
        &[&leaf, between, &others.chain[0], root],
        &[&leaf, &others.chain[0], &others.chain[1]],
    ] {
        assert_eq!(open(chain), Err(PublicCertificateError::Order));
    }
    // Settings have an issuer at least; the leaf alone, which a CA may give, is judged by key, names and dates.
    assert_eq!(settings(&[&leaf], &sealed_key).public_certificate.unwrap().chain(), None);
    let alone = |leaf: &Vec<u8>, now| {
        let sealed = base64::decode(sealed_key.as_bytes()).unwrap();
        keys.certify(&sealed, vec![leaf.clone()], now).map(|public| public.names)
    };
    assert_eq!(alone(&leaf, NOW), holds);
    assert_eq!(alone(&leaf, NOW - 60 * 86_400), Err(PublicCertificateError::NotYetValid));
    assert_eq!(alone(&leaf, NOW + 90 * 86_400), Err(PublicCertificateError::Expired));
    assert_eq!(alone(between, NOW), Err(PublicCertificateError::OtherKey));
    assert_eq!(open(&[between, &leaf]), Err(PublicCertificateError::OtherKey));
    assert_eq!(open(&[&leaf, &vec![0x30, 0]]), Err(PublicCertificateError::Form(1)));
    assert_eq!(open(&[&vec![0x30, 0], between]), Err(PublicCertificateError::Form(0)));
}

#[test]
fn a_key_belongs_to_one_vault_and_one_certificate() {
    let (ours, theirs, cas) = (keys(1), keys(2), Cas::new());
    let [first, second, stolen] = [&ours, &ours, &theirs].map(|keys| keys.request().unwrap().unwrap().sealed_key);
    let (leaf, between) = (cas.sign(&first, |_| ()), &cas.chain[0]);
    let open = |keys: &PublicKeys, leaf, sealed: &str| keys.open(&settings(&[leaf, between], sealed), NOW).err();
    assert_eq!(open(&ours, &leaf, &first), None);
    assert_eq!(open(&theirs, &leaf, &first), Some(PublicCertificateError::Key));
    assert_eq!(open(&ours, &leaf, &stolen), Some(PublicCertificateError::Key));
    assert_eq!(open(&ours, &leaf, &second), Some(PublicCertificateError::OtherKey));
    assert_eq!(open(&ours, &leaf, "no base64"), Some(PublicCertificateError::Key));
    assert!(ours.open(&Settings::default(), NOW).unwrap().is_none());
}

#[test]
fn the_name_that_is_asked_for_decides_and_who_wants_evidence_gets_the_boots_own() {
    let (keys, cas) = (keys(1), Cas::new());
    let sealed_key = keys.request().unwrap().unwrap().sealed_key;
    let leaf = cas.sign(&sealed_key, |_| ());
    let public = keys.open(&settings(&[&leaf, &cas.chain[0]], &sealed_key), NOW).unwrap().unwrap();
    let shown = Arc::clone(&public.certified);
    let boots = Arc::new(crate::identity::tests::own(&Arc::default()).1);
    let own = boots.certified();
    let mut effective = crate::policy::tests::effective();
    let holder = |effective: Effective| Resolver::new(Arc::clone(&boots), Watch::new(effective), None);
    let nothing = holder(crate::policy::tests::effective());
    effective.public = Some(public);
    let resolver = holder(effective);
    let http: &[&[u8]] = &[b"http/1.1"];
    let both: &[&[u8]] = &[ATTESTED_PROTOCOL, b"http/1.1"];
    for (name, protocols, expected) in [
        (Some(NAME), http, &shown),
        (Some("VERIFY.example.com"), &[], &shown),
        (Some(NAME), both, &own),
        (Some("codes.example.com"), http, &own),
        (Some("localhost"), http, &own),
        (None, http, &own),
    ] {
        let chosen = resolver.choose(name, protocols.iter().copied()).unwrap();
        assert!(Arc::ptr_eq(&chosen, expected), "{name:?}");
        assert!(Arc::ptr_eq(&nothing.choose(name, protocols.iter().copied()).unwrap(), &own));
    }
    let challenge: &[&[u8]] = &[CHALLENGE_PROTOCOL];
    assert!(resolver.choose(Some(NAME), challenge.iter().copied()).is_none(), "no CA was asked");
    assert_eq!(format!("{resolver:?}"), "Resolver");
}
