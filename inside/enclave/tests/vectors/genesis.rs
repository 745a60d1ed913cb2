use adyton_enclave::custody::wrap_aad;
use adyton_enclave::identity::{Ca, SealedCa};
use adyton_policy::Api;
use adyton_seal::{KeyTree, Label, Opaque, Secret, WrapKey};

use crate::{keys, reader, root_key};

/// A root key has no equality: it is known by what it derives.
fn fingerprint(keys: &KeyTree) -> Result<[u8; 32], Opaque> {
    Ok(*keys.derive(Label::Token, &[])?.expose())
}

#[test]
fn wrapped_root_keys() {
    let vectors = reader::read(include_str!("../../../../vectors/heads.json"));
    for v in vectors.iter().filter(|v| v.what() == "wrapped_root") {
        let wrap = WrapKey::from_kms_secret(&Secret::try_from(&v.hex("kms_secret")[..]).unwrap()).unwrap();
        let aad = wrap_aad(&v.fixed("genesis_nonce"), &v.fixed("policy_hash"));
        let unwrapped = wrap.unwrap(&aad, &v.hex("wrapped_root"));
        let unwrapped = unwrapped.and_then(|root| fingerprint(&KeyTree::new(&root, 1)));
        let Some(unwrapped) = v.settle(unwrapped) else { continue };
        let root = root_key(v);
        assert_eq!(unwrapped, fingerprint(&KeyTree::new(&root, 1)).unwrap(), "{}", v.name());
        assert_eq!(wrap.wrap(v.fixed("nonce"), &aad, &root).unwrap(), v.hex("wrapped_root"), "{}", v.name());
    }
}

/// Only opened here: the vault makes the key that it seals.
#[test]
fn sealed_ca_keys() {
    let vectors = reader::read(include_str!("../../../../vectors/heads.json"));
    for v in vectors.iter().filter(|v| v.what() == "sealed_ca_key") {
        let api = Api { names: vec!["localhost".into()], addresses: Vec::new(), public_names: Vec::new() };
        let sealed = SealedCa { certificate: v.hex("ca_certificate"), sealed_key: v.hex("sealed_ca_key") };
        let opened = Ca::open(&api, &keys(v), &v.fixed("genesis_nonce"), &sealed);
        if let Some(hash) = v.settle(opened.map(|ca| ca.spki_hash())) {
            assert_eq!(hash, v.fixed("spki_sha256"), "{}", v.name());
        }
    }
}
