//! Signing, with the keys of `vectors/images.json`.
#![allow(clippy::unwrap_used, reason = "a test that meets an impossible value should stop")]

#[path = "../../../vectors/reader.rs"]
mod reader;

use adyton_image::{Eif, Measurements, Register, SignError, SignatureError, sign};
use reader::Vector;

fn vector() -> Vector {
    let all = reader::read(include_str!("../../../vectors/images.json"));
    all.into_iter().find(|vector| vector.name() == "signed").unwrap()
}

fn signed() -> (Eif, impl Fn(&str) -> Vec<u8>, Vector) {
    let vector = vector();
    let keys = vector.object("keys");
    let image = Eif::parse(&vector.hex("hex")).unwrap();
    (image, move |name: &str| keys.text(name).as_bytes().to_vec(), vector)
}

#[test]
fn both_forms_of_a_key_sign_and_only_the_signature_changes() {
    let (image, key, vector) = signed();
    let unsigned = Eif { signature: None, ..image.clone() };
    for form in ["pkcs8", "sec1"] {
        // A signature that was there is replaced.
        for before in [&image, &unsigned] {
            let after = sign(before, &key(form), &key("certificate")).unwrap();
            let measured = Measurements::of(&Eif::parse(&after.write().unwrap()).unwrap()).unwrap();
            assert_eq!(measured, Measurements::of(&image).unwrap(), "{form}");
            assert_eq!(measured.signed.unwrap().0, Register(vector.fixed("pcr8")));
            assert_eq!(Eif { signature: None, ..after.clone() }, unsigned);
            // r and s are the last 96 bytes of it, as numbers; all before them is fixed.
            assert_eq!(after.signature.unwrap()[..300], image.signature.clone().unwrap()[..300]);
        }
    }
}

#[test]
fn a_key_or_certificate_of_no_use_is_refused() {
    let (image, key, _) = signed();
    let of = |signer: &[u8], certificate: &[u8]| sign(&image, signer, certificate).unwrap_err();
    assert_eq!(of(&key("other_key"), &key("certificate")), SignError::OtherKey);
    assert_eq!(of(&key("pkcs8"), &key("other_certificate")), SignError::OtherKey);
    assert_eq!(of(&key("p256_key"), &key("p256_certificate")), SignError::Key);
    assert_eq!(of(&key("certificate"), &key("certificate")), SignError::Key);
    assert_eq!(of(&[key("pkcs8"), key("other_key")].concat(), &key("certificate")), SignError::Key);
    let certificate = |error| SignError::Certificate(error);
    assert_eq!(of(&key("pkcs8"), &key("p256_certificate")), certificate(SignatureError::Key));
    assert_eq!(of(&key("pkcs8"), &key("pkcs8")), certificate(SignatureError::Certificate));
    let two = [key("certificate"), key("other_certificate")].concat();
    assert_eq!(of(&key("pkcs8"), &two), certificate(SignatureError::Certificate));
    let long = [vec![b'\n'; 70_000], key("certificate")].concat();
    assert!(matches!(of(&key("pkcs8"), &long), SignError::Certificate(SignatureError::Size { got }) if got > 70_000));
}
